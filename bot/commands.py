"""Commands that customers write, or press as buttons: "/help", "/language zh", "/forget yes"."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from bot.messages import Language

CommandName = Literal["start", "help", "human", "language", "stop", "forget", "export", "confirm"]
COMMANDS: tuple[CommandName, ...] = get_args(CommandName)

# Telegram writes the bot's name behind a command in groups.
_COMMAND = re.compile(rf"/({'|'.join(COMMANDS)})(?:@\w+)?(?:\s+(.*))?", re.DOTALL | re.IGNORECASE)
# Alone, these ask nothing. "cancel" and "取消" may: of an order. Full-width marks are escaped.
_STOP = re.compile(
    r"(?:please )?stop(?:,? please)?[.!]*|请?停(?:[止下]|一下)?[。.!\uff01]*", re.IGNORECASE
)
_LANGUAGE_WORDS: dict[str, Language] = {
    **{"en": "en", "english": "en", "英文": "en", "英语": "en"},
    **{"zh": "zh", "chinese": "zh", "中文": "zh", "汉语": "zh"},
}
_YES = frozenset({"yes", "y", "是", "确认"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command and what was written behind it."""

    name: CommandName
    argument: str = ""

    @property
    def language(self) -> Language | None:
        """The language that "/language" names; None for "auto" and for anything else."""
        return _LANGUAGE_WORDS.get(self.argument.lower())

    @property
    def is_understood(self) -> bool:
        """Whether "/language" names a language or "auto"."""
        return self.argument.lower() in (*_LANGUAGE_WORDS, "auto", "自动")

    @property
    def is_confirmed(self) -> bool:
        """Whether "/forget" comes with a yes."""
        return self.argument.lower() in _YES


def parse_command(text: str) -> Command | None:
    """Return the command that a text is, or None. "stop" may be said without its slash."""
    if match := _COMMAND.fullmatch(text.strip()):
        [name] = [name for name in COMMANDS if name == match[1].lower()]
        return Command(name=name, argument=(match[2] or "").strip())
    return Command(name="stop") if _STOP.fullmatch(text.strip()) else None


def asks_to_stop(text: str) -> bool:
    """Return whether a text asks that nothing more be written."""
    command = parse_command(text)
    return command is not None and command.name == "stop"
