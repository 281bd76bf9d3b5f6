"""What was measured, and how it is shown."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

COLUMNS = (
    "program",
    "customers",
    "messages",
    "added to the first text, p50 / p95 ms",
    "added to the final text, p50 / p95 ms",
    "messages/s",
    "CPU s per 1000 messages",
    "peak memory, MB",
    "beside the encoders, MB",
    "drafts shown",
    "handed off",
    "the fakes' core",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One program with so many customers at once.

    Times are what was added to the model's own: to its first token, and to its last. Of
    `answered` messages, `drafted` were answered with the model's words, `handed_off` to a person,
    and the others with an article; `unasked` answers came without a question. `fakes_share` is how
    much of one core the platform, the model and the customers took: near 1, they were the limit.
    """

    program: str
    customers: int
    asked: int
    answered: int
    unasked: int
    drafted: int
    handed_off: int
    first_ms: tuple[float, float]
    final_ms: tuple[float, float]
    messages_per_second: float
    cpu_seconds_per_1000: float
    peak_megabytes: float
    beside_encoders_megabytes: float | None
    fakes_share: float

    def summary(self) -> str:
        """Return the figures to look at while the others are still coming."""
        return (
            f"{self.answered} of {self.asked} answered, {self.messages_per_second:.0f} a second, "
            f"{self.final_ms[0]:.1f} ms added, {self.cpu_seconds_per_1000:.1f} CPU s per 1000"
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def p50_p95(seconds: Sequence[float], own_seconds: float) -> tuple[float, float]:
    """Return the median and the 95th percentile of what was added, in milliseconds."""
    added = sorted((one - own_seconds) * 1000 for one in seconds)
    if not added:
        return float("nan"), float("nan")
    return statistics.median(added), added[min(len(added) - 1, round(0.95 * len(added)))]


def table(measurements: Sequence[Measurement]) -> str:
    """Return the measurements as a Markdown table."""
    rows = [_row(one) for one in measurements]
    ruler = ["---", *["---:"] * (len(COLUMNS) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [COLUMNS, ruler, *rows])


def _row(one: Measurement) -> list[str]:
    answered = f"{one.answered} of {one.asked}"
    return [
        one.program,
        str(one.customers),
        answered + (f", {one.unasked} twice" if one.unasked else ""),
        " / ".join(f"{value:.1f}" for value in one.first_ms),
        " / ".join(f"{value:.1f}" for value in one.final_ms),
        f"{one.messages_per_second:.0f}",
        f"{one.cpu_seconds_per_1000:.1f}",
        f"{one.peak_megabytes:.0f}",
        "–" if one.beside_encoders_megabytes is None else f"{one.beside_encoders_megabytes:.0f}",
        _share(one.drafted, one.answered),
        _share(one.handed_off, one.answered),
        f"{one.fakes_share:.2f}",
    ]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "–"
