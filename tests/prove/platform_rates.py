"""The platforms' limits, enforced: nothing is lost, nobody asks too early, others do not wait."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapters.slack.workspaces import SLACK_LIMITS
from adapters.telegram.limits import TELEGRAM_LIMITS
from tests.adapters.slack.channels import connected
from tests.adapters.telegram.channels import running
from tests.fakes import slack_api, telegram_api
from tests.fakes.slack_api import Event, FakeSlack
from tests.fakes.telegram_api import FakeTelegram
from tests.prove.platform_desk import Stopwatch, desk, eventually, on_slack, on_telegram
from tests.prove.platforms import question
from tests.prove.proof import Row, Setup

OTHERS = 12
GROUP = -1001
WINDOW_SECONDS = 1.2  # after which Telegram counts anew


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """How much is written: `pauses` are the seconds that 429s ask for, one a round."""

    pauses: Sequence[int]
    chats: int
    questions: int
    group_questions: int
    edits: int

    @classmethod
    def of(cls, setup: Setup) -> "_Load":
        rng = random.Random(setup.seed)
        if setup.scale == "short":
            return cls(pauses=[1], chats=6, questions=2, group_questions=2, edits=3)
        pauses = [1, 30, *(rng.randint(1, 30) for _ in range(2))]
        return cls(pauses=pauses, chats=40, questions=10, group_questions=12, edits=60)


@dataclass(slots=True)
class _Tally:
    """What was asked, and how long the answers took."""

    asked: int = 0
    answered: int = 0
    quiet: float = 0.0
    beside: float = 0.0
    texts: dict[str, list[str]] = field(default_factory=dict)

    @property
    def delay(self) -> float:
        """How much longer the slowest answer took beside a chat that had to wait."""
        return max(0.0, self.beside - self.quiet)


class _Slack:
    """Slack's side of it: each customer in a DM."""

    name = "Slack"

    def __init__(self, slack: FakeSlack, second: float) -> None:
        self.fake = slack
        slack.paces = {
            "chat.postMessage": (1, second),
            "chat.update": (50, 60 * second),
            "conversations.replies": (50, 60 * second),
        }
        self.events: list[Event] = []

    @asynccontextmanager
    async def open(self, folder: Path) -> AsyncIterator[None]:
        async with (
            desk(folder) as at,
            on_slack(at, self.fake, limits=SLACK_LIMITS) as channel,
            connected(self.fake, channel),
        ):
            yield

    async def ask(self, chat: int, number: int) -> None:
        self.events.append(
            await self.fake.customer_writes(question(number), user=f"U{chat}", channel=f"D{chat}")
        )

    async def ask_in_group(self, number: int) -> None:
        await self.fake.customer_mentions(question(number), user=f"U{number}", channel="C1")

    async def edit(self, number: int) -> None:
        event = self.events[number % len(self.events)]
        await self.fake.customer_edits(event, f"Standard delivery costs? ({number})")

    def answers(self, chat: int) -> int:
        return len(self.fake.replies(f"D{chat}"))

    def group_answers(self) -> int:
        return len(self.fake.replies("C1"))

    def flood(self, seconds: int) -> None:
        self.fake.fail_next("chat.postMessage", slack_api.Fault.flood(seconds))

    @property
    def posts(self) -> int:
        return sum(call.method.startswith("chat.") for call in self.fake.calls)

    @property
    def edits(self) -> int:
        return len(self.fake.called("chat.update"))

    @property
    def refused(self) -> int:
        return len(self.fake.too_fast)

    @property
    def too_early(self) -> int:
        return len(self.fake.too_early)


class _Telegram:
    """Telegram's side of it: each customer in a private chat, and a group."""

    name = "Telegram"

    def __init__(self, telegram: FakeTelegram, second: float) -> None:
        self.fake = telegram
        telegram.limit((1, second), everywhere=(30, second), group=(20, 60 * second))
        self.asked: list[tuple[int, int]] = []

    @asynccontextmanager
    async def open(self, folder: Path) -> AsyncIterator[None]:
        async with (
            desk(folder) as at,
            on_telegram(at, self.fake, limits=TELEGRAM_LIMITS) as channel,
            running(channel),
        ):
            yield

    async def ask(self, chat: int, number: int) -> None:
        self.fake.customer_writes(1000 + chat, question(number))
        message = self.fake.last_message(1000 + chat)["message_id"]
        self.asked.append((1000 + chat, message))

    async def ask_in_group(self, number: int) -> None:
        self.fake.member_writes(GROUP, number + 1, f"@frontdesk_bot {question(number)}")

    async def edit(self, number: int) -> None:
        chat, message = self.asked[number % len(self.asked)]
        self.fake.edits_message(chat, message, f"Standard delivery costs? ({number})")

    def answers(self, chat: int) -> int:
        return self._filled(1000 + chat)

    def group_answers(self) -> int:
        return self._filled(GROUP)

    def _filled(self, chat: int) -> int:
        return sum(text not in self.fake.placeholders for text in self.fake.replies(chat))

    def flood(self, seconds: int) -> None:
        self.fake.fail_next("sendMessage", telegram_api.Fault.flood(seconds))

    @property
    def posts(self) -> int:
        return len(self.fake.called("sendMessage")) + self.edits

    @property
    def edits(self) -> int:
        return len(self.fake.called("editMessageText"))

    @property
    def refused(self) -> int:
        return len(self.fake.refusals)

    @property
    def too_early(self) -> int:
        return len(self.fake.too_early)


