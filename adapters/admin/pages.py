"""The admin pages: log in, search the conversations, read one with the reasons of each reply."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from sqlite_utils import Database
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from adapters.admin import guard
from adapters.admin.actions import ActionPages, Approvals
from adapters.admin.analysis import AnalysisPages
from adapters.admin.approved import ApprovedPages, Reload
from adapters.admin.choices import ChoicePages
from adapters.admin.filters import (
    FIELDS,
    LONGEST_SEARCH,
    REASONS,
    audited_query,
    filters_of,
    is_looking_closer,
    query_of,
)
from adapters.admin.forms import form_fields
from adapters.admin.gaps import DraftGap, FindGaps, GapPages
from adapters.admin.groups import GroupFinder, GroupPages
from adapters.admin.intents import IntentPages
from adapters.admin.ranking import RankingPages, signed
from adapters.rendering import is_web_address
from adapters.web.language import page_language, remember_language
from adapters.web.page import OwnFiles, templates
from bot.analysis_figures import AnalysisFigures
from bot.errors import AttachmentError
from bot.log import asked, conversations, reasons, record, transcripts
from bot.log.accounts import Accounts, Clock
from bot.log.store import Store
from bot.messages import Attachment, Language
from bot.ranking_figures import RankingFigures
from prompts import Prompts

HERE = Path(__file__).parent
LABELS = "admin"
LONGEST_FILE_NAME = 100


Fetch = Callable[[int], Awaitable[tuple[Attachment, bytes]]]


class Admin:
    """The pages below `/admin`.

    `fetch` gets a customer's file by its number in the log, or raises AttachmentError; `approved`
    are the approved answers as the conversations use them, `gaps` groups the open questions and
    `draft_gap` writes an article for one; `groups` groups what no intent fits; `rng` draws which
    of two replies stands first; `figures` tells how customers are served, `analysis` what they
    wanted; `approvals` carries out what tools are asked to change, None without tools.
    """

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        prompts: Prompts,
        clock: Clock,
        fetch: Fetch,
        *,
        approved: Reload,
        gaps: FindGaps,
        draft_gap: DraftGap,
        groups: GroupFinder,
        rng: random.Random,
        figures: RankingFigures,
        analysis: AnalysisFigures,
        approvals: Approvals | None = None,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._prompts = prompts
        self._clock = clock
        self._fetch = fetch
        self._approved = ApprovedPages(store, accounts, clock, self._page, approved)
        self._gaps = GapPages(store, accounts, clock, self._page, gaps, draft_gap)
        self._choices = ChoicePages(store, accounts, clock, self._page, rng)
        self._ranking = RankingPages(store, accounts, self._page, figures)
        self._intents = IntentPages(store, accounts, clock, self._page)
        self._groups = GroupPages(store, accounts, clock, self._page, groups, draft_gap)
        self._analysis = AnalysisPages(store, accounts, clock, self._page, analysis)
        self._actions = ActionPages(store, accounts, self._page, approvals)
        self._has_actions = approvals is not None
        self._templates = templates(HERE / "templates")
        self._templates.filters |= {
            "moment": moment,
            "is_web_address": is_web_address,
            "percent": percent,
            "file_size": file_size,
            "signed": signed,
        }

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes, all behind the guard."""
        pages = [
            Route("/", self.conversations),
            Route("/login", self.login),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/logout", self.log_out, methods=["POST"]),
            Route("/conversations/{id}", self.transcript),
            Route("/conversations/{id}/settle", self.settle, methods=["POST"]),
            Route("/attachments/{id}", self.attachment),
            *self._approved.routes(),
            *self._gaps.routes(),
            *self._choices.routes(),
            *self._ranking.routes(),
            *self._intents.routes(),
            *self._groups.routes(),
            *self._analysis.routes(),
            *self._actions.routes(),
            Mount("/static", OwnFiles(directory=HERE / "static")),
            Route("/{path:path}", self.missing),
        ]
        protection = [Middleware(guard.Guard, accounts=self._accounts)]
        return [Mount(guard.PREFIX, routes=pages, middleware=protection)]

    async def login(self, request: Request) -> Response:
        """Show the login form."""
        return self._login_form(request, request.query_params.get("next", ""))

    async def log_in(self, request: Request) -> Response:
        """Check the password and begin a session."""
        form = await form_fields(request)
        address = request.client.host if request.client else ""
        login = await self._accounts.log_in(form.get("password", ""), address)
        if login.token is None:
            status = 429 if login.outcome == "too_many_attempts" else 403
            return self._login_form(request, form.get("next", ""), login.outcome, status)
        # A new session never goes on from an old one, whoever planted that.
        if old := guard.session_token(request):
            await self._accounts.log_out(old)
        response = RedirectResponse(guard.safe_next(form.get("next", "")), status_code=303)
        guard.set_session(request, response, login.token)
        return response

    async def log_out(self, request: Request) -> Response:
        """End the session."""
        await self._accounts.log_out(guard.session_token(request))
        response = RedirectResponse(guard.LOGIN, status_code=303)
        guard.clear_session(request, response)
        return response

    async def conversations(self, request: Request) -> Response:
        """Show the list, with search and filters."""
        filters, after = filters_of(request), _page_key(request)
        account = guard.current_session(request).account
        if filters != conversations.Filters():
            query = await asyncio.to_thread(audited_query, request)
            await self._accounts.record(account, "search", query)
        await self._accounts.record(account, "view_list", _key_text(after) if after else "")
        page = await self._store.browse(
            lambda db: conversations.conversations(db, filters, after=after)
        )
        return self._page(
            request,
            "conversations.html",
            page=page,
            filters=filters,
            given={name: request.query_params.get(name, "") for name in FIELDS},
            is_closer=is_looking_closer(request),
            intents=await self._store.browse(asked.intents_asked),
            reasons=REASONS,
            channels=await self._store.browse(conversations.channels),
            is_filtered=filters != conversations.Filters(),
            first_page=f"?{query_of(request)}" if after else None,
            next_page=_next_page(request, page.next_key),
        )

    async def transcript(self, request: Request) -> Response:
        """Show one conversation with what was logged about each reply."""
        conversation = request.path_params["id"]
        before = _number(request.query_params.get("before", ""))
        found = await self._store.browse(lambda db: _explained(db, conversation, before))
        if found is None:
            return await self.missing(request)
        transcript, why = found
        account = guard.current_session(request).account
        await self._accounts.record(account, "view_transcript", conversation)
        return self._page(
            request,
            "transcript.html",
            conversation=transcript.conversation,
            turns=transcript.turns,
            why=why,
            earlier_than=transcript.earlier_than,
            before=before,
            account=account,
        )

    async def settle(self, request: Request) -> Response:
        """Note that a person has settled what a conversation handed off."""
        conversation, now = request.path_params["id"], self._clock()
        account = guard.current_session(request).account
        await self._accounts.record(account, "settle", conversation)
        await self._store.write(lambda db: record.settle(db, conversation, now))
        address = f"{guard.PREFIX}/conversations/{quote(conversation, safe='')}"
        return RedirectResponse(address, status_code=303)

    async def attachment(self, request: Request) -> Response:
        """Hand over a customer's file, to be saved and never to be shown by the browser."""
        number = _number(request.path_params["id"])
        if number is None:
            return await self.missing(request)
        account = guard.current_session(request).account
        await self._accounts.record(account, "view_attachment", str(number))
        try:
            attachment, content = await self._fetch(number)
        except AttachmentError as err:
            return self._page(request, "no_file.html", status=502, reason=str(err))
        name = quote(file_name(attachment, number), safe="")
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(content, media_type="application/octet-stream", headers=headers)

    async def missing(self, request: Request) -> Response:
        """Say that there is no such page."""
        return self._page(request, "missing.html", status=404)

    def _login_form(
        self, request: Request, next_path: str, outcome: str = "", status: int = 200
    ) -> Response:
        destination = guard.safe_next(next_path)
        return self._page(
            request, "login.html", status=status, next_path=destination, outcome=outcome
        )

    def _page(self, request: Request, name: str, status: int = 200, **values: Any) -> Response:
        language = page_language(request)
        html = self._templates.get_template(name).render(
            language=language,
            labels=self._prompts.labels(LABELS, language),
            is_logged_in=hasattr(request.state, "session"),
            has_actions=self._has_actions,
            switch=_switch(request, "en" if language == "zh" else "zh"),
            now=self._clock(),
            **values,
        )
        response = HTMLResponse(html, status_code=status)
        remember_language(request, response)
        return response


