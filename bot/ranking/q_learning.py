"""What a reply is worth with all that follows: Q-learning from the log, in batches.

Q(s, a) = r + gamma max Q(s', a'), where s' is the slate of the customer's next question in the same
conversation. Fitted Q iteration (Ernst, Geurts and Wehenkel 2005) with a ridge regression: each
round fits Q to the targets that the Q of the round before gives. It needs no propensities, since
the maximum is taken over what might have been shown.
"""

import numpy as np

from bot.ranking import bandit, linear
from bot.ranking.experience import Experience, Numbers
from bot.ranking.linear import LinearModel

GAMMA = 0.8
ROUNDS = 50
SETTLED = 1e-4  # largest change of a weight


def fit(known: Experience, gamma: float = GAMMA) -> LinearModel:
    """Return Q as a linear model.

    A choice without a known reward counts as 0 where the conversation went on, and is left out
    where it ended. Raises RankingError when there is too little to learn from.
    """
    unknown = np.isnan(known.rewards)
    bandit.require(int((~unknown).sum()))
    goes_on = known.follows >= 0
    kept = ~unknown | goes_on
    rewards, seen = np.where(unknown, 0.0, known.rewards), known.seen[kept]
    furthest = 1.0 / (1.0 - gamma)  # no sum of discounted rewards is further from 0
    model = linear.fit(seen, rewards[kept])
    for _ in range(ROUNDS):
        ahead = np.clip(_best_ahead(known, model), -furthest, furthest)
        renewed = linear.fit(seen, (rewards + gamma * ahead)[kept])
        change = float(np.abs(renewed.weights - model.weights).max())
        model = renewed
        if change < SETTLED:
            break
    return model


def _best_ahead(known: Experience, model: LinearModel) -> Numbers:
    """Return the best Q of each decision's next slate, 0 where the conversation ended."""
    best = np.array(
        [
            np.where(allowed, model.scores(slate), -np.inf).max()
            for slate, allowed in zip(known.slates, known.allowed, strict=True)
        ]
    )
    return np.where(known.follows >= 0, best[known.follows], 0.0)
