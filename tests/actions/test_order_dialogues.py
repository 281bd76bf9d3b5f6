"""Whole dialogues over tools, without a model, in both languages."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.log import transcripts
from bot.messages import Language, Outgoing
from tests.actions.order_shop import OPEN_ORDER, ORDER, Clock, order_desk, over_http, states
from tests.fakes.orders_api import TOKEN, FakeOrders, Fault
from tests.small_shop import QUESTION, Desk, incoming

CANCEL: dict[Language, str] = {
    "en": f"Cancel my order {OPEN_ORDER}, please.",
    "zh": f"取消我的订单{OPEN_ORDER}",
}
STATUS: dict[Language, str] = {
    "en": f"Hi! Where is my order {ORDER}?",
    "zh": f"你好，我的订单{ORDER}到哪里了？",
}


@pytest_asyncio.fixture
async def orders(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeOrders]:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    async with FakeOrders() as fake:
        yield fake


@pytest_asyncio.fixture
async def desk(tmp_path: Path, orders: FakeOrders) -> AsyncIterator[Desk]:
    async with order_desk(tmp_path, over_http(orders.url)) as opened:
        yield opened


def pressed(asked: Outgoing, word: str) -> str:
    [command] = [choice.command for choice in asked.choices if f" {word} " in choice.command]
    return command


async def test_that_the_examples_own_server_needs_no_model(tmp_path: Path) -> None:
    async with order_desk(tmp_path) as desk:  # starts its program
        told = await desk.ask(STATUS["zh"])
        await desk.ask(CANCEL["en"])
        cancelled = await desk.ask("yes")
        refused = await desk.ask(f"Cancel my order {ORDER}.")
        failed = await desk.ask("yes")

        assert told.text.startswith(f"订单{ORDER}：已发货。")
        assert cancelled.text == f"Order {OPEN_ORDER} is cancelled."
        assert refused.source == "action"
        assert failed.text.startswith("I could not do this:")


async def test_that_an_order_is_told_in_both_languages_without_a_model(desk: Desk) -> None:
    english = await desk.ask(STATUS["en"])
    chinese = await desk.ask(STATUS["zh"], address="bo")

    assert english.text == (
        f"Order {ORDER} is on its way. It was ordered on 25 February 2026. Carrier: DHL. "
        "Day of delivery: 4 March 2026."
    )
    assert chinese.text == (
        f"订单{ORDER}：已发货。下单日期：2026年2月25日。承运商：DHL。送达日期：2026年3月4日。"
    )
    assert (english.source, chinese.source) == ("action", "action")
    assert await states(desk) == [("order_status", "done")] * 2
    found = await desk.store.read(lambda db: transcripts.transcript(db, english.conversation))
    assert found is not None
    [call] = found.turns[-1].actions
    assert (call.tool, call.arguments) == ("order_status", f'{{"number": "{ORDER}"}}')


async def test_that_a_number_that_is_missing_is_asked_for_and_then_used(desk: Desk) -> None:
    asked = await desk.ask("Where is my parcel?")
    told = await desk.ask(f"{ORDER}, thanks")

    assert asked.text.startswith("What is your order number?")
    assert told.text.startswith(f"Order {ORDER} is on its way.")


async def test_that_an_unknown_order_and_other_questions_get_no_invented_status(
    desk: Desk,
) -> None:
    unknown = await desk.ask("Where is my order LF-2026-999999?")
    article = await desk.ask(QUESTION["en"])

    assert unknown.text.startswith("I found nothing under that.")
    assert article.source == "article"


@pytest.mark.parametrize(
    ("language", "yes", "done"),
    [
        ("en", "Yes, please!", f"Order {OPEN_ORDER} is cancelled."),
        ("zh", "是的。", f"订单{OPEN_ORDER}已取消。"),
    ],
)
async def test_that_a_change_is_made_once_after_a_yes(
    desk: Desk, orders: FakeOrders, language: Language, yes: str, done: str
) -> None:
    asked = await desk.ask(CANCEL[language])
    assert OPEN_ORDER in asked.text
    assert await states(desk) == [("cancel_order", "asked")]

    told = await desk.ask(yes)
    again = await desk.ask(pressed(asked, "yes"))

    assert (told.text, again.text) == (done, done)
    assert orders.cancelled == [OPEN_ORDER]
    assert [(key,) for key in orders.keys] == await desk.rows("SELECT id FROM actions")
    assert await states(desk) == [("cancel_order", "done")]


@pytest.mark.parametrize(("language", "no"), [("en", "No thanks"), ("zh", "不用了")])
async def test_that_nothing_is_changed_after_a_no(desk: Desk, language: Language, no: str) -> None:
    asked = await desk.ask(CANCEL[language])
    await desk.ask(no)
    late = await desk.ask(pressed(asked, "yes"))

    assert await states(desk) == [("cancel_order", "declined")]
    assert ("left everything" if language == "en" else "没有做任何更改") in late.text


async def test_that_a_yes_to_something_else_confirms_nothing(desk: Desk) -> None:
    await desk.ask(CANCEL["en"])
    await desk.ask(QUESTION["en"])
    await desk.ask("yes")

    assert await states(desk) == [("cancel_order", "asked")]


async def test_that_only_who_was_asked_can_say_yes(desk: Desk) -> None:
    asked = await desk.ask(CANCEL["en"])
    other = await desk.ask(pressed(asked, "yes"), address="mallory")

    assert other.text.startswith("There is nothing here that waits for your yes")
    assert await states(desk) == [("cancel_order", "asked")]


async def test_that_a_yes_counts_after_a_restart_and_not_after_its_time(
    tmp_path: Path, orders: FakeOrders
) -> None:
    clock, declared = Clock(), over_http(orders.url)
    async with order_desk(tmp_path, declared, clock=clock) as desk:
        asked = await desk.ask(CANCEL["en"])
        await desk.settled()

    async with order_desk(tmp_path, declared, clock=clock) as desk:
        await desk.ask(CANCEL["zh"], address="bo")
        done = await desk.ask(pressed(asked, "yes"))
        clock.forward(minutes=31)
        late = await desk.ask("是", address="bo")

        assert done.text == f"Order {OPEN_ORDER} is cancelled."
        assert late.text.startswith("这个确认已经过期")
        assert await states(desk) == [("cancel_order", "done"), ("cancel_order", "asked")]


async def test_that_what_was_interrupted_is_never_called_again(
    tmp_path: Path, orders: FakeOrders
) -> None:
    declared = over_http(orders.url)
    async with order_desk(tmp_path, declared) as desk:
        asked = await desk.ask(CANCEL["en"])
        await desk.settled()
        # A run of the program that ended between the call and its outcome.
        await desk.store.write(
            lambda db: db.execute("UPDATE actions SET state = 'running', confirmed_at = created_at")
        )

    async with order_desk(tmp_path, declared) as desk:
        told = await desk.ask(pressed(asked, "yes"))

        assert told.handed_off
        assert told.text.startswith("I can't tell whether this was done")
        assert await states(desk) == [("cancel_order", "unknown")]
        assert orders.cancelled == []
        assert await desk.rows("SELECT reason FROM handoffs") == [("action_failed",)]


async def test_that_an_outcome_that_was_not_told_comes_with_the_next_answer(desk: Desk) -> None:
    await desk.ask(CANCEL["en"])
    await desk.settled()
    await desk.store.write(
        lambda db: db.execute(
            "UPDATE actions SET state = 'done', outcome = 'It is cancelled.',"
            " confirmed_at = created_at"
        )
    )

    told = await desk.ask(QUESTION["en"])
    later = await desk.ask(QUESTION["en"])

    assert told.text.startswith("It is cancelled.\n\nYou can return")
    assert later.text.startswith("You can return")


async def test_that_a_tool_that_refuses_is_told_truly_and_handed_on(desk: Desk) -> None:
    await desk.ask(f"Cancel my order {ORDER}")
    told = await desk.ask("yes")

    assert told.handed_off
    assert told.text.startswith("I could not do this:")
    assert await states(desk) == [("cancel_order", "failed")]


async def test_that_an_agent_must_approve_where_that_is_set(
    tmp_path: Path, orders: FakeOrders
) -> None:
    declared = over_http(orders.url, cancel_order={"approval": "agent"})
    async with order_desk(tmp_path, declared) as desk:
        await desk.ask(CANCEL["en"])
        waiting = await desk.ask("yes")
        assert waiting.handed_off
        assert await states(desk) == [("cancel_order", "waiting")]

        key = await waiting_key(desk)
        confirmations = desk.actions.confirmations
        outcomes = await asyncio.gather(*(confirmations.approve(key, "nia") for _ in range(3)))
        told = (await desk.channel.replies(3))[2]
        later = await desk.ask(QUESTION["en"])

        assert sorted(outcomes) == [False, False, True]
        assert told.text == f"Order {OPEN_ORDER} is cancelled."
        assert told.in_reply_to == waiting.in_reply_to
        assert later.text.startswith("You can return")
        row = await desk.rows("SELECT state, approved_by FROM actions")
        assert row == [("done", "nia")]
        assert await desk.rows("SELECT settled_at IS NULL FROM handoffs") == [(0,)]
        found = await desk.store.read(lambda db: transcripts.transcript(db, told.conversation))
        assert found is not None
        assert [turn.actions[0].state for turn in found.turns if turn.actions] == ["done", "done"]


async def waiting_key(desk: Desk) -> str:
    [(key,)] = await desk.rows("SELECT id FROM actions WHERE state = 'waiting'")
    return str(key)


async def test_that_an_agents_refusal_is_told_at_once(tmp_path: Path, orders: FakeOrders) -> None:
    declared = over_http(orders.url, cancel_order={"approval": "agent"})
    async with order_desk(tmp_path, declared) as desk:
        await desk.ask(CANCEL["zh"])
        await desk.ask("好的")
        key = await waiting_key(desk)
        refusals = [await desk.actions.confirmations.refuse(key, "nia") for _ in range(2)]
        told = (await desk.channel.replies(3))[2]
        later = await desk.ask(QUESTION["zh"])

        assert refusals == [True, False]
        assert told.text.startswith("同事查看后没有批准")
        assert await states(desk) == [("cancel_order", "refused")]
        assert later.text.startswith("商品送达后")


async def test_that_what_failed_after_its_approval_is_told_and_handed_on(
    tmp_path: Path, orders: FakeOrders
) -> None:
    declared = over_http(orders.url, cancel_order={"approval": "agent"})
    async with order_desk(tmp_path, declared) as desk:
        await desk.ask(f"Cancel my order {ORDER}")
        await desk.ask("yes")
        await desk.actions.confirmations.approve(await waiting_key(desk), "nia")
        told = (await desk.channel.replies(3))[2]

        assert told.handed_off
        assert told.text.startswith("I could not do this:")
        assert await desk.rows("SELECT reason, settled_at IS NULL FROM handoffs") == [
            ("approval", 0),
            ("action_failed", 1),
        ]


async def test_that_an_outcome_whose_sending_was_cut_off_is_sent_once_after_the_start(
    tmp_path: Path, orders: FakeOrders
) -> None:
    declared = over_http(orders.url, cancel_order={"approval": "agent"})
    async with order_desk(tmp_path, declared) as desk:
        await desk.ask(CANCEL["en"])
        await desk.ask("yes")
        await desk.settled()
        # Its program ends before it sends anything.
        desk.actions.confirmations.send_through(lambda _: None)
        assert await desk.actions.confirmations.approve(await waiting_key(desk), "nia")

    for expected in (1, 0):
        async with order_desk(tmp_path, declared) as desk:
            await desk.delivery.resume()
            await desk.settled()

            told = [sent.text for sent in desk.channel.sent]
            assert told == [f"Order {OPEN_ORDER} is cancelled."] * expected


async def test_that_what_was_approved_and_interrupted_is_told_after_the_start(
    tmp_path: Path, orders: FakeOrders
) -> None:
    declared = over_http(orders.url, cancel_order={"approval": "agent"})
    async with order_desk(tmp_path, declared) as desk:
        await desk.ask(CANCEL["en"])
        await desk.ask("yes")
        await desk.settled()
        await desk.store.write(
            lambda db: db.execute("UPDATE actions SET state = 'running', approved_at = created_at")
        )

    for expected in (1, 0):
        async with order_desk(tmp_path, declared) as desk:
            await desk.delivery.resume()
            await desk.settled()

            assert len(desk.channel.sent) == expected
            assert all(sent.text.startswith("I can't tell") for sent in desk.channel.sent)


async def test_that_who_is_erased_meanwhile_is_told_nothing(
    tmp_path: Path, orders: FakeOrders
) -> None:
    declared = over_http(orders.url, cancel_order={"approval": "agent"})
    async with order_desk(tmp_path, declared) as desk:
        await desk.ask(CANCEL["en"])
        await desk.ask("yes")
        orders.fault = "hangs"
        key = await waiting_key(desk)
        approving = asyncio.create_task(desk.actions.confirmations.approve(key, "nia"))
        await orders.arrived()
        await desk.ask("/forget yes")
        await desk.settled()
        orders.release()
        await approving
        await desk.settled()

        assert len(desk.channel.sent) == 3
        assert await desk.rows("SELECT count(*) FROM turns") == [(0,)]


async def test_that_a_yes_does_not_count_once_the_tool_is_taken_away(
    tmp_path: Path, orders: FakeOrders
) -> None:
    async with order_desk(tmp_path, over_http(orders.url)) as desk:
        await desk.ask(CANCEL["en"])
        await desk.settled()

    taken = over_http(orders.url, cancel_order={"audience": ["slack"]})
    async with order_desk(tmp_path, taken) as desk:
        told = await desk.ask("yes")

        assert told.text.startswith("That question is too old")
        assert orders.cancelled == []


async def test_that_a_tool_is_for_its_audience_alone(tmp_path: Path, orders: FakeOrders) -> None:
    declared = over_http(orders.url, order_status={"audience": ["slack", "test:T9"]})
    async with order_desk(tmp_path, declared) as desk:
        outside = await desk.ask(STATUS["en"])
        inside = await desk.ask(STATUS["en"], address="T9/C1:17")

        assert outside.source != "action"
        assert inside.source == "action"


@pytest.mark.parametrize("fault", ["error", "drops", "huge"])
async def test_that_a_lost_outcome_goes_to_a_person_and_is_not_tried_again(
    desk: Desk, orders: FakeOrders, fault: Fault
) -> None:
    asked = await desk.ask(CANCEL["zh"])
    orders.fault = fault
    told = await desk.ask("确认")
    orders.fault = None
    again = await desk.ask(pressed(asked, "yes"))

    assert told.handed_off
    assert told.text == again.text
    assert told.text.startswith("我无法确定以下事项是否已经办好")
    assert orders.cancelled == [OPEN_ORDER]
    assert await states(desk) == [("cancel_order", "unknown")]


async def test_that_more_written_during_a_call_neither_repeats_nor_loses_it(
    desk: Desk, orders: FakeOrders
) -> None:
    await desk.ask(CANCEL["en"])
    orders.fault = "hangs"
    assert await desk.delivery.accept(incoming("yes"))
    await orders.arrived()
    assert await desk.delivery.accept(incoming(QUESTION["en"]))
    orders.release()
    told = (await desk.channel.replies(2))[1]

    assert told.text.startswith(f"Order {OPEN_ORDER} is cancelled.\n\n")
    assert orders.cancelled == [OPEN_ORDER]


@pytest.mark.parametrize("fault", ["error", "drops", "huge", "moved"])
async def test_that_a_tool_that_can_t_read_is_told_truly_and_handed_on(
    desk: Desk, orders: FakeOrders, fault: Fault
) -> None:
    orders.fault = fault
    told = await desk.ask(STATUS["zh"])

    assert told.handed_off
    assert told.text.startswith("我现在无法查询。")
    assert await states(desk) == [("order_status", "failed")]


async def test_that_a_tool_has_its_time(tmp_path: Path, orders: FakeOrders) -> None:
    orders.fault = "hangs"
    declared = over_http(orders.url, order_status={"seconds": 0.05})
    async with order_desk(tmp_path, declared) as desk:
        told = await desk.ask(STATUS["en"])

        assert told.text.startswith("I can't look that up at the moment.")
        assert await desk.rows("SELECT error FROM actions") == [("no answer within 0.05 s",)]


async def test_that_hostile_text_in_a_result_is_not_told(desk: Desk) -> None:
    told = await desk.ask(STATUS["en"])

    assert "evil" not in told.text
    assert "Ignore" not in told.text


async def test_that_a_customers_calls_are_exported_and_erased(desk: Desk) -> None:
    await desk.ask(CANCEL["en"])
    await desk.ask("yes")
    exported = await desk.ask("/export")
    assert exported.document
    assert '"tool": "cancel_order"' in exported.document.text

    await desk.ask("/forget yes")
    await desk.settled()

    assert await desk.rows("SELECT count(*) FROM actions") == [(0,)]
