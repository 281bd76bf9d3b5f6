"""What a statement says otherwise than the sentence that has its words."""

import re
from collections.abc import Sequence

from bot.grounding.numbers import is_quantity, quantities, with_plain_numbers
from bot.grounding.order import is_redirected
from bot.grounding.places import (
    Clause,
    Place,
    changes_subject,
    clauses_of,
    is_turned_round,
    substituted,
)
from bot.grounding.qualifiers import is_unlimited, limits, misgoverned
from bot.grounding.terms import LIGHT, NOT, governed_terms, terms

# A clause that begins so limits the whole sentence.
_LEADING_CONDITION = re.compile(
    r"\s*(?:unless|except|if|when|only if|once|until|as long as|provided that)\b"
    r"|\s*(?:除非|如果|若|除外|仅限|一旦|当)",
    re.IGNORECASE,
)


def difference(text: str, place: Place, asked: set[str]) -> str | None:
    """Return what a statement says otherwise than the place that has its words, or None.

    `asked` are the terms of the question: what it names as a condition need not be said again.
    """
    if wrong := _number_out_of_place(text, place):
        return f"number:{wrong}"
    if is_turned_round(text, place) or is_redirected(text, place.text):
        return "order"
    if substituted(terms(text), place) or changes_subject(terms(text), place):
        return "subject"
    if wrong := misgoverned(governed_terms(text), place.governed):
        return wrong
    parts = clauses_of(text)
    beside = frozenset[str]()
    if len(place.clauses) == 1:
        beside = beside.union(*(clause.qualifiers for clause in parts))
    for clause in parts:
        if refusal := _clause_difference(clause, place, beside):
            return refusal
    return "condition" if _leaves_condition_out(text, place, asked) else None


def foreign_words(text: str, place: Place) -> list[str]:
    """Return the words that neither a place nor what stands above it has.

    One is enough to be about something else: "express" where the article says "standard". Numbers
    and their units are compared elsewhere.
    """
    return [
        word
        for word in terms(text)
        if word not in place.stems
        and word not in place.about
        and word not in LIGHT
        and word != NOT
        and not is_quantity(word)
    ]


def _number_out_of_place(text: str, place: Place) -> str | None:
    """Return the first number, with its unit, that the place has not, or not in this order."""
    there = quantities(place.text)
    for number, unit in quantities(text):
        if (number, unit) not in there:  # consumes what stands before it
            return f"{number} {unit}".rstrip()
    return None


def _clause_difference(clause: Clause, place: Place, beside: frozenset[str]) -> str | None:
    """Return what is otherwise than in every clause that has most of its words.

    One without a word of its own ("it is not mandatory") is compared with others such.
    """
    own = set(clause.stems) - {NOT}
    shared = [len(own.intersection(source.stems)) for source in place.clauses]
    likest = [source for source, n in zip(place.clauses, shared, strict=True) if n == max(shared)]
    if not any(shared):
        wordless = [source for source in likest if set(source.stems) <= {NOT}]
        if not wordless and NOT not in clause.stems and "only" not in clause.qualifiers:
            return None
        likest = wordless or likest
    found = [_changed(clause, source, beside) for source in likest]
    return None if None in found else found[0]


def _changed(clause: Clause, source: Clause, beside: frozenset[str]) -> str | None:
    if clause.stems.count(NOT) != source.stems.count(NOT):
        return "negation"
    return "condition" if is_unlimited(clause.qualifiers, source.qualifiers, beside) else None


def _leaves_condition_out(text: str, place: Place, asked: set[str]) -> bool:
    said = set(terms(text)) | asked
    return any(
        3 * len(said.intersection(clause.stems)) < 2 * len(set(clause.stems))
        for clause in place.clauses
        if _LEADING_CONDITION.match(clause.text)
    ) or any(number not in said for number in _limits_near(text, place))


def _limits_near(text: str, place: Place) -> Sequence[str]:
    """Return the numbers that limit the clauses which a statement takes words from."""
    said = set(terms(text)) - {NOT}
    near = [c for c in place.clauses if 2 * len(said.intersection(c.stems)) >= len(said)]
    return [number for c in near for number in limits(with_plain_numbers(c.text))]
