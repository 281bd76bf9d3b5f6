"""Files of choices: what is read, and what is refused with the line that is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import RankingError
from bot.ranking.scorer.examples import Example
from bot.ranking.scorer.reading import read_examples

GOOD: dict[str, Any] = {"context": ["Where is it?"], "candidates": ["Here.", "There."], "chosen": 1}


def written(folder: Path, *rows: bytes | str | dict[str, Any]) -> Path:
    lines = [json.dumps(row, ensure_ascii=False) if isinstance(row, dict) else row for row in rows]
    file = folder / "rows.jsonl"
    file.write_bytes(b"\n".join(x if isinstance(x, bytes) else x.encode() for x in lines))
    return file


def test_that_rows_are_read_in_order(tmp_path: Path) -> None:
    turn = {"role": "customer", "text": "你好"}
    file = written(tmp_path, {**GOOD, "reward": 1}, "", {**GOOD, "context": [turn, "  "]}, "")
    assert read_examples(file) == [
        Example(context=("Where is it?",), candidates=("Here.", "There."), chosen=1, reward=1.0),
        Example(context=("你好",), candidates=("Here.", "There."), chosen=1),
    ]


def test_that_a_mark_at_the_start_and_windows_lines_are_read(tmp_path: Path) -> None:
    line = json.dumps(GOOD).encode()
    assert len(read_examples(written(tmp_path, b"\xef\xbb\xbf" + line + b"\r", line))) == 2


def test_that_rows_with_the_same_texts_and_another_choice_are_fine(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD, {**GOOD, "chosen": 0})
    assert [each.chosen for each in read_examples(file)] == [1, 0]


def test_that_half_a_character_is_read_as_a_mark(tmp_path: Path) -> None:
    file = written(tmp_path, '{"context": ["\\ud800"], "candidates": ["a", "b"], "chosen": 0}')
    [row] = read_examples(file)
    assert row.context == ("\ufffd",)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({**GOOD, "chosen": 2}, "chose candidate 2; they are numbered from 0 to 1"),
        ({**GOOD, "chosen": -1}, "chose candidate -1"),
        ({**GOOD, "chosen": True}, "doesn't say which candidate was chosen"),
        ({**GOOD, "chosen": 1.5}, "doesn't say which candidate was chosen"),
        ({"context": ["a"], "candidates": ["b", "c"]}, "doesn't say which candidate was chosen"),
        ({**GOOD, "candidates": ["Here."], "chosen": 0}, "has 1 candidates; a choice needs two"),
        ({**GOOD, "candidates": []}, "has 0 candidates"),
        ({**GOOD, "candidates": "Here."}, "has no list of candidates"),
        ({**GOOD, "candidates": ["Here.", " "]}, "has a candidate without text"),
        ({**GOOD, "candidates": ["Here.", 7]}, "has a candidate without text"),
        ({**GOOD, "context": []}, "has a context without text"),
        ({**GOOD, "context": ["", " \n"]}, "has a context without text"),
        ({**GOOD, "context": [None]}, "has a turn that is no text"),
        ({**GOOD, "context": [{"role": "customer"}]}, "has a turn that is no text"),
        ({"candidates": ["a", "b"], "chosen": 0}, "has no list of context"),
        ({**GOOD, "reward": "good"}, "has a reward that is no number"),
        ({**GOOD, "reward": [1, 2]}, "has a reward that is no number"),
        ({**GOOD, "reward": True}, "has a reward that is no number"),
        ('{"context": ["a"], "candidates": ["b", "c"], "chosen": 0, "reward": NaN}', "has NaN"),
        (
            '{"context": ["a"], "candidates": ["b", "c"], "chosen": 0, "reward": 1e999}',
            "has a reward that is no number",
        ),
        (
            '{"context": ["a"], "candidates": ["b", "c"], "chosen": 0, "reward": 1, "reward": 0}',
            "has 'reward' twice",
        ),
        ('{"context": ["a"], "candidates"', "is not JSON"),
        ("[1, 2]", "is not an object"),
        (b'{"context": ["\xff\xfe"]}', "is not UTF-8"),
        ('{"context": ["a"]}'.encode("utf-16"), "is not UTF-8"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_that_a_wrong_row_is_named(row: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(RankingError, match=r"Line 2 of .*rows.jsonl") as refused:
        read_examples(written(tmp_path, GOOD, row))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_that_a_file_with_too_few_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RankingError, match="has 20 rows, and at least 50 are needed"):
        read_examples(written(tmp_path, *[GOOD] * 20), 50)
    with pytest.raises(RankingError, match="has 0 rows"):
        read_examples(written(tmp_path, ""))
    with pytest.raises(RankingError, match="can't be read"):
        read_examples(tmp_path / "none.jsonl")
