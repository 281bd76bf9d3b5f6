"""Whether Telegram is reached, and how long to wait when it is not."""

import asyncio
import logging

logger = logging.getLogger(__name__)


class Health:
    """What is wrong now, in one sentence, or None. Logs when that changes."""

    def __init__(self, first_delay_seconds: float, longest_delay_seconds: float) -> None:
        self._first_delay_seconds = first_delay_seconds
        self._longest_delay_seconds = longest_delay_seconds
        self._delay_seconds = 0.0
        self.trouble: str | None = "Telegram has not been reached yet."

    def report(self, trouble: str | None) -> None:
        """Say what is wrong, or that nothing is."""
        if trouble and trouble != self.trouble:
            logger.warning("%s", trouble)
        if self.trouble and not trouble:
            logger.info("Telegram is reached.")
        self.trouble = trouble
        if not trouble:
            self._delay_seconds = 0.0

    async def back_off(self) -> None:
        """Wait, twice as long as the last time until nothing is wrong."""
        doubled = max(self._first_delay_seconds, 2 * self._delay_seconds)
        self._delay_seconds = min(doubled, self._longest_delay_seconds)
        await asyncio.sleep(self._delay_seconds)
