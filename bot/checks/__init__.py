"""The checks of a reply beside bot/grounding: does it answer, does it leak, does it obey."""