def _explained(
    db: Database, conversation: str, before: int | None
) -> tuple[transcripts.Transcript, Mapping[str, reasons.Reason]] | None:
    """Return a transcript, and why each of its replies was shown; None if there is none."""
    found = transcripts.transcript(db, conversation, before=before)
    return (found, reasons.reasons(db, found)) if found else None


def moment(text: str, now: datetime) -> str:
    """Return a stored time as people read it, in UTC, without the date when that is today's."""
    try:
        time = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    return time.strftime("%H:%M" if time.date() == now.date() else "%Y-%m-%d %H:%M")


def percent(probability: float) -> str:
    """Return a probability as a percentage."""
    return f"{probability:.0%}" if probability in (0, 1) else f"{probability:.1%}"


def file_size(size: int) -> str:
    """Return a number of bytes as people read it."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


def file_name(attachment: Attachment, number: int) -> str:
    """Return under which name a customer's file is saved: its own, as far as it is harmless."""
    own = re.split(r"[/\\]", attachment.name)[-1]
    kept = "".join(character for character in own if character.isprintable()).strip(" .")
    return kept[-LONGEST_FILE_NAME:] or f"{attachment.kind}-{number}"


def _page_key(request: Request) -> conversations.PageKey | None:
    at, _, conversation = request.query_params.get("after", "").partition("~")
    return conversations.PageKey(last_turn_at=at, id=conversation) if conversation else None


def _next_page(request: Request, key: conversations.PageKey | None) -> str | None:
    return f"?{query_of(request, after=_key_text(key))}" if key else None


def _key_text(key: conversations.PageKey) -> str:
    return f"{key.last_turn_at}~{key.id}"[:LONGEST_SEARCH]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _switch(request: Request, language: Language) -> str:
    """Return the address of this same page in the other language."""
    if request.method == "POST":
        return f"?lang={language}"
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != "lang"]
    return f"?{urlencode([*kept, ('lang', language)])}"
