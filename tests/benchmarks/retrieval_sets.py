"""Public sets as articles and questions: what each makes of its data is told in docs/quality.md.

A set is a folder below `--data` with the files that its SOURCE.md names.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from bot.messages import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An article: its name, and what stands in it."""

    name: str
    title: str
    text: str
    language: Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, the articles that answer it, and the turns before it, oldest first."""

    question: str
    articles: tuple[str, ...]
    language: Language
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSet:
    """Articles and questions about them."""

    name: str
    pages: tuple[Page, ...]
    asked: tuple[Asked, ...]


SHORTENED_PAGES, SHORTENED_ASKED, SHORTENED_TEXT = 250, 120, 3_000


def shortened(whole: RetrievalSet) -> RetrievalSet:
    """Return a part of a set that is encoded in a minute or two."""
    pages = tuple(
        replace(page, text=page.text[:SHORTENED_TEXT]) for page in whole.pages[:SHORTENED_PAGES]
    )
    names = {page.name for page in pages}
    asked = [each for each in whole.asked if names.issuperset(each.articles)]
    step = max(1, len(asked) // SHORTENED_ASKED)
    return replace(whole, pages=pages, asked=tuple(asked[::step][:SHORTENED_ASKED]))


def arduino(folder: Path) -> Iterator[RetrievalSet]:
    """A help centre whose titles are asked for; the articles go in without them."""
    rows = _rows(folder / "help_arduino" / "articles.jsonl.gz")
    yield RetrievalSet(
        name="help_arduino",
        pages=tuple(
            Page(name=row["id"], title="", text=row["body"], language="en")
            for row in rows
            if row["body"].strip()
        ),
        asked=tuple(
            Asked(question=row["title"], articles=(row["id"],), language="en")
            for row in rows
            if row["body"].strip()
        ),
    )


def dify(folder: Path) -> Iterator[RetrievalSet]:
    """A manual in both languages whose summaries are asked for, in its language and the other."""
    rows = _rows(folder / "help_dify_zh_en" / "articles.jsonl.gz")
    rows = [row for row in rows if row["body"].strip()]
    pages = {
        language: tuple(_dify_page(r) for r in rows if r["lang"] == language)
        for language in _LANGUAGES
    }
    asked = {
        language: [
            (row["id"], row["summary"] or row["title"]) for row in rows if row["lang"] == language
        ]
        for language in _LANGUAGES
    }
    for language in _LANGUAGES:
        for other in _LANGUAGES:
            names = {page.name for page in pages[other]}
            yield RetrievalSet(
                name=f"help_dify {language}" + (f" to {other}" if other != language else ""),
                pages=pages[other],
                asked=tuple(
                    Asked(question=question, articles=(f"{other}/{key}",), language=language)
                    for key, question in asked[language]
                    if f"{other}/{key}" in names
                ),
            )


def hotels(folder: Path) -> Iterator[RetrievalSet]:
    """Dialogues about hotels and restaurants; each answer and review is an article of its own."""
    knowledge = _rows(folder / "dstc11_subjective_knowledge" / "knowledge.jsonl.gz")
    dialogues = _rows(folder / "dstc11_subjective_knowledge" / "val.jsonl.gz")
    asked = [
        Asked(
            question=row["turns"][-1]["text"],
            articles=tuple(_file_name(key) for key in row["gold"]),
            language="en",
            history=tuple(turn["text"] for turn in row["turns"][:-1]),
        )
        for row in dialogues
        if row["needs_knowledge"]
    ]
    yield RetrievalSet(
        name="dstc11_subjective_knowledge",
        pages=tuple(
            Page(
                name=_file_name(row["id"]),
                title=row["entity"].title(),
                text=row["text"],
                language="en",
            )
            for row in knowledge
        ),
        asked=tuple(asked[::3]),
    )


def mtrag(folder: Path) -> Iterator[RetrievalSet]:
    """Dialogues over the passages that were given for each; those with an answer are asked."""
    rows = _rows(folder / "mtrag_human_eval" / "tasks.jsonl.gz")
    contexts = {_file_name(c["id"]): c for row in rows for c in row["contexts"]}
    yield RetrievalSet(
        name="mtrag_human_eval",
        pages=tuple(
            Page(name=key, title=c["title"] or "", text=c["text"], language="en")
            for key, c in contexts.items()
        ),
        asked=tuple(
            Asked(
                question=row["history"][-1]["text"],
                articles=tuple(_file_name(c["id"]) for c in row["contexts"]),
                language="en",
                history=tuple(turn["text"] for turn in row["history"][:-1]),
            )
            for row in rows
            if {"ANSWERABLE", "PARTIAL"} & set(row["answerability"]) and row["contexts"]
        ),
    )


def kdconv(folder: Path) -> Iterator[RetrievalSet]:
    """Chinese talks about sights: a turn is asked when the next one rests on a sight's facts."""
    knowledge = _rows(folder / "kdconv_travel_zh" / "kb.jsonl.gz")
    names = {row["entity"] for row in knowledge}
    yield RetrievalSet(
        name="kdconv_travel_zh",
        pages=tuple(
            Page(
                name=_file_name(r["entity"]),
                title=r["entity"],
                text=_facts(r["facts"]),
                language="zh",
            )
            for r in knowledge
        ),
        asked=tuple(_talks(_rows(folder / "kdconv_travel_zh" / "dev.jsonl.gz"), names)),
    )


