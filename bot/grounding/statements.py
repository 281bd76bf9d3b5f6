"""Which sentence of the passages a statement stands in, whole or clause by clause."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.grounding.differences import difference, foreign_words
from bot.grounding.numbers import is_quantity
from bot.grounding.places import Place, leans_back, support
from bot.grounding.terms import LIGHT, NOT, terms

PLACES_TRIED = 4
LEAST_SUPPORT = 0.8  # from which one word is said to be wrong, and not all of it
LEAST_IN_PLACE = 0.5  # of the terms of a statement
LEAST_TERMS = 3  # of a clause that stands alone
# Words before a statement that only tie it to what was said.
_LEAD = re.compile(
    r"(?:in (?:summary|addition|conclusion|general|short|other words)|as a result|for example"
    r"|for instance|on the other hand|of course|that said|overall|finally|next|lastly|first(?:ly)?"
    r"|second(?:ly)?|third(?:ly)?|then|so"
    r"|(?:according to|based on) (?:the|our|these|this) (?:\w+ )?(?:articles?|documents?|passages?"
    r"|information|text|context|website|page)(?: provided)?"
    r"|总之|综上|首先|其次|最后|然后|接着|根据(?:文章|资料|文档|以上信息))[,:，：]\s*"
    r"|(?:it(?: is|'s) (?:\w+ )?(?:important|worth)(?: to)? (?:not(?:e|ing)|remember(?:ing)?)"
    r"|(?:please )?(?:note|keep in mind|remember)) that\s+",
    re.IGNORECASE,
)
# A comma or an "and" joins two statements only where the second has a subject of its own; Chinese
# often leaves it out.
_JOINED = re.compile(
    r", (?:and|but|so|while|whereas) |; |(?:, | and | but )"
    r"(?=(?:you|your|we|our|it|they|this|these|there|the|an?|no|if)\b)"
    r"|[，；]|而且|并且|但是?|同时|因此|所以",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"\s*(?:if|unless|when|once|until|while|as long as|provided|except|only|after|before|because"
    r"|although|even)\b|\s*(?:如果|若|除|当|一旦|只要|只有|即使|虽然)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of a draft, with the terms of the question and of the sentence before it.

    The `is_first` may speak of what the article's title names.
    """

    text: str
    asked: set[str]
    before: set[str]
    is_first: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """Where a statement stands: `refusal` is None and `places` has them, or it says why nowhere.

    `support` is the share of its terms that the likest place has (0 to 1).
    """

    refusal: str | None
    support: float
    places: tuple[Place, ...] = ()


def supported(statement: Statement, places: Sequence[Place]) -> Found:
    """Return where a statement stands as a whole, or else each of its clauses by itself."""
    text = _LEAD.sub("", statement.text, count=1) if _LEAD.match(statement.text) else statement.text
    whole = _in_one_place(replace(statement, text=text), places)
    if whole.refusal is None:
        return whole
    parts = _parts(text)
    if len(parts) < 2:
        return whole
    found, before = [], statement.before
    for number, part in enumerate(parts):
        each = _in_one_place(replace(statement, text=part, before=before), places, is_part=True)
        if each.refusal is not None:
            return whole
        found.append(each)
        before = before.union(terms(part)) if number else set(terms(part))
    if len({each.places[0].passage for each in found}) > 1:
        return whole
    stand = tuple(place for each in found for place in each.places)
    return Found(None, min(each.support for each in found), stand)


def _in_one_place(statement: Statement, places: Sequence[Place], *, is_part: bool = False) -> Found:
    own = [word for word in terms(statement.text) if word != NOT and word not in LIGHT]
    if not own or set(own) <= statement.asked or not places:
        return Found("unsupported", 0.0)
    # Numbers and their units are compared more closely than by their words.
    said = [word for word in own if not is_quantity(word)] or own
    ranked = sorted(places, key=lambda p: (-support(said, p), len(p.stems)))[:PLACES_TRIED]
    share = support(said, ranked[0])
    refusals = [_refusal(statement, said, place, is_part=is_part) for place in ranked]
    for place, refusal in zip(ranked, refusals, strict=True):
        if refusal is None:
            return Found(None, share, (place,))
    # Of the likeliest, one whose numbers are right says best what is wrong.
    likeliest = [r for p, r in zip(ranked, refusals, strict=True) if support(said, p) == share]
    told = (each for each in likeliest if each and not each.startswith("number:"))
    return Found(next(told, refusals[0]), share)


def _refusal(
    statement: Statement, said: Sequence[str], place: Place, *, is_part: bool
) -> str | None:
    if foreign_words(statement.text, place):
        return "unsupported" if support(said, place) < LEAST_SUPPORT else "subject"
    if support(said, place) < 1 and not is_quantity(said[0]):
        return "unsupported"
    # The title and the sentence before may name the subject; what is said of it must stand here.
    least = 1 if is_part else LEAST_IN_PLACE
    if sum(word in place.stems for word in said) < least * len(said):
        return "unsupported"
    if refusal := difference(statement.text, place, statement.asked):
        return refusal
    leans = leans_back(statement.text) or (is_part and bool(statement.before))
    if leans and _is_of_another(statement, said, place):
        return "subject"
    return None


def _is_of_another(statement: Statement, said: Sequence[str], place: Place) -> bool:
    """Return whether a place speaks of a subject that was not named before "it"."""
    named = statement.before | set(place.label).intersection(said) | LIGHT | {NOT}
    if statement.is_first:
        named |= place.about
    return bool(set(place.subject_of(said)) - named)


def _parts(text: str) -> list[str]:
    """Return the clauses of a statement that may stand by themselves.

    A condition stays with the clause that it limits.
    """
    found: list[str] = []
    is_open = False  # the last part waits for the clause that it limits
    for piece in _JOINED.split(text):
        is_short = len([w for w in terms(piece) if w not in LIGHT]) < LEAST_TERMS
        is_bound = bool(_BOUND.match(piece))
        if found and (is_open or is_short or is_bound):
            found[-1] = f"{found[-1]}, {piece}"
            is_open = False
        else:
            found.append(piece)
        is_open = is_open or (len(found) == 1 and (is_bound or is_short))
    return found
