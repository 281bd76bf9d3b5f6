"""What a tool answered, and the sentences that tell it: data, never instructions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from bot.actions.declarations import Tool, slots
from bot.messages import Language
from bot.understanding import clean

LONGEST_VALUE = 200  # characters of one field in a reply
_JOINT: Mapping[Language, str] = {"en": " ", "zh": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A tool's answer: its whole `text`, and its `data` where that is an object."""

    text: str
    data: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_text(cls, text: str) -> "Result":
        """Return a text as a result; one that is a JSON object is data too."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        return cls(text=text, data=data if isinstance(data, dict) else {})


def fields(tool: Tool, result: Result, language: Language) -> dict[str, str]:
    """Return what a reply may tell of a result: the declared fields, as plain short texts.

    A field is a path such as `order.status`; its name is the last part. One that is missing, empty
    or no plain value is left out, and so is one whose words do not have its value.
    """
    found = {}
    for path in tool.result:
        name = path.rpartition(".")[2]
        value = _plain(_at(result.data, path), language)
        if name in tool.words:
            value = tool.words[name].get(value, {}).get(language, "")
        if value:
            found[name] = value
    return found


def sentences(
    tool: Tool, arguments: Mapping[str, Any], told: Mapping[str, str], language: Language
) -> str:
    """Return the tool's reply, filled in; empty when the result has nothing to tell.

    A line that lacks one of its values is left out.
    """
    lines = tool.reply.get(language, ())
    values = {name: _plain(value, language) for name, value in arguments.items()} | dict(told)
    names = {path.rpartition(".")[2] for path in tool.result}
    whole = [line for line in lines if slots(line) <= values.keys()]
    has_result = [line for line in lines if slots(line) & names]
    if has_result and not any(line in has_result for line in whole):
        return ""
    return _JOINT[language].join(line.format_map(values) for line in whole)


def as_lines(told: Mapping[str, str]) -> str:
    """Return fields as the model is given them."""
    return "\n".join(f"{name}: {value}" for name, value in told.items())


def described(tool: Tool, arguments: Mapping[str, Any], language: Language) -> str:
    """Return exactly what a tool would do: its sentence, and every argument not named in it."""
    values = {name: _plain(value, language) for name, value in arguments.items()}
    template = tool.confirm[language]
    named = slots(template)
    shown = template.format_map({name: values.get(name, "-") for name in named})
    rest = [f"- {name}: {value}" for name, value in values.items() if name not in named]
    return "\n".join([shown, *rest])


def _at(data: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, Sequence) and not isinstance(data, str) and part.isdigit():
            data = data[int(part)] if int(part) < len(data) else None
        else:
            return None
    return data


def _plain(value: Any, language: Language) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: ""}[value]
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        return "" if isinstance(value, Mapping) else _list(value, language)
    text = " ".join(clean(value).split())
    return _date(text, language) or text[:LONGEST_VALUE]


def _list(values: Any, language: Language) -> str:
    if not isinstance(values, Sequence):
        return ""
    joint = "、" if language == "zh" else ", "
    return joint.join(filter(None, (_plain(value, language) for value in values)))[:LONGEST_VALUE]


def _date(text: str, language: Language) -> str | None:
    """Return an ISO date as people write it, None for any other text."""
    if len(text) != len("2026-03-01"):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    if language == "zh":
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {day:%B} {day.year}"
