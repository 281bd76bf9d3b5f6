"""How good the answers are on a file of questions: right article, right hand-off, no inventions.

A file has one JSON object a line: `{"question": str, "articles": [ids that answer it]}`, with
their folder or without it, and may have `history` (plain strings, customer and bot in turn, oldest
first) and `facts` (strings that a right reply contains). An empty `articles` means that no article
answers, so a hand-off is right.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bot import grounding
from bot.conversation import Answer, ConversationManager, Utterance
from bot.errors import FrontdeskError
from bot.messages import Candidate, Stage, Turn
from bot.understanding import clean

_LIST_NUMBER = re.compile(r"^[ \t]*\d{1,2}[.)、]\s", re.MULTILINE)


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
class Check:
    """What the checks said of one candidate: `refusal` is None where it might be shown."""

    source: str
    text: str
    refusal: str | None
    features: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A reply held against what was expected.

    `is_right`: the right article is cited, or a question without one is handed off.
    `is_off_question`: it cites articles, and none of those expected.
    `has_facts`: the reply has every expected fact (None where none is expected).
    `ungrounded`: the first number, price or date that its passages have not, which must never be.
    """

    reply: str
    kind: str
    citations: tuple[str, ...]
    is_right: bool
    is_off_question: bool
    has_facts: bool | None
    ungrounded: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was replied to one question; `without_model` is what the articles alone would say."""

    question: str
    language: str
    expected: tuple[str, ...]
    shown: Judged
    without_model: Judged
    checks: tuple[Check, ...]
    latency_ms: float

    @property
    def refused_drafts(self) -> tuple[str, ...]:
        """Why each refused draft was, and what it said."""
        return tuple(
            f"{check.refusal}: {check.text}"
            for check in self.checks
            if check.source == "draft" and check.refusal
        )

    @property
    def has_drafts(self) -> bool:
        """Whether the model wrote anything for it."""
        return any(check.source == "draft" for check in self.checks)


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
    """Return one row a language and one for all, as counts and shares between 0 and 1.

    Where the model wrote drafts, as many rows follow of what the articles alone would have said.
    """
    rows = _rows(outcomes)
    if any(outcome.has_drafts for outcome in outcomes):
        alone = [replace(outcome, shown=outcome.without_model) for outcome in outcomes]
        rows += [{**row, "language": f"{row['language']}, no model"} for row in _rows(alone)]
    return rows


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain data."""
    plain = asdict(outcome)
    return {
        "question": plain.pop("question"),
        **plain.pop("shown"),
        **plain,
        "refused_drafts": list(outcome.refused_drafts),
    }


def _rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    languages = sorted({outcome.language for outcome in outcomes})
    groups = [(name, [o for o in outcomes if o.language == name]) for name in languages]
    return [_row(name, group) for name, group in [*groups, ("all", list(outcomes))]]


def _row(name: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    answerable = [o for o in outcomes if o.expected]
    unanswerable = [o for o in outcomes if not o.expected]
    with_facts = [o for o in outcomes if o.shown.has_facts is not None]
    return {
        "language": name,
        "questions": len(outcomes),
        "right": _share(outcomes, lambda o: o.shown.is_right),
        "off_question": _share(outcomes, lambda o: o.shown.is_off_question),
        "invented": _share(outcomes, lambda o: o.shown.ungrounded is not None),
        "handed_off": _share(outcomes, lambda o: o.shown.kind == "handoff"),
        "right_article": _share(answerable, lambda o: o.shown.is_right),
        "wrong_article": _share(answerable, lambda o: o.shown.is_off_question),
        "wrong_section": _share(with_facts, _is_from_elsewhere),
        "handed_off_wrongly": _share(answerable, lambda o: o.shown.kind == "handoff"),
        "handed_off_rightly": _share(unanswerable, lambda o: o.shown.kind == "handoff"),
        "has_facts": _share(with_facts, lambda o: bool(o.shown.has_facts)),
        "ungrounded": sum(o.shown.ungrounded is not None for o in outcomes),
        "from_drafts": _share(outcomes, lambda o: o.shown.kind == "draft"),
        "median_ms": median(o.latency_ms for o in outcomes),
    }


def _share(outcomes: Sequence[Outcome], is_counted: Callable[[Outcome], bool]) -> float | None:
    return sum(map(is_counted, outcomes)) / len(outcomes) if outcomes else None


def _is_from_elsewhere(outcome: Outcome) -> bool:
    """Return whether the right article is shown, and not what of it answers."""
    shown = outcome.shown
    return bool(outcome.expected) and shown.is_right and shown.has_facts is False


def _outcome(question: Question, answer: Answer) -> Outcome:
    slate = answer.decision.candidates
    alone = next((c for c in slate if c.source != "draft" and not c.refusal), slate[-1])
    return Outcome(
        question=question.question,
        language=answer.message.language,
        expected=question.articles,
        shown=_judged(question, answer, answer.decision.candidate),
        without_model=_judged(question, answer, alone),
        checks=tuple(
            Check(source=c.source, text=c.text, refusal=c.refusal, features=dict(c.features))
            for c in slate
        ),
        latency_ms=answer.latency_ms,
    )


def _judged(question: Question, answer: Answer, candidate: Candidate) -> Judged:
    cited = tuple(citation.article for citation in candidate.citations)
    is_expected = any(_is_same(name, wanted) for name in cited for wanted in question.articles)
    is_handed_off = candidate.source == "handoff"
    return Judged(
        reply=candidate.text,
        kind=candidate.source,
        citations=cited,
        is_right=is_expected if question.articles else is_handed_off,
        is_off_question=bool(cited) and not is_handed_off and not is_expected,
        has_facts=_has_facts(candidate.text, question.facts) if question.facts else None,
        ungrounded=_ungrounded(candidate, answer),
    )


def _ungrounded(candidate: Candidate, answer: Answer) -> str | None:
    if candidate.source not in ("draft", "article"):
        return None
    cited = {citation.article for citation in candidate.citations}
    passages = [hit.passage for hit in answer.hits if hit.passage.article in cited]
    return grounding.unknown_quantity(_LIST_NUMBER.sub("", candidate.text), passages)


def _is_same(cited: str, wanted: str) -> bool:
    """Return whether an article is the one that is meant, with its folder or without."""
    return cited == wanted or cited.endswith(f"/{wanted}")


def _has_facts(reply: str, facts: Sequence[str]) -> bool:
    plain = "".join(reply.lower().split())
    return all("".join(fact.lower().split()) in plain for fact in facts)


async def _nowhere(text: str) -> None:
    """Show the beginning of an answer to nobody."""


async def _no_progress(stage: Stage) -> None:
    """Nobody watches an evaluation's single answers."""
