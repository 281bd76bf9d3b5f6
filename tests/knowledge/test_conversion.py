"""PDF and Word files are read in a process with limits: none of them holds the others up."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.errors import ArticlesError
from bot.knowledge.articles import read_documents
from bot.knowledge.sources import reading
from bot.knowledge.sources.conversion import Converter
from tests.knowledge.made_files import pdf_file, pdf_of, word_file

TEXT = "You can return an item within 30 days of delivery."
PDF = pdf_file([[(11, TEXT)]])


@contextmanager
def converter(**limits: float) -> Iterator[Converter]:
    opened = Converter(**limits)  # type: ignore[arg-type]
    try:
        yield opened
    finally:
        opened.close()


def bomb(operators: int) -> bytes:
    """Return a small PDF with a page of so many pieces of text."""
    content = zlib.compress(b"BT /L 9 Tf 72 700 Td (x) Tj ET\n" * operators)
    return pdf_of([b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (
        len(content), content)])  # fmt: skip


def test_that_a_file_that_takes_too_long_is_given_up_and_the_next_is_read() -> None:
    with converter(seconds=0.5) as opened:
        with pytest.raises(ArticlesError, match=r"longer than 0\.5 s to read; split it"):
            opened.read(".pdf", bomb(2_000_000))

        assert opened.read(".pdf", PDF).text == TEXT


def test_that_a_file_that_takes_too_much_memory_is_given_up_and_the_next_is_read() -> None:
    with converter(megabytes=250) as opened:
        with pytest.raises(ArticlesError, match="more than 250 MB of memory; split it"):
            opened.read(".pdf", bomb(2_000_000))

        assert opened.read(".pdf", PDF).text == TEXT


def test_that_files_are_read_again_after_their_reader_ended() -> None:
    with converter() as opened:
        assert opened.read(".pdf", PDF).text == TEXT
        opened.close()
        assert opened.read(".docx", word_file([("", TEXT)])).text == TEXT


def test_that_a_bomb_is_listed_and_the_rest_goes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bomb.pdf").write_bytes(bomb(2_000_000))
    (tmp_path / "returns.pdf").write_bytes(PDF)
    with converter(seconds=0.5) as opened:
        kind = reading.Kind(lambda content: opened.read(".pdf", content), 1_000_000, "pypdf")
        monkeypatch.setitem(reading.KINDS, ".pdf", kind)

        documents, broken = read_documents(tmp_path)

    assert [each.id for each in documents] == ["returns"]
    assert [each.path.name for each in broken] == ["bomb.pdf"]
