"""Dialogues with the real program, for the pages and pictures in docs/."""
