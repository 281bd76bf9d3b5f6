"""M1, M2, M5 in their short forms."""

from pathlib import Path

import pytest

from tests.prove import model
from tests.prove.proof import Proof, Setup


@pytest.mark.parametrize(
    "proof", [model.outages, model.breaker, model.bad_starts], ids=["M1", "M2", "M5"]
)
async def test_that_a_failing_model_costs_no_answer(proof: Proof, tmp_path: Path) -> None:
    rows = await proof(Setup(scale="short", seed=7, folder=tmp_path))

    assert [row for row in rows if not row.holds] == []
    assert rows
