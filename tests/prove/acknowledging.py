"""R5: nothing is acknowledged before it is on the disk, and what can't be stored comes again."""

import asyncio
import contextlib
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.log.store import open_read_only
from bot.messages import Language
from tests.fakes.slack_api import Event
from tests.prove.overload import PATIENCE_SECONDS, Street, open_street, percentile
from tests.prove.proof import Row, Setup
from tests.small_shop import QUESTION

PEOPLE = 50
P99_SECONDS = 0.5
LONGEST_SECONDS = 2.5
NOT_STORED_SECONDS = 3.0  # two for the store, and the way there and back
SHARED_MACHINE = 6  # times slower may be what the suite runs on
RESEND_SECONDS = 1.0
LOOK_SECONDS = 0.01
DEAD_MODEL = "http://127.0.0.1:9/v1"
# Another program that holds the database: it says when it does, and lets go when its input ends.
HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
db.execute("ROLLBACK")
"""


@dataclass(slots=True)
class Told:
    """One message to Slack: when it was acknowledged, and whether it was on the disk by then."""

    event: Event
    channel: str
    sent_at: float
    acknowledged_at: float = float("inf")
    was_stored: bool = True

    @property
    def seconds(self) -> float:
        return self.acknowledged_at - self.sent_at


class Crowd:
    """People who write to Slack, and Slack, which sends again what is not acknowledged."""

    def __init__(self, street: Street, rng: random.Random) -> None:
        self._street = street
        self._rng = rng
        self.told: list[Told] = []

    async def write(self, seconds: float) -> list[Told]:
        """Let everybody write for a while, a message in two seconds each; return what was told."""
        first = len(self.told)
        await asyncio.gather(*(self._person(number, seconds) for number in range(PEOPLE)))
        return self.told[first:]

    async def _person(self, number: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        await asyncio.sleep(self._rng.uniform(0, 2))
        while time.monotonic() < end:
            await self._write(number)
            await asyncio.sleep(self._rng.uniform(1, 3))

    async def _write(self, number: int) -> None:
        slack, channel = self._street.slack, f"D{20_000 + number}"
        slack._members.setdefault(channel, True)
        language: Language = "zh" if number % 2 else "en"
        sent_at = time.monotonic()
        user = f"U{20_000 + number}"
        event = await slack.customer_writes(QUESTION[language], user=user, channel=channel)
        self.told.append(Told(event, channel, sent_at))

    async def watch(self) -> None:
        """Note each acknowledgement as it comes, and look into the log at once."""
        with contextlib.closing(open_read_only(self._street.program.database)) as db:
            while True:
                for each in [e for e in self.told if e.acknowledged_at == float("inf")]:
                    if each.event.is_acknowledged:
                        each.acknowledged_at = time.monotonic()
                        key = ("slack", f"event:{each.event.id}")
                        sql = "SELECT 1 FROM inbox_keys WHERE channel = ? AND event_key = ?"
                        each.was_stored = db.execute(sql, key).fetchone() is not None
                await asyncio.sleep(LOOK_SECONDS)

    async def send_again(self) -> None:
        """Send what is not acknowledged in new envelopes, again and again."""
        while True:
            await asyncio.sleep(RESEND_SECONDS)
            for each in list(self.told):
                if not each.event.is_acknowledged:
                    await self._street.slack.send_again(each.event)

    async def until_answered(self) -> None:
        """Wait until everything is acknowledged and answered, and every reply delivered."""
        end = time.monotonic() + PATIENCE_SECONDS
        while left := self._left():
            assert time.monotonic() < end, left
            await asyncio.sleep(0.05)

    def _left(self) -> str:
        """Return what is still open, in words, or nothing."""
        [[unanswered, unsent]] = self._street.rows(
            "SELECT (SELECT count(*) FROM inbox WHERE turn IS NULL),"
            " (SELECT count(*) FROM outbox WHERE state <> 'sent')"
        )
        unnoticed = [each.event for each in self.told if each.acknowledged_at == float("inf")]
        if not (unanswered or unsent or unnoticed):
            return ""
        silent = [event.envelopes for event in unnoticed if not event.is_acknowledged]
        return (
            f"{unanswered} unanswered, {unsent} unsent, {len(unnoticed)} acknowledgements not "
            f"noticed, of these {len(silent)} not given: {silent[:3]}"
        )


async def acknowledgements(setup: Setup) -> Sequence[Row]:
    """R5: 50 people write while the model is dead, and while others hold the database."""
    is_long = setup.scale == "long"
    settings = {"FRONTDESK_MODEL_URL": DEAD_MODEL, "FRONTDESK_CUSTOMER_MESSAGES_PER_MINUTE": "0"}
    async with open_street(setup, "acknowledgements", **settings) as street:
        crowd = Crowd(street, random.Random(setup.seed))
        async with _beside(crowd.watch(), crowd.send_again()):
            await _warm(street)
            setup.progress(f"R5: {PEOPLE} people, a dead model")
            times = 1 if is_long else SHARED_MACHINE
            rows = [await _dead_model(crowd, 60.0 if is_long else 3.0, times)]
            # Shorter than a store waits, longer than that, and much longer.
            for seconds in (1.0, 4.0, 8.0) if is_long else (3.5,):
                setup.progress(f"R5: the database is held for {seconds:g} s")
                rows.append(await _locked(street, crowd, seconds, times))
            await crowd.until_answered()
            return [*rows, _truth(street, crowd)]


async def _warm(street: Street) -> None:
    seen = await street.on_slack("en")
    assert seen.told != "nothing", street.program.output()


async def _dead_model(crowd: Crowd, seconds: float, times: int) -> Row:
    started = time.monotonic()
    told = await crowd.write(seconds)
    await crowd.until_answered()
    took = [each.seconds for each in told]
    p99, longest, early = percentile(took, 99), max(took), sum(not e.was_stored for e in told)
    return Row(
        proof="R5",
        what=f"{PEOPLE} people on Slack, the model is dead",
        aim=f"ack p99 <= {times * P99_SECONDS:g} s, longest <= {times * LONGEST_SECONDS:g} s, "
        "none before its commit",
        reached=f"{len(told)} messages, p99 {p99:.2f} s, longest {longest:.2f} s, "
        f"{early} too early",
        holds=p99 <= times * P99_SECONDS and longest <= times * LONGEST_SECONDS and not early,
        seconds=time.monotonic() - started,
    )


async def _locked(street: Street, crowd: Crowd, seconds: float, times: int) -> Row:
    """Let another program hold the database, while people write on Slack and the page."""
    started = time.monotonic()
    with holding(street.program.database):
        held_at = time.monotonic()
        writing = asyncio.create_task(crowd.write(seconds))
        pages = [asyncio.create_task(_status_of_page(street)) for _ in range(10)]
        await asyncio.sleep(seconds)
        let_go_at = time.monotonic()
    told = await writing
    statuses = await asyncio.gather(*pages)
    await crowd.until_answered()
    early = sum(held_at < each.acknowledged_at < let_go_at for each in told)
    early += sum(not each.was_stored for each in told)
    refused = sum(status == 503 for status, _ in statuses)
    slowest = max((took for status, took in statuses if status == 503), default=0.0)
    again = sum(len(each.event.envelopes) > 1 for each in told)
    is_long_held = seconds > NOT_STORED_SECONDS
    return Row(
        proof="R5",
        what=f"another program holds the database for {seconds:g} s",
        aim=f"no ack meanwhile; the page refuses <= {times * NOT_STORED_SECONDS:g} s; all "
        "acknowledged after",
        reached=f"{len(told)} messages to Slack, {early} acks too early, {again} sent again; "
        f"{refused} of {len(pages)} page requests refused, the slowest after {slowest:.1f} s",
        holds=not early
        and slowest <= times * NOT_STORED_SECONDS
        and (not is_long_held or (refused == len(pages) and again > 0)),
        seconds=time.monotonic() - started,
    )


def _truth(street: Street, crowd: Crowd) -> Row:
    """Compare what Slack sent and shows with the log."""
    sent = {each.event.id for each in crowd.told}
    [[stored]] = street.rows("SELECT count(*) FROM inbox WHERE channel = 'slack'")
    unanswered = street.rows("SELECT count(*) FROM inbox WHERE reply IS NULL")[0][0]
    channels = {each.channel for each in crowd.told}
    shown = sum(len(street.slack.replies(channel)) for channel in channels)
    [[replies]] = street.rows(
        "SELECT count(*) FROM outbox WHERE channel = 'slack' AND state = 'sent'"
    )
    stored, replies = stored - 1, replies - 1  # the first, to warm up
    return Row(
        proof="R5",
        what="all of it, in the log and at Slack",
        aim="each message stored once and answered, each reply shown once",
        reached=f"{len(sent)} messages, {stored} stored, {unanswered} unanswered, {replies} "
        f"replies, {shown} shown",
        holds=stored == len(sent) and not unanswered and shown == replies,
        seconds=0.0,
    )


async def _status_of_page(street: Street) -> tuple[int, float]:
    """Ask on the page; return the status, and how long it took to begin."""
    started = time.monotonic()
    body = {"text": QUESTION["en"]}
    asking = {"Accept": "text/event-stream"}
    async with street.http.stream("POST", "/api/v1/messages", json=body, headers=asking) as got:
        took = time.monotonic() - started
        await got.aread()
    return got.status_code, took


@contextlib.asynccontextmanager
async def _beside(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run `work` beside the body; a defect in it ends the body."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        yield
        for task in tasks:
            task.cancel()


@contextlib.contextmanager
def holding(database: Path) -> Iterator[None]:
    """Let another process hold the database, as for a long write."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            holder.stdin.close()
            holder.wait()
