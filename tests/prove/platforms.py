"""Messages that come twice, that come only the second time, and sockets that are lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.adapters.slack.channels import connected, served
from tests.adapters.telegram.channels import running
from tests.fakes.slack_api import Event, FakeSlack
from tests.fakes.telegram_api import FakeTelegram
from tests.fakes.vllm_api import FakeVllm
from tests.prove.platform_desk import (
    Stopwatch,
    desk,
    eventually,
    on_slack,
    on_telegram,
    rows_of,
    writing_model,
)
from tests.prove.proof import Row, Setup
from tests.small_shop import Desk

SOCKET_BACK_SECONDS = 10.0


def question(number: int) -> str:
    """Return a question that the shop can answer, in one of both languages."""
    if number % 2:
        return f"商品送达后30天内可以退货吗？({number})"
    return f"Can I return an item within 30 days? ({number})"


def answers_by_place(slack: FakeSlack, telegram: FakeTelegram) -> Counter[str]:
    """Return how many answers each Slack thread and each Telegram chat has."""
    found: Counter[str] = Counter()
    for call in slack.called("chat.postMessage"):
        found[f"{call['channel']}:{call.get('thread_ts')}"] += 1
    for call in telegram.called("sendMessage"):
        found[str(call["chat_id"])] += 1
    return found


# R3.


@dataclass(slots=True)
class _Mail:
    """What was written on both platforms, and how often it was sent since."""

    slack: FakeSlack
    telegram: FakeTelegram
    model: FakeVllm
    folder: Path
    events: list[Event] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    questions: int = 0
    duplicates: int = 0

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Desk]:
        """Open the shop, on both platforms; wait until everything is answered."""
        async with (
            desk(self.folder, self.model) as at,
            on_slack(at, self.slack) as by_slack,
            on_telegram(at, self.telegram) as by_telegram,
            running(by_telegram),
            connected(self.slack, by_slack),
        ):
            yield at
            await eventually(lambda: not self.telegram.unconfirmed)
            await at.settled()

    async def write(self, count: int) -> None:
        """Write so many questions on each platform; of Slack's, every third comes as two events."""
        for number in range(count):
            self.questions += 2
            user, text = f"U{number}", question(number)
            if number % 3 == 0:
                both = await self.slack.customer_mentions(text, user=user, also_as_message=True)
                self.events.append(both)
                self.duplicates += 1
            else:
                channel = f"D{number}"
                self.events.append(
                    await self.slack.customer_writes(text, user=user, channel=channel)
                )
            update_id = self.telegram.customer_writes(1000 + number, text)
            self.updates.append(
                next(u for u in self.telegram.updates if u["update_id"] == update_id)
            )

    async def repeat(self, *, is_in_same_envelope: bool = False, times: int = 1) -> None:
        """Send everything again, on Slack as often at the same instant; wait for Slack to hear."""
        expected = self.slack.acknowledgements + times * len(self.events)
        self.duplicates += times * len(self.events) + len(self.updates)
        await asyncio.gather(
            *(
                self.slack.send_again(event, in_same_envelope=is_in_same_envelope)
                for event in self.events
                for _ in range(times)
            )
        )
        for update in self.updates:
            fields = {name: each for name, each in update.items() if name != "update_id"}
            self.telegram.deliver_again(update["update_id"], fields)
        await eventually(lambda: self.slack.acknowledgements >= expected)


async def duplicates(setup: Setup) -> Sequence[Row]:
    """R3: whatever comes again is known, also after a restart and much later."""
    watch = Stopwatch()
    async with FakeSlack() as slack, FakeTelegram() as telegram, writing_model() as model:
        mail = _Mail(slack, telegram, model, setup.folder)
        async with mail.desk():
            await mail.write(8 if setup.scale == "short" else 90)
            await mail.repeat(times=2)
            await mail.repeat(is_in_same_envelope=True)
        calls = len(model.chats)
        for age in (timedelta(), timedelta(minutes=5), timedelta(hours=23)):
            setup.progress(f"R3: {mail.duplicates} duplicates; all of it again, {age} later")
            async with mail.desk() as at:
                await _make_older(at, age)
                await mail.repeat()
        async with mail.desk() as at:
            inbox = await rows_of(at, "SELECT COUNT(*) FROM inbox")
            turns = await rows_of(at, "SELECT COUNT(*) FROM turns")
        answers = answers_by_place(slack, telegram)
    double = sum(answers.values()) - len(answers)
    extra_rows = inbox + turns - 3 * mail.questions
    extra_calls = len(model.chats) - calls + max(0, calls - mail.questions)
    return [
        Row(
            proof="R3",
            what="the same messages again: at once, after a restart, 5 min and 23 h later",
            aim="0 double replies, 0 double rows, 0 extra model calls",
            reached=(
                f"{double} double replies, {extra_rows} double rows, {extra_calls} extra model "
                f"calls for {mail.duplicates} duplicates of {mail.questions} messages "
                f"({calls} model calls)"
            ),
            holds=(double, extra_rows, extra_calls) == (0, 0, 0)
            and len(answers) == calls == mail.questions,
            seconds=watch.seconds,
        )
    ]


