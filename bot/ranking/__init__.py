"""Which candidate is shown: policies over the slate of checked candidates."""
