"""True paraphrases of passages, and copied sentences that were changed mechanically.

The first should pass the grounding check and often don't; of the second none may pass. Replies that
people judged faithful (mtrag_human_eval, mean 3.5 of 4 or more), and dialogue turns with the fact
that they rest on (kdconv_travel_zh, where they share a word) are true; each sentence is a pair.
"""

import gzip
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.grounding import check, sentences
from bot.knowledge.words import content_words
from bot.messages import Language, Passage, PassageId

SEED = 7
LARGEST_SET = 300
FAITHFUL = 3.5
LEAST_WORDS = 4
Change = Callable[[str, random.Random], str]

_MONTHS = (
    "January February March April May June July August September October November December".split()
)
_UNITS = (
    ("days", "weeks"),
    ("hours", "days"),
    ("minutes", "hours"),
    ("weeks", "months"),
    ("小时", "天"),
    ("分钟", "小时"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A passage and a sentence about it."""

    set: str
    language: Language
    said: str
    passages: tuple[Passage, ...]


def report(folder: Path) -> list[dict[str, Any]]:
    """Return a row a set: true sentences refused; and a row a change: changed ones accepted."""
    rng = random.Random(SEED)
    lines: list[dict[str, Any]] = []
    for name, read in (("judged replies", mtrag), ("travel turns", kdconv)):
        found = list(read(folder))
        rng.shuffle(found)
        refused: dict[str, int] = {}
        for pair in found[:LARGEST_SET]:
            if refusal := _refusal(pair):
                reason = refusal.partition(":")[0]
                refused[reason] = refused.get(reason, 0) + 1
        number = len(found[:LARGEST_SET])
        lines.append(
            {"set": name, "true": number, "refused": sum(refused.values()) / number, **refused}
        )
    copied = list(_copied(folder, rng))
    passing = [pair for pair in copied if _refusal(pair) is None]
    lines.append({"set": "copied", "true": len(copied), "refused": 1 - len(passing) / len(copied)})
    for change, make in CHANGES.items():
        changed = [_changed(pair, make, rng) for pair in passing]
        wrong = [pair for pair in changed if pair]
        accepted = [pair for pair in wrong if _refusal(pair) is None]
        lines.append(
            {
                "change": change,
                "changed": len(wrong),
                "accepted": len(accepted),
                "first": accepted[0].said if accepted else "",
            }
        )
    return lines


def _refusal(pair: Source) -> str | None:
    return check(pair.said, pair.passages, "", pair.language).refusal


def _changed(pair: Source, make: Change, rng: random.Random) -> Source | None:
    said = make(pair.said, rng)
    if said == pair.said or any(said in passage.text for passage in pair.passages):
        return None
    return Source(set=pair.set, language=pair.language, said=said, passages=pair.passages)


def number(said: str, rng: random.Random) -> str:
    """Change the first number by a little."""
    return re.sub(r"(?<!^)\d+", lambda m: str(int(m[0]) + rng.randint(1, 9)), said, count=1)


def month(said: str, rng: random.Random) -> str:
    """Name another month."""
    found = next((name for name in _MONTHS if re.search(rf"\b{name}\b", said)), None)
    if found:
        return said.replace(found, rng.choice([name for name in _MONTHS if name != found]))
    return re.sub(r"(\d+)月", lambda m: f"{int(m[1]) % 12 + 1}月", said, count=1)


def unit(said: str, _: random.Random) -> str:
    """Say weeks for days, and the like."""
    for old, new in _UNITS:
        if old in said:
            return said.replace(old, new, 1)
    return said


def price(said: str, rng: random.Random) -> str:
    """Change an amount of money."""
    pattern = r"(?<=[$€£])\d[\d,.]*\d|\d+(?=\s?(?:GBP|EUR|USD|pounds?|元))"
    return re.sub(pattern, lambda _: str(rng.randint(501, 999)), said, count=1)


def negation_lost(said: str, _: random.Random) -> str:
    """Say the opposite by leaving out "not"."""
    found = re.sub(r"\b(is|are|does|do|can|will|may|must|should) ?not\b", r"\1", said, count=1)
    return re.sub(r"不(?=可|能|需|接|提|支|收)", "", found, count=1)


def negated(said: str, _: random.Random) -> str:
    """Say the opposite by putting in "not"."""
    found = re.sub(
        r"\b(is|are|can|will|may|must|should)\b(?! ?not|n?['’])", r"\1 not", said, count=1
    )
    return re.sub(r"(?<!不)(可以|需要|提供|支持|开放)", r"不\1", found, count=1)


def names_swapped(said: str, _: random.Random) -> str:
    """Let the first two names around "to", "from", "than" or "by" change places."""
    pattern = r"\b([A-Z][a-z]+)\b(.{2,40}? (?:to|from|than|by) (?:the )?)\b([A-Z][a-z]+)\b"
    found = re.sub(pattern, r"\3\2\1", said, count=1)
    return re.sub(r"从(\w{2,4})到(\w{2,4})", r"从\2到\1", found, count=1)


def condition_lost(said: str, _: random.Random) -> str:
    """Leave out the part that limits."""
    pattern = r",? (?:if|unless|only|except|over|under|at least)\b[^,.;]*"
    found = re.sub(pattern, "", said, count=1)
    return found if len(content_words(found)) >= LEAST_WORDS else said


def invented_link(said: str, rng: random.Random) -> str:
    """Add a link."""
    return f"{said} https://help{rng.randint(1, 99)}.example/claim"


def invented_phone(said: str, rng: random.Random) -> str:
    """Add a telephone number."""
    return f"{said} 020 7946 {rng.randint(1000, 9999)}"


CHANGES: dict[str, Change] = {
    "number": number,
    "month": month,
    "unit": unit,
    "price": price,
    "negation lost": negation_lost,
    "negated": negated,
    "names swapped": names_swapped,
    "condition lost": condition_lost,
    "link": invented_link,
    "phone": invented_phone,
}


def mtrag(folder: Path) -> Iterator[Source]:
    """Yield the sentences of replies that were judged faithful to their passages."""
    for row in _rows(folder / "mtrag_human_eval" / "tasks.jsonl.gz"):
        passages = tuple(_passage(c["text"], "en", c["title"] or "") for c in row["contexts"])
        for reply in row["replies"]:
            ratings = reply["ratings"].get("faithfulness") or [0]
            if passages and sum(ratings) / len(ratings) >= FAITHFUL:
                for said in sentences(reply["text"]):
                    if len(content_words(said)) >= LEAST_WORDS:
                        yield Source(set="mtrag", language="en", said=said, passages=passages)


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


def _copied(folder: Path, rng: random.Random) -> Iterator[Source]:
    for read in (mtrag, kdconv):
        found = list({pair.passages: pair for pair in read(folder)}.values())
        rng.shuffle(found)
        for pair in found[:LARGEST_SET]:
            for said in sentences(pair.passages[0].text)[:4]:
                yield Source(
                    set=pair.set, language=pair.language, said=said, passages=pair.passages
                )


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
