"""The page of intents: what customers wanted, which messages need a label, what names hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlite_utils import Database
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.admin import guard
from adapters.admin.approved import Page
from adapters.admin.forms import form_fields
from bot.intents.report import Line, report
from bot.intents.rows import LONGEST_NAME
from bot.log import intents as labels
from bot.log.accounts import Accounts, Action, Clock
from bot.log.analysis import UNKNOWN_INTENT, first_id, labelled_intents, messages
from bot.log.intents import Decided, Labelled
from bot.log.store import Store
from bot.privacy import mask
from bot.understanding import clean

FOLDER = f"{guard.PREFIX}/intents"
SHOWN = timedelta(days=28)
_DOUBTFUL = 10
_VERDICTS = ("confirm", "rename", "retire")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What the page shows: a line for each intent, and what the team may say about them."""

    lines: Sequence[Line]
    examples: dict[str, list[Labelled]]
    doubtful: Sequence[Labelled]
    decided: dict[str, Decided]


class IntentPages:
    """What stands below `/admin/intents`."""

    def __init__(self, store: Store, accounts: Accounts, clock: Clock, page: Page) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._page = page

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes, below the prefix of all admin pages."""
        return [
            Route("/intents", self.intents),
            Route("/intents/label", self.label, methods=["POST"]),
            Route("/intents/decide", self.decide, methods=["POST"]),
        ]

    async def intents(self, request: Request) -> Response:
        """Show the intents of the last weeks, the most frequent first, and doubtful messages."""
        await self._note(request, "view_intents", "")
        now = self._clock()
        shown = await self._store.browse(lambda db: _shown(db, now))
        return self._page(request, "intents.html", shown=shown)

    async def label(self, request: Request) -> Response:
        """Store what a message wants."""
        fields = await form_fields(request)
        turn, intent = fields.get("turn", ""), intent_name(fields.get("intent", ""))
        if not intent:
            return self._page(request, "missing.html", status=404)
        account, now = guard.current_session(request).account, self._clock()
        if not await self._store.write(lambda db: labels.label(db, turn, intent, account, now)):
            return self._page(request, "missing.html", status=404)
        await self._note(request, "label_intent", turn)
        return RedirectResponse(FOLDER, status_code=303)

    async def decide(self, request: Request) -> Response:
        """Store that an intent is confirmed, goes on under another name, or is retired."""
        fields = await form_fields(request)
        name, becomes = intent_name(fields.get("name", "")), intent_name(fields.get("becomes", ""))
        verdict = fields.get("verdict", "")
        if verdict != "rename":
            becomes = ""
        elif becomes in ("", name):
            return self._page(request, "missing.html", status=404)
        if not name or verdict not in _VERDICTS:
            return self._page(request, "missing.html", status=404)
        account, now = guard.current_session(request).account, self._clock()
        retired = verdict != "confirm"
        await self._store.write(
            lambda db: labels.decide(db, name, account, now, retired=retired, becomes=becomes)
        )
        await self._note(request, "decide_intent", f"{verdict} {name}")
        return RedirectResponse(FOLDER, status_code=303)

    async def _note(self, request: Request, action: Action, subject: str) -> None:
        await self._accounts.record(guard.current_session(request).account, action, subject)


def _shown(db: Database, now: datetime) -> _Shown:
    since = now - SHOWN
    until = now + timedelta(seconds=1)
    found = messages(db, since, until, labelled_intents(db, since))
    known = [each for each in found if each.intent != UNKNOWN_INTENT]
    lines = report(known, since, until).lines["intent"] if known else []
    first = first_id(since)
    return _Shown(
        lines=lines,
        examples=labels.examples(db, first),
        doubtful=labels.doubtful(db, first, _DOUBTFUL),
        decided=labels.decisions(db),
    )


def intent_name(text: str) -> str:
    """Return the name of an intent as it is stored."""
    return " ".join(mask(clean(text)).split())[:LONGEST_NAME]
