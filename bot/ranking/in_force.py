"""The policy in force, which can change while Frontdesk runs."""

import logging
from collections.abc import Sequence

from bot.errors import RankingError
from bot.messages import Candidate
from bot.ranking.context import Context
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.folder import PolicyFolder
from bot.ranking.policy import Policy
from bot.ranking.scorer.scorer import Scorer

logger = logging.getLogger(__name__)


class PolicyInForce:
    """Chooses as the policy does that the folder names; follows it at each `reload`."""

    def __init__(self, folder: PolicyFolder) -> None:
        self._folder = folder
        self._policy: Policy = FixedOrder()
        self._scorer: Scorer | None = None
        self.reload()

    @property
    def version(self) -> str:
        """Name and version of the policy that chooses now."""
        return self._policy.version

    def scorer(self) -> Scorer | None:
        """Return what the policy sees of texts, or None where it was trained without that."""
        return self._scorer

    def propensities(self, context: Context, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Return one probability a candidate."""
        return self._policy.propensities(context, candidates)

    def reload(self) -> bool:
        """Take over what came into force; return whether something did.

        What can't be used changes nothing: the policy that chooses now goes on.
        """
        try:
            version = self._folder.in_force()
            if version == self._policy.version:
                return False
            policy, scorer = self._folder.policy(version), self._folder.scorer(version)
        except RankingError as err:
            logger.warning("%s The policy %s goes on.", err, self._policy.version)
            return False
        self._policy, self._scorer = policy, scorer
        return True
