"""All checks of a draft in one place, the cheap ones first; the first that fails names the refusal.

- `leak`: it repeats the instructions of the prompt (bot/checks/leaks.py);
- `markup`: it has tags, or what is no word to a customer;
- what bot/grounding refuses: its claims, numbers, conditions, negations, links and addresses
  stand in the passages. So no other customer's data can be in it, whatever the model was told;
- `rule`: it breaks one of the company's rules (bot/checks/rules.py);
- `off_question`: it is true and about something else (bot/checks/answers.py).
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot import grounding
from bot.checks.answers import AnswerCheck
from bot.checks.leaks import leaked_instructions
from bot.checks.rules import Rules
from bot.errors import EncoderError
from bot.messages import Candidate, Passage, Turn
from bot.understanding import Understood

NO_RULES = Rules()
# What may stand in articles and says nothing to a customer: tags and long runs of letters.
_NO_WORDS = re.compile(r"</?(?!https?:)[A-Za-z!][^<>]*>|[A-Za-z0-9+=]{40,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the checks of a draft found: `refusal` is None where it may be shown.

    `articles` are the ids of those that support it; `features` what was measured on the way:
    `support` (bot/grounding) and `answers` (bot/checks/answers.py), each 0 to 1.
    """

    refusal: str | None
    articles: tuple[str, ...] = ()
    features: Mapping[str, float] = field(default_factory=dict)


class ReplyChecks:
    """Checks what is about to be shown. Without `answers` nothing is compared by meaning."""

    def __init__(self, answers: AnswerCheck | None = None, rules: Rules = NO_RULES) -> None:
        self.rules = rules
        self._answers = answers

    async def prepare(
        self, message: Understood, history: Sequence[Turn], passages: Sequence[Passage]
    ) -> None:
        """Work out what a draft's checks need, while the draft is being written."""
        if self._answers and message.language == message.written:
            with contextlib.suppress(EncoderError):  # the check itself copes with that
                await self._answers.prepare(message.text, history, passages)

    async def draft(
        self,
        text: str,
        message: Understood,
        history: Sequence[Turn],
        passages: Sequence[Passage],
        instructions: str,
    ) -> Checked:
        """Check a draft; `instructions` are the words of the prompt around the passages."""
        allowed = [message.text, *(passage.text for passage in passages)]
        if leaked_instructions(text, instructions, allowed):
            return Checked(refusal="leak", features={"support": 0.0})
        if _NO_WORDS.search(text):
            return Checked(refusal="markup", features={"support": 0.0})
        found = grounding.check(text, passages, message.text, message.language)
        checked = Checked(
            refusal=found.refusal, articles=found.articles, features={"support": found.support}
        )
        if found.refusal is not None:
            return checked
        if rule := self.rules.broken_by(text):
            return replace(checked, refusal=f"rule:{rule}")
        return await self._answered(checked, text, message, history, passages)

    def article(self, candidate: Candidate) -> Candidate:
        """Return an article's own words, refused where they break a rule.

        Whether the article answers has been judged by the search: the scorer of drafts told no more
        of its passages apart (docs/quality.md).
        """
        rule = self.rules.broken_by(candidate.text)
        return replace(candidate, refusal=f"rule:{rule}") if rule else candidate

    async def _answered(
        self,
        checked: Checked,
        text: str,
        message: Understood,
        history: Sequence[Turn],
        passages: Sequence[Passage],
    ) -> Checked:
        # A question in another language than its answer is out of what the scorer has learned.
        if self._answers is None or message.language != message.written:
            return checked
        verdict = await self._answers.verdict(
            message.text, history, text, passages, message.language
        )
        known = {} if verdict.probability is None else {"answers": verdict.probability}
        features = {**checked.features, **known}
        return replace(checked, refusal=verdict.refusal, features=features)
