"""An example MCP server: the orders of the example shop, kept in memory.

    python examples/orders/server.py            # over stdin and stdout, as Frontdesk starts it
    python examples/orders/server.py --port 9000  # over HTTP, at http://127.0.0.1:9000/mcp

Replace `ORDERS` by your shop's own system; docs/actions.md says how the bot uses the tools.
"""

import argparse
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

server = MCPServer("Larkfield orders")


@dataclass
class Order:
    """An order; `arrives` and `ordered` are ISO dates."""

    status: str
    ordered: str
    arrives: str | None = None
    carrier: str | None = None


ORDERS = {
    "LF-2026-000123": Order("shipped", "2026-02-25", "2026-03-04", "DHL"),
    "LF-2026-000124": Order("in_preparation", "2026-02-28", "2026-03-06"),
    "LF-2026-000125": Order("delivered", "2026-02-10", "2026-02-16", "DHL"),
}


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def order_status(number: str) -> dict[str, Any]:
    """Tell where an order is and when it arrives. `number` looks like LF-2026-000123."""
    order = ORDERS.get(number.upper())
    if order is None:
        return {"number": number}
    return {"number": number, **vars(order)}


@server.tool(annotations=ToolAnnotations(destructive_hint=True, idempotent_hint=True))
def cancel_order(number: str) -> dict[str, Any]:
    """Cancel an order that has not been shipped yet. `number` looks like LF-2026-000123."""
    order = ORDERS.get(number.upper())
    if order is None or order.status not in ("in_preparation", "cancelled"):
        raise ToolError("This order can't be cancelled.")
    order.status, order.arrives = "cancelled", None
    return {"number": number, "status": order.status}


def main() -> None:
    """Serve over stdin and stdout, or over HTTP with `--port`."""
    parser = argparse.ArgumentParser(description="The example shop's orders, as an MCP server.")
    parser.add_argument("--port", type=int, help="serve over HTTP at this port of 127.0.0.1")
    port = parser.parse_args().port
    if port is None:
        server.run("stdio")
    else:
        server.run("streamable-http", port=port)


if __name__ == "__main__":
    main()
