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

# Scores are probabilities: so near to each other they don't say which article is meant. Rare: 1 of
# 111 answers on the example shop's tuning questions, and there the second article is the right one.
TOO_CLOSE = 0.05
# From here on an article may help though it does not answer: of the 13 tuning questions that are
# handed off and have an article, 8 find it among these.
HELPFUL = 0.3
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
    best = _best_of_each(hits)
    close = [hit for hit in best if _is_as_near(hit, best[0])][:MOST_MEANT]
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
    """Return buttons for up to two articles that answer, too, beside the best."""
    others = _best_of_each(hits)[1:]
    return offered([hit for hit in others if hit.is_answer][:MOST_RELATED])


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


def _is_as_near(hit: Hit, best: Hit) -> bool:
    # Where words alone decide, many scores are equal.
    has_vectors = hit.similarity is not None and best.similarity is not None
    return has_vectors and best.is_answer and hit.is_answer and best.score - hit.score < TOO_CLOSE


def _may_help(hit: Hit) -> bool:
    return hit.similarity is not None and hit.score >= HELPFUL


def _plain(hit: Hit) -> str:
    return " ".join(hit.passage.title.split())


def _link(hit: Hit) -> str:
    title = _MARKS.sub(r"\\\1", _plain(hit))
    return f"[{title}]({hit.passage.url})" if hit.passage.url else title