async def _make_older(at: Desk, age: timedelta) -> None:
    """Let everything that is stored have come so much earlier."""
    back = f"-{age.total_seconds():.0f} seconds"

    def shift(db: Any) -> None:
        for table, column in (
            ("inbox", "received_at"), ("turns", "created_at"), ("outbox", "created_at"),
            ("outbox", "settled_at"), ("conversations", "last_turn_at"),
        ):  # fmt: skip
            db.execute(
                f"UPDATE {table} SET {column} ="
                f" strftime('%Y-%m-%dT%H:%M:%f+00:00', {column}, ?) WHERE {column} IS NOT NULL",
                [back],
            )

    await at.store.write(shift)


# R4.


async def only_the_retry(setup: Setup) -> Sequence[Row]:
    """R4: what Slack calls a retry may be the only copy that arrives."""
    watch, count = Stopwatch(), 20 if setup.scale == "short" else 200
    async with FakeSlack() as slack, FakeTelegram() as telegram:
        events = []
        for number in range(count):
            event = await slack.customer_writes(
                question(number), user=f"U{number}", channel=f"D{number}"
            )
            event.envelopes = [f"lost-{number}-{retry}" for retry in range(1 + number % 3)]
            events.append(event)
        async with desk(setup.folder) as at:
            async with on_slack(at, slack) as channel, connected(slack, channel):
                for event in events[::2]:
                    await slack.send_again(event)
                await eventually(lambda: all(each.is_acknowledged for each in events[::2]))
            over_http = {"app_token": None, "signing_secret": slack.signing_secret}
            async with on_slack(at, slack, **over_http) as channel, served(slack, channel):
                for event in events[1::2]:
                    await slack.send_again(event)
        answers = answers_by_place(slack, telegram)
    return [
        Row(
            proof="R4",
            what="events of which only a retry arrives (number 1 to 3), by socket and by HTTP",
            aim=f"{count} of {count} answered",
            reached=f"{len(answers)} of {count} answered, {sum(answers.values())} replies",
            holds=len(answers) == sum(answers.values()) == count,
            seconds=watch.seconds,
        )
    ]


# R6.


async def lost_sockets(setup: Setup) -> Sequence[Row]:
    """R6: Slack closes, renews or forgets the socket; the channel's own timing is the real one."""
    watch, rounds = Stopwatch(), 4 if setup.scale == "short" else 50
    verbs = ["drop_sockets", "close_sockets", "refresh_sockets", "freeze_sockets"]
    patient = {"first_delay_seconds": 1.0, "longest_delay_seconds": 30.0}
    back: list[float] = []
    async with (
        FakeSlack() as slack,
        FakeTelegram() as telegram,
        desk(setup.folder) as at,
        on_slack(at, slack, **patient) as channel,
        connected(slack, channel),
    ):
        for number in range(rounds):
            setup.progress(f"R6: socket {number + 1} of {rounds}")
            await slack.customer_writes(question(number), user="U1", channel=f"D{2 * number}")
            back.append(await _seconds_until_back(slack, verbs[number % len(verbs)]))
            await slack.customer_writes(question(number), user="U2", channel=f"D{2 * number + 1}")
        await slack.send_unacknowledged_again()
        await eventually(lambda: not slack.unacknowledged)
        await at.settled()
        answers = answers_by_place(slack, telegram)
    lost, double = 2 * rounds - len(answers), sum(answers.values()) - len(answers)
    return [
        Row(
            proof="R6",
            what="the socket is cut, closed, renewed or half open, a message before and after",
            aim=f"0 lost, 0 answered twice, back within {SOCKET_BACK_SECONDS:.0f} s",
            reached=f"{lost} lost, {double} answered twice, back within {max(back):.1f} s"
            f" ({rounds} times)",
            holds=(lost, double) == (0, 0) and max(back) <= SOCKET_BACK_SECONDS,
            seconds=watch.seconds,
        )
    ]


async def _seconds_until_back(slack: FakeSlack, verb: str) -> float:
    before, watch = len(slack.called("link")), Stopwatch()
    ending = getattr(slack, verb)()
    if ending is not None:
        await ending
    await eventually(lambda: len(slack.called("link")) > before and slack.socket_count)
    return watch.seconds
