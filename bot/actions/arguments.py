"""Arguments of a call: they fit the tool's schema, and the customer wrote them."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.actions.declarations import Parameter

_OPEN = {"type": "object"}


def problem(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str | None:
    """Return where and how arguments break their JSON schema, without their values, or None."""
    import jsonschema  # late: half a second, and few need it
    import referencing

    # An empty registry: a reference in a schema must not make the program fetch anything.
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    validator = kind(dict(schema), registry=referencing.Registry())
    for error in validator.iter_errors(dict(arguments)):
        where = ".".join(str(part) for part in error.absolute_path) or "the arguments"
        return f"{where}: {error.validator}"
    return None


def missing(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str | None:
    """Return the first required parameter that has no value, or None."""
    return next((name for name in schema.get("required", ()) if not _has(arguments, name)), None)


def invented(
    schema: Mapping[str, Any],
    declared: Mapping[str, Parameter],
    arguments: Mapping[str, Any],
    said: Sequence[str],
) -> str | None:
    """Return the first parameter with a value that the customer never wrote, or None.

    Values out of the schema's own list, true and false are choices, not identifiers.
    """
    texts = [_normal(text) for text in said]
    properties = schema.get("properties", {})
    for name, value in arguments.items():
        parameter = declared.get(name, Parameter())
        if parameter.given or parameter.may_be_inferred:
            continue
        if {"enum", "const"} & set(properties.get(name, {})):
            continue
        if not all(_stands_in(leaf, texts) for leaf in _leaves(value)):
            return name
    return None


def unknown(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str | None:
    """Return the first argument that the schema does not name, or None."""
    properties = schema.get("properties", {})
    return next((name for name in arguments if name not in properties), None)


def without_given(
    schema: Mapping[str, Any], declared: Mapping[str, Parameter]
) -> Mapping[str, Any]:
    """Return the schema that the model sees: without what the program fills in."""
    given = {name for name, parameter in declared.items() if parameter.given}
    properties = dict(schema.get("properties", {}))
    return {
        **(schema or _OPEN),
        "properties": {name: each for name, each in properties.items() if name not in given},
        "required": [name for name in schema.get("required", ()) if name not in given],
    }


def _has(arguments: Mapping[str, Any], name: str) -> bool:
    return arguments.get(name) not in (None, "")


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _leaves(inner)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None and not isinstance(value, bool):
        yield f"{value:g}" if isinstance(value, float) else str(value)


def _stands_in(value: str, texts: Sequence[str]) -> bool:
    """Return whether a value was written as a whole: not as a part of a longer number or code."""
    found = _normal(value)
    if not found:
        return True
    whole = re.compile(rf"(?<![a-z0-9_-]){re.escape(found)}(?![a-z0-9_]|-[a-z0-9])")
    return any(whole.search(text) for text in texts)


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
