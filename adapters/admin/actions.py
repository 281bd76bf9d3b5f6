"""The page of what customers asked to change: approve or refuse what waits for an agent."""

from collections.abc import Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.admin import guard
from adapters.admin.approved import Page
from bot.log import actions
from bot.log.accounts import Accounts, Action
from bot.log.store import Store

FOLDER = f"{guard.PREFIX}/actions"


class Approvals(Protocol):
    """Carries out, or refuses, what waits for an agent."""

    async def approve(self, key: str, account: str) -> bool:
        """Carry it out once; return whether it still waited."""
        ...

    async def refuse(self, key: str, account: str) -> bool:
        """Refuse it; return whether it still waited."""
        ...


class ActionPages:
    """What stands below `/admin/actions`. Without `approvals` there are no tools."""

    def __init__(
        self, store: Store, accounts: Accounts, page: Page, approvals: Approvals | None
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._page = page
        self._approvals = approvals

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes, below the prefix of all admin pages."""
        if self._approvals is None:
            return []
        return [
            Route("/actions", self.requests),
            Route("/actions/{key}/approve", self.approve, methods=["POST"]),
            Route("/actions/{key}/refuse", self.refuse, methods=["POST"]),
        ]

    async def requests(self, request: Request) -> Response:
        """Show what waits, and what became of the rest."""
        await self._note(request, "view_actions", "")
        found = await self._store.browse(actions.requests)
        return self._page(request, "actions.html", requests=found)

    async def approve(self, request: Request) -> Response:
        """Carry out what waits; whoever comes second changes nothing."""
        assert self._approvals is not None
        account = await self._note(request, "approve_action", request.path_params["key"])
        await self._approvals.approve(request.path_params["key"], account)
        return RedirectResponse(FOLDER, status_code=303)

    async def refuse(self, request: Request) -> Response:
        """Refuse what waits."""
        assert self._approvals is not None
        account = await self._note(request, "refuse_action", request.path_params["key"])
        await self._approvals.refuse(request.path_params["key"], account)
        return RedirectResponse(FOLDER, status_code=303)

    async def _note(self, request: Request, action: Action, subject: str) -> str:
        account = guard.current_session(request).account
        await self._accounts.record(account, action, subject[:100])
        return account
