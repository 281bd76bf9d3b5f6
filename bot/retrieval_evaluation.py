"""How well the articles are found: the rank of the right one for each question of a file.

A file has one JSON object a line, as bot/evaluation.py reads it: `articles` are file names without
ending, with their folder or without. Questions that no article answers are left out.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from statistics import mean, quantiles
from typing import Any

from bot.errors import FrontdeskError
from bot.evaluation import Question
from bot.knowledge.search import Knowledge, Weighed
from bot.messages import Language
from bot.understanding import clean, language_of

SEARCHES = ("lexical", "dense", "fused", "reranked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """At which place each search has the first right article; None where it is not found."""

    language: Language
    places: Mapping[str, int | None]
    milliseconds: float


def expected_articles(
    questions: Sequence[Question], known: Iterable[str]
) -> list[tuple[Question, frozenset[str]]]:
    """Return the questions that an article answers, with the ids of these articles.

    A question whose articles are all unknown (left out as broken, say) stays, with none: whatever
    is found is wrong then. Raises FrontdeskError where that goes for every question.
    """
    names = _by_name(known)
    expected = [
        (each, frozenset(key for name in each.articles for key in _matching(name, names)))
        for each in questions
        if each.articles
    ]
    if not expected:
        raise FrontdeskError("No question of the file names an article, so there is no right one.")
    if not any(found for _, found in expected):
        raise FrontdeskError(
            f"None of the articles that the questions name is in the folder, such as "
            f"{expected[0][0].articles[0]!r}; names are those of the files without ending."
        )
    return expected


async def rank(
    knowledge: Knowledge,
    questions: Sequence[tuple[Question, frozenset[str]]],
    progress: Callable[[int, int], None],
) -> list[Ranked]:
    """Search for every question with its history."""
    ranked = []
    for done, (question, expected) in enumerate(questions, start=1):
        history = [clean(text) for text in question.history]
        before = language_of(history[-1]) if history else None
        language = language_of(clean(question.question), before)
        started = time.perf_counter()
        weighed = await knowledge.weigh(clean(question.question), language, history=history)
        took = time.perf_counter() - started
        orders = orders_of(weighed)
        places = {search: _place(order, expected) for search, order in orders.items()}
        ranked.append(Ranked(language=language, places=places, milliseconds=took * 1000))
        progress(done, len(questions))
    return ranked


def orders_of(weighed: Weighed) -> dict[str, Sequence[str]]:
    """Return the articles as each search has them, best first."""
    evidence = weighed.evidence
    by_match = sorted(evidence, key=lambda name: evidence[name].match, reverse=True)
    by_meaning = sorted(evidence, key=lambda name: evidence[name].standing, reverse=True)
    fused = sorted(evidence, key=lambda name: evidence[name].fused, reverse=True)
    return {
        "lexical": [name for name in by_match if evidence[name].match],
        "dense": [name for name in by_meaning if evidence[name].standing],
        "fused": fused,
        "reranked": weighed.order,
    }


def summary(ranked: Sequence[Ranked]) -> list[dict[str, Any]]:
    """Return one row for each search and language, and for all."""
    groups = {"all": list(ranked)}
    for each in ranked:
        groups.setdefault(each.language, []).append(each)
    if len(groups) == 2:
        del groups["all"]
    return [
        _row(group, search, members) for group, members in groups.items() for search in SEARCHES
    ]


def as_json(ranked: Sequence[Ranked]) -> dict[str, Any]:
    """Return the figures of the search that answers customers, and those of each search."""
    total = _row("all", "reranked", ranked)
    del total["language"], total["search"]
    return {**total, "searches": summary(ranked)}


def _row(language: str, search: str, ranked: Sequence[Ranked]) -> dict[str, Any]:
    places = [each.places[search] for each in ranked]
    times = [each.milliseconds for each in ranked]
    return {
        "language": language,
        "search": search,
        "questions": len(ranked),
        "hit@1": mean(place == 1 for place in places),
        "hit@5": mean(place is not None and place <= 5 for place in places),
        "mrr": mean(1 / place if place else 0.0 for place in places),
        "milliseconds": mean(times),
        "milliseconds_p95": quantiles(times, n=20)[-1] if len(times) > 1 else times[0],
    }


def _place(order: Sequence[str], expected: frozenset[str]) -> int | None:
    return next((place for place, name in enumerate(order, start=1) if name in expected), None)


def _by_name(known: Iterable[str]) -> dict[str, list[str]]:
    """Return the ids by each end of them: `a/b/c` is also `b/c` and `c`."""
    names: dict[str, list[str]] = {}
    for key in known:
        parts = key.split("/")
        for start in range(len(parts)):
            names.setdefault("/".join(parts[start:]), []).append(key)
    return names


def _matching(name: str, names: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return the ids that a name means, also one with more folders or with an ending."""
    plain = name.strip().replace("\\", "/").removeprefix("./").strip("/")
    for text in (plain, str(PurePosixPath(plain).with_suffix("")) if plain else ""):
        parts = text.split("/")
        for start in range(len(parts)):
            if found := names.get("/".join(parts[start:])):
                return found
    return ()
