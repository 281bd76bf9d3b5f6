"""A tool that is one HTTP request, as the file of actions declares it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from bot.actions.declarations import Http, filled, slots
from bot.actions.results import Result
from bot.errors import ActionError, ActionInDoubt

# https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
IDEMPOTENCY_HEADER = "Idempotency-Key"


class HttpTool:
    """Sends a tool's request; one client for all of its calls."""

    def __init__(self, http: Http, *, characters: int) -> None:
        self._http = http
        self._largest = characters * 4  # bytes: no character has more
        # No redirects: they lead elsewhere than the operator wrote.
        self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False)

    @property
    def description(self) -> str:
        """What the tool's own service says it does: nothing, over HTTP."""
        return ""

    async def schema(self) -> Mapping[str, Any]:
        """Return the JSON schema of the arguments."""
        return self._http.parameters

    async def call(self, arguments: Mapping[str, Any], *, key: str, reads: bool) -> Result:
        """Send the request and return what came back.

        Raises ActionInDoubt when it may have changed something without saying so, ActionError when
        it did not answer, refused, or answered with more than is read.
        """
        try:
            return await self._send(arguments, key=key, reads=reads)
        except (httpx.ConnectError, httpx.ConnectTimeout) as err:  # nothing was sent yet
            raise ActionError(f"it can't be reached ({type(err).__name__})") from err
        except (httpx.HTTPError, httpx.InvalidURL) as err:
            raise _failed(f"it gave no whole answer ({type(err).__name__})", reads=reads) from err

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _send(self, arguments: Mapping[str, Any], *, key: str, reads: bool) -> Result:
        http = self._http
        headers = {name: filled(value).get_secret_value() for name, value in http.headers.items()}
        if not reads:
            headers[IDEMPOTENCY_HEADER] = key
        body = {name: arguments[name] for name in http.body if name in arguments}
        async with self._client.stream(
            http.method,
            _address(http, arguments),
            params=_query(http, arguments),
            headers=headers,
            json=body if http.body else None,
            timeout=None,  # whoever calls has a limit for all of it
        ) as response:
            if response.status_code == 404 and reads:
                return Result(text="")  # there is no such thing: found nothing
            if response.status_code >= 500:
                raise _failed(f"it answered {response.status_code}", reads=reads)
            if not response.is_success:
                raise ActionError(f"it answered {response.status_code}")
            return Result.of_text(await self._read(response, reads=reads))

    async def _read(self, response: httpx.Response, *, reads: bool) -> str:
        content = b""
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > self._largest:
                raise _failed("its answer is too long", reads=reads)
        return content.decode("utf-8", "replace")


def _failed(reason: str, *, reads: bool) -> ActionError:
    return ActionError(reason) if reads else ActionInDoubt(reason)


def _address(http: Http, arguments: Mapping[str, Any]) -> str:
    """Return the address; a value stays one part of its path, whatever stands in it."""
    values = {name: str(arguments.get(name, "")) for name in slots(http.url)}
    if any(value.strip() in ("", ".", "..") for value in values.values()):
        raise ActionError("a part of its address is missing")
    return http.url.format_map({name: quote(value, safe="") for name, value in values.items()})


def _query(http: Http, arguments: Mapping[str, Any]) -> dict[str, str] | None:
    query = {
        name: template.format_map({slot: arguments[slot] for slot in slots(template)})
        for name, template in http.query.items()
        if slots(template) <= arguments.keys()
    }
    return query or None
