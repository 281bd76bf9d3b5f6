"""An MCP server: its tools over a connection that is opened when it is first needed.

The official client's connection belongs to the task that opened it, so a task holds it open. When
it breaks, the next call opens a new one.
"""

import asyncio
import contextlib
import importlib
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bot.actions.declarations import Server, filled
from bot.actions.results import Result
from bot.errors import ActionError, ActionInDoubt

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult, RequestParamsMeta, Tool

logger = logging.getLogger(__name__)

OPEN_SECONDS = 20.0  # a server's own start, too
CLOSE_SECONDS = 10.0  # what the client gives a program to end
# Where a server keeps its own account of calls, this tells two of them apart.
KEY_IN_META = "frontdesk/idempotency-key"


class McpServer:
    """One server, by its declaration; `name` is its name in the file, `folder` the file's."""

    def __init__(self, name: str, declared: Server, folder: Path, *, characters: int) -> None:
        self.name = name
        self._folder = folder
        self._declared = declared
        self._characters = characters
        self._holding: asyncio.Task[None] | None = None
        self._client: asyncio.Future[Client] | None = None
        self._tools: dict[str, Tool] = {}
        self._ended = asyncio.Event()

    async def tool(self, name: str) -> "Tool":
        """Return what the server says of a tool. Raises ActionError when it has none of it."""
        await self._opened()
        tools = self._tools if name in self._tools else await self.tools()
        if name not in tools:
            raise ActionError(f"the server {self.name!r} has no tool {name!r}")
        return tools[name]

    async def tools(self) -> "Mapping[str, Tool]":
        """Ask the server which tools it has; return them by name. Raises ActionError without it."""
        client = await self._opened()
        try:
            with _explained(reads=True):
                self._tools = await _listed(client)
        except _Broken as err:
            await self.close()
            raise ActionError(str(err)) from err
        return self._tools

    async def call(
        self, tool: str, arguments: Mapping[str, Any], *, key: str, reads: bool
    ) -> Result:
        """Call a tool and return what came back.

        Raises ActionInDoubt when it may have changed something without saying so, ActionError when
        the server can't be reached or the tool says that it failed.
        """
        await self.tool(tool)  # opens the connection, and lets the client know the tool
        client = await self._opened()
        try:
            with _explained(reads=reads):
                # Not Client.call_tool: that may send a call again.
                found = await client.session.call_tool(
                    tool, dict(arguments), meta=cast("RequestParamsMeta", {KEY_IN_META: key})
                )
        except _Broken as err:
            await self.close()
            raise _failed(str(err), reads=reads) from err
        return self._result(found, reads=reads)

    async def close(self) -> None:
        """End the connection, and the server's program where it has one."""
        holding, self._holding, self._client = self._holding, None, None
        self._tools = {}
        if holding is None:
            return
        self._ended.set()
        self._ended = asyncio.Event()
        await asyncio.wait({holding}, timeout=CLOSE_SECONDS)
        holding.cancel()

    async def _opened(self) -> "Client":
        if self._client is None or (self._holding and self._holding.done()):
            self._client = asyncio.get_running_loop().create_future()
            self._holding = asyncio.create_task(self._hold(self._client, self._ended))
        return await asyncio.shield(self._client)

    async def _hold(self, opened: "asyncio.Future[Client]", ended: asyncio.Event) -> None:
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(OPEN_SECONDS):
                    client = await stack.enter_async_context(self._connection())
                opened.set_result(client)
                await ended.wait()
        except asyncio.CancelledError:
            opened.cancel()
            raise
        except Exception as err:  # the client library raises groups of whatever went wrong
            logger.warning("The MCP server %s is not there: %s", self.name, type(err).__name__)
            if not opened.done():
                opened.set_exception(ActionError(f"the server {self.name!r} can't be reached"))
                opened.exception()  # told, also when nobody waits any more

    @contextlib.asynccontextmanager
    async def _connection(self) -> "AsyncIterator[Client]":
        await asyncio.to_thread(importlib.import_module, "mcp")  # takes two seconds
        import httpx2
        from mcp import Client, StdioServerParameters
        from mcp.client.streamable_http import streamable_http_client

        declared = self._declared
        if declared.url is None:
            program, *arguments = declared.command
            parameters = StdioServerParameters(
                command=sys.executable if program == "python" else program,
                args=arguments,
                env={name: os.environ[name] for name in declared.environment},
                cwd=self._folder,
            )
            async with Client(parameters) as client:
                yield client
            return
        headers = {n: filled(value).get_secret_value() for n, value in declared.headers.items()}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=OPEN_SECONDS) as http,
            Client(streamable_http_client(declared.url, http_client=http)) as client,
        ):
            yield client

    def _result(self, found: "CallToolResult", *, reads: bool) -> Result:
        text = "\n".join(block.text for block in found.content if block.type == "text")
        if found.is_error:
            raise ActionError("the tool says that it failed")
        data = found.structured_content
        if max(len(text), len(json.dumps(data))) > self._characters:
            raise _failed("its answer is too long", reads=reads)
        if isinstance(data, dict) and set(data) == {"result"} and isinstance(data["result"], dict):
            data = data["result"]  # what the server's library puts around a plain value
        return Result(text=text, data=data) if isinstance(data, dict) else Result.of_text(text)


class McpTool:
    """One tool of a server, called `tool` there."""

    def __init__(self, server: McpServer, tool: str) -> None:
        self._server = server
        self._tool = tool
        self.description = ""

    async def schema(self) -> Mapping[str, Any]:
        """Return the JSON schema of the arguments. Raises ActionError when it can't be had."""
        found = await self._server.tool(self._tool)
        self.description = found.description or ""
        schema: Mapping[str, Any] = found.input_schema
        return schema

    async def call(self, arguments: Mapping[str, Any], *, key: str, reads: bool) -> Result:
        """Call it: see McpServer.call."""
        return await self._server.call(self._tool, arguments, key=key, reads=reads)

    async def close(self) -> None:
        """End the server's connection."""
        await self._server.close()


class _Broken(Exception):
    """The connection is gone, with whatever was asked over it."""


@contextlib.contextmanager
def _explained(*, reads: bool) -> Iterator[None]:
    """Turn the library's errors into ours, without what the server wrote.

    Raises _Broken where the connection has to be opened anew.
    """
    import anyio
    from mcp.shared.exceptions import MCPError
    from mcp_types import CONNECTION_CLOSED, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND

    try:
        yield
    except MCPError as err:
        if err.code == CONNECTION_CLOSED:
            raise _Broken("the connection broke") from err
        is_undone = reads or err.code in (INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND)
        raise _failed(f"the server answered with error {err.code}", reads=is_undone) from err
    except (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError) as err:
        raise _Broken("the connection broke") from err
    except (RuntimeError, ValueError) as err:  # what does not fit its protocol, or its schema
        raise _failed(f"its answer can't be read ({type(err).__name__})", reads=reads) from err


def _failed(reason: str, *, reads: bool) -> ActionError:
    return ActionError(reason) if reads else ActionInDoubt(reason)


async def _listed(client: "Client") -> "dict[str, Tool]":
    found: dict[str, Tool] = {}
    cursor: str | None = None
    for _ in range(20):  # a server whose list never ends must not hold a customer up
        page = await client.list_tools(cursor=cursor)
        found |= {tool.name: tool for tool in page.tools}
        if (cursor := page.next_cursor) is None:
            break
    return found
