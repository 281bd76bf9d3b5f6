"""The short form of M4."""

from pathlib import Path

from tests.prove.cancel import m4
from tests.prove.proof import Setup


async def test_that_the_model_is_let_go_when_nobody_waits(tmp_path: Path) -> None:
    rows = await m4(Setup(scale="short", seed=7, folder=tmp_path))

    assert len(rows) == 3
    for row in rows:
        assert row.holds, row
