"""Whatever customers do, and whenever the program ends: each message has one answer that stands."""

import asyncio
import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from bot.delivery import Delivery
from bot.messages import Outgoing, Place, Withdrawal
from tests.fakes.vllm_api import FakeVllm, Json
from tests.small_shop import (
    QUESTION,
    RETURNS_EN,
    RETURNS_ZH,
    UNANSWERABLE,
    Desk,
    ScriptedChannel,
    incoming,
    open_desk,
)

TEXTS = [*QUESTION.values(), *UNANSWERABLE.values(), "Hello", "还有", "and then", "/help"]
STEPS = 60


PLACEHOLDER = "…"


class Platform(ScriptedChannel):
    """A channel with a wall of posts, which takes its time and outlives the program.

    Like Telegram it can't be asked what stands there: it posts a placeholder, then edits it.
    """

    def __init__(self, wall: dict[str, str], numbers: Iterator[int], rng: random.Random) -> None:
        super().__init__()
        self.wall = wall
        self.numbers = numbers
        self.rng = rng
        self.begun: dict[str, str] = {}

    async def reserve(self, place: Place) -> str | None:
        self.begun[place.in_reply_to] = await self._post()
        return self.begun[place.in_reply_to]

    async def prepare(self, outgoing: Outgoing, *, is_doubtful: bool) -> tuple[str, ...]:
        return outgoing.replaces or (await self._post(),)

    async def send(self, outgoing: Outgoing) -> tuple[str, ...]:
        await self._take_time()
        [post, *surplus] = outgoing.replaces
        for each in outgoing.replaces if outgoing.is_retraction else surplus:
            self.wall.pop(each, None)
        if not outgoing.is_retraction:
            self.wall[post] = outgoing.text
        await self._take_time()
        return () if outgoing.is_retraction else (post,)

    async def preview(self, place: Place, text: str) -> str | None:
        await self._take_time()
        self.wall[self.begun[place.in_reply_to]] = text
        return self.begun[place.in_reply_to]

    async def _post(self) -> str:
        await self._take_time()
        post = f"post-{next(self.numbers)}"
        self.wall[post] = PLACEHOLDER
        await self._take_time()
        return post

    async def _take_time(self) -> None:
        for _ in range(self.rng.randrange(4)):
            await asyncio.sleep(0)


class Customers:
    """People who write, correct and delete at random."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.keys: list[tuple[str, str]] = []
        self.numbers = count(1)

    async def act(self, delivery: Delivery) -> None:
        action = self.rng.choices(["write", "edit", "delete"], [6, 3, 1])[0]
        key, text = f"key-{next(self.numbers)}", self.rng.choice(TEXTS)
        if action == "write" or not self.keys:
            address = self.rng.choice(["ada", "bo", "陈"])
            self.keys.append((key, address))
            await delivery.accept(incoming(text, key=key, address=address))
            return
        first, address = self.rng.choice(self.keys)
        if action == "edit":
            edit = incoming(f"{text} {key}?", key=key, address=address, edits=first)
            await delivery.accept(edit)
        else:
            await delivery.withdraw(Withdrawal(channel="test", event_key=first))


async def check(desk: Desk, wall: dict[str, str]) -> None:
    waiting = "SELECT count(*) FROM inbox WHERE turn IS NULL AND withdrawn_at IS NULL"
    assert await desk.rows(waiting) == [(0,)]
    standing = await desk.rows(
        """
        SELECT DISTINCT turns.text, posts.post FROM inbox JOIN turns ON turns.id = inbox.reply
            LEFT JOIN outbox ON outbox.turn = turns.id LEFT JOIN posts ON posts.outbox = outbox.id
        WHERE inbox.withdrawn_at IS NULL
        """
    )
    assert {str(post): text for text, post in standing} == wall
    assert len(standing) == len(wall)
    assert await desk.rows("PRAGMA foreign_key_check") == []


def drafts(body: Json) -> list[str]:
    """Answer as a model does: well, badly, or not at all."""
    question = str(body["messages"][-1]["content"])
    texts = [RETURNS_ZH, RETURNS_EN, f"{RETURNS_EN} Also 50 EUR for free.", "NO ANSWER"]
    return [texts[len(question) % len(texts)]] * (body.get("n") or 1)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("seed", range(4))
async def test_that_one_answer_stands_for_every_message(
    tmp_path: Path, vllm: FakeVllm, seed: int, streams: bool
) -> None:
    rng = random.Random(seed)
    wall: dict[str, str] = {}
    numbers, customers = count(1), Customers(rng)
    vllm.reply = drafts
    for _ in range(3):
        channel = Platform(wall, numbers, rng)
        async with open_desk(
            tmp_path, channel=channel, model_url=vllm.url, streams=streams
        ) as desk:
            await desk.delivery.resume()
            for _ in range(STEPS // 3):
                await customers.act(desk.delivery)
                if rng.random() < 0.3:
                    await desk.settled()
            await desk.settled()
            await check(desk, wall)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("seed", range(4))
async def test_that_a_program_that_ends_at_any_time_leaves_placeholders_at_most(
    tmp_path: Path, vllm: FakeVllm, seed: int, streams: bool
) -> None:
    rng = random.Random(seed)
    wall: dict[str, str] = {}
    numbers, customers = count(1), Customers(rng)
    vllm.reply = drafts
    for _ in range(6):
        channel = Platform(wall, numbers, rng)
        async with open_desk(
            tmp_path, channel=channel, model_url=vllm.url, streams=streams
        ) as desk:
            await desk.delivery.resume()
            for _ in range(STEPS // 6):
                await customers.act(desk.delivery)
            await desk.delivery.finish(rng.choice([0, 0.01, 0.05]))

    async with open_desk(tmp_path, channel=Platform(wall, numbers, rng)) as desk:
        await desk.delivery.resume()
        await desk.settled()

        waiting = "SELECT count(*) FROM inbox WHERE turn IS NULL AND withdrawn_at IS NULL"
        assert await desk.rows(waiting) == [(0,)]
        assert await desk.rows("SELECT DISTINCT state FROM outbox") == [("sent",)]
        strays = [post for post, text in wall.items() if text == PLACEHOLDER]
        assert len(strays) <= 6 * len({"ada", "bo", "陈"})
        for post in strays:
            del wall[post]
        await check(desk, wall)
