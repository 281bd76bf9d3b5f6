"""What a message is, before anything is looked up: clean text, language, and kind."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from bot.commands import Command, parse_command
from bot.knowledge.words import HAN, words
from bot.messages import Language

LONGEST_QUESTION = 4000

Kind = Literal[
    "question", "command", "greeting", "thanks", "farewell", "person", "no_words", "too_long"
]

# Invisible characters that hide text from people (tags, bidirectional controls, zero width); the
# joiners U+200C and U+200D stay, since emoji and several scripts are written with them.
_INVISIBLE = re.compile(
    "[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
_LINK = re.compile(r"https?://[!-~]+")
_ANSI_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")

# The whole message must be one of these; "hello, where is my parcel" is a question.
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "greeting",
        re.compile(
            r"(hi|hello|hey|good (morning|afternoon|evening|day))( there| everyone)?"
            r"|你好呀?|您好|哈喽|嗨|早上好|上午好|下午好|晚上好|在吗|有人吗|你好在吗"
        ),
    ),
    (
        "thanks",
        re.compile(
            r"(ok(ay)? |great |perfect )?(thanks|thank you|thx|cheers)"
            r"( a lot| so much| very much| for your help)?"
            r"|(好的?|多谢|非常感谢|太好了)?(谢谢|多谢|感谢|谢了)(你|您|啦|了)?"
        ),
    ),
    ("farewell", re.compile(r"(good)?bye( bye)?|see you|再见|拜拜")),
)
_ASKS_FOR_PERSON = re.compile(
    r"(speak|talk|chat|connect me|put me through)( to| with)? (a |an |the |some)?"
    r"(real |live |actual )?(person|human|agent|someone|somebody|representative|colleague|operator)"
    r"|^(a )?(real |live )?(human|agent|person|operator)( please)?$"
    r"|customer (service )?representative"
    r"|(转|找|要|接|换|联系)(一个|个|一下)?(人工|真人)|^(人工|真人)(客服|服务)?(呢|吗|在吗)?$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """A customer's message as the rest of the program sees it.

    `written` is the language that it is in, `language` the one to answer in.
    """

    text: str
    language: Language
    written: Language
    kind: Kind
    command: Command | None = None


def clean(text: str) -> str:
    """Return the text without control, invisible and broken characters; line breaks stay."""
    text = text.encode("utf-8", "ignore").decode("utf-8")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _INVISIBLE.sub("", _ANSI_ESCAPE.sub("", text))
    kept = (c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs", "Cn"))
    return "".join(kept).strip()


def understand(
    text: str, previous: Language | None = None, chosen: Language | None = None
) -> Understood:
    """Tell what a cleaned message is.

    `previous` is the conversation's language so far; `chosen` the one that the customer wants
    whatever they write in.
    """
    command = parse_command(text)
    if command:
        language = _language_of_command(text, command, previous, chosen)
        return Understood(
            text=text,
            language=language,
            written=language,
            kind="person" if command.name == "human" else "command",
            command=command,
        )
    written = language_of(text, previous)
    return Understood(text=text, language=chosen or written, written=written, kind=_kind(text))


def _language_of_command(
    text: str, command: Command, previous: Language | None, chosen: Language | None
) -> Language:
    if command.name == "stop" and HAN.search(text):
        return chosen or "zh"
    # A command is the same word in every language, so it says nothing about the customer's.
    if command.name == "language" and command.language:
        return command.language
    return chosen or previous or "en"


def language_of(text: str, previous: Language | None = None) -> Language:
    """Return the language of a text; one without letters keeps the conversation's.

    A Chinese sentence says in one character what English says in four or five, so a mixed text
    is Chinese when it has at least one Chinese character for every five Latin letters. Links don't
    count: their letters are in no language.
    """
    text = _LINK.sub("", text)
    chinese = len(HAN.findall(text))
    latin = sum(c.isalpha() for c in text) - chinese
    if chinese == latin == 0:
        return previous or "en"
    return "zh" if chinese * 5 >= latin else "en"


def _courtesy(text: str) -> Kind | None:
    plain = _plain(text)
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(plain)), None)


def _last_courtesy(text: str) -> Kind | None:
    """Return the last line's kind when every line is a courtesy."""
    kinds = [_courtesy(line) for line in text.split("\n") if words(line)]
    return kinds[-1] if all(kinds) else None


def _plain(text: str) -> str:
    return re.sub(r"[\s!！.。,，?？~～]+", " ", text.lower()).strip()


def _kind(text: str) -> Kind:
    if len(text) > LONGEST_QUESTION:
        return "too_long"
    if not words(text):
        return "no_words"
    # People also write "Hi" and "are you there?" in two messages, which are read as two lines.
    if kind := _courtesy(text) or _last_courtesy(text):
        return kind
    return "person" if _ASKS_FOR_PERSON.search(_plain(text)) else "question"
