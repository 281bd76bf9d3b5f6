"""The proofs about too much at once hold, in their short form."""

from pathlib import Path

import pytest

from tests.prove import acknowledging, overload
from tests.prove.proof import Proof, Setup


@pytest.mark.parametrize("proof", [overload.crowd, overload.flood, acknowledging.acknowledgements])
async def test_that_a_proof_holds(proof: Proof, tmp_path: Path) -> None:
    rows = await proof(Setup(scale="short", seed=7, folder=tmp_path))

    assert rows
    assert all(row.holds for row in rows), rows
