"""MCP servers over both transports: the example's own program."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.actions.declarations import Server
from bot.actions.mcp_server import McpServer, McpTool
from bot.errors import ActionError, ActionInDoubt
from tests.actions.order_shop import EXAMPLE, OPEN_ORDER, ORDER
from tests.small_shop import DEADLINE_SECONDS

FOLDER = EXAMPLE.parent
STDIO = Server(command=("python", "server.py"))


def server(declared: Server, folder: Path = FOLDER, characters: int = 20_000) -> McpServer:
    return McpServer("orders", declared, folder, characters=characters)


@contextlib.contextmanager
def listening() -> Iterator[str]:
    """Run the example's server over HTTP; give its address once it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "server.py", "--port", str(port)]
    with subprocess.Popen(command, cwd=FOLDER, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr
        assert any("running on" in line for line in program.stderr)
        yield f"http://127.0.0.1:{port}/mcp"
        program.terminate()
        program.stderr.read()


async def test_that_tools_over_http_are_called() -> None:
    with listening() as url:
        orders = server(Server(url=url, headers={"X-Shop": "larkfield"}))
        try:
            tool = McpTool(orders, "order_status")
            schema = await tool.schema()
            found = await tool.call({"number": ORDER}, key="k", reads=True)
        finally:
            await orders.close()

    assert schema["required"] == ["number"]
    assert tool.description.startswith("Tell where an order is")
    assert found.data["status"] == "shipped"


async def test_that_what_fails_over_a_pipe_is_told_apart() -> None:
    orders = server(STDIO, characters=100)
    try:
        with pytest.raises(ActionError, match="the server 'orders' has no tool 'refund'"):
            await orders.call("refund", {}, key="k", reads=False)
        with pytest.raises(ActionError, match="the tool says that it failed") as refused:
            await orders.call("cancel_order", {"number": ORDER}, key="k", reads=False)
        assert not isinstance(refused.value, ActionInDoubt)
        with pytest.raises(ActionError, match="its answer is too long"):
            await orders.call("order_status", {"number": ORDER}, key="k", reads=True)
        both = await asyncio.gather(
            *(orders.call("order_status", {"number": "x"}, key="k", reads=True) for _ in "12")
        )
        assert [result.data for result in both] == [{"number": "x"}] * 2
    finally:
        await orders.close()


ENDS_IN_A_CALL = '''
import os
from mcp.server.mcpserver import MCPServer

server = MCPServer("ends")

@server.tool()
def pay(number: str) -> str:
    """Pay."""
    if not os.path.exists("paid"):
        open("paid", "w").close()
        os._exit(1)
    return os.environ.get("SHOP_KEY", "none") + str("OTHER_KEY" in os.environ)

server.run("stdio")
'''


async def test_that_a_server_that_ends_in_a_call_leaves_it_in_doubt_and_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", "k1")
    monkeypatch.setenv("OTHER_KEY", "k2")
    (tmp_path / "ends.py").write_text(ENDS_IN_A_CALL)
    declared = Server(command=("python", "ends.py"), environment=("SHOP_KEY",))
    orders = server(declared, tmp_path)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            with pytest.raises(ActionInDoubt, match="the connection broke"):
                await orders.call("pay", {"number": OPEN_ORDER}, key="k", reads=False)
            again = await orders.call("pay", {"number": OPEN_ORDER}, key="k2", reads=False)
        assert again.text == "k1False"  # the named variable alone
    finally:
        await orders.close()


@pytest.mark.parametrize(
    "declared",
    [
        Server(command=("no-such-program",)),
        Server(command=("python", "-c", "pass")),
        Server(url="http://127.0.0.1:9/mcp"),
    ],
    ids=["missing", "ends-at-once", "unreachable"],
)
async def test_that_a_server_that_is_not_there_is_an_error_of_ours(declared: Server) -> None:
    orders = server(declared)
    try:
        with pytest.raises(ActionError, match="the server 'orders' can't be reached"):
            await orders.call("order_status", {}, key="k", reads=False)
    finally:
        await orders.close()
