"""The table of `make prove`, and what happens to a proof that can't be run."""

from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from tests.prove.__main__ import DOCUMENT, chosen, run_proof
from tests.prove.catalogue import CATALOGUE, load
from tests.prove.proof import Row, Setup
from tests.prove.soak import Sample, growth_rows
from tests.prove.table import BEGIN, END, Outcome, lines_of, written_into

ROW = Row(proof="R0", what="a | b", aim="0", reached="0", holds=True, seconds=1.4)


async def has_no_rows(setup: Setup) -> Sequence[Row]:
    return []


async def breaks(setup: Setup) -> Sequence[Row]:
    raise RuntimeError("the machine is on fire")


def test_that_a_row_is_written_with_its_seed() -> None:
    assert lines_of(Outcome("long", 7, [ROW])) == ["| R0 | a \\| b | 0 | 0 | yes | 7 | 1 |"]


def test_that_rows_take_the_place_of_the_same_proofs_and_of_no_others() -> None:
    kept = "| M1 | all | 0 | 0 | yes | 3 | 9 |"
    old = f"| number | what |\n|---|---|\n| R0 | stale |\n{kept}\n| X9 | gone |"
    text = f"before\n{BEGIN}\n{old}\n{END}\nafter\n"

    new = written_into(text, Outcome("long", 7, [ROW]), ["R0", "M1"])

    lines = new.splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert lines[5:7] == ["| R0 | a \\| b | 0 | 0 | yes | 7 | 1 |", kept]
    assert "stale" not in new
    assert "gone" not in new
    assert written_into(new, Outcome("long", 7, [ROW]), ["R0", "M1"]) == new


def test_that_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        written_into("nothing", Outcome("long", 7, [ROW]), ["R0"])


def test_that_the_documents_have_a_place_for_it() -> None:
    assert BEGIN in DOCUMENT.read_text(encoding="utf-8")
    assert END in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("proof", "reached"),
    [
        pytest.param(breaks, "RuntimeError: the machine is on fire", id="raises"),
        pytest.param(has_no_rows, "the proof has no rows", id="proves-nothing"),
    ],
)
def test_that_a_proof_that_breaks_does_not_hold(
    tmp_path: Path, proof: object, reached: str
) -> None:
    setup = Setup(scale="short", seed=7, folder=tmp_path)

    [row] = run_proof("R0", "x:y", setup, lambda name: proof)  # type: ignore[arg-type,return-value]

    assert (row.proof, row.reached, row.holds) == ("R0", reached, False)


def test_that_a_module_that_is_missing_does_not_hold(tmp_path: Path) -> None:
    def find(name: str) -> object:
        raise ModuleNotFoundError("No module named 'x'")

    setup = Setup(scale="short", seed=7, folder=tmp_path)

    [row] = run_proof("R0", "x:y", setup, find)  # type: ignore[arg-type]

    assert not row.holds


@pytest.mark.parametrize("name", [name for names in CATALOGUE.values() for name in names])
def test_that_every_proof_of_the_catalogue_exists(name: str) -> None:
    assert callable(load(name))


def test_that_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="R99"):
        chosen("R1,R99")


def test_that_proofs_run_in_the_order_asked_for() -> None:
    assert chosen("R2, R1") == ["R2", "R1"]
    assert chosen("") == list(CATALOGUE)
    assert "R12" not in chosen("", is_short=True)


@pytest.mark.parametrize(("a_minute", "holds"), [(0.05, True), (0.5, False)])
def test_that_memory_that_grows_is_noticed(a_minute: float, holds: bool) -> None:
    samples = [Sample(60.0 * minute, 300 + a_minute * minute, 40) for minute in range(120)]

    memory, files = growth_rows(samples, 7200, 7200)

    assert memory.holds is holds
    assert files.holds


def test_that_files_that_stay_open_are_noticed() -> None:
    samples = [Sample(60.0 * minute, 300, 40 + minute) for minute in range(120)]

    _, files = growth_rows(samples, 7200, 7200)

    assert not files.holds
