"""What a reply was worth, told from what came after it.

A reward is never stored: it is computed from the log whenever it is needed, so that what arrives
late counts, and other worths apply to the whole log. docs/ranking.md says why each is what it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from bot.knowledge.words import content_words, stem
from bot.messages import Complaint, Source, Verdict
from bot.understanding import understand

Signal = Literal[
    "liked",
    "disliked",
    "half_liked",
    "thanked",
    "asked_again",
    "asked_for_person",
    "taken_over",
    "handed_off",
    "went_on",
    "silence",
]
SIGNALS: tuple[Signal, ...] = get_args(Signal)
# What the customer said of the reply itself outweighs everything that is guessed.
EXPLICIT: frozenset[Signal] = frozenset({"liked", "disliked", "half_liked"})
WORTH: Mapping[Signal, float] = {
    "liked": 1.0,
    "disliked": -1.0,
    "half_liked": -0.5,  # a thumb down since it was unclear or incomplete: not wrong
    "thanked": 0.6,
    "asked_again": -0.6,
    "asked_for_person": -0.6,
    "taken_over": -0.4,
    "handed_off": -0.2,
    "went_on": 0.1,
    "silence": 0.2,
}
SILENCE_HOURS = 24.0
SAME_QUESTION = 0.5  # of the stems of both questions
_HALF: frozenset[Complaint] = frozenset({"unclear", "incomplete"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What came after a reply.

    `verdicts` are the customers' newest, with the reason of a thumb down; `next_text` is their next
    message (None: there was none within `hours`), `next_source` what answered that. `agent_spoke`:
    a person of the team wrote before the next message.
    """

    verdicts: Sequence[tuple[Verdict, Complaint | None]] = ()
    next_text: str | None = None
    next_source: Source | None = None
    next_asked_for_person: bool = False
    agent_spoke: bool = False
    hours: float = 0.0


def checked_worths(changed: Mapping[str, float]) -> dict[Signal, float]:
    """Return the worth of every signal, with some changed.

    Raises ValueError for a name that is no signal, a worth that isn't from -1 to 1, and where
    something guessed would outweigh a thumb.
    """
    for name, value in changed.items():
        if name not in SIGNALS:
            raise ValueError(f"{name!r} is no signal; they are {', '.join(SIGNALS)}")
        if not -1.0 <= value <= 1.0:
            raise ValueError(f"{name} must be from -1 to 1")
    worths = {name: changed.get(name, worth) for name, worth in WORTH.items()}
    surest = min(abs(worths["liked"]), abs(worths["disliked"]))
    for name, value in worths.items():
        if name not in EXPLICIT and abs(value) > surest:
            raise ValueError(f"{name} is guessed and must not outweigh liked and disliked")
    return worths


def signals(question: str, source: Source, after: Aftermath) -> tuple[Signal, ...]:
    """Return what the aftermath of a reply says about it; empty while nothing is known."""
    return tuple(_signals(question, source, after))


def reward(found: Sequence[Signal], worth: Mapping[Signal, float] = WORTH) -> float | None:
    """Return a reward from -1 to 1, None where nothing is known.

    Several explicit ones (people in a group may differ) are averaged; guessed ones add up.
    """
    explicit = [worth[each] for each in found if each in EXPLICIT]
    if explicit:
        return sum(explicit) / len(explicit)
    if not found:
        return None
    return max(-1.0, min(1.0, sum(worth[each] for each in found)))


def _signals(question: str, source: Source, after: Aftermath) -> Iterator[Signal]:
    for verdict, complaint in after.verdicts:
        if verdict == "up":
            yield "liked"
        elif verdict == "down":
            yield "half_liked" if complaint in _HALF else "disliked"
    if source == "handoff":
        yield "handed_off"
    if after.agent_spoke and source != "handoff":
        yield "taken_over"
    if after.next_asked_for_person:
        yield "asked_for_person"
    elif after.next_text is not None:
        yield from _said_next(question, after.next_text)
    elif after.hours >= SILENCE_HOURS and source != "handoff":
        yield "silence"


def _said_next(question: str, text: str) -> Iterator[Signal]:
    kind = understand(text).kind
    if kind in ("thanks", "farewell"):
        yield "thanked"
    elif kind == "question":
        yield "asked_again" if is_same_question(question, text) else "went_on"


def is_same_question(one: str, other: str) -> bool:
    """Whether two questions have most of their words in common."""
    first, second = _stems(one), _stems(other)
    return bool(first | second) and len(first & second) / len(first | second) >= SAME_QUESTION


def _stems(text: str) -> set[str]:
    return {stem(word) for word in content_words(text)}