async def rate_limits(setup: Setup) -> Sequence[Row]:
    """R7: limits and 429s, on both platforms at their own pace."""
    rows = []
    # In the suite, where the machine is busy with other things, the fakes count half seconds.
    second = 0.5 if setup.scale == "short" else 1.0
    async with FakeSlack() as slack, FakeTelegram() as telegram:
        for side in (_Slack(slack, second), _Telegram(telegram, second)):
            rows.append(await _on(side, setup))
    return rows


async def _on(side: _Slack | _Telegram, setup: Setup) -> Row:
    watch, load, tally = Stopwatch(), _Load.of(setup), _Tally()
    folder = setup.folder / side.name
    folder.mkdir()
    async with side.open(folder):
        setup.progress(f"R7: {side.name}, steadily")
        await _steadily(side, load, tally)
        steady = side.refused
        posts = side.posts
        for number, seconds in enumerate(load.pauses):
            setup.progress(f"R7: {side.name}, a chat that waits {seconds} s")
            await _beside_one_that_waits(side, 1000 * (number + 1), seconds, tally)
    lost, share = tally.asked - tally.answered, steady / posts
    return Row(
        proof="R7",
        what=f"{side.name}: its limits, and 429s of {min(load.pauses)} to {max(load.pauses)} s",
        aim="0 lost, 0 requests before a 429 is over, at most 1 % refused, others wait ≤ 1 s",
        reached=(
            f"{lost} of {tally.asked} lost, {side.too_early} requests too early, {steady} of "
            f"{posts} refused, others waited {tally.delay:.1f} s"
        ),
        holds=lost == 0 and side.too_early == 0 and share <= 0.01 and tally.delay <= 1.0,
        seconds=watch.seconds,
    )


async def _steadily(side: _Slack | _Telegram, load: _Load, tally: _Tally) -> None:
    """Let everybody ask, and ask again as soon as they are answered; then change a question."""

    async def chat_away(chat: int) -> None:
        for number in range(load.questions):
            await _answered(tally, lambda: side.ask(chat, number), lambda: side.answers(chat))  # noqa: B023

    async def in_group() -> None:
        for number in range(load.group_questions):
            await _answered(tally, lambda: side.ask_in_group(number), side.group_answers)  # noqa: B023

    async with asyncio.TaskGroup() as tasks:
        for chat in range(load.chats):
            tasks.create_task(chat_away(chat))
        tasks.create_task(in_group())
    for number in range(load.edits):
        await _answered(tally, lambda: side.edit(number), lambda: side.edits)  # noqa: B023


async def _answered(
    tally: _Tally, ask: Callable[[], Awaitable[None]], answers: Callable[[], int]
) -> float:
    """Ask, wait for one more answer, and return how long that took, in seconds."""
    before, watch = answers(), Stopwatch()
    tally.asked += 1
    await ask()
    is_answered = await eventually(lambda: answers() > before)
    tally.answered += is_answered  # not in one with the wait: others count meanwhile
    return watch.seconds


async def _beside_one_that_waits(
    side: _Slack | _Telegram, first: int, seconds: int, tally: _Tally
) -> None:
    """Compare what others wait while one chat must, with what they wait when none must."""

    async def all_others(begin: int) -> float:
        # Else the limit for all chats together, which those before used up, would be measured.
        await asyncio.sleep(WINDOW_SECONDS)
        return max(
            await asyncio.gather(
                *(
                    _answered(
                        tally,
                        lambda chat=chat: side.ask(chat, chat),  # type: ignore[misc]
                        lambda chat=chat: side.answers(chat),  # type: ignore[misc]
                    )
                    for chat in range(begin, begin + OTHERS)
                )
            )
        )

    tally.quiet = max(tally.quiet, await all_others(first + 100))
    before = side.posts
    side.flood(seconds)
    held = asyncio.create_task(
        _answered(tally, lambda: side.ask(first, first), lambda: side.answers(first))
    )
    await eventually(lambda: side.posts > before)
    tally.beside = max(tally.beside, await all_others(first + 200))
    await held
