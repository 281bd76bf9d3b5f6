"""Whether the operator's own model server can be asked."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

import httpx
from pydantic import SecretStr

from bot.errors import SettingsError

logger = logging.getLogger(__name__)

WELL_SECONDS = 10.0
TROUBLE_SECONDS = 2.0
TIMEOUT_SECONDS = 4.0


class ModelWatch:
    """Knows whether an OpenAI-compatible server answers and has the model, by asking `/models`.

    Raises SettingsError for a key that no request can carry.
    """

    def __init__(self, url: str, name: str, key: SecretStr | None) -> None:
        self._url = url
        self._name = name
        self._client = httpx.AsyncClient(headers=_headers(key), timeout=TIMEOUT_SECONDS)
        self._trouble: str | None = "the model server has not been asked yet"
        self._hint = asyncio.Event()

    def trouble(self) -> str | None:
        """Say why the model can't be asked now, or None when it can."""
        return self._trouble

    def look(self) -> None:
        """Ask at once: something points to a change."""
        self._hint.set()

    async def check(self, seconds: float = TIMEOUT_SECONDS) -> str | None:
        """Ask the server once; return what is wrong and how to mend it, or None."""
        try:
            async with asyncio.timeout(seconds):
                names = await self._names()
        except httpx.HTTPStatusError as err:
            self._trouble = self._explain(err.response.status_code)
        except (httpx.HTTPError, TimeoutError) as err:
            self._trouble = (
                f"No model server answers at {self._url} ({type(err).__name__}); start it, or set "
                "FRONTDESK_MODEL_URL to where it is."
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            self._trouble = f"What answers at {self._url} is no OpenAI-compatible server."
        else:
            self._trouble = None if self._name in names else self._unknown_model(names)
        return self._trouble

    async def run(self) -> None:
        """Ask again and again, until cancelled; log what changes."""
        while True:
            before, self._hint = self._trouble, asyncio.Event()
            trouble = await self.check()
            if trouble != before:
                level = logging.WARNING if trouble else logging.INFO
                logger.log(level, trouble or "The model server answers and has the model.")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TROUBLE_SECONDS if trouble else WELL_SECONDS):
                    await self._hint.wait()

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _names(self) -> list[str]:
        response = await self._client.get(f"{self._url}/models")
        response.raise_for_status()
        return [str(model["id"]) for model in response.json()["data"]]

    def _explain(self, status: int) -> str:
        if status in (401, 403):
            return f"The model server at {self._url} refuses the key; set FRONTDESK_MODEL_KEY."
        return (
            f"The model server at {self._url} answered {status}; FRONTDESK_MODEL_URL must be the "
            "address of its OpenAI-compatible API, usually ending in /v1."
        )

    def _unknown_model(self, names: Sequence[str]) -> str:
        return (
            f"The model server at {self._url} has no model {self._name!r}; set FRONTDESK_MODEL to "
            f"one of: {', '.join(names) or 'none'}."
        )


def _headers(key: SecretStr | None) -> dict[str, str]:
    if key is None:
        return {}
    text = key.get_secret_value()
    if not (text.isascii() and text.isprintable()):
        raise SettingsError(
            "FRONTDESK_MODEL_KEY has characters that no key has, such as curly quotation marks or "
            "a line's end; copy it again."
        )
    return {"Authorization": f"Bearer {text}"}
