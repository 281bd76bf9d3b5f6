"""The page of gaps: what customers asked that no article answered, and a draft of an article."""

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.admin import guard
from adapters.admin.approved import Page
from adapters.admin.forms import form_fields
from bot.knowledge.gap_articles import file_name
from bot.knowledge.gaps import Gap
from bot.log import gaps as log
from bot.log.accounts import Accounts, Action, Clock
from bot.log.store import Store

FindGaps = Callable[[], Awaitable[Sequence[Gap]]]
DraftGap = Callable[[Gap, str], Awaitable[str]]
_MARKS: dict[str, log.Mark | None] = {"done": "done", "ignored": "ignored", "open": None}


class GapPages:
    """What stands below `/admin/gaps`.

    `find` groups the open questions; `draft` writes an article for a group, with what the nearest
    one says beside it.
    """

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        clock: Clock,
        page: Page,
        find: FindGaps,
        draft: DraftGap,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._page = page
        self._find = find
        self._draft = draft

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes, below the prefix of all admin pages."""
        return [
            Route("/gaps", self.gaps),
            Route("/gaps/{id}/draft", self.draft),
            Route("/gaps/{id}/mark", self.mark, methods=["POST"]),
        ]

    async def gaps(self, request: Request) -> Response:
        """Show the gaps, the largest first; ignored ones below."""
        await self._note(request, "view_gaps", "")
        found = await self._find()
        return self._page(
            request,
            "gaps.html",
            gaps=[gap for gap in found if not gap.is_ignored],
            ignored=[gap for gap in found if gap.is_ignored],
        )

    async def draft(self, request: Request) -> Response:
        """Hand over the draft of an article for a gap."""
        gap = await self._gap(request)
        if gap is None:
            return self._page(request, "missing.html", status=404)
        await self._note(request, "draft_gap", gap.id)
        nearest = await self._store.browse(lambda db: log.article_text(db, gap.nearest))
        name = quote(file_name(gap), safe="")
        return Response(
            await self._draft(gap, nearest),
            media_type="text/markdown",
            headers={
                "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def mark(self, request: Request) -> Response:
        """Note that a gap is done with or ignored, or open again."""
        state = (await form_fields(request)).get("state", "")
        gap = await self._gap(request)
        if gap is None or state not in _MARKS:
            return self._page(request, "missing.html", status=404)
        account, now = guard.current_session(request).account, self._clock()
        await self._note(request, "mark_gap", f"{gap.id} {state}")
        turns = [question.turn for question in gap.questions]
        await self._store.write(lambda db: log.mark(db, turns, _MARKS[state], account, now))
        return RedirectResponse(f"{guard.PREFIX}/gaps", status_code=303)

    async def _gap(self, request: Request) -> Gap | None:
        wanted = request.path_params["id"]
        return next((gap for gap in await self._find() if gap.id == wanted), None)

    async def _note(self, request: Request, action: Action, subject: str) -> None:
        await self._accounts.record(guard.current_session(request).account, action, subject)
