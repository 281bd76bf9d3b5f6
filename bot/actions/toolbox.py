"""The declared tools, bound to what carries their calls out, and who may use which."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from bot.actions import arguments as checks
from bot.actions.declarations import Declarations, Tool
from bot.actions.http_tool import HttpTool
from bot.actions.mcp_server import McpServer, McpTool
from bot.actions.results import Result
from bot.audiences import audiences_of
from bot.errors import ActionError, ActionInDoubt
from bot.messages import Dialogue

logger = logging.getLogger(__name__)


class Caller(Protocol):
    """Carries a tool's calls out."""

    @property
    def description(self) -> str:
        """What its service says that it does."""
        ...

    async def schema(self) -> Mapping[str, Any]:
        """Return the JSON schema of the arguments. Raises ActionError when it can't be had."""
        ...

    async def call(self, arguments: Mapping[str, Any], *, key: str, reads: bool) -> Result:
        """Call it once. Raises ActionError, or ActionInDoubt where it may have been done."""
        ...

    async def close(self) -> None:
        """Close what it holds open."""
        ...


class Toolbox:
    """All declared tools. Programs of servers run in `folder`, that of their file."""

    def __init__(self, declared: Declarations, folder: Path) -> None:
        characters = declared.limits.characters
        self._tools = declared.tools
        self._servers = {
            name: McpServer(name, server, folder, characters=characters)
            for name, server in declared.servers.items()
        }
        self._callers: dict[str, Caller] = {
            name: self._caller(name, tool, characters) for name, tool in self._tools.items()
        }

    async def prepare(self) -> None:
        """Ask every service for its tools' arguments; what can't be reached is logged."""
        for name in self._tools:
            try:
                await self._callers[name].schema()
            except ActionError as err:
                logger.warning("The tool %s can't be used: %s", name, err)

    def tool(self, name: str) -> Tool | None:
        """Return a tool's declaration; None for one that the file has not, or no longer."""
        return self._tools.get(name)

    @property
    def names(self) -> Collection[str]:
        """The names of all tools."""
        return self._tools.keys()

    def allowed(self, dialogue: Dialogue) -> dict[str, Tool]:
        """Return the tools that may be used in a dialogue, by name."""
        audience = audiences_of(dialogue)
        return {name: tool for name, tool in self._tools.items() if audience & {*tool.audience}}

    def description(self, name: str) -> str:
        """Return what a tool does, in the operator's words or else its service's."""
        return self._tools[name].description or self._callers[name].description

    async def schema(self, name: str) -> Mapping[str, Any]:
        """Return the JSON schema of a tool's arguments. Raises ActionError without its server."""
        async with _limited(self._tools[name], reads=True):
            return await self._callers[name].schema()

    async def call(self, name: str, arguments: Mapping[str, Any], *, key: str) -> Result:
        """Call a tool once, within its time.

        Raises ActionInDoubt when it may have changed something without saying so, ActionError when
        it did nothing.
        """
        tool = self._tools[name]
        schema = await self.schema(name)
        if wrong := checks.problem(schema, arguments):
            raise ActionError(f"the arguments don't fit its schema ({wrong})")
        async with _limited(tool, reads=tool.reads):
            return await self._callers[name].call(arguments, key=key, reads=tool.reads)

    async def close(self) -> None:
        """Close every connection, and end every server that was started."""
        await asyncio.gather(*(caller.close() for caller in self._callers.values()))

    def _caller(self, name: str, tool: Tool, characters: int) -> Caller:
        if tool.http:
            return HttpTool(tool.http, characters=characters)
        assert tool.server is not None
        return McpTool(self._servers[tool.server], tool.tool or name)


@contextlib.asynccontextmanager
async def _limited(tool: Tool, *, reads: bool) -> AsyncIterator[None]:
    """End what takes longer than a tool may."""
    try:
        async with asyncio.timeout(tool.seconds):
            yield
    except TimeoutError as err:
        kind = ActionError if reads else ActionInDoubt
        raise kind(f"no answer within {tool.seconds:g} s") from err
