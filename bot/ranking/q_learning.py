"""What a reply is worth with all that follows: Q-learning from the log, in batches.

Q(s, a) = r + gamma max Q(s', a'), where s' is the slate of the customer's next question in the same
conversation. Fitted Q iteration (Ernst, Geurts and Wehenkel 2005) with a ridge regression: each
round fits Q to the targets that the Q of the round before gives. It needs no propensities, since
the maximum is taken over what might have been shown.
"""

import numpy as np

from bot.ranking import bandit
from bot.ranking.experience import Experience, Numbers
from bot.ranking.linear import LinearModel, Ridge

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
    rewards, ridge = np.where(unknown, 0.0, known.rewards), Ridge(known.seen[kept])
    following = _Following(known)
    furthest = 1.0 / (1.0 - gamma)  # no sum of discounted rewards is further from 0
    model = ridge.fit(rewards[kept])
    for _ in range(ROUNDS):
        ahead = np.clip(following.best(model), -furthest, furthest)
        renewed = ridge.fit((rewards + gamma * ahead)[kept])
        change = float(np.abs(renewed.weights - model.weights).max())
        model = renewed
        if change < SETTLED:
            break
    return model


class _Following:
    """The slates that follow decisions, one below the other."""

    def __init__(self, known: Experience) -> None:
        self._count = len(known)
        self._decisions = np.flatnonzero(known.follows >= 0)
        places = known.follows[self._decisions]
        names = known.slates[0].shape[1]
        self._slates = np.concatenate([np.empty((0, names)), *(known.slates[i] for i in places)])
        self._allowed = np.concatenate(
            [np.empty(0, dtype=np.bool_), *(known.allowed[i] for i in places)]
        )
        self._starts = np.cumsum([0, *(len(known.slates[i]) for i in places[:-1])])

    def best(self, model: LinearModel) -> Numbers:
        """Return the best Q of each decision's next slate, 0 where the conversation ended."""
        best = np.zeros(self._count)
        if len(self._decisions):
            scores = np.where(self._allowed, model.scores(self._slates), -np.inf)
            best[self._decisions] = np.maximum.reduceat(scores, self._starts)
        return best
