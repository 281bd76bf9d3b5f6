"""Help articles as the company keeps them: a folder of Markdown files with YAML front matter."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import frontmatter
import yaml
from langchain_text_splitters import MarkdownHeaderTextSplitter, RecursiveCharacterTextSplitter
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.errors import ArticlesError
from bot.messages import Language, Passage, PassageId
from bot.understanding import clean, language_of

LONGEST_PASSAGE = 1200  # characters
LARGEST_FILE = 2_000_000  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One help article. `id` is its path below the folder without the ending, e.g. `en/returns`.

    `questions` are ways in which customers ask for what it answers, if its author listed any.
    """

    id: str
    title: str
    language: Language
    url: str
    questions: tuple[str, ...]
    passages: tuple[Passage, ...]

    @property
    def digest(self) -> str:
        """A hash of everything that the index holds of the article."""
        ids = (passage.id for passage in self.passages)
        return _hash(self.title, self.language, self.url, *ids, *self.questions)


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that could not be taken in, and why."""

    path: Path
    reason: str


class _Head(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)

    title: str | None = Field(None, min_length=1)
    language: Language | None = None
    url: str = Field("", pattern=r"^(https?://\S+)?$")
    audience: Literal["public", "internal"] = "public"
    questions: tuple[str, ...] = ()


def read_articles(folder: Path) -> tuple[list[Article], list[Broken]]:
    """Read every `.md` file below `folder`; what can't be read is listed, the rest goes in.

    Articles marked `audience: internal` are left out: customers never see them.
    Raises ArticlesError when the folder is missing or holds no readable article.
    """
    if not folder.is_dir():
        raise ArticlesError(
            f"The articles folder {folder} does not exist; set FRONTDESK_ARTICLES to the folder "
            "with your help articles."
        )
    articles: list[Article] = []
    broken: list[Broken] = []
    for path in sorted(folder.rglob("*.md")):
        try:
            article = _read(path, folder)
        except ArticlesError as err:
            broken.append(Broken(path, str(err)))
        else:
            articles.extend([article] if article else [])
    if not articles:
        first = f" ({broken[0].path.name}: {broken[0].reason})" if broken else ""
        raise ArticlesError(
            f"The articles folder {folder} has no article that can be read{first}; put Markdown "
            "files (*.md) there."
        )
    return articles, broken


def _read(path: Path, folder: Path) -> Article | None:
    if any("\ud800" <= char <= "\udfff" for char in str(path)):
        raise ArticlesError("its name is not UTF-8 text")
    head, body = _parse(path)
    if head.audience == "internal":
        return None
    article_id = path.relative_to(folder).with_suffix("").as_posix()
    title = head.title or path.stem.replace("-", " ").replace("_", " ").capitalize()
    language = head.language or language_of(body)
    passages = tuple(
        Passage(
            id=PassageId(_hash(article_id, title, heading, text)),
            article=article_id,
            title=title,
            heading=heading,
            text=text,
            language=language,
            url=head.url,
        )
        for heading, text in _split(body)
    )
    if not passages:
        raise ArticlesError("it has no text")
    return Article(
        id=article_id,
        title=title,
        language=language,
        url=head.url,
        questions=tuple(question for text in head.questions if (question := clean(text))),
        passages=passages,
    )


def _parse(path: Path) -> tuple[_Head, str]:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ArticlesError(f"it is larger than {LARGEST_FILE // 1_000_000} MB")
        post = frontmatter.loads(path.read_text(encoding="utf-8-sig"))
        return _Head.model_validate(post.metadata), clean(post.content)
    except OSError as err:
        raise ArticlesError(f"it can't be read ({err.strerror})") from err
    except UnicodeDecodeError as err:
        raise ArticlesError("it is not UTF-8 text") from err
    except ValidationError as err:
        problem = err.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ArticlesError(f"its front matter has a wrong {where}: {problem['msg']}") from err
    except (yaml.YAMLError, ValueError) as err:  # ValueError: an impossible date
        raise ArticlesError("its front matter is not valid YAML") from err


def _split(body: str) -> Iterator[tuple[str, str]]:
    """Yield (heading, text) for each section; a long section becomes several passages."""
    # The splitter drops every space but the plain one, and so joins the words around it.
    body = re.sub(r"[^\S\n]", " ", body)
    sections = MarkdownHeaderTextSplitter([("#", "h1"), ("##", "h2"), ("###", "h3")])
    pieces = RecursiveCharacterTextSplitter(
        chunk_size=LONGEST_PASSAGE,
        chunk_overlap=0,
        separators=["\n\n", "\n", r"(?<=[。！？])", r"(?<=[.!?])\s+", r"(?<=[，；])", r"\s+", ""],
        is_separator_regex=True,
        keep_separator="end",
    )
    for section in sections.split_text(body):
        heading = " / ".join(str(name) for name in section.metadata.values())
        for text in pieces.split_text(section.page_content):
            lines = (line.rstrip() for line in text.strip().splitlines())
            yield heading, "\n".join(lines)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:24]
