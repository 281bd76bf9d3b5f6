"""Questions with replies that answer them, and with true ones that answer something else.

The public sets are read from a folder that holds them (`--data`); the project does not contain
them. Every wrong reply is true and near: another fact of the same hotel, sight, article or dialogue
that answers another question. A question's rivals hold the right reply for one wrong pair and not
for the other, as it is where no article answers.
"""

import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.checks.answers import Exchange, exchange
from bot.grounding import sentences
from bot.knowledge.articles import read_articles
from bot.knowledge.words import FUNCTION_WORDS, stem, words
from bot.messages import Language

SHOP = Path(__file__).parents[2] / "examples" / "shop"
LARGEST_SET = 260  # questions taken of one set
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One reply to judge. Pairs of one `group` are never divided between training and test."""

    set: str
    language: Language
    group: str
    judged: Exchange
    is_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with its right replies, and true sentences near them that answer others."""

    question: str
    right: str
    wrong: tuple[str, ...]
    group: str


def pairs(folder: Path, rng: random.Random) -> Iterator[Pair]:
    """Yield the pairs of every set that lies in `folder`, and of the example shop's tuning file."""
    readers: dict[str, tuple[Language, Callable[[Path], Iterator[Asked]]]] = {
        "hotel FAQ": ("en", hotel_faq),
        "hotel dialogues": ("en", hotel_dialogues),
        "Arduino help": ("en", arduino),
        "Dify help, en": ("en", lambda of: dify(of, "en")),
        "shop, en": ("en", lambda _: shop("en")),
        "CrossWOZ": ("zh", crosswoz),
        "KdConv": ("zh", kdconv),
        "Dify help, zh": ("zh", lambda of: dify(of, "zh")),
        "shop, zh": ("zh", lambda _: shop("zh")),
    }
    for name, (language, read) in readers.items():
        found = list(read(folder))
        rng.shuffle(found)
        for asked in found[:LARGEST_SET]:
            yield from _judged(name, language, asked, rng)


def _judged(name: str, language: Language, asked: Asked, rng: random.Random) -> Iterator[Pair]:
    def pair(reply: str, passages: Sequence[str], *, is_right: bool) -> Pair:
        judged = exchange(asked.question, reply, passages)
        return Pair(
            set=name, language=language, group=asked.group, judged=judged, is_right=is_right
        )

    yield pair(asked.right, asked.wrong, is_right=True)
    chosen = rng.sample(asked.wrong, min(2, len(asked.wrong)))
    pools = ([asked.right, *asked.wrong], asked.wrong)
    for wrong, pool in zip(chosen, pools, strict=False):
        yield pair(wrong, pool, is_right=False)


def _rows(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _topic(text: str) -> set[str]:
    return {stem(word) for word in words(text) if word not in FUNCTION_WORDS}


def _faq(folder: Path) -> dict[str, list[tuple[str, str, str]]]:
    """Return (id, question, answer) by entity."""
    found = defaultdict(list)
    for row in _rows(folder / "dstc11_subjective_knowledge" / "knowledge.jsonl.gz"):
        match = re.fullmatch(r"Q: (.*?) A: (.*)", row["text"].strip(), re.DOTALL)
        if row["kind"] == "faq" and match:
            found[row["entity"]].append((row["id"], match[1], match[2].strip()))
    return found


def hotel_faq(folder: Path) -> Iterator[Asked]:
    """Yield the questions and answers of hotels and restaurants (DSTC11 track 5)."""
    for entity, rows in _faq(folder).items():
        names = _topic(entity) | _topic("place location property offer available hotel restaurant")
        for _, question, answer in rows:
            own = _topic(question) | _topic(answer)
            wrong = tuple(a for _, q, a in rows if not own & (_topic(q) | _topic(a)) - names)
            if wrong:
                yield Asked(question=question, right=answer, wrong=wrong, group=entity)


def hotel_dialogues(folder: Path) -> Iterator[Asked]:
    """Yield customers' last questions with the answers that annotators chose for them."""
    by_entity = _faq(folder)
    by_id = {row[0]: (entity, row) for entity, rows in by_entity.items() for row in rows}
    for row in _rows(folder / "dstc11_subjective_knowledge" / "val.jsonl.gz"):
        gold = [by_id[name] for name in row["gold"] if name in by_id]
        if not gold:
            continue
        entity, (_, _, answer) = gold[0]
        names = _topic(entity) | _topic("place location property offer available hotel restaurant")
        question = row["turns"][-1]["text"]
        own = set().union(*(_topic(q) | _topic(a) for _, (_, q, a) in gold)) | _topic(question)
        others = by_entity[entity]
        wrong = tuple(a for _, q, a in others if not own & (_topic(q) | _topic(a)) - names)
        if wrong:
            yield Asked(question=question, right=answer, wrong=wrong, group=entity)


def _plain(markdown: str) -> str:
    text = re.sub(r"```.*?```|<[^>]*>|!\[[^\]]*\]\([^)]*\)", " ", markdown, flags=re.DOTALL)
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)


