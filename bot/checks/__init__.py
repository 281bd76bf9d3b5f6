"""The checks of a reply beside bot/grounding.py: does it answer, does it leak, does it obey."""
