"""What is known of the conversation when a reply is chosen."""

from dataclasses import dataclass

from bot.messages import Language, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The question, what was said before it, and where.

    `is_sensitive`: nothing is tried out on this customer now. `intent` is how sure the classifier
    is of the likest intent, None where none is told.
    """

    question: str
    language: Language
    history: tuple[Turn, ...] = ()
    channel: str = ""
    is_sensitive: bool = False
    intent: float | None = None

    @property
    def replies_before(self) -> int:
        """How often the assistant has replied in what is known of the conversation."""
        return sum(turn.role == "assistant" for turn in self.history)

    @property
    def last_reply(self) -> str:
        """The assistant's last reply, empty before the first."""
        return next((turn.text for turn in reversed(self.history) if turn.role == "assistant"), "")
