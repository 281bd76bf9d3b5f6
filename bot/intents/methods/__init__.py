"""Ways to learn intents, one module each."""

from collections.abc import Sequence

from bot.errors import IntentsError
from bot.intents.embedder import BaseName
from bot.intents.encodings import Encodings
from bot.intents.lessons import Lessons, Method
from bot.intents.method_names import METHODS
from bot.intents.methods.fine_tuning import FineTuning
from bot.intents.methods.gan import GanBert
from bot.intents.methods.linear import Linear
from bot.intents.methods.lstm import Lstm
from bot.intents.methods.propagation import Propagation
from bot.intents.methods.self_training import SelfTraining, TunedSelfTraining

_LEARN_FROM_UNLABELLED = {"self-training", "self-training-tuned", "propagation", "gan"}
_TELL_SEVERAL = {"linear", "fine-tuning"}
LEAST_UNLABELLED = 50  # texts that say something about how messages lie


def methods_for(
    base: BaseName, encodings: Encodings, lessons: Lessons, only: Sequence[str] | None = None
) -> list[Method]:
    """Return the methods that can learn from the lessons, in the order in which to try them.

    Raises IntentsError where none of those named in `only` can.
    """
    made: dict[str, Method] = {
        "linear": Linear(base, encodings),
        "self-training": SelfTraining(base, encodings),
        "propagation": Propagation(base, encodings),
        "fine-tuning": FineTuning(base, encodings),
        "self-training-tuned": TunedSelfTraining(base, encodings),
        "gan": GanBert(base, encodings),
        "lstm": Lstm(encodings),
    }
    can = set(METHODS)
    if len(lessons.unlabelled) < LEAST_UNLABELLED:
        can -= _LEARN_FROM_UNLABELLED
    if lessons.has_several:
        can &= _TELL_SEVERAL
    wanted = [name for name in METHODS if name in can and (only is None or name in only)]
    if not wanted:
        raise IntentsError(
            f"None of the methods {', '.join(only or METHODS)} can learn from these messages: "
            f"{', '.join(sorted(_LEARN_FROM_UNLABELLED))} need {LEAST_UNLABELLED} unlabelled ones, "
            "and several intents a message are learned by linear and fine-tuning alone."
        )
    return [made[name] for name in wanted]
