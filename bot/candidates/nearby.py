"""Articles beside the best one: a question back where two are about as near, or a hint.

Each is offered as a button whose press writes the article's title. A title that comes right after
such an offer means the question before it: see `picked`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.candidates.article import citation
from bot.knowledge.scoring import Hit
from bot.messages import Candidate, Choice, Language, Turn
from prompts import Prompts

# The probabilities of all articles share one: where none answers by itself, and these together very
# likely do, the customer is asked. Rare: 2 of 138 tuning questions of the example shop, rightly.
MAY_BE_MEANT = 0.3
TOGETHER = 0.7
# From here on an article may help though it does not answer: of the 10 tuning questions that are
# handed off and have an article, 5 find it among these.
HELPFUL = 0.15
MOST_MEANT = 3
MOST_RELATED = 2
_MARKS = re.compile(r"([\\\[\]()*_`<>])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """The title that a customer picked, and the question that it was offered for."""

    title: str
    question: str


def clarification(
    hits: Sequence[Hit], history: Sequence[Turn], language: Language, prompts: Prompts
) -> Candidate | None:
    """Return a question back where two articles or three may be meant; never twice in a row."""
    if history and history[-1].source == "clarification":
        return None
    close = [hit for hit in _best_of_each(hits) if _may_be_meant(hit)][:MOST_MEANT]
    if not close or close[0].is_answer or sum(hit.score for hit in close) < TOGETHER:
        return None
    if len({hit.passage.title for hit in close}) < max(2, len(close)):
        return None
    titles = "\n".join(f"- {_plain(hit)}" for hit in close)
    return Candidate(
        source="clarification",
        text=prompts.text("clarification", language, titles=titles),
        citations=tuple(citation(hit) for hit in close),
        choices=offered(close),
        features={"margin": close[0].score - close[1].score},
    )


def with_hints(
    handoff: Candidate, hits: Sequence[Hit], language: Language, prompts: Prompts
) -> Candidate:
    """Return a hand-off that names up to two articles that don't answer but are near."""
    near = [hit for hit in _best_of_each(hits) if _may_help(hit)][:MOST_RELATED]
    if not near:
        return handoff
    titles = "\n".join(f"- {_link(hit)}" for hit in near)
    text = prompts.text("related", language, titles=titles)
    return replace(
        handoff,
        text=f"{handoff.text}\n\n{text}",
        choices=offered(near),
        features={"related": len(near)},
    )


def related(hits: Sequence[Hit]) -> tuple[Choice, ...]:
    """Return buttons for up to two articles that may help, too, beside the best."""
    others = _best_of_each(hits)[1:]
    return offered([hit for hit in others if _may_help(hit)][:MOST_RELATED])


def offered(hits: Sequence[Hit]) -> tuple[Choice, ...]:
    """Return a button for the article of each hit."""
    titles = dict.fromkeys(_plain(hit) for hit in hits)
    return tuple(Choice(label=title, command=title) for title in titles)


def picked(text: str, history: Sequence[Turn]) -> Picked | None:
    """Return what a message picks of what the last reply offered, or None if it picks nothing."""
    if len(history) < 2 or history[-1].source not in ("clarification", "handoff"):
        return None
    offers = re.findall(r"^- \[?(.+?)(?:\]\(\S*\))?$", history[-1].text, re.MULTILINE)
    titles = [re.sub(r"\\(.)", r"\1", offer) for offer in offers]
    title = next((each for each in titles if each.casefold() == text.strip().casefold()), None)
    asked = next((turn.text for turn in reversed(history) if turn.role == "customer"), None)
    return Picked(title=title, question=asked) if title and asked else None


def _best_of_each(hits: Sequence[Hit]) -> list[Hit]:
    """Return each article's best passage, best article first."""
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(hit.passage.article, hit)
    return list(best.values())


def _may_be_meant(hit: Hit) -> bool:
    # Where words alone decide, many scores are equal.
    return hit.similarity is not None and hit.score >= MAY_BE_MEANT


def _may_help(hit: Hit) -> bool:
    return hit.similarity is not None and hit.score >= HELPFUL


def _plain(hit: Hit) -> str:
    return " ".join(hit.passage.title.split())


def _link(hit: Hit) -> str:
    title = _MARKS.sub(r"\\\1", _plain(hit))
    return f"[{title}]({hit.passage.url})" if hit.passage.url else title