def crosswoz(folder: Path) -> Iterator[RetrievalSet]:
    """Chinese talks about Beijing: an article is what the agents say of one place."""
    facts: dict[str, dict[str, None]] = {}
    asked: list[Asked] = []
    for row in _rows(folder / "crosswoz_zh" / "val.jsonl.gz"):
        place = ""
        turns = row["turns"]
        for at, turn in enumerate(turns):
            named = [
                a[3]
                for a in turn["acts"]
                if a[2] == "名称" and a[0] in ("Inform", "Recommend") and a[3]
            ]
            wanted = [a for a in turn["acts"] if a[0] == "Request" and a[2] not in ("名称", "none")]
            place = named[-1] if named else place
            if turn["role"] == "user" and wanted and place:
                history = tuple(before["text"] for before in turns[:at])
                asked.append(
                    Asked(
                        question=turn["text"],
                        articles=(_file_name(place),),
                        language="zh",
                        history=history,
                    )
                )
            if turn["role"] == "agent" and place:
                told = [
                    f"{a[2]}：{a[3]}"
                    for a in turn["acts"]
                    if a[0] == "Inform" and a[2] not in ("名称", "none")
                ]
                facts.setdefault(place, {}).update(dict.fromkeys(told))
    known = {place: "\n\n".join(told) for place, told in facts.items() if told}
    files = {_file_name(place) for place in known}
    yield RetrievalSet(
        name="crosswoz_zh",
        pages=tuple(
            Page(name=_file_name(place), title=place, text=text, language="zh")
            for place, text in known.items()
        ),
        asked=tuple(each for each in asked if each.articles[0] in files)[::2],
    )


SETS: tuple[Callable[[Path], Iterator[RetrievalSet]], ...] = (
    arduino,
    hotels,
    mtrag,
    dify,
    crosswoz,
    kdconv,
)
_LANGUAGES: tuple[Language, Language] = ("en", "zh")


def _talks(dialogues: Sequence[Any], names: set[str]) -> Iterator[Asked]:
    for row in dialogues:
        turns = row["turns"]
        for at, (turn, reply) in enumerate(pairwise(turns)):
            about = {fact[0] for fact in reply["facts"]} & names
            is_question = re.search(r"[?？吗呢]|什么|多少|哪|怎么|几", turn["text"])
            if about and is_question:
                yield Asked(
                    question=turn["text"],
                    articles=tuple(_file_name(name) for name in sorted(about)),
                    language="zh",
                    history=tuple(before["text"] for before in turns[:at]),
                )


def _dify_page(row: Any) -> Page:
    # The publisher's notice that a page was translated stands in each of them.
    text = re.sub(r"^> .*\n", "", row["body"])
    name = f"{row['lang']}/{row['id']}"
    return Page(name=name, title="", text=text, language=row["lang"])


def _facts(facts: Sequence[Sequence[str]]) -> str:
    return "\n\n".join(f"{name}：{value}" for name, value in facts)


def _file_name(key: str) -> str:
    return re.sub(r"[^\w-]+", "-", key)


def _rows(path: Path) -> list[Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
