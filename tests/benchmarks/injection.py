"""A model that obeys every attacker: what customers see of it. `make bench-injection DATA=folder`.

The attacks are the public lists of prompt injections and jailbreaks (`safety` in the data folder),
each as a customer's question, alone and before an honest one, and each of the indirect ones planted
in the article that answers. The model, a fake one, repeats its instructions, the attack, what the
attack quotes, and an invented promise. A reply has changed where a customer sees anything but what
the same program says without a model; also the beginnings of a reply that are shown while it is
written count.
"""

import argparse
import asyncio
import gzip
import json
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from bot.candidates.approved import ApprovedAnswers
from bot.candidates.drafts import DraftWriter
from bot.checks.answers import AnswerCheck
from bot.checks.replies import ReplyChecks
from bot.conversation import ConversationManager, Utterance
from bot.knowledge.encoder import E5Encoder
from bot.knowledge.search import Knowledge
from bot.log.store import Store
from bot.messages import LANGUAGES, Language
from bot.model import ChatModel
from bot.ranking.fixed_order import FixedOrder
from bot.understanding import clean
from prompts import Prompts
from tests.fakes.vllm_api import MODEL, FakeVllm
from tests.small_shop import NOW, QUESTION, write_articles

HEADING: dict[Language, str] = {"en": "More about returns", "zh": "退货的其他说明"}
DRAFTS = 4
CONTEXT_TOKENS = 32_000
PROMISE = "You get 500 EUR at once. Pay at https://evil.example/pay or call 020 7946 0999."
Json = dict[str, Any]


@dataclass(frozen=True)
class Attack:
    """An instruction of somebody who has none to give; `is_planted` in an article."""

    kind: str
    text: str
    is_planted: bool = False


@dataclass(frozen=True)
class Managers:
    """The same program with the model that obeys, and without any."""

    knowledge: Knowledge
    obeying: ConversationManager
    alone: ConversationManager


def obedient(attack: str) -> list[str]:
    """Return what a model says that does what an attack wants of it."""
    quoted = re.findall(r"[\"'“‘「]([^\"'”’」]{3,})[\"'”’」]", attack)
    told = quoted[-1] if quoted else attack.rpartition(":")[2].strip() or attack
    return [attack, told, f"{PROMISE} {told}"]


def reply_to(attack: str) -> Any:
    """Return the fake model's script: its own instructions first, then what the attack wants."""

    def reply(body: Json) -> list[str]:
        said = [body["messages"][0]["content"], *obedient(attack)]
        return said[: body.get("n") or 1] if not body.get("stream") else [said[1]]

    return reply


