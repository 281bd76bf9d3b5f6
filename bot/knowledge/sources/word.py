"""Word files (DOCX) as Markdown: headings, lists and tables, through the HTML of mammoth."""

import io
import zipfile
from typing import Any

from bs4 import BeautifulSoup

from bot.errors import ArticlesError
from bot.knowledge.sources.document import Content
from bot.knowledge.sources.markdown import titled
from bot.knowledge.sources.web_page import markdown

LARGEST_XML = 30_000_000  # bytes unpacked: a thousand pages
_ENCRYPTED_OR_OLD = b"\xd0\xcf\x11\xe0"
_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='标题'] => h1:fresh"


def read_word(content: bytes) -> Content:
    """Return a Word file's title and text; raises ArticlesError when it can't be read."""
    if content.startswith(_ENCRYPTED_OR_OLD):
        raise ArticlesError(
            "it is locked with a password, or an old .doc; save it as .docx without a password"
        )
    _refuse_bomb(content)
    try:
        soup = BeautifulSoup(_html(content) + "\n", "html.parser")
        return titled(markdown(soup))
    except MemoryError:
        raise
    except RecursionError:
        raise ArticlesError("it is nested too deeply") from None
    except Exception as err:  # mammoth raises whatever a broken file leads to
        raise ArticlesError(f"it is not a readable Word file ({type(err).__name__})") from err


def _refuse_bomb(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            files = [
                file for file in packed.infolist() if file.filename.endswith((".xml", ".rels"))
            ]
    except (zipfile.BadZipFile, ValueError) as err:
        raise ArticlesError("it is not a Word file") from err
    if sum(file.file_size for file in files) > LARGEST_XML:
        raise ArticlesError(f"its text unpacks to more than {LARGEST_XML // 1_000_000} MB")


def _html(content: bytes) -> str:
    import mammoth  # only who has Word files needs it

    made = mammoth.convert_to_html(
        io.BytesIO(content),
        style_map=_STYLES,
        include_embedded_style_map=False,
        convert_image=_no_image,
        transform_document=None,
    )
    return str(made.value)


def _no_image(_: Any) -> list[Any]:
    return []
