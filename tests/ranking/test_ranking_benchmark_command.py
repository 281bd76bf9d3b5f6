"""`frontdesk ranking benchmark`, with the package's encoder."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.ranking.scorer.examples import Example
from tests.ranking.choices import choices


def benchmark(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *options: str
) -> tuple[object, str, str]:
    monkeypatch.setattr(sys, "argv", ["frontdesk", "ranking", "benchmark", *options])
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    return (ended.value.code, *capfd.readouterr())


def written(file: Path, rows: Sequence[Example]) -> str:
    lines = (json.dumps(asdict(row), ensure_ascii=False) for row in rows)
    file.write_text("\n".join(lines), encoding="utf-8")
    return str(file)


def test_that_it_learns_from_one_file_and_ranks_another(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = written(tmp_path / "train.jsonl", choices(80, seed=1))
    wrong = choices(3, seed=3, right=-1.0)
    test = written(tmp_path / "test.jsonl", [*choices(40, seed=2), *wrong])
    code, out, err = benchmark(
        capfd, monkeypatch, "--train", train, "--test", test, "--json", "--seed", "3"
    )
    figures = json.loads(out)
    assert (code, figures["rows"], figures["left_out"]) == (0, 40, 3)
    assert figures["recall@1"] > 0.7  # chance: .25
    assert figures["recall@1"] <= figures["mrr"] <= figures["recall@5"] == 1
    assert "Texts encoded" in err
    assert "80 choices" in figures["method"]


def test_that_bad_files_are_refused_before_anything_is_learned(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = written(tmp_path / "train.jsonl", choices(20, seed=1))
    test = written(tmp_path / "test.jsonl", choices(5, seed=1, right=-1.0))
    code, out, err = benchmark(capfd, monkeypatch, "--train", train, "--test", test)
    assert (code, out) == (2, "")
    assert "has 20 rows, and at least 50 are needed" in err
    train = written(tmp_path / "train.jsonl", choices(60, seed=1))
    code, _, err = benchmark(capfd, monkeypatch, "--train", train, "--test", test)
    assert (code, "has no row whose choice was right" in err) == (2, True)
