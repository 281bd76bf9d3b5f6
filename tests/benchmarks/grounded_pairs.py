"""True paraphrases of passages, and copied sentences that were changed mechanically.

The first should pass the grounding check and often don't; of the second none may pass. Replies that
people judged faithful (mtrag_human_eval, mean 3.5 of 4 or more), and dialogue turns with the fact
that they rest on (kdconv_travel_zh, where they share a word) are true; each sentence is a pair.
Copied are sentences of their passages, of two help centres and of the example shop's articles.

Half of the passages are held out: nothing in bot/grounding was tried on them before it was done.
"""

import gzip
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.grounding import check, sentences
from bot.knowledge.articles import read_articles
from bot.knowledge.passages import split
from bot.knowledge.words import content_words
from bot.messages import LANGUAGES, Language, Passage, PassageId
from tests.benchmarks.grounded_changes import CHANGES, LEAST_WORDS, Change

SEED = 7
LARGEST_SET = 300
COPIED_OF_A_PASSAGE = 4
PASSAGES_TOGETHER = 4
FAITHFUL = 3.5
SHOP = Path(__file__).parents[2] / "examples" / "shop"
HALVES = ("tuning", "held out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A sentence about some passages, and the question that it is the answer to."""

    set: str
    language: Language
    said: str
    passages: tuple[Passage, ...]
    question: str = ""

    @property
    def half(self) -> str:
        """Which half of the passages it belongs to."""
        first = self.passages[0].text.encode()
        return HALVES[int(hashlib.sha256(first).hexdigest(), 16) % 2]


def report(folder: Path, halves: Sequence[str] = HALVES) -> list[dict[str, Any]]:
    """Return a row a set: true sentences refused; and a row a change: changed ones accepted."""
    return [line for half in halves for line in _report(folder, half)]


def _report(folder: Path, half: str) -> Iterator[dict[str, Any]]:
    rng = random.Random(SEED)
    for name, read in (("judged replies", mtrag), ("travel turns", kdconv)):
        found = _sample(read(folder), half, rng)
        refused = Counter(refusal.partition(":")[0] for refusal in map(_refusal, found) if refusal)
        share = refused.total() / len(found)
        yield {"set": name, "half": half, "true": len(found), "refused": share, **refused}
    copied = list(_copied(folder, half, rng))
    passing = [pair for pair in copied if _refusal(pair) is None]
    share = 1 - len(passing) / len(copied)
    yield {"set": "copied", "half": half, "true": len(copied), "refused": share}
    for name, make in CHANGES.items():
        changed = [pair for pair in (_changed(pair, make, rng) for pair in passing) if pair]
        accepted = [pair for pair in changed if _is_accepted(pair)]
        yield {
            "change": name,
            "half": half,
            "changed": len(changed),
            "accepted": len(accepted),
            "first": accepted[0].said if accepted else "",
        }


def _refusal(pair: Source) -> str | None:
    return check(pair.said, pair.passages, pair.question, pair.language).refusal


def _is_accepted(changed: Source) -> bool:
    """Return whether a changed sentence passes, also for a customer who asks just that."""
    questions = ("", " ".join(content_words(changed.said)[::2]))
    return any(
        check(changed.said, changed.passages, question, changed.language).refusal is None
        for question in questions
    )


def _changed(pair: Source, make: Change, rng: random.Random) -> Source | None:
    beside = [text for text in sentences(pair.passages[0].text) if text != pair.said]
    said = make(pair.said, beside, rng)
    if said == pair.said or any(said in passage.text for passage in pair.passages):
        return None
    return Source(set=pair.set, language=pair.language, said=said, passages=pair.passages)


def _sample(found: Iterator[Source], half: str, rng: random.Random) -> list[Source]:
    mine = [pair for pair in found if pair.half == half]
    rng.shuffle(mine)
    return mine[:LARGEST_SET]


def mtrag(folder: Path) -> Iterator[Source]:
    """Yield the sentences of replies that were judged faithful to their passages."""
    for row in _rows(folder / "mtrag_human_eval" / "tasks.jsonl.gz"):
        passages = tuple(_passage(c["text"], "en", c["title"] or "") for c in row["contexts"])
        for reply in row["replies"]:
            ratings = reply["ratings"].get("faithfulness") or [0]
            if passages and sum(ratings) / len(ratings) >= FAITHFUL:
                for said in sentences(reply["text"]):
                    if len(content_words(said)) >= LEAST_WORDS:
                        yield Source(
                            set="mtrag",
                            language="en",
                            said=said,
                            passages=passages,
                            question=row["history"][-1]["text"],
                        )


def kdconv(folder: Path) -> Iterator[Source]:
    """Yield the first statement of turns with the facts that they rest on."""
    for row in _rows(folder / "kdconv_travel_zh" / "dev.jsonl.gz"):
        for turn in row["turns"]:
            said = re.split(r"[，。！]", turn["text"])
            if turn["facts"] and said and not re.search(r"[？?吗呢]", said[0]):
                passages = tuple(_passage(f"{a}：{v}", "zh", e) for e, a, v in turn["facts"])
                shared = {w for p in passages for w in content_words(p.text)}
                if shared & set(content_words(said[0])):
                    yield Source(
                        set="travel", language="zh", said=f"{said[0]}。", passages=passages
                    )


def _copied(folder: Path, half: str, rng: random.Random) -> Iterator[Source]:
    """Yield sentences of passages, beside the others of their article."""
    for read in (mtrag, kdconv, help_centres, shop):
        found = list({pair.passages: pair for pair in read(folder)}.values())
        for pair in _sample(iter(found), half, rng):
            for said in sentences(pair.passages[0].text)[:COPIED_OF_A_PASSAGE]:
                if len(content_words(said)) >= LEAST_WORDS:
                    yield replace(pair, said=said, question="")


def help_centres(folder: Path) -> Iterator[Source]:
    """Yield the articles of two help centres, some passages of one together."""
    for name in ("help_arduino", "help_dify_zh_en"):
        for row in _rows(folder / name / "articles.jsonl.gz"):
            language: Language = row.get("lang", "en")
            parts = [text for _, text in split(row["body"]) if content_words(text)]
            passages = [_passage(text, language, row["title"]) for text in parts]
            yield from _together(name, language, passages)


def shop(_: Path) -> Iterator[Source]:
    """Yield the example shop's articles."""
    for article in read_articles(SHOP / "articles")[0]:
        if article.language in LANGUAGES:
            yield from _together("shop", article.language, article.passages)


def _together(name: str, language: Language, passages: Sequence[Passage]) -> Iterator[Source]:
    for start in range(0, len(passages), PASSAGES_TOGETHER):
        some = tuple(passages[start : start + PASSAGES_TOGETHER])
        yield Source(set=name, language=language, said="", passages=some)


def _passage(text: str, language: Language, title: str) -> Passage:
    return Passage(
        id=PassageId(text[:40]),
        article=title,
        title=title,
        heading="",
        text=text,
        language=language,
        url="",
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
