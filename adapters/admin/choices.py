"""The page that asks which of two replies is better, and what a reply should have said."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.admin import guard
from adapters.admin.approved import LONGEST_TEXT, Page
from adapters.admin.forms import form_fields
from bot.log import open_choices, preferences
from bot.log.accounts import Accounts, Action, Clock
from bot.log.open_choices import Choice, PairKey
from bot.log.preferences import Preference, ShownReply
from bot.log.store import Store
from bot.privacy import mask
from bot.understanding import clean

FOLDER = f"{guard.PREFIX}/choices"
# An address of so many is still taken by every server and browser.
MOST_SKIPPED = 50
_UNDECIDED: dict[str, Preference] = {"equal": "equal", "neither": "neither"}


class ChoicePages:
    """What stands below `/admin/choices`; `rng` draws which of two replies stands first."""

    def __init__(
        self, store: Store, accounts: Accounts, clock: Clock, page: Page, rng: random.Random
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._page = page
        self._rng = rng

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes, below the prefix of all admin pages."""
        return [
            Route("/choices", self.ask),
            Route("/choices", self.choose, methods=["POST"]),
            Route("/corrections", self.correct, methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        """Show the next two replies that the account hasn't judged, or those of the address."""
        params, account = request.query_params, guard.current_session(request).account
        skipped = _pair_keys(params.get("skipped", ""))
        found = await self._store.browse(lambda db: open_choices.choices(db, account, skipped))
        named = _pair_key(params.get("pair", ""))
        shown = await self._choice(named) if named else found.next
        if named and shown is None:
            return self._page(request, "missing.html", status=404)
        await self._note(request, "view_choices", _as_text(shown.key) if shown else "")
        options = list(shown.options) if shown else []
        self._rng.shuffle(options)
        last = _pair_key(params.get("last", ""))
        return self._page(
            request,
            "choices.html",
            found=found,
            shown=shown,
            options=options,
            pair=_as_text(shown.key) if shown else "",
            skipped=_all_as_text(skipped),
            last=_as_text(last) if last else "",
        )

    async def choose(self, request: Request) -> Response:
        """Store which of two replies is better, and show what comes next."""
        fields = await form_fields(request)
        key = _pair_key(fields.get("pair", ""))
        shown = await self._choice(key) if key else None
        if key is None or shown is None:
            return self._page(request, "missing.html", status=404)
        skipped = _pair_keys(fields.get("skipped", ""))
        if fields.get("better") == "skip":
            return _next([*skipped, key], key)
        verdict = _verdict(fields.get("better", ""), key)
        if verdict is None:
            return self._page(request, "missing.html", status=404)
        account = await self._note(request, "choose", _as_text(key))
        now, stood_first = self._clock(), _place(fields.get("stood_first", ""), key)
        await self._store.write(
            lambda db: preferences.choose(
                db, key.turn, key[1:], verdict, account, now, stood_first=stood_first
            )
        )
        if fields.get("from") == "transcript":
            return _to_turn(shown.conversation, shown.number, fields)
        return _next(skipped, key)

    async def correct(self, request: Request) -> Response:
        """Store what a reply should have said; go on to approve that, if wished."""
        fields = await form_fields(request)
        turn, text = fields.get("turn", ""), clean(fields.get("text", ""))[:LONGEST_TEXT]
        reply = await self._store.browse(lambda db: preferences.shown(db, turn))
        if reply is None:
            return self._page(request, "missing.html", status=404)
        if problem := _problem(text, reply):
            back = _address(reply.conversation, reply.number, fields)
            return self._page(request, "not_saved.html", status=400, problem=problem, back=back)
        articles = await self._store.browse(preferences.article_texts)
        masked, now = await asyncio.to_thread(mask, text, articles), self._clock()
        account = await self._note(request, "correct", turn)
        await self._store.write(lambda db: preferences.correct(db, turn, masked, account, now))
        if "approve" in fields:
            query = urlencode({"turn": turn, "corrected": "yes"})
            return RedirectResponse(f"{guard.PREFIX}/approved/new?{query}", status_code=303)
        return _to_turn(reply.conversation, reply.number, fields)

    async def _choice(self, key: PairKey) -> Choice | None:
        return await self._store.browse(lambda db: open_choices.choice(db, key))

    async def _note(self, request: Request, action: Action, subject: str) -> str:
        account = guard.current_session(request).account
        await self._accounts.record(account, action, subject)
        return account


def _problem(text: str, reply: ShownReply) -> str | None:
    """Return the label of what is wrong with a correction, or None."""
    if not text:
        return "correction_empty"
    is_same = preferences.plain(text) == preferences.plain(reply.text)
    return "correction_same" if is_same else None


def _verdict(better: str, key: PairKey) -> Preference | None:
    """Return what a form says is better: a place on the slate, or a word; None for nonsense."""
    place = _place(better, key)
    if place is None:
        return _UNDECIDED.get(better)
    return "first" if place == key.first else "second"


def _place(text: str, key: PairKey) -> int | None:
    return next((place for place in key[1:] if text == str(place)), None)


def _next(skipped: Sequence[PairKey], last: PairKey) -> Response:
    query = urlencode({"skipped": _all_as_text(skipped), "last": _as_text(last)})
    return RedirectResponse(f"{FOLDER}?{query}", status_code=303)


def _to_turn(conversation: str, number: int, fields: Mapping[str, str]) -> Response:
    return RedirectResponse(_address(conversation, number, fields), status_code=303)


def _address(conversation: str, number: int, fields: Mapping[str, str]) -> str:
    """Return where a turn stands: in the piece of the conversation that the form came from."""
    before = fields.get("before", "")
    piece = f"?before={before}" if before.isascii() and before.isdigit() else ""
    return f"{guard.PREFIX}/conversations/{quote(conversation, safe='')}{piece}#turn-{number}"


def _as_text(key: PairKey) -> str:
    return f"{key.turn}~{key.first}~{key.second}"


def _all_as_text(keys: Sequence[PairKey]) -> str:
    return ",".join(_as_text(key) for key in keys[-MOST_SKIPPED:])


def _pair_key(text: str) -> PairKey | None:
    turn, *places = text[:200].split("~")
    if len(places) != 2 or not all(each.isascii() and each.isdigit() for each in places):
        return None
    first, second = (int(each[:9]) for each in places)
    return PairKey(turn, first, second)


def _pair_keys(text: str) -> list[PairKey]:
    found = (_pair_key(each) for each in text.split(",")[-MOST_SKIPPED:])
    return [key for key in found if key]
