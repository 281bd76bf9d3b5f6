"""The buttons under a reply. All they mean is written in them, so they outlive a restart.

`f:<verdict or complaint>:<language>:<turn>` rates a reply; `c:<person>:<command>` stands for a
command, in a group for that person alone (0: for everybody). Telegram allows 64 bytes, too few for
a title: `t:<person>:<digest>` is as good as writing what the button says.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.messages import COMPLAINTS, LANGUAGES, Choice, Complaint, Language, TurnId, Verdict

_LARGEST_DATA = 64
_DIGEST = 12  # hexadecimal digits
_THUMBS: tuple[tuple[Verdict, str], ...] = (("up", "👍"), ("down", "👎"))

Row = tuple[InlineKeyboardButton, ...]


@dataclass(frozen=True, slots=True)
class Rating:
    """A press on a thumb, or on one of the complaints that follow the lower one."""

    turn: TurnId
    language: Language
    verdict: Verdict
    complaint: Complaint | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A press on a button that stands for a command, or for what it says.

    `person` is 0 where anybody may press. `text` is empty where Telegram does not show the button
    any more.
    """

    text: str
    person: int


def meaning_of(data: str, markup: InlineKeyboardMarkup | None = None) -> Rating | Command | None:
    """Read what a button holds; None for one that is not ours.

    `markup` are the buttons of its message, None where they can't be seen.
    """
    match data.split(":", 3):
        case ["f", opinion, word, turn] if turn:
            found = [known for known in LANGUAGES if known == word]
            return _rating(opinion, found[0], turn) if found else None
    match data.split(":", 2):
        case ["c", person, command] if person.isdecimal() and command.startswith("/"):
            return Command(command, int(person))
        case ["t", person, _] if person.isdecimal():
            labels = [button.text for button in _all(markup) if _data(button) == data]
            return Command(labels[0], int(person)) if labels else Command("", int(person))
    return None


def _rating(opinion: str, language: Language, turn: str) -> Rating | None:
    for verdict, _ in _THUMBS:
        if opinion == verdict:
            return Rating(TurnId(turn), language, verdict)
    for complaint in COMPLAINTS:
        if opinion == complaint:
            return Rating(TurnId(turn), language, "down", complaint)
    return None


def thumbs(turn: TurnId, language: Language, words: Mapping[str, str]) -> list[Row]:
    """Return the two thumbs, side by side."""
    row = [
        _button(f"{sign} {words[verdict]}", f"f:{verdict}:{language}:{turn}")
        for verdict, sign in _THUMBS
    ]
    return [tuple(button for button in row if button)]


def complaints(turn: TurnId, language: Language, words: Mapping[str, str]) -> list[Row]:
    """Return what may have been wrong with a reply, one a row."""
    found = [_button(words[reason], f"f:{reason}:{language}:{turn}") for reason in COMPLAINTS]
    return [(button,) for button in found if button]


def choices(offered: tuple[Choice, ...], person: int) -> list[Row]:
    """Return a button for each choice, one a row."""
    found = [_button(choice.label, _choice_data(choice, person)) for choice in offered]
    return [(button,) for button in found if button]


def _choice_data(choice: Choice, person: int) -> str:
    if choice.command != choice.label:
        return f"c:{person}:{choice.command}"
    return f"t:{person}:{hashlib.sha256(choice.label.encode()).hexdigest()[:_DIGEST]}"


def keyboard(rows: list[Row]) -> InlineKeyboardMarkup | None:
    """Return the buttons as Telegram takes them, or None when there are none."""
    rows = [row for row in rows if row]
    return InlineKeyboardMarkup(rows) if rows else None


def without(markup: InlineKeyboardMarkup | None, kinds: str) -> list[Row]:
    """Return the rows that are left when the buttons of some kinds, "f" or "ct", are used up."""
    rows = markup.inline_keyboard if markup else ()
    return [row for row in rows if not any(_data(button)[:1] in [*kinds] for button in row)]


def holds(markup: InlineKeyboardMarkup | None, data: str) -> bool:
    """Return whether a button is still there."""
    return any(_data(button) == data for button in _all(markup))


def _all(markup: InlineKeyboardMarkup | None) -> Row:
    return tuple(button for row in (markup.inline_keyboard if markup else ()) for button in row)


def _data(button: InlineKeyboardButton) -> str:
    return button.callback_data if isinstance(button.callback_data, str) else ""


def _button(label: str, data: str) -> InlineKeyboardButton | None:
    # What does not fit can't be pressed; the customer can still write it.
    if len(data.encode()) > _LARGEST_DATA:
        return None
    return InlineKeyboardButton(label, callback_data=data)
