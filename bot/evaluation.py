"""How good the answers are on a file of questions: right article, right hand-off, no inventions.

A file has one JSON object a line: `{"question": str, "articles": [ids that answer it]}`, and may
have `history` (plain strings, customer and bot in turn, oldest first) and `facts` (strings that a
right reply contains). An empty `articles` means that no article answers, so a hand-off is right.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bot import grounding
from bot.conversation import Answer, ConversationManager, Utterance
from bot.errors import FrontdeskError
from bot.messages import Stage, Turn
from bot.understanding import clean


class Question(BaseModel):
    """One line of a question file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str
    articles: tuple[str, ...]
    history: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()

    @property
    def is_answerable(self) -> bool:
        """Whether an article answers it."""
        return bool(self.articles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was replied to one question, and whether that was right.

    `is_right`: the right article is cited, or a question without one is handed off.
    `has_facts`: the reply has every expected fact (None where none is expected).
    `ungrounded`: why the shown reply does not stand in its passages, which must never happen.
    """

    question: str
    language: str
    expected: tuple[str, ...]
    reply: str
    kind: str
    citations: tuple[str, ...]
    is_right: bool
    has_facts: bool | None
    ungrounded: str | None
    refused_drafts: tuple[str, ...]
    latency_ms: float


def read_questions(path: Path) -> list[Question]:
    """Return the questions of a file. Raises FrontdeskError naming the line that is wrong."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeError) as err:
        raise FrontdeskError(f"The questions {path} can't be read ({err}).") from err
    questions = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                questions.append(Question.model_validate_json(line))
            except ValidationError as err:
                problem = err.errors()[0]["msg"]
                raise FrontdeskError(f"Line {number} of {path} is no question: {problem}.") from err
    if not questions:
        raise FrontdeskError(f"The file {path} has no questions.")
    return questions


async def evaluate(
    conversations: ConversationManager,
    questions: Sequence[Question],
    progress: Callable[[int, int], None],
    *,
    stream: bool = False,
) -> list[Outcome]:
    """Ask every question, each as a conversation of its own; nothing is stored.

    With `stream` a source is chosen before anything is written, as where customers read along.
    """
    outcomes = []
    for done, question in enumerate(questions, start=1):
        history = tuple(
            Turn(role="assistant" if position % 2 else "customer", text=text)
            for position, text in enumerate(question.history)
        )
        utterance = Utterance(text=clean(question.question), history=history)
        answer = await conversations.answer(utterance, _no_progress, _nowhere if stream else None)
        outcomes.append(_outcome(question, answer))
        progress(done, len(questions))
    return outcomes


def summary(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return one row a language and one for all, as counts and shares between 0 and 1."""
    languages = sorted({outcome.language for outcome in outcomes})
    groups = [(name, [o for o in outcomes if o.language == name]) for name in languages]
    return [_row(name, group) for name, group in [*groups, ("all", list(outcomes))]]


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain data."""
    return asdict(outcome)


def _row(name: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    answerable = [o for o in outcomes if o.expected]
    unanswerable = [o for o in outcomes if not o.expected]
    with_facts = [o for o in outcomes if o.has_facts is not None]
    return {
        "language": name,
        "questions": len(outcomes),
        "right": _share(outcomes, lambda o: o.is_right),
        "right_article": _share(answerable, lambda o: o.is_right),
        "wrong_article": _share(answerable, lambda o: bool(o.citations) and not o.is_right),
        "handed_off_wrongly": _share(answerable, lambda o: o.kind == "handoff"),
        "handed_off_rightly": _share(unanswerable, lambda o: o.kind == "handoff"),
        "has_facts": _share(with_facts, lambda o: bool(o.has_facts)),
        "ungrounded": sum(o.ungrounded is not None for o in outcomes),
        "from_drafts": _share(outcomes, lambda o: o.kind == "draft"),
        "median_ms": median(o.latency_ms for o in outcomes),
    }


def _share(outcomes: Sequence[Outcome], is_counted: Callable[[Outcome], bool]) -> float | None:
    return sum(map(is_counted, outcomes)) / len(outcomes) if outcomes else None


def _outcome(question: Question, answer: Answer) -> Outcome:
    chosen = answer.decision.candidate
    cited = tuple(citation.article for citation in chosen.citations)
    passages = [hit.passage for hit in answer.hits if hit.passage.article in cited]
    unknown = grounding.unknown_quantity(chosen.text, passages) if cited else None
    is_handed_off = chosen.source == "handoff"
    return Outcome(
        question=question.question,
        language=answer.message.language,
        expected=question.articles,
        reply=chosen.text,
        kind=chosen.source,
        citations=cited,
        is_right=bool(set(cited) & set(question.articles)) if question.articles else is_handed_off,
        has_facts=_has_facts(chosen.text, question.facts) if question.facts else None,
        ungrounded=unknown,
        refused_drafts=tuple(
            f"{candidate.refusal}: {candidate.text}"
            for candidate in answer.decision.candidates
            if candidate.refusal
        ),
        latency_ms=answer.latency_ms,
    )


def _has_facts(reply: str, facts: Sequence[str]) -> bool:
    plain = "".join(reply.lower().split())
    return all("".join(fact.lower().split()) in plain for fact in facts)


async def _nowhere(text: str) -> None:
    """Show the beginning of an answer to nobody."""


async def _no_progress(stage: Stage) -> None:
    """Nobody watches an evaluation's single answers."""
