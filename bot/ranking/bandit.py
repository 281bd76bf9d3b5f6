"""The expected reward of a reply by itself: a contextual bandit's model."""

import numpy as np

from bot.errors import RankingError
from bot.ranking import linear
from bot.ranking.experience import Experience
from bot.ranking.linear import LinearModel

FEWEST = 100  # decisions with a known reward


def fit(known: Experience) -> LinearModel:
    """Return the ridge regression of rewards on what was shown.

    Raises RankingError when there is too little to learn from.
    """
    has_reward = ~np.isnan(known.rewards)
    require(int(has_reward.sum()))
    return linear.fit(known.seen[has_reward], known.rewards[has_reward])


def require(count: int) -> None:
    """Raise RankingError where so many decisions with a known reward are too few."""
    if count < FEWEST:
        raise RankingError(
            f"The log has {count} choices whose reward is known; {FEWEST} are needed to learn."
        )
