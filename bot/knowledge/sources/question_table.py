"""Tables of questions and answers (CSV): each row is an article of its own.

Not one article with all rows: an article's listed questions count for all of its passages, so the
rows of one table would all be found by each other's questions.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping

from bot.errors import ArticlesError
from bot.knowledge.sources.decoding import text_of
from bot.knowledge.sources.document import Content, Converted, Document, document
from bot.knowledge.sources.head import (
    CHINESE_NAMES,
    DECIDING,
    Head,
    checked_head,
    misspelt_name,
)
from bot.understanding import clean

_COLUMNS = {
    "question": ("question", "q", "问题", "提问", "标准问题", "问"),
    "answer": ("answer", "a", "答案", "回答", "回复", "答"),
    **{name: (name, *chinese) for name, chinese in CHINESE_NAMES.items()},
}
_OTHER_NAMES = {"lang": "language", "link": "url", "similar_questions": "questions"}
_NAMES = _OTHER_NAMES | {name: column for column, names in _COLUMNS.items() for name in names}
_LANGUAGES = {"english": "en", "英文": "en", "英语": "en", "chinese": "zh", "中文": "zh"}
_LANGUAGES |= {"en": "en", "zh": "zh", "zh-cn": "zh", "en-us": "en", "en-gb": "en"}
_AUDIENCES = {"公开": "public", "内部": "internal"}
LONGEST_TITLE = 200


def read_question_table(content: bytes, name: str, source: str, shared: Head) -> Converted:
    """Return the rows of a table as documents; a row that can't be used is a problem.

    `shared` is what holds for all rows that don't say otherwise. Raises ArticlesError when the
    table has no column for questions or none for answers.
    """
    documents: dict[str, Document] = {}
    problems: list[str] = []
    for number, row in _rows(text_of(content)):
        try:
            made = _document(row, name, source, shared)
        except ArticlesError as err:
            problems.append(f"row {number}: {err}")
            continue
        if made.id in documents:
            problems.append(f"row {number}: it asks what an earlier row asks")
            continue
        documents[made.id] = made
    return Converted(documents=tuple(documents.values()), problems=tuple(problems))


def _rows(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the number of each row that is not empty, and its fields by column."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        names = [clean(name).lower().replace(" ", "_") for name in next(reader, [])]
        columns = [_NAMES.get(name) for name in names]
        if not {"question", "answer"} <= set(columns):
            raise ArticlesError("its first row names no column question (问题) and answer (答案)")
        others = [name for name in names if name not in _NAMES]
        if misspelt := misspelt_name(others, DECIDING):
            raise ArticlesError(f"its first row has {misspelt}")
        for number, fields in enumerate(reader, start=2):
            cells = {
                column: value.strip()
                for column, value in zip(columns, fields, strict=False)
                if column and value.strip()
            }
            if cells:
                yield number, cells
    except csv.Error as err:
        raise ArticlesError(f"it is not a readable table ({err})") from err


def _delimiter(text: str) -> str:
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)


def _document(row: Mapping[str, str], name: str, source: str, shared: Head) -> Document:
    question, answer = clean(row.get("question", "")), clean(row.get("answer", ""))
    if not question or not answer:
        raise ArticlesError("it has no question" if answer else "it has no answer")
    return document(
        f"{name}#{_mark(question)}",
        source,
        Content(text=answer),
        _head(row, question, shared),
        question[:LONGEST_TITLE],
    )


def _head(row: Mapping[str, str], question: str, shared: Head) -> Head:
    own = {key: value for key, value in row.items() if key not in ("question", "answer")}
    if "language" in own:
        own["language"] = _LANGUAGES.get(own["language"].lower(), own["language"])
    if "audience" in own:
        own["audience"] = _AUDIENCES.get(own["audience"], own["audience"])
    others = [each for each in own.pop("questions", "").replace("\n", "|").split("|") if each]
    given = shared.model_dump(exclude_unset=True, exclude={"title", "questions"})
    return checked_head({**given, **own, "questions": [question, *others]})


def _mark(question: str) -> str:
    """Return what tells a row from the others wherever it moves in the table."""
    return hashlib.sha256(question.encode()).hexdigest()[:8]
