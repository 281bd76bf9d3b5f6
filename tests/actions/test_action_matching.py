"""Finding a tool by its example questions, and values by their patterns."""

import pytest

from bot.actions import declarations
from bot.actions.matching import match
from bot.messages import Language, Turn
from tests.actions.order_shop import EXAMPLE, ORDER

TOOLS = declarations.load(EXAMPLE).tools
ASK = TOOLS["order_status"].parameters["number"].ask


def found(text: str, language: Language = "en", *history: Turn) -> tuple[str, object] | None:
    result = match(text, language, history, TOOLS)
    return (result.name, result.missing or dict(result.arguments)) if result else None


def customer(text: str) -> Turn:
    return Turn(role="customer", text=text)


def assistant(text: str) -> Turn:
    return Turn(role="assistant", text=text)


STATUS = ("order_status", {"number": ORDER})


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (f"Where is my order {ORDER}?", "en", STATUS),
        (f"hello, could you please tell me where my order {ORDER.lower()} is", "en", STATUS),
        (f"I bought a tent two weeks ago. Where is my parcel? It is {ORDER}.", "en", STATUS),
        (f"{ORDER} order status", "en", STATUS),
        (f"请问我的订单{ORDER}到哪里了？", "zh", STATUS),
        (f"帮我查一下订单，{ORDER}", "zh", STATUS),
        ("订单什么时候到", "zh", ("order_status", "number")),
        ("Where is my order?", "en", ("order_status", "number")),
        (f"Please cancel my order {ORDER}.", "en", ("cancel_order", {"number": ORDER})),
        (f"取消订单{ORDER}", "zh", ("cancel_order", {"number": ORDER})),
        ("Where is my order LF-2026-000123-9?", "en", ("order_status", "number")),
        (f"Where is my order {ORDER} or LF-2026-000124?", "en", ("order_status", "number")),
        ("Can I return an item within 30 days?", "en", None),
        ("How long does delivery take?", "en", None),
        ("Which address is on my order form, and how do I change it there?", "en", None),
        ("标准配送要几天？", "zh", None),
        ("What is the status of my return?", "en", None),
        (f"How can I change the address of my order {ORDER}?", "en", None),
        (f"怎么修改订单{ORDER}的收货地址？", "zh", None),
        ("", "en", None),
    ],
)
def test_that_the_tool_and_its_values_are_found(
    text: str, language: Language, expected: tuple[str, object] | None
) -> None:
    assert found(text, language) == expected


def test_that_a_value_alone_goes_on_with_the_tool_that_asked_for_it() -> None:
    asked = customer("Where is my order?"), assistant(ASK["en"])

    assert found(f"it's {ORDER}", "en", *asked) == STATUS
    assert found("I don't have one", "en", *asked) is None
    assert found(f"it's {ORDER}", "en", customer("Hi"), assistant("Hello!")) is None


def test_that_a_value_from_before_is_used_when_there_is_one_alone() -> None:
    one = customer(f"My order is {ORDER}."), assistant("Noted.")
    two = *one, customer("And LF-2026-000124."), assistant("Noted.")

    assert found("Where is my order?", "en", *one) == STATUS
    assert found("Where is my order?", "en", *two) == ("order_status", "number")


def test_that_what_the_bot_said_is_no_source_of_values() -> None:
    said = customer("Hi"), assistant(f"An order number looks like {ORDER}.")

    assert found("Where is my order?", "en", *said) == ("order_status", "number")
