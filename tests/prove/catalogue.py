"""Every proof by its number, as `module:function`; a module is loaded when its proof is run.

D6, that the log is the truth, is checked at the end of R1, R2, R11 and R12.
"""

from collections.abc import Sequence
from importlib import import_module

from tests.prove.proof import Proof

CATALOGUE = {
    "R1": ["kills:random_kills"],
    "R2": ["steps:kills_at_steps"],
    "R3": ["platforms:duplicates"],
    "R4": ["platforms:only_the_retry"],
    "R5": ["acknowledging:acknowledgements"],
    "R6": ["platforms:lost_sockets"],
    "R7": ["platform_rates:rate_limits"],
    "R8": ["platform_texts:lengths_and_texts"],
    "R9": ["platform_input:spoilt_input"],
    "R10": ["platform_input:forged_input"],
    "R11": ["stopping:stops_under_load"],
    "R12": ["soak:soak"],
    "M1": ["model:outages"],
    "M2": ["model:breaker"],
    "M3": ["overload:crowd"],
    "M4": ["cancel:m4"],
    "M5": ["model:bad_starts"],
    "L9": ["overload:flood"],
    "D1": ["storage:killed_writers"],
    "D2": ["storage_cuts:power_cuts"],
    "D3": ["storage_faults:failing_statements", "storage_faults:full_disk"],
    "D4": ["storage:backup_drill"],
    "D5": ["storage:one_writer"],
    "D7": ["storage:interrupted_upgrades"],
}
BESIDE = "D6"  # found by R1, with its kills
ONLY_LONG = frozenset({"R12"})


def load(name: str) -> Proof:
    """Return a proof by the name that stands in the catalogue."""
    module, _, function = name.partition(":")
    proof: Proof = getattr(import_module(f"tests.prove.{module}"), function)
    return proof


def numbers(*, is_short: bool) -> Sequence[str]:
    """Return the numbers of all proofs that there are in this form."""
    return [number for number in CATALOGUE if not (is_short and number in ONLY_LONG)]
