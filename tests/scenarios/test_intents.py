"""What customers want decides who answers, what comes first, and which tools may be used."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.checks.rules import IntentRule, Rules
from bot.intents.in_force import IntentsInForce
from bot.log.conversations import Filters, conversations
from tests.actions.order_shop import ORDER, order_desk
from tests.intents.taught import put_in_force
from tests.small_shop import Desk, open_desk

RETURN = {"en": "I want to send the jacket back", "zh": "我想退货"}
TRACK = {"en": f"Where is my order {ORDER}?", "zh": f"我的订单{ORDER}到哪里了？"}


@pytest_asyncio.fixture
async def intents(tmp_path: Path) -> AsyncIterator[IntentsInForce]:
    put_in_force(tmp_path / "intents")
    made = IntentsInForce(tmp_path / "intents")
    await made.reload()
    yield made
    made.close()


def rules(**intents: dict[str, Any]) -> Rules:
    return Rules(intents={name: IntentRule(**rule) for name, rule in intents.items()})


async def labelled(desk: Desk) -> list[tuple[object, ...]]:
    return await desk.rows(
        "SELECT text, intent, source FROM intent_labels JOIN turns ON turns.id = turn ORDER BY id"
    )


async def test_that_each_question_is_logged_with_what_it_wants(
    tmp_path: Path, intents: IntentsInForce
) -> None:
    async with open_desk(tmp_path, intents=intents) as desk:
        for text in ("Hello", RETURN["en"], RETURN["zh"], "What is the capital of Peru?"):
            await desk.ask(text)

        assert await labelled(desk) == [
            (RETURN["en"], "return", "model"),
            (RETURN["zh"], "return", "model"),
            ("What is the capital of Peru?", "out_of_scope", "model"),
        ]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_person_answers_what_the_rules_hand_off(
    tmp_path: Path, intents: IntentsInForce, language: str
) -> None:
    handed = rules(**{"return": {"hand_off": True}})
    async with open_desk(tmp_path, intents=intents, rules=handed) as desk:
        reply = await desk.ask(RETURN[language])
        await desk.ask("I forgot my password", address="bo")

        assert (reply.source, reply.handed_off) == ("handoff", True)
        assert (await desk.rows("SELECT reason FROM handoffs"))[0] == ("intent",)
        assert (RETURN[language], "return", "model") in await labelled(desk)


async def test_that_an_urgent_intent_comes_first_on_the_teams_list(
    tmp_path: Path, intents: IntentsInForce
) -> None:
    urgent = rules(**{"return": {"hand_off": True, "priority": "high"}})
    async with open_desk(tmp_path, intents=intents, rules=urgent) as desk:
        await desk.ask("/human", address="first")
        await desk.ask(RETURN["en"], address="urgent")
        for name in ("third", "fourth"):
            await desk.ask("/human", address=name)
        waiting = Filters(is_open=True)
        pages = [await desk.store.browse(lambda db: conversations(db, waiting, limit=2))]
        after = pages[0].next_key
        pages.append(
            await desk.store.browse(lambda db: conversations(db, waiting, after=after, limit=2))
        )

        customers = [[each.customer for each in page.conversations] for page in pages]
        assert customers == [
            ["customer-urgent", "customer-fourth", "customer-third"],
            ["customer-first"],
        ]
        assert [each.is_urgent for each in pages[0].conversations] == [True, False, False]


@pytest.mark.parametrize(
    ("tools", "source"), [((), "handoff"), (("order_status",), "action")], ids=["none", "its own"]
)
async def test_that_only_the_tools_of_an_intent_are_used(
    tmp_path: Path, intents: IntentsInForce, tools: tuple[str, ...], source: str
) -> None:
    [wanted] = await intents.told([TRACK["en"]])
    limited = rules(**{name: {"tools": tools} for name in wanted.intents})
    async with order_desk(tmp_path, intents=intents, rules=limited) as desk:
        reply = await desk.ask(TRACK["en"])

        assert reply.source == source


async def test_that_without_time_a_question_is_answered_without_its_intents(
    tmp_path: Path, intents: IntentsInForce
) -> None:
    class Hurried:
        """Lets nobody wait for an encoder."""

        def __init__(self, manager: Any) -> None:
            self.manager = manager

        def __getattr__(self, name: str) -> Any:
            return getattr(self.manager, name)

        async def answer(self, *given: Any, allowance: Any, **more: Any) -> Any:
            return await self.manager.answer(*given, allowance=NoEncoder(allowance), **more)

    class NoEncoder:
        """An allowance that the encoder has no share of."""

        encoder_seconds = 0.0

        def __init__(self, allowance: Any) -> None:
            self.model_call = allowance.model_call

    handed = rules(**{"return": {"hand_off": True}})
    async with open_desk(tmp_path, intents=intents, rules=handed, around=Hurried) as desk:
        reply = await desk.ask("Can I return an item within 30 days?")

        assert reply.source == "article"
        assert await labelled(desk) == []


def test_that_a_message_of_several_intents_may_use_the_tools_of_each() -> None:
    given = rules(a={"tools": ["x"]}, b={"tools": ["y"]}, c={"priority": "high"})

    assert given.tools(["a", "b"]) == {"x", "y"}
    assert given.tools(["a", "c"]) is None
    assert given.tools(["a", "unnamed"]) is None
    assert given.tools([]) is None
