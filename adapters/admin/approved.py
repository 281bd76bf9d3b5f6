"""The pages of approved answers: list, write, edit with history, retire, approve a reply."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.admin import guard
from adapters.admin.forms import form_fields
from bot.log import approved, preferences
from bot.log.accounts import Accounts, Action, Clock
from bot.log.approved import Wording
from bot.log.store import Store
from bot.messages import LANGUAGES
from bot.understanding import clean

FOLDER = f"{guard.PREFIX}/approved"
LONGEST_TEXT = 4000
MOST_QUESTIONS = 50
LONGEST_QUESTION = 300


class Page(Protocol):
    """Renders a template as a page of the team's."""

    def __call__(self, request: Request, name: str, status: int = 200, **values: Any) -> Response:
        """Return the page."""
        ...


class Reload(Protocol):
    """Lets the conversations use what was just stored."""

    async def load(self) -> None:
        """Read it anew."""
        ...


class ApprovedPages:
    """What stands below `/admin/approved`."""

    def __init__(
        self, store: Store, accounts: Accounts, clock: Clock, page: Page, in_use: Reload
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._page = page
        self._in_use = in_use

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes, below the prefix of all admin pages."""
        return [
            Route("/approved", self.answers),
            Route("/approved", self.save, methods=["POST"]),
            Route("/approved/new", self.new),
            Route("/approved/{id:int}", self.answer),
            Route("/approved/{id:int}", self.save, methods=["POST"]),
            Route("/approved/{id:int}/retire", self.retire, methods=["POST"]),
        ]

    async def answers(self, request: Request) -> Response:
        """Show all approved answers."""
        await self._note(request, "view_approved", "")
        found = await self._store.browse(approved.answers)
        today = self._clock().date().isoformat()
        return self._page(request, "approved.html", answers=found, today=today)

    async def new(self, request: Request) -> Response:
        """Show an empty form, or one with the reply, or its correction, that is to be approved."""
        turn = request.query_params.get("turn", "")
        wording = await self._store.browse(lambda db: approved.reply_as_wording(db, turn))
        if wording and "corrected" in request.query_params:
            text = await self._store.browse(lambda db: preferences.correction(db, turn))
            wording = replace(wording, text=text or wording.text)
        await self._note(request, "view_approved", f"new {turn}".strip())
        empty = Wording(text="", questions=(), language="en")
        return self._form(request, wording or empty)

    async def answer(self, request: Request) -> Response:
        """Show one approved answer with its earlier versions."""
        number = request.path_params["id"]
        versions = await self._store.browse(lambda db: approved.versions(db, number))
        if not versions:
            return self._page(request, "missing.html", status=404)
        await self._note(request, "view_approved", str(number))
        return self._form(request, versions[0].wording, versions=versions)

    async def save(self, request: Request) -> Response:
        """Store what a form says as a new answer, or as a new version of one."""
        number = request.path_params.get("id")
        wording = _wording(await form_fields(request))
        versions = await self._store.browse(lambda db: approved.versions(db, number or 0))
        if number and not versions:
            return self._page(request, "missing.html", status=404)
        if problem := await self._problem(wording):
            return self._form(request, wording, versions=versions, problem=problem, status=400)
        account, now = guard.current_session(request).account, self._clock()
        if number:
            await self._note(request, "edit_approved", str(number))
            await self._store.write(lambda db: approved.edit(db, number, wording, account, now))
        else:
            added = await self._store.write(lambda db: approved.add(db, wording, account, now))
            await self._note(request, "add_approved", str(added))
        await self._in_use.load()
        return RedirectResponse(FOLDER, status_code=303)

    async def retire(self, request: Request) -> Response:
        """Show an approved answer to customers no more."""
        number, now = request.path_params["id"], self._clock()
        await self._note(request, "retire_approved", str(number))
        await self._store.write(lambda db: approved.retire(db, number, now))
        await self._in_use.load()
        return RedirectResponse(FOLDER, status_code=303)

    async def _problem(self, wording: Wording) -> str | None:
        """Return the label of what is wrong with a wording, or None."""
        if not wording.text or not wording.questions:
            return "approved_incomplete"
        if wording.valid_until and not _is_day(wording.valid_until):
            return "approved_no_day"
        name = wording.article
        if name and not await self._store.browse(lambda db: approved.has_article(db, name)):
            return "approved_no_article"
        return None

    def _form(
        self,
        request: Request,
        wording: Wording,
        *,
        versions: Sequence[approved.ApprovedAnswer] = (),
        problem: str = "",
        status: int = 200,
    ) -> Response:
        return self._page(
            request,
            "approved_answer.html",
            status=status,
            wording=wording,
            versions=versions,
            problem=problem,
        )

    async def _note(self, request: Request, action: Action, subject: str) -> None:
        await self._accounts.record(guard.current_session(request).account, action, subject)


def _wording(fields: Mapping[str, str]) -> Wording:
    """Return what the form's fields say, cut to what is kept."""
    lines = (clean(line) for line in fields.get("questions", "").splitlines())
    questions = dict.fromkeys(line[:LONGEST_QUESTION] for line in lines if line)
    return Wording(
        text=clean(fields.get("text", ""))[:LONGEST_TEXT],
        questions=tuple(questions)[:MOST_QUESTIONS],
        language=next((each for each in LANGUAGES if each == fields.get("language")), "en"),
        article=fields.get("article", "").strip(),
        valid_until=fields.get("valid_until", "").strip(),
    )


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