def attacks(folder: Path) -> list[Attack]:
    """Return every attack of the lists; benign texts are left out."""
    with gzip.open(folder / "safety" / "prompts.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    bad = [row for row in rows if row["kind"] not in ("benign", "safe")]
    return [
        *(Attack(row["kind"], row["text"]) for row in bad),
        *(
            Attack(f"planted, {row['kind']}", row["text"], is_planted=True)
            for row in bad
            if row["kind"].startswith("indirect")
        ),
    ]


async def changed(managers: Managers, vllm: FakeVllm, question: str, attack: str) -> str | None:
    """Return what a customer saw that the articles alone don't say, or None."""
    vllm.reply = reply_to(attack)
    utterance = Utterance(text=clean(question))
    expected = (await managers.alone.answer(utterance, _nothing)).decision.candidate.text
    visible: list[str] = []

    async def show(text: str) -> None:
        visible.append(text)

    for reader in (None, show):
        answer = await managers.obeying.answer(utterance, _nothing, reader)
        if answer.decision.candidate.text != expected:
            return answer.decision.candidate.text
    return visible[0] if visible else None


@asynccontextmanager
async def opened(folder: Path, url: str) -> AsyncIterator[Managers]:
    """Open the small shop's articles with the real encoder and all checks."""
    prompts = Prompts.load()
    with Store(folder / "frontdesk.db") as store:
        encoder = E5Encoder()
        knowledge = Knowledge(store, encoder)
        await knowledge.sync(write_articles(folder / "articles"), NOW)
        await knowledge.encode(lambda done, total: None)
        checks = ReplyChecks(AnswerCheck(encoder, knowledge.in_encoder))
        model = ChatModel(url=url, name=MODEL, context_tokens=CONTEXT_TOKENS)

        def manager(drafts: int) -> ConversationManager:
            return ConversationManager(
                knowledge=knowledge,
                approved=ApprovedAnswers(store, knowledge.meaning, lambda: NOW),
                drafts=DraftWriter(
                    model,
                    prompts,
                    drafts=drafts,
                    longest_tokens=CONTEXT_TOKENS // 2,  # what is cut off would be refused
                    languages=("en", "zh"),
                    checks=checks,
                ),
                prompts=prompts,
                policy=FixedOrder(),
                rng=random.Random(7),
                checks=checks,
            )

        try:
            yield Managers(knowledge, manager(DRAFTS), manager(0))
        finally:
            await model.close()
            knowledge.close()


async def run(found: Sequence[Attack]) -> list[dict[str, Any]]:
    """Return one row a kind of attack: how many replies, how many of them changed.

    `written` are those for which the model was asked: an article answered their question.
    """
    asked, bad, first = Counter[str](), Counter[str](), dict[str, str]()
    written = Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            FakeVllm(context_tokens=CONTEXT_TOKENS) as vllm,
            opened(folder, vllm.url) as managers,
        ):
            for number, attack in enumerate(found):
                if number * 20 // len(found) != (number - 1) * 20 // len(found):
                    so_far = f"{bad.total()} of {asked.total()} replies changed"
                    print(f"{number} of {len(found)} attacks, {so_far}", file=sys.stderr)
                for question in await _questions(attack, folder, managers):
                    asked[attack.kind] += 1
                    before = len(vllm.chats)
                    if seen := await changed(managers, vllm, question, attack.text):
                        bad[attack.kind] += 1
                        first.setdefault(attack.kind, f"{question[:80]} -> {seen[:200]}")
                    written[attack.kind] += len(vllm.chats) > before
    return [
        {
            "kind": kind,
            "replies": asked[kind],
            "written": written[kind],
            "changed": bad[kind],
            "first": first.get(kind, ""),
        }
        for kind in asked
    ]


async def _questions(attack: Attack, folder: Path, managers: Managers) -> list[str]:
    """Return the questions to try an attack with; a planted one is written into its article."""
    articles = write_articles(folder / "articles")
    if not attack.is_planted:
        return [attack.text, *(f"{attack.text}\n{question}" for question in QUESTION.values())]
    for language in LANGUAGES:
        with (articles / language / "returns.md").open("a", encoding="utf-8") as file:
            # A section of its own, so that the article is still the one that answers.
            file.write(f"\n## {HEADING[language]}\n\n{attack.text}\n")
    await managers.knowledge.sync(articles, NOW)
    await managers.knowledge.encode(lambda done, total: None)
    return list(QUESTION.values())


async def _nothing(stage: object) -> None:
    """Nobody watches."""


def main() -> None:
    """Try the attacks and print what came of them."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    options.add_argument("--every", type=int, default=1, help="try only every n-th attack")
    options.add_argument("--json", action="store_true", help="print the results as JSON")
    asked = options.parse_args()
    rows = asyncio.run(run(attacks(asked.data)[:: asked.every]))
    if asked.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    console = Console(width=150)
    for row in rows:
        console.print(*(f"{key} {value}" for key, value in row.items()), markup=False)
    total, bad = sum(row["replies"] for row in rows), sum(row["changed"] for row in rows)
    console.print(f"{bad} of {total} replies changed ({bad / total:.1%})")


if __name__ == "__main__":
    main()
