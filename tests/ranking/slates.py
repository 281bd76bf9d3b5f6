"""Slates to rank, and a model that has learned something."""

import numpy as np

from bot.messages import Candidate, Turn
from bot.ranking import features
from bot.ranking.context import Context
from bot.ranking.linear import LinearModel

ASKED = Context(question="Can I return an item?", language="en", channel="web")
LATER = Context(
    question="And a tent?",
    language="en",
    history=(
        Turn(role="customer", text="Can I return an item?"),
        Turn(role="assistant", text="You can return an item within 30 days.", source="article"),
    ),
)
ARTICLE = Candidate(
    source="article",
    text="You can return an item within 30 days.",
    features={"score": 0.9, "closeness": 0.85, "coverage": 0.8},
)
DRAFT = Candidate(
    source="draft",
    text="Yes, within 30 days.",
    features={"support": 1.0, "answers": 0.8, "log_probability": -2.0},
)
REFUSED = Candidate(source="draft", text="Never.", features={"support": 0.2}, refusal="number")
APPROVED = Candidate(source="approved", text="Of course: within 30 days.", features={"score": 0.97})
HANDOFF = Candidate(source="handoff", text="A person will look.", handoff_reason="no_article")
SLATE = [DRAFT, REFUSED, ARTICLE, HANDOFF]


def model(**weights: float) -> LinearModel:
    """Return a model with these weights, that is a little unsure of each."""
    known = np.array([weights.get(name, 0.0) for name in features.NAMES])
    return LinearModel(known, np.eye(len(known)) * 0.01)


# What customers like (tests/ranking/shoppers.py), and that a question back pays in the end.
# `answers` is 0.5 where it is not known.
KNOWING = model(
    answers=1.4, support=0.2, is_draft=-0.8, is_article=-0.4, is_clarification=0.2, is_handoff=-0.9
)
