"""Help articles: what the index holds of a document, cut into passages."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.errors import ArticlesError
from bot.knowledge.passages import split
from bot.knowledge.sources.document import Document
from bot.knowledge.sources.folder import Broken, scan
from bot.knowledge.sources.reading import read_file
from bot.messages import Language, Passage, PassageId

__all__ = [
    "Article",
    "Broken",
    "Remark",
    "article_of",
    "read_articles",
    "read_documents",
    "read_folder",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One help article. `id` is its path below the folder without the ending, e.g. `en/returns`.

    `questions` are ways in which customers ask for what it answers, if its author listed any.
    `source` is its file or its page's address.
    """

    id: str
    title: str
    language: Language
    url: str
    questions: tuple[str, ...]
    passages: tuple[Passage, ...]
    source: str = ""

    @property
    def digest(self) -> str:
        """A hash of everything that the index holds of the article."""
        ids = (passage.id for passage in self.passages)
        return _hash(self.title, self.language, self.url, *ids, *self.questions)


@dataclass(frozen=True, slots=True)
class Remark:
    """What is odd in a file whose articles go in all the same."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a folder holds: its articles, what can't be read, and what is odd in the rest."""

    documents: list[Document]
    broken: list[Broken]
    remarks: list[Remark]


def article_of(document: Document) -> Article:
    """Return a document as the index takes it. A document of headings alone has no passages."""
    return Article(
        id=document.id,
        title=document.title,
        language=document.language,
        url=document.url,
        questions=document.questions,
        passages=tuple(
            Passage(
                id=PassageId(_hash(document.id, document.title, heading, text)),
                article=document.id,
                title=document.title,
                heading=heading,
                text=text,
                language=document.language,
                url=document.url,
            )
            for heading, text in split(document.text)
        ),
        source=document.source,
    )


def read_articles(folder: Path) -> tuple[list[Article], list[Broken]]:
    """Read every article below `folder` that customers may be answered from now.

    What can't be read is listed, the rest goes in. Raises ArticlesError when the folder is missing
    or holds no readable article.
    """
    documents, broken = read_documents(folder)
    now = datetime.now(UTC)
    articles = [article_of(each) for each in documents if each.is_for_customers(now)]
    if not articles:
        raise ArticlesError(nothing_readable(folder, broken))
    return articles, broken


def read_documents(folder: Path) -> tuple[list[Document], list[Broken]]:
    """Read every file below `folder`, whoever its articles are for.

    What can't be read is listed. Raises ArticlesError when the folder is missing.
    """
    found = read_folder(folder)
    return found.documents, found.broken


def read_folder(folder: Path) -> Contents:
    """Read every file below `folder`, and say what is odd; see `read_documents`."""
    found = scan(folder)
    contents = Contents(documents=[], broken=list(found.broken), remarks=[])
    for file in found.files:
        try:
            converted = read_file(file)
        except ArticlesError as err:
            contents.broken.append(Broken(file.path, str(err)))
        else:
            contents.documents.extend(converted.documents)
            contents.broken.extend(Broken(file.path, problem) for problem in converted.problems)
            contents.remarks.extend(Remark(file.path, remark) for remark in converted.remarks)
    return contents


def nothing_readable(folder: Path, broken: list[Broken]) -> str:
    """Say that there is nothing to answer from, and why."""
    first = f" ({broken[0].path.name}: {broken[0].reason})" if broken else ""
    return (
        f"The articles folder {folder} has no article that can be read{first}; put Markdown, HTML, "
        "PDF, Word (.docx) or CSV files there."
    )


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:24]
