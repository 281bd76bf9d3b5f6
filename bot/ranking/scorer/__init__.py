"""How likely a text is the reply that people want, learned from which replies were chosen."""
