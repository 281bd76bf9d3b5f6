"""What nobody should send: payloads with something else, or nothing, in some places."""

import random
from typing import Any

# What has broken programs that read text: names of nothing, numbers that are none, marks that
# other languages read, letters that change their length, and what is no text at all.
NAUGHTY = (
    "", " ", "\t\n\r", "\0", "a\0b", "null", "None", "undefined", "NaN", "Infinity", "-0", "1e999",
    "0x0", "9" * 400, "true", "[]", "{}", "'", '"', "`", "\\", "\\u0000", "%00", "%s%s%s%n", "{0}",
    "{{7*7}}", "${7*7}", "$(id)", "; ls", "../../etc/passwd", "<script>alert(1)</script>",
    "<!channel>", "<@U0BOT>", "<http://x|", "</pre>", "--", "' OR 1=1 --", "]]>", "<!--",
    "\u202etxt", "\u200b" * 40, "\ufeff", "\ufffe", "\uffff", "\u0301" * 200,
    "\u00df" * 99, "\u0130" * 99, "\ufdfa" * 99,
    "👩‍👩‍👧‍👦" * 40, "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇨", "田中さん", "部落格", "𠜎𠜱𠝹",
    "مُنَاقَشَةُ", "תּוֹרָה", "क्षि",
    "\x1b[31mred", "\x7f\x80\x9f", "\u2028\u2029", "\ud800", "\udfff\ud800",
    "/", "/human", "/forget", "@frontdesk_bot", "http://a/" + "a" * 3000, "**" * 500, "```" * 99,
    "| a |\n|-|\n" * 99, "> " * 999,
)  # fmt: skip
SCRAPS: tuple[Any, ...] = (
    *NAUGHTY, None, 0, 7, -1, -1.5, 1e308, 2**63, -(2**70), True, False, "a" * 20_000, [], {}, [[]],
    [None], ["U1"], {"id": 7}, {"text": None}, {"a": {"b": {"c": []}}}, [[[[[[[[[[]]]]]]]]]],
)  # fmt: skip


def deep(levels: int) -> Any:
    """Return lists and objects in each other."""
    value: Any = "end"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


def spoilt(value: Any, rng: random.Random) -> Any:
    """Return a payload with something else, or nothing, in some places."""
    if rng.random() < 0.12:
        return deep(200) if rng.random() < 0.02 else rng.choice(SCRAPS)
    if isinstance(value, dict):
        return {key: spoilt(each, rng) for key, each in value.items() if rng.random() > 0.05}
    if isinstance(value, list):
        return [spoilt(each, rng) for each in value]
    return value


def spoilt_object(value: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return a payload that still is an object, spoilt inside."""
    found = spoilt(value, rng)
    return found if isinstance(found, dict) else {}
