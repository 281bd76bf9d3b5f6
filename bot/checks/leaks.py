"""Whether a reply repeats the instructions that the model was given.

A run of the instructions' own words is a leak in whatever sentence it stands. That no other
customer's address, number or code is in a reply needs no rule of its own: bot/grounding refuses
every one that the passages have not.
"""

from collections.abc import Sequence

from bot.knowledge.words import words

# So many words of the instructions in a row are no chance. A Chinese word is about as long as an
# English one, since both are counted as words.py segments them.
LONGEST_RUN = 6


def leaked_instructions(reply: str, instructions: str, allowed: Sequence[str] = ()) -> str | None:
    """Return the first run of words that a reply has from the instructions, or None.

    A run that one of the `allowed` texts has too, a passage or the question, is theirs.
    """
    said = words(reply)
    own = set(_runs(words(instructions)))
    for text in allowed:
        own.difference_update(_runs(words(text)))
    return next((" ".join(run) for run in _runs(said) if run in own), None)


def _runs(found: Sequence[str]) -> list[tuple[str, ...]]:
    ends = range(LONGEST_RUN, len(found) + 1)
    return [tuple(found[end - LONGEST_RUN : end]) for end in ends]
