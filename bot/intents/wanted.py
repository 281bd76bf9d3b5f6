"""What a message wants, as it is acted on and logged."""

from dataclasses import dataclass

from bot.intents.classifier import Found, Prediction
from bot.intents.rows import OUT_OF_SCOPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The intents of a message, the likest first, as the classifier of version `model` told them.

    A message that is out of scope has that as its one intent, with its strangeness as probability.
    """

    found: tuple[Found, ...]
    model: str

    @property
    def intents(self) -> tuple[str, ...]:
        """The names of the intents."""
        return tuple(each.intent for each in self.found)


def as_wanted(told: Prediction, model: str) -> Wanted:
    """Return a prediction of the classifier of version `model` as what is acted on."""
    if told.is_out_of_scope:
        return Wanted(found=(Found(OUT_OF_SCOPE, told.strangeness),), model=model)
    return Wanted(found=told.intents, model=model)
