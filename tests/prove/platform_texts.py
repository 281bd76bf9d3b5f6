"""Answers of any length and script arrive whole, in messages that the platforms take."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapters.slack import SlackChannel
from adapters.telegram import TelegramChannel
from bot.messages import Outgoing
from tests.adapters import samples
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.slack import channels as slack_channels
from tests.adapters.telegram import channels as telegram_channels
from tests.fakes.slack_api import FakeSlack
from tests.fakes.telegram_api import FakeTelegram
from tests.fakes.telegram_rules import utf16_units
from tests.prove.platform_desk import Stopwatch
from tests.prove.proof import Row, Setup

LONGEST = 20_000
SLACK_LIMIT, TELEGRAM_LIMIT = 4000, 4096
# Markdown, and the letters and signs of it that are shown.
SENTENCES = (
    "Where is my parcel? ",
    "You can return it within 30 days, by post. ",
    "退货要多久？",
    "您可以在三十天内退货。",
    "שלום עולם. ",
    "مرحبا بالعالم. ",
    "नमस्ते दुनिया। ",
    "e\u0301te\u0301 naïve ",
    "zażółć gęślą jaźń ",
)
EMOJI = ("👩‍👩‍👧‍👦", "🇨🇳", "👍🏽", "❤️", "🏳️‍🌈")
BLOCKS = (
    "```\nx = 1\n\n    return x\n```",
    "| size | 价格 |\n|---|---|\n| S | ¥5 |\n| L | ¥9 |",
    "> a quote\n> 引用",
    "- one\n- two",
    "1. first\n2. second\n\nThat is all.",  # two lists in a row would be one, numbered on
    "# Heading",
    "**bold** and `code`",
)


@dataclass(slots=True)
class _Tally:
    """What was wrong with the messages that arrived."""

    answers: int = 0
    messages: int = 0
    too_long: int = 0
    changed: int = 0
    broken: int = 0
    refused: int = 0

    @property
    def is_clean(self) -> bool:
        return (self.too_long, self.changed, self.broken, self.refused) == (0, 0, 0, 0)


def made_answer(rng: random.Random) -> str:
    """Return an answer of 1 to 20,000 characters, short ones as often as long ones."""
    length = int(rng.choice((30, 300, 4000, LONGEST)) * rng.random()) + 1
    pieces, total = [], 0
    while total < length:
        piece = _piece(rng)
        pieces.append(piece)
        total += len(piece)
    return "".join(pieces).strip()[: LONGEST + 200] if total <= LONGEST else _cut(pieces)


def _piece(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.15:
        return f"\n\n{rng.choice(BLOCKS)}\n\n"
    if kind < 0.3:
        return f"{rng.choice(EMOJI)} "
    return rng.choice(SENTENCES)


def _cut(pieces: list[str]) -> str:
    while sum(map(len, pieces)) > LONGEST:
        pieces.pop()
    return "".join(pieces).strip() or "."


def letters(text: str) -> str:
    """Return what must stand in the answer and in its parts, in order: all letters and numbers."""
    return re.sub(r"[\W_]", "", text)


def broken_characters(sent: str, parts: Sequence[str]) -> int:
    """Return how many characters of several code points are not whole any more, and worse."""
    missing = sum(abs(sent.count(each) - sum(part.count(each) for part in parts)) for each in EMOJI)
    strange = sum(part.count("\ufffd") for part in parts)
    return missing + strange + sum("\ud800" <= each <= "\udfff" for part in parts for each in part)


async def lengths_and_texts(setup: Setup) -> Sequence[Row]:
    """R8: made answers through both channels, as their platforms would take and show them."""
    watch, rng = Stopwatch(), random.Random(setup.seed)
    texts = [made_answer(rng) for _ in range(20 if setup.scale == "short" else 2000)]
    rows = []
    for name, tally in (
        ("Slack", await _on_slack(texts, setup)),
        ("Telegram", await _on_telegram(texts, setup)),
    ):
        rows.append(
            Row(
                proof="R8",
                what=f"{name}: {tally.answers} made answers of 1 to {max(map(len, texts)):,}"
                " characters",
                aim="0 parts too long, 0 texts changed, 0 broken characters, 0 refused",
                reached=(
                    f"{tally.too_long} parts too long, {tally.changed} texts changed, "
                    f"{tally.broken} broken characters, {tally.refused} refused, "
                    f"in {tally.messages} messages"
                ),
                holds=tally.is_clean and tally.answers == len(texts),
                seconds=watch.seconds,
            )
        )
    return rows


def _reply(number: int, text: str, **where: str) -> Outgoing:
    return samples.reply(id=number, text=text, citations=(), **where)


async def _on_slack(texts: Sequence[str], setup: Setup) -> _Tally:
    tally = _Tally()
    async with FakeSlack() as slack:
        channel: SlackChannel = slack_channels.channel_for(slack, RecordingInbox())
        for number, text in enumerate(texts):
            begin = len(slack.sent("D1"))
            await channel.send(
                _reply(number, text, channel="slack", address="D1", in_reply_to="command:1")
            )
            parts = slack.replies("D1")[begin:]
            # A block of code that is cut is closed, and opened again in the next message.
            _check(tally, text, [each.replace("```", "") for each in parts])
            tally.too_long += sum(len(each) > SLACK_LIMIT for each in parts)
            _tell(setup, "Slack", number)
        tally.refused = (
            sum(call.method == "chat.postMessage" for call in slack.calls) - tally.messages
        )
        await channel.close()
    return tally


async def _on_telegram(texts: Sequence[str], setup: Setup) -> _Tally:
    tally = _Tally()
    async with FakeTelegram() as telegram:
        telegram.add_chat(telegram_channels.ADA)
        channel: TelegramChannel = telegram_channels.channel_for(telegram, RecordingInbox())
        for number, text in enumerate(texts):
            begin = len(telegram.replies(telegram_channels.ADA))
            outgoing = _reply(number, text, address=str(telegram_channels.ADA))
            await telegram_channels.deliver(channel, replace(outgoing, in_reply_to="message:42:1"))
            parts = telegram.replies(telegram_channels.ADA)[begin:]
            _check(tally, text, parts)
            tally.too_long += sum(utf16_units(each) > TELEGRAM_LIMIT for each in parts)
            _tell(setup, "Telegram", number)
        filled = len(telegram.called("editMessageText"))
        tally.refused = filled - tally.messages
        await channel.close()
    return tally


def _tell(setup: Setup, name: str, number: int) -> None:
    if number % 500 == 499:
        setup.progress(f"R8: {name}, {number + 1} answers")


def _check(tally: _Tally, text: str, parts: Sequence[str]) -> None:
    tally.answers += 1
    tally.messages += len(parts)
    tally.changed += letters(text) != letters("".join(parts))
    tally.broken += broken_characters(text, parts)
