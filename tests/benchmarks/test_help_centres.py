"""The help centres that replies are measured on, made from a few rows of each set."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bot.understanding import language_of
from tests.benchmarks.answers import HelpCentre, help_centres

TOPICS = [f"t{number}" for number in range(10)]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture
def centres(tmp_path: Path) -> list[HelpCentre]:
    boards = [{"id": t, "title": f"Reset the board {t}", "body": "Press it."} for t in TOPICS]
    manual = [
        {"id": f"use/{t}", "lang": lang, "title": "", "summary": f"{text} {t}", "body": "Do so."}
        for t in TOPICS
        for lang, text in (("en", "Make a workflow"), ("zh", "怎样创建工作流程"))
    ]
    write(tmp_path / "help_arduino" / "articles.jsonl.gz", boards)
    write(tmp_path / "help_dify_zh_en" / "articles.jsonl.gz", manual)
    return help_centres(tmp_path)


def counted(centre: HelpCentre) -> Counter[tuple[str, str]]:
    return Counter((kind, language_of(asked.question)) for kind, asked in centre.asked)


def test_that_a_fifth_is_left_out_and_the_other_centre_asked_for(
    centres: list[HelpCentre],
) -> None:
    boards, manual = centres

    one = {"answerable": 8, "left out": 2, "elsewhere": 2}
    assert counted(boards) == {(kind, "en"): number for kind, number in one.items()}
    assert counted(manual) == {
        (kind, language): number for kind, number in one.items() for language in ("en", "zh")
    }
    assert (len(boards.articles.pages), len(manual.articles.pages)) == (8, 16)


def test_that_an_article_is_right_in_both_languages(centres: list[HelpCentre]) -> None:
    names = {page.name for page in centres[1].articles.pages}

    for kind, asked in centres[1].asked:
        if kind == "answerable":
            topic = asked.question.split()[-1]
            assert asked.articles == (f"en/use/{topic}", f"zh/use/{topic}")
            assert names.issuperset(asked.articles)
        else:
            assert asked.articles == ()


def test_that_a_sample_has_all_kinds(centres: list[HelpCentre]) -> None:
    assert counted(centres[0].sample(4)) == {
        ("answerable", "en"): 2,
        ("left out", "en"): 1,
        ("elsewhere", "en"): 1,
    }
