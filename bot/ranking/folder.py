"""The folder of trained policies, and which of them is in force.

The command line writes it and the running program follows it, since the database has one writer:
the program copies what came into force into the log (bot/log/policies.py).
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from bot.errors import RankingError
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.policy import Policy
from bot.ranking.scorer.scorer import Scorer
from bot.ranking.trained import TrainedPolicy
from bot.whole_file import write_whole

Reason = Literal["start", "promoted", "rolled_back", "watch"]
CHANGES = "in-force.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Since when (ISO 8601) a policy is in force, and why; `note` says it in a sentence."""

    policy: str
    reason: Reason
    note: str
    at: str


class Changed(Protocol):
    """What came into force, and why."""

    @property
    def policy(self) -> str:
        """The policy's version."""
        ...

    @property
    def reason(self) -> str:
        """A Reason, as it is stored."""
        ...


def policy_before(changes: Iterable[Changed]) -> str:
    """Return the version to go back to after these changes: without what was taken back."""
    stack = [FixedOrder.version]
    for change in changes:
        if change.reason in ("rolled_back", "watch"):
            stack = stack[:-1] or [change.policy]
        if stack[-1] != change.policy:
            stack.append(change.policy)
    return stack[-2] if len(stack) > 1 else stack[0]


class PolicyFolder:
    """Trained policies as files, and the list of what came into force, newest last."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, trained: TrainedPolicy, scorer: Scorer | None = None) -> Path:
        """Store a policy, its scorer first; return its file.

        Raises RankingError when it can't be written.
        """
        file = self._file(trained.version)
        if scorer:
            assert trained.scorer
            scorer.save(self.path / trained.scorer)
        self._write(file, trained.as_json())
        return file

    def read(self, version: str) -> TrainedPolicy:
        """Return a policy. Raises RankingError when there is none, or it can't be used."""
        try:
            text = self._file(version).read_text(encoding="utf-8")
        except FileNotFoundError as err:
            raise RankingError(f"There is no policy {version} in {self.path}.") from err
        except OSError as err:
            raise RankingError(
                f"The policy {version} can't be read ({os.strerror(err.errno or 0)})."
            ) from err
        return TrainedPolicy.from_json(_parsed(text, self._file(version)))

    def scorer(self, version: str) -> Scorer | None:
        """Return the scorer that a policy sees slates with, if any. Raises RankingError."""
        name = None if version == FixedOrder.version else self.read(version).scorer
        return Scorer.load(self.path / Path(name).name) if name else None

    def policy(self, version: str) -> Policy:
        """Return a policy to choose with, also the fixed order. Raises RankingError."""
        return FixedOrder() if version == FixedOrder.version else self.read(version).policy()

    def versions(self) -> list[str]:
        """Return the versions of the stored policies, oldest first."""
        files = (file for file in self.path.glob("*.json") if file.name != CHANGES)
        in_order = sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name))
        return [file.stem.replace("@", "/") for file in in_order]

    def changes(self) -> list[Change]:
        """Return what came into force, newest last. Raises RankingError for a damaged list."""
        file = self.path / CHANGES
        try:
            return [Change(**each) for each in _parsed(file.read_text(encoding="utf-8"), file)]
        except FileNotFoundError:
            return []
        except TypeError as err:
            raise RankingError(f"The file {file} is damaged; delete it to start over.") from err

    def in_force(self) -> str:
        """Return the version of the policy in force, the fixed order's before any change."""
        changes = self.changes()
        return changes[-1].policy if changes else FixedOrder.version

    def put_in_force(self, version: str, reason: Reason, note: str, at: datetime) -> None:
        """Let a policy choose from now on.

        Raises RankingError when there is no such policy or the folder can't be written.
        """
        self.policy(version)
        self.scorer(version)
        with self._alone():
            change = Change(policy=version, reason=reason, note=note, at=at.isoformat())
            self._write(self.path / CHANGES, [asdict(each) for each in (*self.changes(), change)])

    def before(self) -> str:
        """Return the version to go back to: what came before, without what was taken back."""
        return policy_before(self.changes())

    def _file(self, version: str) -> Path:
        return self.path / f"{version.replace('/', '@')}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep the command line and the running program from changing the list at once."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with (self.path / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as err:
            raise RankingError(
                f"The folder {self.path} can't be written ({os.strerror(err.errno or 0)})."
            ) from err

    def _write(self, file: Path, data: Any) -> None:
        """Write a file whole or not at all."""
        try:
            write_whole(file, json.dumps(data, ensure_ascii=False, indent=1).encode())
        except OSError as err:
            raise RankingError(
                f"The file {file} can't be written ({os.strerror(err.errno or 0)})."
            ) from err


def _parsed(text: str, file: Path) -> Any:
    try:
        return json.loads(text)
    except ValueError as err:
        raise RankingError(f"The file {file} is damaged; train anew, or delete it.") from err
