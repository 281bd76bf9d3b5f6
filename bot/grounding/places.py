"""The sentences of passages, and how much of a statement stands in one of them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property, lru_cache

from bot.grounding.numbers import is_quantity, quantities
from bot.grounding.order import in_order, phrases
from bot.grounding.qualifiers import qualifiers
from bot.grounding.references import references
from bot.grounding.splitting import clauses, sentences, unlinked
from bot.grounding.terms import LIGHT, NOT, governed_terms, terms
from bot.messages import Passage

# The words of a sentence must stand within this many times their own number of words.
LARGEST_SPREAD = 2
PASSAGES_KEPT = 4096  # whose sentences and numbers are not worked out again
SHORTEST_STRETCH = 6
_SUBJECT = 2  # terms at most
_HEAD = 4  # terms that a sentence begins with, of which all of it may be

# Such a sentence is about what the one before it names.
_LEANS_BACK = re.compile(
    r"\W*(?:and |but |also |however, )?(?:it|its|they|their|them|this|these|that|those|he|she|his"
    r"|her|such|the same|here)\b|\W*(?:它|其|该|这|此|那|他|她)",
    re.IGNORECASE,
)
ITEM = re.compile(r"\s*(?:[-*+•|]|\d+[.)、])")
_PIECE_END = re.compile(
    r"[,;:，；。：\n]|[.!?](?=\s|$)|\b(?:and|but|while|whereas|however)\b|但是?|而且|不过",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[^:：.。,，]{1,40}(?:(?<!\d)[:：]|[:：](?!\d))")
_LEADS_IN = ("?", "？", ":", "：")


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence with its terms, and with the words that limit it."""

    text: str
    stems: tuple[str, ...]
    qualifiers: frozenset[str]


@dataclass(frozen=True)
class Place:
    """A sentence of a passage.

    `about` are the terms of the passage's title and heading, of the question or the line that leads
    into it, and of the sentence before where it begins with "it" or the like.
    """

    text: str
    stems: tuple[str, ...]
    clauses: tuple[Clause, ...]
    about: frozenset[str]
    passage: Passage

    @cached_property
    def label(self) -> tuple[str, ...]:
        """The terms before its first colon: "opening hours" of "Opening hours: 8:00 to 17:00"."""
        label = _LABEL.match(self.text)
        return tuple(terms(label[0])) if label else ()

    @cached_property
    def pieces(self) -> tuple[tuple[str, ...], ...]:
        """The terms of what may have a subject of its own."""
        return tuple(tuple(terms(piece)) for piece in _PIECE_END.split(self.text) if piece.strip())

    def subject_of(self, said: Sequence[str]) -> Sequence[str]:
        """Return the terms of what a sentence's predicate is said of here."""
        pieces = self.pieces[1:] if self.label and len(self.pieces) > 1 else self.pieces
        at = next((i for i, piece in enumerate(pieces) if said[0] in piece), 0)
        leading = _leading(pieces[at], set(said)) if pieces else ()
        first = next((i for i, piece in enumerate(pieces) if set(piece) - LIGHT), 0)
        return leading if at <= first else (*pieces[first][:_SUBJECT], *leading)

    @cached_property
    def governed(self) -> dict[str, set[str]]:
        """Each term with the classes of "all", "must", "may" and their like before it."""
        return governed_terms(self.text)


# A draft is checked again with each sentence that it grows by, always against the same passages.
@lru_cache(maxsize=PASSAGES_KEPT)
def places_of(passage: Passage) -> tuple[Place, ...]:
    """Return the sentences of a passage."""
    titles = frozenset(terms(f"{passage.title}. {passage.heading}"))
    found: list[Place] = []
    before, lead = "", ""
    for text in map(unlinked, sentences(passage.text)):
        if before.endswith(_LEADS_IN):
            lead = before
        elif not ITEM.match(text):
            lead = ""
        near = f"{lead} {before}" if leans_back(text) else lead
        about = titles.union(terms(near))
        found.append(Place(text, tuple(terms(text)), clauses_of(text), about, passage))
        before = text
    return tuple(found)


