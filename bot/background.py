"""Work that goes on beside something else and ends with it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def in_background(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run `work` beside the body, and cancel what is left of it when the body ends."""
    tasks = [asyncio.create_task(_guarded(coroutine)) for coroutine in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for coroutine in work:
            coroutine.close()  # one that never began


async def _guarded(work: Coroutine[None, None, None]) -> None:
    """Run one part; a defect in it is logged, and the other parts go on without it."""
    try:
        await work
    except Exception:
        logger.exception("A part of Frontdesk ended")
