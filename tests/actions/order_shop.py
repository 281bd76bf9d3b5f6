"""The example's tools for tests: its own server and file, and a desk that uses them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.actions import declarations
from bot.actions.agent import Agent
from bot.actions.declarations import Declarations
from bot.actions.service import Actions
from bot.log.store import Store
from bot.messages import Dialogue
from bot.model import ChatModel
from prompts import Prompts
from tests.small_shop import NO_MODEL, Desk, open_desk

EXAMPLE = Path(__file__).parents[2] / "examples" / "orders" / "actions.yaml"
ADA = Dialogue(channel="test", address="ada", customer="customer-ada")
ORDER = "LF-2026-000123"
OPEN_ORDER = "LF-2026-000124"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **span: float) -> None:
        self.time += timedelta(**span)


def over_http(url: str, **tool_changes: dict[str, Any]) -> Declarations:
    """Return the example's file with an HTTP interface at `url` in the place of its server."""
    headers = {"Authorization": "Bearer ${SHOP_TOKEN}"}
    schema = {
        "type": "object",
        "properties": {"number": {"type": "string", "pattern": "^LF-"}},
        "required": ["number"],
    }
    status = {"url": f"{url}/orders/{{number}}", "headers": headers, "schema": schema}
    cancel = status | {"method": "POST", "url": f"{url}/orders/{{number}}/cancel"}
    return changed(
        order_status={"http": status, "server": None} | tool_changes.get("order_status", {}),
        cancel_order={"http": cancel, "server": None} | tool_changes.get("cancel_order", {}),
    )


def changed(**tool_changes: dict[str, Any]) -> Declarations:
    """Return the example's file with some keys of its tools changed."""
    content = declarations.load(EXAMPLE).model_dump(by_alias=True, exclude_unset=True)
    for name, changes in tool_changes.items():
        content["tools"][name] |= changes
    return Declarations.model_validate(content)


def order_desk(
    folder: Path,
    declared: Declarations | None = None,
    *,
    clock: Callable[[], datetime] | None = None,
    model_url: str = NO_MODEL,
    **options: Any,
) -> AbstractAsyncContextManager[Desk]:
    """Open the small shop's desk with the example's tools."""
    declared = declared or declarations.load(EXAMPLE)

    def actions(store: Store, model: ChatModel) -> Actions:
        prompts = Prompts.load()
        agent = None if model_url == NO_MODEL else Agent(model, prompts)
        return Actions(declared, EXAMPLE.parent, store, prompts, agent, clock or Clock())

    return open_desk(folder, actions=actions, model_url=model_url, **options)


async def states(desk: Desk) -> list[tuple[object, ...]]:
    """Return the tool and state of every logged call."""
    return await desk.rows("SELECT tool, state FROM actions ORDER BY id")