@lru_cache(maxsize=PASSAGES_KEPT)
def quantities_of(passage: Passage) -> frozenset[tuple[str, str]]:
    """Return the numbers of a passage, each with its unit."""
    return frozenset(quantities(_whole(passage)))


@lru_cache(maxsize=PASSAGES_KEPT)
def references_of(passage: Passage) -> frozenset[str]:
    """Return the links and addresses of a passage."""
    return frozenset(references(_whole(passage)))


def clauses_of(text: str) -> tuple[Clause, ...]:
    """Return the clauses of a sentence."""
    return tuple(
        Clause(clause, tuple(terms(clause)), qualifiers(clause)) for clause in clauses(text)
    )


def leans_back(text: str) -> bool:
    """Return whether a sentence begins with a word for something that was named before it."""
    return bool(_LEANS_BACK.match(text))


def support(said: Sequence[str], place: Place) -> float:
    """Return how much of a sentence's terms stands in a place close together (0 to 1).

    What the title has, or what leads into the place, need not stand there again.
    """
    head = {*place.about, *place.stems[:_HEAD]}
    here = [word for word in said if word not in head]
    if not here:
        return float(any(word in place.stems for word in said))
    length = max(SHORTEST_STRETCH, LARGEST_SPREAD * len(said))
    starts = range(max(len(place.stems) - length, 0) + 1)
    stretches = [place.stems[start : start + length] for start in starts]
    together = max(sum(word in stretch for word in here) for stretch in stretches)
    return (together + len(said) - len(here)) / len(said)


def changes_subject(said: Sequence[str], place: Place) -> bool:
    """Return whether a later clause of a place, of which a sentence has words, has its own subject.

    "Standard delivery is free, express delivery costs 9.90" has the words of "standard delivery
    costs 9.90".
    """
    own, covered = set(said) - LIGHT - {NOT}, set[str]()
    used: list[int] = []
    by_share = sorted(range(len(place.pieces)), key=lambda i: -len(own & set(place.pieces[i])))
    for position in by_share:
        if gained := own & set(place.pieces[position]) - covered:
            used.append(position)
            covered |= gained
    later = [place.pieces[position] for position in sorted(used)[1:]]
    return any(set(_leading(piece, own)) - own - LIGHT - {NOT} for piece in later)


def _leading(piece: Sequence[str], own: set[str]) -> Sequence[str]:
    """Return the terms of a piece before the first that a sentence has."""
    first = next((i for i, word in enumerate(piece) if word in own), 0)
    return piece[:first]


def is_turned_round(text: str, place: Place) -> bool:
    """Return whether the words of a sentence stand in another order than in its place."""
    said = [word for word in terms(text) if word in place.stems and word not in place.label]
    if in_order(said, place.stems) == len(said):
        return False
    rows = [[w for w in terms(phrase) if w in said] for phrase in phrases(text)]
    return not any(
        Counter(said) <= Counter(clause.stems) and all(_stands_in(row, clause) for row in rows)
        for clause in place.clauses
    )


def _stands_in(row: Sequence[str], clause: Clause) -> bool:
    """Return whether a phrase's terms stand in a clause side by side."""
    there = [word for word in clause.stems if word not in LIGHT or word in row]
    starts = range(len(there) - len(row) + 1)
    return any(there[start : start + len(row)] == list(row) for start in starts)


def substituted(said: Sequence[str], place: Place) -> str | None:
    """Return a word of the title or the lead that stands where the place has another, or None.

    "Express delivery is free" is not what "Standard delivery is free" says below "Express".
    """
    plain = [word for word in said if word not in LIGHT or word in place.stems]
    lost = Counter(place.stems) - Counter(plain)
    matcher = SequenceMatcher(None, plain, place.stems, autojunk=False)
    for what, start, end, first, last in matcher.get_opcodes():
        replaced = [w for w in place.stems[first:last] if w in lost and w not in LIGHT]
        foreign = [w for w in plain[start:end] if w not in place.stems and not is_quantity(w)]
        if what == "replace" and replaced and foreign:
            return foreign[0]
    return None


def _whole(passage: Passage) -> str:
    return f"{passage.title}. {passage.heading}. {passage.text}"
