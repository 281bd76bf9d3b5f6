"""Run proofs one after the other and print one table; exit with 1 if one does not hold.

python -m tests.prove --only R1,R2 --seed 7 --short --write
"""

import asyncio
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console

from tests.prove import table
from tests.prove.catalogue import BESIDE, CATALOGUE, load, numbers
from tests.prove.proof import Proof, Row, Setup

DOCUMENT = Path(__file__).parents[2] / "docs" / "delivery.md"


def run_proof(
    number: str, name: str, setup: Setup, find: Callable[[str], Proof] = load
) -> Sequence[Row]:
    """Return a proof's rows; one that can't be run does not hold."""
    began = time.monotonic()
    try:
        rows = asyncio.run(_run(find(name), setup))
    except Exception as err:  # the others are still to be run
        traceback.print_exc()
        reached = f"{type(err).__name__}: {err}"
        return [_failure(number, reached, time.monotonic() - began)]
    return rows or [_failure(number, "the proof has no rows", time.monotonic() - began)]


async def _run(proof: Proof, setup: Setup) -> Sequence[Row]:
    return await proof(setup)


def _failure(number: str, reached: str, seconds: float) -> Row:
    return Row(
        proof=number,
        what="the proof itself",
        aim="it runs to its end",
        reached=reached,
        holds=False,
        seconds=seconds,
    )


def chosen(only: str, *, is_short: bool = False) -> Sequence[str]:
    """Return the proofs that are asked for. Raises click.BadParameter for one there isn't."""
    named = [number.strip() for number in only.split(",") if number.strip()]
    known = numbers(is_short=is_short)
    if unknown := sorted(set(named) - set(known)):
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(known)}.")
    return named or known


@click.command()
@click.option("--only", default="", help="Numbers of proofs, such as R1,R2; else all.")
@click.option("--seed", default=7, show_default=True)
@click.option("--short", is_flag=True, help="The forms that the suite runs.")
@click.option("--write", is_flag=True, help="Put the table into docs/delivery.md.")
@click.option("--soak-minutes", default=120.0, show_default=True, help="How long R12 takes.")
def main(only: str, seed: int, short: bool, write: bool, soak_minutes: float) -> None:
    """Try what docs/delivery.md promises."""
    if write and short:
        raise click.UsageError("Only the long forms are written into docs/delivery.md.")
    console = Console()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="frontdesk-prove-") as folder:
        for number in chosen(only, is_short=short):
            for position, name in enumerate(CATALOGUE[number]):
                console.print(f"[bold]{number}[/bold] {name}")
                setup = Setup(
                    scale="short" if short else "long",
                    seed=seed,
                    folder=Path(folder) / f"{number}-{position}",
                    progress=lambda text: console.print(f"  {text}", markup=False),
                    soak_minutes=soak_minutes,
                )
                setup.folder.mkdir()
                rows += run_proof(number, name, setup)
            outcome = table.Outcome("short" if short else "long", seed, rows)
            if write:  # at once: hours may follow
                _write(outcome)
    console.print(table.on_screen(outcome))
    sys.exit(0 if outcome.holds else 1)


def _write(outcome: table.Outcome) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    text = table.written_into(text, outcome, [*CATALOGUE, BESIDE])
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
