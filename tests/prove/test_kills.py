"""The program is ended in the middle of its work: the short forms."""

from pathlib import Path

import pytest

from tests.prove.kills import random_kills
from tests.prove.proof import Proof, Setup
from tests.prove.steps import kills_at_steps
from tests.prove.stopping import stops_under_load


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param(random_kills, id="R1"),
        pytest.param(kills_at_steps, id="R2"),
        pytest.param(stops_under_load, id="R11"),
    ],
)
async def test_that_it_holds(tmp_path: Path, proof: Proof) -> None:
    rows = await proof(Setup(scale="short", seed=7, folder=tmp_path))

    assert [row for row in rows if not row.holds] == []
    assert rows
