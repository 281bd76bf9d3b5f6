"""D2: the power goes while the log is written, again and again, at any moment.

The statements of the real program are recorded, then run on disks that lose power (power.py) by
another build of SQLite, since Python's has no such disks.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from bot.log import erasure, inbox, record
from bot.log.store import Store
from bot.messages import Withdrawal
from bot.sending import PatientWriter
from tests.benchmarks.made_log import CHANNEL, Maker, bring_articles
from tests.prove.power import Disk, Files, Session
from tests.prove.proof import Row, Setup
from tests.prove.storage_work import AT, elapsed

NAME = "frontdesk.db"
MESSAGES = 60
CUTS_A_REPLAY = 50
# The writer's own, but a checkpoint after every few commits: that is where files change places.
PRAGMAS = (
    "journal_mode = WAL",
    "foreign_keys = ON",
    "secure_delete = ON",
    "wal_autocheckpoint = 40",
)


@dataclass(frozen=True)
class Recording:
    """A database as it was, and the statements that the program ran on it then."""

    files: Files
    statements: tuple[str, ...]


@dataclass
class Outcome:
    """What was found after the cuts of one or more replays."""

    cuts: int = 0
    commits: int = 0
    damaged: int = 0
    losses: int = 0
    problems: Counter[str] = field(default_factory=Counter)


async def power_cuts(setup: Setup) -> Sequence[Row]:
    """D2: with synchronous=FULL the power may go at any moment; with OFF this test finds losses."""
    cuts = 1000 if setup.scale == "long" else 100
    recording = await _record(setup.folder)
    begun = time.monotonic()
    full = _replays(recording, "FULL", cuts, setup)
    row = Row(
        proof="D2",
        what=f"{cuts} power cuts, unsynced writes dropped or torn",
        aim="every file whole, 0 acknowledged transactions lost",
        reached=f"{full.damaged} damaged, {full.losses} with losses; cut after 0 to {full.commits}"
        f" commits, SQLite {apsw.sqlitelibversion()}{_told(full)}",
        holds=full.damaged == full.losses == 0
        and full.cuts >= cuts
        and full.commits > MESSAGES / 6,
        seconds=elapsed(begun),
    )
    return [row, _calibration(recording, setup)]


def _calibration(recording: Recording, setup: Setup) -> Row:
    begun = time.monotonic()
    off = _replays(recording, "OFF", CUTS_A_REPLAY, setup)
    return Row(
        proof="D2",
        what="the same with synchronous=OFF, to show that the test finds losses",
        aim="losses or damage found",
        reached=f"{off.losses} with losses, {off.damaged} damaged, of {off.cuts}",
        holds=off.losses + off.damaged > 0,
        seconds=elapsed(begun),
    )


async def _record(folder: Path) -> Recording:
    path = folder / NAME
    with Store(path) as store:
        await store.write(bring_articles)
    files = {NAME: path.read_bytes()}
    statements: list[str] = []
    with Store(path) as store:
        await store.write(lambda db: db.conn.set_trace_callback(statements.append))
        await _work(store)
        await store.write(lambda db: db.conn.set_trace_callback(None))
    return Recording(files, tuple(_own(statements)))


def _own(statements: Sequence[str]) -> list[str]:
    """Return whole transactions; what SQLite's search index runs itself begins with a comment."""
    kept = [sql for sql in statements if not sql.startswith("--") and "busy_timeout" not in sql]
    first = next(index for index, sql in enumerate(kept) if sql.startswith("BEGIN"))
    last = max(index for index, sql in enumerate(kept) if sql == "COMMIT")
    return kept[first : last + 1]


async def _work(store: Store) -> None:
    """Do what a day brings: questions from many, deletions, a move, an erasure."""
    maker = await store.read(lambda db: Maker(db, 2 * MESSAGES))
    for first in range(0, MESSAGES, 4):
        numbers = range(first, first + 4)
        await asyncio.gather(*(_write_message(store, maker, number) for number in numbers))
    gone = Withdrawal(channel=CHANNEL, event_key="update:5")
    withdrawn = await store.write(lambda db: inbox.withdraw(db, gone, AT))
    assert withdrawn
    await store.write(lambda db: record.retraction(db, withdrawn, AT))
    await store.write(lambda db: record.move(db, CHANNEL, "c3", "c300"))
    await store.write(lambda db: erasure.request(db, CHANNEL, "c1", AT.isoformat()))
    await PatientWriter(store).erase_requested(AT)
    await _write_message(store, maker, MESSAGES)


