"""Label files: what is read, what is left out, what is refused."""

import gzip
import json
from pathlib import Path

import pytest

from bot.errors import IntentsError
from bot.intents.rows import LONGEST, Row, read_rows, sort_rows

GOOD = '{"text": "Where is my parcel?", "intent": "tracking"}\n'


def written(tmp_path: Path, data: bytes | str) -> Path:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_that_rows_with_one_several_and_no_intents_are_read(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        GOOD
        + '\n{"text": "退货和发票", "intents": ["return", "invoice"]}\n'
        + '{"text": "嗯", "intent": null}',
    )

    assert read_rows(path) == [
        Row("Where is my parcel?", ("tracking",)),
        Row("退货和发票", ("invoice", "return")),
        Row("嗯"),
    ]


@pytest.mark.parametrize(
    "mark", [pytest.param(b"\xef\xbb\xbf", id="bom"), pytest.param(b"", id="-")]
)
def test_that_packed_files_and_those_with_a_mark_are_read(tmp_path: Path, mark: bytes) -> None:
    assert read_rows(written(tmp_path, gzip.compress(mark + GOOD.encode()))) == [
        Row("Where is my parcel?", ("tracking",))
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param("", "has no rows", id="empty"),
        pytest.param(GOOD + "text,intent\n", "Line 2 .* it is not JSON", id="not-json"),
        pytest.param("[1]\n", "Line 1 .* it must be an object", id="list"),
        pytest.param('{"text": 7}', '"text" must be a text', id="number"),
        pytest.param('{"text": "\\u200b "}', '"text" must be a text with letters', id="blank"),
        pytest.param('{"text": "a", "intent": 3}', '"intent" must be a name', id="intent-number"),
        pytest.param('{"text": "a", "intent": " "}', '"intent" must be a name', id="intent-blank"),
        pytest.param('{"text": "a", "intents": "b"}', '"intent" must be a name', id="intents-text"),
        pytest.param(
            json.dumps({"text": "a", "intent": "x" * 201}), "at most 200", id="intent-too-long"
        ),
        pytest.param(GOOD.encode() + "退货".encode("gbk"), "Line 2 .* is not UTF-8", id="gbk"),
        pytest.param(GOOD.encode("utf-16"), "Line 1 .* is not UTF-8", id="utf-16"),
        pytest.param(gzip.compress(GOOD.encode())[:-9], "can't be read", id="packed-broken-off"),
        pytest.param("[" * 100_000, "Line 1", id="deep"),
    ],
)
def test_that_a_bad_file_is_refused_in_a_sentence(
    tmp_path: Path, data: bytes | str, said: str
) -> None:
    with pytest.raises(IntentsError, match=said):
        read_rows(written(tmp_path, data))


def test_that_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(IntentsError, match=r"nothing\.jsonl can't be read"):
        read_rows(tmp_path / "nothing.jsonl")


def test_that_a_message_of_100_000_characters_is_read_in_part(tmp_path: Path) -> None:
    [row] = read_rows(written(tmp_path, json.dumps({"text": "parcel " * 14_286})))

    assert len(row.text) == LONGEST


def test_that_the_most_frequent_of_several_labels_is_kept() -> None:
    rows = [
        Row("a", ("x",)),
        Row("a", ("x",)),
        Row("a", ("y",)),
        Row("b", ("y",)),
        Row("c", ("y",)),
    ]
    found = sort_rows([*rows, Row("c", ("x",))])

    assert list(found.labelled) == [Row("a", ("x",)), Row("b", ("y",))]
    assert "2 texts have different labels" in found.warnings[0]
    assert "1 were left out" in found.warnings[0]


def test_that_equal_rows_count_once_and_unlabelled_ones_not_beside_labelled() -> None:
    rows = [Row("a", ("x",)), Row("a", ("x",)), Row("b", ("y",)), Row("a"), Row("c"), Row("c")]
    found = sort_rows(rows)

    assert (len(found.labelled), list(found.unlabelled)) == (2, ["c"])


def test_that_out_of_scope_is_no_intent() -> None:
    found = sort_rows([Row("a", ("x",)), Row("b", ("y",)), Row("c", ("out_of_scope",))])

    assert (len(found.labelled), list(found.outside)) == (2, ["c"])


def test_that_intents_with_few_examples_are_named() -> None:
    rows = [Row(f"a{n}", ("many",)) for n in range(9)] + [Row("b", ("rare",)), Row("c", ("rare",))]

    assert "rare (2)" in sort_rows(rows).warnings[0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param([Row("a", ("x",)), Row("b", ("x",))], "have the intent 'x'", id="one"),
        pytest.param([Row("a"), Row("b")], "No row has an intent", id="none"),
        pytest.param(
            [Row("a", ("x",)), Row("b", ("out_of_scope",))], "have the intent 'x'", id="outside"
        ),
    ],
)
def test_that_less_than_two_intents_are_refused(rows: list[Row], said: str) -> None:
    with pytest.raises(IntentsError, match=said):
        sort_rows(rows)
