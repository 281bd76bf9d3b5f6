"""Whether what a file of actions names is there: asked without calling any tool."""

import asyncio
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bot.actions.declarations import Declarations, Server, Tool
from bot.actions.mcp_server import McpServer
from bot.errors import ActionError

CONNECT_SECONDS = 5.0
_PORTS = {"http": 80, "https": 443}


async def troubles(declared: Declarations, folder: Path) -> list[str]:
    """Return what is wrong with servers, tools and hosts, one clause each, and how to mend it.

    Programs of servers are started in `folder`, the file's, and ended again.
    """
    found: list[str] = []
    for name, server in declared.servers.items():
        tools = {key: tool for key, tool in declared.tools.items() if tool.server == name}
        found += await _of_server(name, server, tools, folder, declared.limits.characters)
    for url in dict.fromkeys(tool.http.url for tool in declared.tools.values() if tool.http):
        found += await _of_address(url)
    return found


async def _of_server(
    name: str, server: Server, tools: Mapping[str, Tool], folder: Path, characters: int
) -> list[str]:
    connection = McpServer(name, server, folder, characters=characters)
    try:
        there = await connection.tools()
    except ActionError:
        return [f"the server {name!r} does not answer; {_remedy(server, folder)}"]
    finally:
        await connection.close()
    found = []
    for key, tool in tools.items():
        called = tool.tool or key
        if called not in there:
            names = ", ".join(sorted(there)) or "none"
            found.append(
                f"the server {name!r} has no tool {called!r}; name one that it has as `tool` of "
                f"{key} ({names}), or take {key} out"
            )
        elif unknown := sorted(tool.parameters.keys() - _parameters(there[called].input_schema)):
            found.append(
                f"the tool {called!r} of the server {name!r} has no parameter {unknown[0]!r}; take "
                f"it out of the parameters of {key}"
            )
    return found


def _remedy(server: Server, folder: Path) -> str:
    if server.url:
        return f"check that it runs at {server.url}, and its headers"
    return f"run its command in {folder} to see why: {shlex.join(server.command)}"


def _parameters(schema: Mapping[str, object]) -> set[str]:
    properties = schema.get("properties")
    return set(properties) if isinstance(properties, Mapping) else set()


async def _of_address(url: str) -> list[str]:
    """Open a connection to the host of an address, without a request."""
    parts = urlsplit(url)
    context = httpx.create_ssl_context() if parts.scheme == "https" else None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(
                parts.hostname, parts.port or _PORTS[parts.scheme], ssl=context
            )
    except (OSError, ValueError) as err:  # TimeoutError is an OSError; ValueError: no port
        return [f"{parts.netloc} can't be reached ({type(err).__name__}); check the url {url}"]
    writer.close()
    return []