async def _write_message(store: Store, maker: Maker, number: int) -> None:
    await store.write(lambda db: maker.write(db, number))


def _replays(recording: Recording, synchronous: str, cuts: int, setup: Setup) -> Outcome:
    outcome, rng = Outcome(), random.Random(setup.seed)
    expected = _Replay(recording, synchronous, rng, outcome, moments=frozenset()).run()
    while outcome.cuts < cuts:
        moments = frozenset(rng.sample(range(len(expected.changes)), CUTS_A_REPLAY))
        replay = _Replay(recording, synchronous, rng, outcome, moments, expected.contents)
        replay.run()
        setup.progress(f"D2: {outcome.cuts} of {cuts} cuts with synchronous={synchronous}")
    return outcome


class _Replay:
    """Runs a recording; at each of some moments it looks what a power cut would leave."""

    def __init__(
        self,
        recording: Recording,
        synchronous: str,
        rng: random.Random,
        outcome: Outcome,
        moments: frozenset[int],
        expected: Sequence[str] = (),
    ) -> None:
        self.contents: list[str] = []
        self.changes: list[int] = []
        self._recording, self._rng, self._outcome = recording, rng, outcome
        self._pragmas = (*PRAGMAS, f"synchronous = {synchronous}")
        self._moments, self._expected = moments, expected
        self._acknowledged = 0
        self._disk = Disk(recording.files, before_change=self._before_change)

    def run(self) -> "_Replay":
        session = Session(self._disk, NAME)
        session.set_up(self._pragmas)
        self._note_content(session)
        for statement in self._recording.statements:
            session.run(statement)
            if statement == "COMMIT":
                self._acknowledged += 1
                self._note_content(session)
        session.close()
        return self

    def _note_content(self, session: Session) -> None:
        if not self._expected:
            self.contents.append(_content(session))

    def _before_change(self) -> None:
        self.changes.append(self._acknowledged)
        if len(self.changes) - 1 in self._moments:
            self._outcome.cuts += 1
            self._outcome.commits = max(self._outcome.commits, self._acknowledged)
            self._look(self._disk.after_cut(self._rng))

    def _look(self, files: Files) -> None:
        """Start again with what is left: at least everything that was acknowledged."""
        session = Session(Disk(files), NAME)
        try:
            session.set_up(self._pragmas)
            problem = _problem(session)
            found = None if problem else _content(session)
        except apsw.Error as err:
            problem, found = str(err), None
        finally:
            session.close()
        if problem:
            self._outcome.damaged += 1
            self._outcome.problems[problem] += 1
        elif found not in self._expected[self._acknowledged : self._acknowledged + 2]:
            self._outcome.losses += 1


def _problem(session: Session) -> str | None:
    [[found]] = session.run("PRAGMA integrity_check(1)")
    broken = session.run("PRAGMA foreign_key_check")
    session.run("INSERT INTO turn_search (turn_search) VALUES ('integrity-check')")
    return str(found) if found != "ok" else (str(broken[0]) if broken else None)


def _content(session: Session) -> str:
    """Return what every transaction of the work changes something of."""
    rows = [
        session.run(f"SELECT count(*), total({number}), max({text}) FROM {table}")
        for table, number, text in (
            ("inbox", "attempts + (turn IS NULL) + length(address)", "withdrawn_at"),
            ("turns", "length(text) + (withdrawn_at IS NULL)", "id"),
            ("outbox", "length(state) + attempts", "id"),
            ("candidates", "length(text)", "turn"),
            ("erasures", "length(customer) + (swept_at IS NULL)", "id"),
            ("turn_search_data", "length(block)", "id"),
        )
    ]
    return repr(rows)


def _told(outcome: Outcome) -> str:
    return "".join(f"; {problem}: {times}" for problem, times in outcome.problems.most_common(3))
