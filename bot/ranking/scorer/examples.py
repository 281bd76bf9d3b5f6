"""What the scorer learns from: a choice among replies, and how it went."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The turns before, the replies that could be given, and the place of the one that was.

    A positive `reward`, or none, says that the choice was right; a negative one that it was wrong;
    how far from 0 it is says how much. A preferred reply and the other are an example of two.
    """

    context: tuple[str, ...]
    candidates: tuple[str, ...]
    chosen: int
    reward: float | None = None

    @property
    def right(self) -> str:
        """The text that was chosen."""
        return self.candidates[self.chosen]
