"""What Frontdesk is: conversation, knowledge, candidates, ranking and the dialogue log."""
