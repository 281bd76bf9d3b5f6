"""The classifier in force, which can change while Frontdesk runs."""

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bot.actions.confirmations import verdict
from bot.errors import IntentsError
from bot.intents import model_file
from bot.intents.model_file import Stored
from bot.intents.wanted import Wanted, as_wanted
from bot.understanding import Understood, understand

_FIRST_TEXTS = ("Where is my parcel?", "我的包裹在哪里？")  # that a new classifier must tell


class IntentsInForce:
    """Tells what messages want by the newest classifier of a folder that can be used.

    It runs on one thread of its own: it takes one call at a time, and the model's engine needs the
    cores.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stored: Stored | None = None
        self._seen: tuple[int, int, int] | None = None  # the file that was looked at last
        self._telling = ThreadPoolExecutor(1, thread_name_prefix="intents")

    @property
    def version(self) -> str | None:
        """The version of the classifier that tells now, None where there is none."""
        return self._stored.version if self._stored else None

    @property
    def intents(self) -> tuple[str, ...]:
        """The intents that it knows."""
        return self._stored.classifier.intents if self._stored else ()

    async def reload(self) -> bool:
        """Take over a new classifier, after it told its first texts; return whether there is one.

        Raises IntentsError, once for each file, where it can't be used: what tells now goes on.
        """
        file = await asyncio.to_thread(_identity, self._folder / model_file.NAME)
        if file is None or file == self._seen:
            return False
        self._seen = file
        stored = await asyncio.to_thread(self._tried)
        is_new = stored.version != self.version
        self._stored = stored
        return is_new

    async def of(self, message: Understood, seconds: float = math.inf) -> Wanted | None:
        """Return what a message wants.

        None without a classifier, for what is no question, and where it isn't told in `seconds`.
        """
        if not is_told(message) or seconds <= 0:
            return None
        try:
            async with asyncio.timeout(seconds if seconds < math.inf else None):
                found = await self.told([message.text])
        except TimeoutError:
            return None
        return found[0] if found else None

    async def told(self, texts: Sequence[str]) -> list[Wanted]:
        """Return what each text wants; an empty list without a classifier."""
        stored = self._stored
        if stored is None:
            return []
        running = self._telling.submit(stored.classifier.classify, texts)
        return [as_wanted(each, stored.version) for each in await asyncio.wrap_future(running)]

    def close(self) -> None:
        """End the thread; nothing can be told any more."""
        self._telling.shutdown(cancel_futures=True)

    def _tried(self) -> Stored:
        stored = model_file.load(self._folder)
        try:
            stored.classifier.classify(_FIRST_TEXTS)
        except Exception as err:  # arrays that don't fit, whatever they raise
            raise IntentsError(
                f"{self._folder / model_file.NAME} is damaged: train anew with `frontdesk intents "
                "train`."
            ) from err
        return stored


def is_told(message: Understood) -> bool:
    """Return whether a message says what its customer wants: no command, courtesy, yes or no."""
    return message.kind == "question" and verdict(message.text) is None


def says_what_is_wanted(text: str) -> bool:
    """Return whether a text of the log says what its customer wanted."""
    return is_told(understand(text))


def _identity(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file is replaced, None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
