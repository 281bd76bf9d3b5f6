"""The check itself: a draft, sentence by sentence, against the passages."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.grounding import splitting
from bot.grounding.numbers import quantities
from bot.grounding.places import (
    ITEM,
    Place,
    leans_back,
    places_of,
    quantities_of,
    references_of,
)
from bot.grounding.references import references
from bot.grounding.splitting import unlinked
from bot.grounding.statements import Found, Statement, supported
from bot.grounding.terms import NOT, is_courtesy, terms
from bot.knowledge.words import words
from bot.messages import Language, Passage
from bot.understanding import language_of

NO_ANSWER = "NO ANSWER"
_ENUMERATOR = re.compile(
    r"(?:^[ \t]*|(?<=[:：.!?。])[ \t]+)\d{1,2}[.)、](?:[ \t]+|$)", re.MULTILINE
)
_VERDICT = re.compile(r"(?:(yes|是的?|可以的?|有的)|(no|不是|不行|不可以))[,，!！.。]\s*", re.I)
FEWEST_WORDS = 2  # a single one claims nothing that could be checked
COVERED_BY_A_VERDICT = 0.8  # share of the question's words that "yes" and "no" are said of


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounding:
    """The outcome of the check: `refusal` is None when the draft may be shown.

    `support` is the share of the draft's own words that its passages have (0 to 1), of the
    weakest sentence; `articles` are the ids of those that support it, in the draft's order.
    """

    refusal: str | None
    support: float
    articles: tuple[str, ...] = ()


def check(draft: str, passages: Sequence[Passage], question: str, language: Language) -> Grounding:
    """Check a draft against the passages it was written from."""
    draft = _ENUMERATOR.sub("- ", draft)
    if not draft.strip() or NO_ANSWER in draft.upper():
        return Grounding(refusal="declined", support=0.0)
    if language_of(draft, language) != language:
        return Grounding(refusal="language", support=0.0)
    if unknown := _unknown_reference(draft, passages):
        return Grounding(refusal=f"reference:{unknown}", support=0.0)
    if unknown := unknown_quantity(draft, passages):
        return Grounding(refusal=f"number:{unknown}", support=0.0)
    return _check_sentences(draft, passages, question)


def unknown_quantity(text: str, passages: Sequence[Passage]) -> str | None:
    """Return the first number, with its unit, that no passage has, or None."""
    known = {pair for passage in passages for pair in quantities_of(passage)}
    for number, unit in quantities(text):
        if (number, unit) not in known:
            return f"{number} {unit}".strip()
    return None


def _check_sentences(draft: str, passages: Sequence[Passage], question: str) -> Grounding:
    asked = set(terms(question))
    places = [place for passage in passages for place in places_of(passage)]
    weakest, articles, before, lead = 1.0, dict[str, bool](), asked, ""
    said = 0
    for whole in _sentences_with_verdicts(draft):
        text = unlinked(_without_verdict(whole))
        if is_courtesy(text):
            continue
        statement = Statement(text, asked, before, is_first=not articles)
        found = _supported(statement, lead, places)
        weakest = min(weakest, found.support)
        if found.refusal:
            return Grounding(refusal=found.refusal, support=weakest)
        if _VERDICT.match(whole) and not _is_said_of(whole, text, found.places, asked):
            return Grounding(refusal="verdict", support=weakest)
        articles |= {place.passage.article: True for place in found.places}
        said += len(words(text))
        before = set(terms(text)) | (before if leans_back(text) else set())
        lead = text if text.endswith((":", "：")) else lead if ITEM.match(text) else ""
    if not articles or said < FEWEST_WORDS:
        return Grounding(refusal="unsupported", support=0.0)
    return Grounding(refusal=None, support=weakest, articles=tuple(articles))


def finished(text: str) -> str:
    """Return the part of a growing draft that ends with its last finished sentence.

    Nothing while it only greets or says "yes": what that is about is still to come.
    """
    whole = splitting.finished(text)
    said = _sentences_with_verdicts(whole)
    says_nothing = all(is_courtesy(each) or not _without_verdict(each) for each in said)
    return "" if says_nothing else whole


def _sentences_with_verdicts(draft: str) -> list[str]:
    """Return the sentences of a draft, a "Yes!" of its own with the one that it is said of.

    Courtesies have none: "Yes, of course! You can ..." says yes to what comes behind.
    """
    found: list[str] = []
    verdict = ""
    for sentence in splitting.sentences(draft):
        plain = _without_verdict(sentence)
        if plain and not is_courtesy(plain):
            found.append(f"{verdict}{sentence}")
            verdict = ""
        else:
            verdict += f"{sentence.removesuffix(plain).strip()} ".lstrip()
            found += [plain] if plain else []
    return [*found, verdict] if verdict else found


def _supported(statement: Statement, lead: str, places: Sequence[Place]) -> Found:
    """Return where a statement stands, an item of a list also together with what leads into it."""
    found = supported(statement, places)
    if found.refusal and lead and ITEM.match(statement.text):
        item = ITEM.sub(" ", statement.text, count=1)
        return supported(replace(statement, text=f"{lead[:-1]}, {item}"), places)
    return found


def _without_verdict(sentence: str) -> str:
    return _VERDICT.sub("", sentence, count=1) if _VERDICT.match(sentence) else sentence


def _is_said_of(whole: str, sentence: str, places: Sequence[Place], asked: set[str]) -> bool:
    """Return whether "yes" or "no" before a sentence says of the question what its place says."""
    match = _VERDICT.match(whole)
    is_yes = bool(match and match[1])
    topic = asked - {NOT}
    there = {word for place in places for word in (*place.stems, *place.about)}
    covered = len(topic & there)
    is_covered = bool(topic) and covered >= COVERED_BY_A_VERDICT * len(topic)
    return is_covered and is_yes == (NOT not in terms(sentence))


def _unknown_reference(draft: str, passages: Sequence[Passage]) -> str | None:
    known = {name for passage in passages for name in references_of(passage)}
    return next((name for name in references(draft) if name not in known), None)
