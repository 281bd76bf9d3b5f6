"""Files of messages with or without an intent, as JSON lines; what is wrong with them is said."""

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import IntentsError
from bot.understanding import clean

OUT_OF_SCOPE = "out_of_scope"
STANDARD_INPUT = Path("-")
LONGEST = 4000  # characters of a message that are read
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Row:
    """A message; `intents` is empty where it has no label, and may hold several."""

    text: str
    intents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Rows as a classifier learns from them; `warnings` says in sentences what was left out.

    `labelled` rows have intents of the company's own, `outside` rows are out of scope.
    """

    labelled: Sequence[Row]
    outside: Sequence[str]
    unlabelled: Sequence[str]
    warnings: Sequence[str]


def read_rows(path: Path) -> list[Row]:
    """Read rows `{"text": …, "intent": … or "intents": […] or neither}`; also gzipped.

    Raises IntentsError naming the file, the line and what is wrong with it.
    """
    rows = []
    for number, line in enumerate(_lines(path), start=1):
        if line.strip():
            try:
                rows.append(_row(json.loads(line)))
            except (ValueError, RecursionError) as err:
                reason = "it is not JSON" if isinstance(err, json.JSONDecodeError) else str(err)
                raise IntentsError(f"Line {number} of {path} can't be used: {reason}.") from err
    if not rows:
        raise IntentsError(f"{path} has no rows.")
    return rows


def shortened(text: str) -> str:
    """Return what is read of a message, without invisible characters."""
    return clean(text[: 2 * LONGEST])[:LONGEST]


def sort_rows(rows: Sequence[Row]) -> Sorted:
    """Sort rows by what they teach.

    A text that stands there with several labels keeps the one that most of its rows have; where
    none has most, all are left out. Raises IntentsError where less than two intents remain.
    """
    labels: dict[str, Counter[tuple[str, ...]]] = {}
    unlabelled: dict[str, None] = {}
    for row in rows:
        if row.intents:
            labels.setdefault(row.text, Counter())[row.intents] += 1
        else:
            unlabelled[row.text] = None
    agreed = {text: _agreed(found) for text, found in labels.items()}
    kept = [Row(text, intents) for text, intents in agreed.items() if intents]
    labelled = [row for row in kept if OUT_OF_SCOPE not in row.intents]
    _check(labelled)
    return Sorted(
        labelled=labelled,
        outside=[row.text for row in kept if OUT_OF_SCOPE in row.intents],
        unlabelled=[text for text in unlabelled if text not in labels],
        warnings=[*_about_disagreement(labels, agreed), *_about_few(labelled)],
    )


def counts(rows: Sequence[Row]) -> Counter[str]:
    """Return how many rows each intent has."""
    return Counter(intent for row in rows for intent in row.intents)


def _lines(path: Path) -> Iterator[str]:
    try:
        raw = sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise IntentsError(f"Line {line} of {path} is not UTF-8; save the file as UTF-8.") from err
    except (OSError, EOFError) as err:
        reason = err.strerror if isinstance(err, OSError) and err.strerror else "it is damaged"
        raise IntentsError(f"{path} can't be read ({reason}).") from err
    yield from text.split("\n")


def _row(found: Any) -> Row:
    if not isinstance(found, Mapping):
        raise ValueError('it must be an object such as {"text": "…", "intent": "…"}')
    text = found.get("text")
    if not isinstance(text, str) or not shortened(text):
        raise ValueError('"text" must be a text with letters')
    return Row(shortened(text), _intents(found))


def _intents(found: Mapping[str, Any]) -> tuple[str, ...]:
    one, several = found.get("intent"), found.get("intents")
    given = several if several is not None else [] if one is None else [one]
    is_list = isinstance(given, list) and all(isinstance(each, str) for each in given)
    if not is_list or any(not each.strip() or len(each) > LONGEST_NAME for each in given):
        raise ValueError(f'"intent" must be a name of at most {LONGEST_NAME} characters')
    return tuple(sorted({each.strip() for each in given}))


def _agreed(found: Counter[tuple[str, ...]]) -> tuple[str, ...]:
    [(intents, most), *rest] = found.most_common(2)
    return () if rest and rest[0][1] == most else intents


def _check(labelled: Sequence[Row]) -> None:
    names = sorted(counts(labelled))
    if not names:
        raise IntentsError("No row has an intent: a classifier needs examples of two or more.")
    if len(names) == 1:
        raise IntentsError(
            f"All labelled rows have the intent {names[0]!r}: a classifier needs examples of two "
            "or more."
        )


def _about_disagreement(
    labels: Mapping[str, Counter[tuple[str, ...]]], agreed: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    several = [text for text, found in labels.items() if len(found) > 1]
    if several:
        left_out = sum(not agreed[text] for text in several)
        yield (
            f"{len(several)} texts have different labels, such as {several[0][:60]!r}: "
            f"{left_out} were left out, of the others the most frequent label was kept."
        )


def _about_few(labelled: Sequence[Row]) -> Iterator[str]:
    few = [f"{name} ({number})" for name, number in counts(labelled).items() if number < 5]
    if few:
        more = f" and {len(few) - 5} more" if len(few) > 5 else ""
        yield (
            f"{len(few)} intents have fewer than five examples, so little is known about them: "
            f"{', '.join(few[:5])}{more}."
        )
