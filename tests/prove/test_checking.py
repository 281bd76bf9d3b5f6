"""The checker sees each fault that a delivery may have, and none where there is none."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio

from bot.log.store import Store
from tests.log.writing import exchange, receive
from tests.prove.checking import Findings, check
from tests.prove.town import Message, Person, Town, WebAnswer, open_town
from tests.small_shop import incoming

ANSWER = "Yes. shop.example"
NOBODY_LISTENS = 9


class World:
    """A town of one person on each platform, and a log that is written by hand."""

    def __init__(self, town: Town, store: Store) -> None:
        self.town, self.store = town, store
        self.telegram, self.slack, self.web = town.people
        self._number = 0

    def writes(self, person: Person) -> Message:
        """Let a person write something."""
        self._number += 1
        chat = person.platform.chat(person.customer)
        message = Message(self._number, chat, f"Q{self._number}: Is it?", self._number)
        person.messages.append(message)
        return message

    async def post(self, person: Person, text: str = ANSWER) -> str:
        """Let the program post something; return the post's id."""
        chat = person.platform.chat(person.customer)
        async with httpx.AsyncClient(trust_env=False) as http:
            if person is self.telegram:
                self.town.telegram.add_chat(int(chat))
                url = f"{self.town.telegram.base_url}/bot{self.town.telegram.token}/sendMessage"
                answer = (await http.post(url, data={"chat_id": chat, "text": text})).json()
                return f"{chat}:{answer['result']['message_id']}"
            self.town.slack._members[chat] = True
            url = f"{self.town.slack.base_url}chat.postMessage"
            headers = {"Authorization": f"Bearer {self.town.slack.bot_token}"}
            body = {"channel": chat, "text": text}
            answer = (await http.post(url, json=body, headers=headers)).json()
            return f"{chat}:{answer['ts']}"

    async def log(self, person: Person, message: Message, *posts: str, key: str = "") -> str:
        """Store a message and its reply; return the reply's turn."""
        asked = incoming(
            message.text,
            key=key or f"key-{message.number}",
            channel=person.platform.name,
            address=message.chat,
        )
        outgoing = await self.store.write(
            lambda db: exchange(db, asked, posts or [f"web-{message.number}"])
        )
        turn = outgoing.turn
        await self.store.write(
            lambda db: db.execute("UPDATE turns SET text = ? WHERE id = ?", [ANSWER, turn])
        )
        return turn

    async def dialogue(self, person: Person) -> Message:
        """Let a person write, and be answered as it should be."""
        message = self.writes(person)
        if person is self.web:
            turn = await self.log(person, message)
            self.town.web.answered[message.number] = [WebAnswer(turn, ANSWER)]
        else:
            await self.log(person, message, await self.post(person))
        return message

    def check(self) -> Findings:
        """Compare everything."""
        return check(self.town, self.store.path)


@pytest_asyncio.fixture
async def world(tmp_path: Path, store: Store) -> AsyncIterator[World]:
    async with open_town(random.Random(7), tmp_path, NOBODY_LISTENS, 3) as town:
        for person in town.people:
            person.pairs = 0.0
        town.web._tokens[town.people[2].customer] = "token"
        found = World(town, store)
        for person in (*town.people, *town.people):
            await found.dialogue(person)
        yield found


async def test_that_nothing_is_found_where_all_is_well(world: World) -> None:
    found = world.check()

    assert found.faults == []
    assert (found.messages, found.strays, found.in_doubt) == (6, 0, 0)


async def test_that_a_message_that_was_never_stored_is_a_lost_row(world: World) -> None:
    world.writes(world.telegram)

    assert world.check().rows_lost == ["Q7 in 1000"]


async def test_that_a_message_without_a_reply_is_unanswered(world: World) -> None:
    message = world.writes(world.slack)
    asked = incoming(message.text, channel="slack", address=message.chat)
    await world.store.write(lambda db: receive(db, asked))

    assert world.check().unanswered == ["Q7 in slack D1001 (no reply)"]


async def test_that_a_reply_that_no_post_shows_is_unanswered(world: World) -> None:
    message = world.writes(world.telegram)
    await world.log(world.telegram, message, await world.post(world.telegram, "One moment …"))

    [fault] = world.check().unanswered
    assert fault.startswith("Q7 in telegram 1000 (sent, shown: ['One moment …'])")


async def test_that_a_second_post_of_an_answer_is_an_answer_too_many(world: World) -> None:
    for person in (world.telegram, world.slack):
        await world.post(person)

    assert len(world.check().doubled) == 2


async def test_that_a_post_that_says_nothing_is_a_stray(world: World) -> None:
    await world.post(world.telegram, "One moment …")

    found = world.check()
    assert found.faults == []
    assert (found.placeholders, found.beginnings) == (1, 0)


async def test_that_a_message_stored_twice_is_a_row_doubled(world: World) -> None:
    message = await world.dialogue(world.slack)
    await world.log(world.slack, message, await world.post(world.slack), key="another")

    assert "Q7 in D1001" in world.check().rows_doubled
    assert "turn of Q7, 2 times" in world.check().rows_doubled


async def test_that_answers_in_another_order_are_found(world: World) -> None:
    first, second = world.writes(world.telegram), world.writes(world.telegram)
    posts = [await world.post(world.telegram) for _ in range(2)]
    await world.log(world.telegram, first, posts[1])
    await world.log(world.telegram, second, posts[0])

    assert len(world.check().disordered) == 1


async def test_that_two_answers_on_the_page_are_one_too_many(world: World) -> None:
    message = await world.dialogue(world.web)
    world.town.web.answered[message.number].append(WebAnswer("another", ANSWER))

    assert len(world.check().doubled) == 1


async def test_that_a_text_that_was_stored_otherwise_is_found(world: World) -> None:
    message = await world.dialogue(world.web)
    await world.store.write(
        lambda db: db.execute(
            "UPDATE inbox SET text = ? WHERE text = ?", [f"{message.text}!", message.text]
        )
    )

    assert len(world.check().differing) == 1
