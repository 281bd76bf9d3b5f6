"""Arguments fit the schema, and stand in what the customer wrote."""

from typing import Any

import pytest

from bot.actions import arguments
from bot.actions.declarations import Parameter

SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "pattern": "^LF-"},
        "speed": {"enum": ["fast", "slow"]},
        "count": {"type": "integer"},
        "items": {"type": "array", "items": {"type": "string"}},
        "gift": {"type": "boolean"},
    },
    "required": ["number"],
    "additionalProperties": False,
}
SAID = ("Where is LF-2026-000123?", "我的订单ＬＦ－２０２６－０００１２４，买了2件")

WRONG = [
    pytest.param({}, "the arguments: required", id="missing"),
    pytest.param({"number": 7}, "number: type", id="type"),
    pytest.param({"number": "X"}, "number: pattern", id="pattern"),
    pytest.param({"number": "LF-1", "speed": "now"}, "speed: enum", id="enum"),
    pytest.param({"number": "LF-1", "x": 1}, "the arguments: additionalProperties", id="more"),
]


@pytest.mark.parametrize(("given", "problem"), WRONG)
def test_that_what_breaks_the_schema_is_named_without_its_value(
    given: dict[str, Any], problem: str
) -> None:
    assert arguments.problem(SCHEMA, given) == problem
    assert arguments.problem(SCHEMA, {"number": "LF-1", "count": 2}) is None


def test_that_a_schema_makes_the_program_fetch_nothing() -> None:
    schema = {"properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}}

    with pytest.raises(Exception, match="Unresolvable"):
        arguments.problem(schema, {"a": 1})


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"number": "LF-2026-000123"}, None),
        ({"number": "lf-2026-000123"}, None),
        ({"number": "LF-2026-000124"}, None),  # written full-width
        ({"number": "LF-2026-000125"}, "number"),
        ({"number": "LF-2026-00012"}, "number"),
        ({"number": "2026"}, "number"),
        ({"count": 2}, None),
        ({"count": 3}, "count"),
        ({"items": ["LF-2026-000123", "LF-9"]}, "items"),
        ({"speed": "fast", "gift": True}, None),
        ({"other": {"deep": ["nowhere"]}}, "other"),
    ],
)
def test_that_a_value_that_nobody_wrote_is_found(given: dict[str, Any], name: str | None) -> None:
    assert arguments.invented(SCHEMA, {}, given, SAID) == name


def test_that_values_that_may_be_inferred_or_are_given_need_not_be_written() -> None:
    declared = {
        "count": Parameter(may_be_inferred=True),
        "customer": Parameter(given="customer"),
    }

    assert arguments.invented(SCHEMA, declared, {"count": 9, "customer": "web:7"}, SAID) is None


def test_that_the_model_does_not_see_what_the_program_fills_in() -> None:
    schema = {"properties": {"a": {}, "who": {}}, "required": ["a", "who"]}

    seen = arguments.without_given(schema, {"who": Parameter(given="customer")})

    assert (seen["properties"], seen["required"]) == ({"a": {}}, ["a"])
    assert arguments.unknown(seen, {"who": "web:8"}) == "who"
    assert arguments.missing(seen, {"a": ""}) == "a"
