"""The proofs about the platforms hold, in their short form."""

from pathlib import Path

import pytest

from tests.prove.platform_input import forged_input, spoilt_input
from tests.prove.platform_rates import rate_limits
from tests.prove.platform_texts import lengths_and_texts
from tests.prove.platforms import duplicates, lost_sockets, only_the_retry
from tests.prove.proof import Proof, Setup


@pytest.mark.parametrize(
    "proof",
    [
        duplicates,
        only_the_retry,
        lost_sockets,
        rate_limits,
        lengths_and_texts,
        spoilt_input,
        forged_input,
    ],
)
async def test_that_a_proof_holds(proof: Proof, tmp_path: Path) -> None:
    rows = await proof(Setup(scale="short", seed=7, folder=tmp_path))

    print(*rows, sep="\n")
    assert rows
    assert all(row.holds for row in rows)