def _opening(body: str) -> str:
    """Return the first sentences of an article."""
    found = [
        line for line in sentences(_plain(body)) if 25 <= len(line) <= 300 and line[0] not in "#|>-"
    ]
    return " ".join(found[:3])


def _titled(articles: Iterable[Row], area: Callable[[Row], str]) -> Iterator[Asked]:
    """Yield titles as questions, with their article's opening and those of its neighbours."""
    openings = defaultdict(list)
    for article in articles:
        if opening := _opening(article["body"]):
            openings[area(article)].append((article["title"], opening))
    for name, found in openings.items():
        for title, opening in found:
            own = _topic(title)
            wrong = tuple(
                text for other, text in found if not own & _topic(other) and text != opening
            )
            if wrong and len(own) >= 2:
                yield Asked(question=title, right=opening, wrong=wrong[:8], group=f"{name}/{title}")


def arduino(folder: Path) -> Iterator[Asked]:
    """Yield the articles of Arduino's help centre, beside those of their section."""
    rows = _rows(folder / "help_arduino" / "articles.jsonl.gz")
    return _titled(rows, lambda row: f"{row['category']}/{row['section']}")


def dify(folder: Path, language: Language) -> Iterator[Asked]:
    """Yield Dify's help pages in one language, beside those of their folder."""
    rows = _rows(folder / "help_dify_zh_en" / "articles.jsonl.gz")
    mine = [row for row in rows if row["lang"] == language]
    return _titled(mine, lambda row: row["id"].rpartition("/")[0])


def crosswoz(folder: Path) -> Iterator[Asked]:
    """Yield requests for one slot with the reply that informs of it, by dialogue (CrossWOZ)."""
    for row in _rows(folder / "crosswoz_zh" / "val.jsonl.gz"):
        told: dict[str, str] = {}
        asks: list[tuple[str, str, str]] = []
        for turn, reply in zip(row["turns"], row["turns"][1:], strict=False):
            slots = [act[2] for act in turn["acts"] if act[0] == "Request"]
            informed = {act[2] for act in reply["acts"] if act[0] == "Inform"}
            if turn["role"] == "user" and len(slots) == 1 and informed == set(slots):
                told[slots[0]] = reply["text"]
                asks.append((slots[0], turn["text"], reply["text"]))
        for slot, question, reply_text in asks:
            wrong = tuple(text for other, text in told.items() if other != slot)
            if len(wrong) > 1:
                yield Asked(
                    question=question, right=reply_text, wrong=wrong, group=f"cw{row['id']}"
                )


def kdconv(folder: Path) -> Iterator[Asked]:
    """Yield questions about sights with the fact that the next turn rests on (KdConv)."""
    kb = {
        row["entity"]: dict(row["facts"])
        for row in _rows(folder / "kdconv_travel_zh" / "kb.jsonl.gz")
    }
    for row in _rows(folder / "kdconv_travel_zh" / "dev.jsonl.gz"):
        for turn, reply in zip(row["turns"], row["turns"][1:], strict=False):
            question = re.split(r"(?<=[。！？，])", turn["text"].strip())[-1] or turn["text"]
            if len(reply["facts"]) != 1 or not re.search(r"[吗呢？?么多哪几]", question):
                continue
            entity, attribute, value = reply["facts"][0]
            others = {a: v for a, v in kb.get(entity, {}).items() if a != attribute}
            wrong = tuple(f"{a}：{v[:150]}" for a, v in others.items() if a != "Information")
            if attribute != "Information" and len(wrong) > 1:
                right = f"{attribute}：{value[:150]}"
                yield Asked(question=question, right=right, wrong=wrong, group=f"kd{entity}")


def shop(language: Language) -> Iterator[Asked]:
    """Yield the example shop's tuning questions; the held-out file is never read."""
    articles, _ = read_articles(SHOP / "articles")
    by_id = {article.id: article for article in articles}
    lines = (SHOP / "questions-tuning.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, filter(None, lines)):
        facts = row.get("facts") or []
        if row["language"] != language or not row["articles"] or not facts:
            continue
        article = by_id[row["articles"][0]]
        right = [p for p in article.passages if all(fact in p.text for fact in facts)]
        others = [
            passage
            for other in articles
            if other.language == language and other.id not in row["articles"]
            for passage in other.passages
        ]
        if not right:
            continue
        near = sorted(
            others, key=lambda p: len(_topic(p.text) & _topic(row["question"])), reverse=True
        )[:6]
        yield Asked(
            question=row["question"],
            right=right[0].text,
            wrong=tuple(passage.text for passage in near),
            group=article.id,
        )
