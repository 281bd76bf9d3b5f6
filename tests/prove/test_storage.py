"""The log keeps what it acknowledged: the short forms of D1 to D5 and D7."""

from pathlib import Path

import pytest

from tests.prove import storage, storage_cuts, storage_faults
from tests.prove.proof import Proof, Setup


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param(storage.killed_writers, id="D1"),
        pytest.param(storage_cuts.power_cuts, id="D2"),
        pytest.param(storage_faults.failing_statements, id="D3"),
        pytest.param(storage_faults.full_disk, id="D3-full"),
        pytest.param(storage.backup_drill, id="D4"),
        pytest.param(storage.one_writer, id="D5"),
        pytest.param(storage.interrupted_upgrades, id="D7"),
    ],
)
async def test_that_a_proof_of_the_log_holds(proof: Proof, tmp_path: Path) -> None:
    rows = await proof(Setup(scale="short", seed=1, folder=tmp_path))

    assert [row for row in rows if not row.holds] == []
