"""A small classifier, really trained: its file, as the program follows it."""

import time
from functools import cache
from pathlib import Path

from bot.intents import model_file
from bot.intents.rows import OUT_OF_SCOPE, Row
from bot.intents.training import Trained, train
from tests.intents.small_set import OUTSIDE, rows


@cache
def small_classifier(seed: int = 1) -> Trained:
    """Return a classifier of four intents, trained once for all tests."""
    outside = [Row(text, (OUT_OF_SCOPE,)) for text in OUTSIDE]
    return train([*rows(), *outside], seed=seed, clock=time.monotonic, methods=["linear"])


def put_in_force(folder: Path, trained_at: str = "2026-03-01") -> str:
    """Write the classifier into a folder as the command line does; return its version."""
    trained = small_classifier()
    model_file.save(folder, trained.classifier, {"trained_at": trained_at}, "")
    return model_file.load(folder).version
