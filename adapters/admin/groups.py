"""The pages of groups: messages that no intent fits, and what the team makes of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from urllib.parse import quote

from sqlite_utils import Database
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.admin import guard
from adapters.admin.approved import Page
from adapters.admin.forms import form_fields, form_lists
from adapters.admin.gaps import DraftGap
from adapters.admin.intents import intent_name
from adapters.admin.weeks import Weeks, weeks
from bot.intents.naming import key_terms, named_by
from bot.knowledge.gap_articles import file_name
from bot.knowledge.gaps import gap_of
from bot.log import gaps, group_runs, groups
from bot.log import intents as labels
from bot.log.accounts import Accounts, Action, Clock
from bot.log.groups import Group
from bot.log.store import Store

FOLDER = f"{guard.PREFIX}/intents/groups"
MOST_SHOWN = 100  # groups
MOST_MEMBERS = 200  # of a group, the newest

Problem = Literal["", "group_gone", "group_nothing_chosen", "group_alike", "group_no_name"]
_STATUS: dict[Problem, int] = {"": 200, "group_gone": 404}
# What is decided without any more than the group: done by a function of bot/log/groups.py.
_PLAIN: dict[str, Callable[[Database, int, str, datetime], bool]] = {
    "dismiss": groups.dismiss,
    "open": groups.reopen,
}
_NAMED: dict[str, Callable[[Database, int, str, str, datetime], bool]] = {
    "confirm": groups.confirm,
    "rename": groups.rename,
}


class GroupFinder(Protocol):
    """Groups messages beside the pages."""

    @property
    def is_looking(self) -> bool:
        """Whether the log's messages are being grouped, or soon will be."""
        ...

    @property
    def has_failed(self) -> bool:
        """Whether the last try failed."""
        ...

    def look(self) -> None:
        """Ask for groups to be looked for now."""
        ...

    async def halves(self, texts: Sequence[str]) -> list[int]:
        """Return the places of texts that go into a group of their own; empty where none do."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A group with its weeks drawn."""

    group: Group
    weeks: Weeks


class GroupPages:
    """What stands below `/admin/intents/groups`; `draft` writes an article for a gap."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        clock: Clock,
        page: Page,
        finder: GroupFinder,
        draft: DraftGap,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._page = page
        self._finder = finder
        self._draft = draft

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes, below the prefix of all admin pages."""
        return [
            Route("/intents/groups", self.groups),
            Route("/intents/groups/look", self.look, methods=["POST"]),
            Route("/intents/groups/{id}", self.group),
            Route("/intents/groups/{id}/draft", self.draft),
            Route("/intents/groups/{id}/merge", self.merge, methods=["POST"]),
            Route("/intents/groups/{id}/split", self.split, methods=["POST"]),
            Route("/intents/groups/{id}/halve", self.halve, methods=["POST"]),
            Route("/intents/groups/{id}/{verdict}", self.decide, methods=["POST"]),
        ]

    async def groups(self, request: Request) -> Response:
        """Show the groups, the largest first; those that are decided about below."""
        await self._note(request, "view_groups", "")
        return await self._list(request)

    async def look(self, request: Request) -> Response:
        """Let groups be looked for now."""
        await self._note(request, "look_for_groups", "")
        self._finder.look()
        return RedirectResponse(FOLDER, status_code=303)

    async def group(self, request: Request) -> Response:
        """Show one group with its messages."""
        await self._note(request, "view_group", request.path_params["id"][:20])
        return await self._one(request)

    async def decide(self, request: Request) -> Response:
        """Confirm a group, rename it, dismiss it, or open it again."""
        verdict, number = request.path_params["verdict"], _number(request.path_params["id"])
        name = intent_name((await form_fields(request)).get("name", ""))
        account, now = guard.current_session(request).account, self._clock()
        if verdict in _NAMED:
            if not name:
                return await self._one(request, "group_no_name")
            done = await self._store.write(
                lambda db: _NAMED[verdict](db, number, name, account, now)
            )
        elif verdict in _PLAIN:
            name = ""
            done = await self._store.write(lambda db: _PLAIN[verdict](db, number, account, now))
        else:
            return self._page(request, "missing.html", status=404)
        if not done:
            return await self._list(request, "group_gone")
        await self._note(request, "decide_group", f"{verdict} {number} {name}".strip())
        back = f"{FOLDER}/{number}" if verdict == "rename" else FOLDER
        return RedirectResponse(back, status_code=303)

    async def merge(self, request: Request) -> Response:
        """Put a group's messages into another one."""
        number = _number(request.path_params["id"])
        into = _number((await form_fields(request)).get("into", ""))
        account, now = guard.current_session(request).account, self._clock()
        if not await self._store.write(lambda db: groups.merge(db, number, into, account, now)):
            return await self._list(request, "group_gone")
        await self._note(request, "decide_group", f"merge {number} into {into}")
        return RedirectResponse(f"{FOLDER}/{into}", status_code=303)

    async def split(self, request: Request) -> Response:
        """Put the messages that were chosen into a group of their own."""
        fields = await form_lists(request, MOST_MEMBERS + 2)
        name = intent_name(fields.get("name", [""])[0])
        return await self._apart(request, fields.get("turn", []), name, "group_nothing_chosen")

    async def halve(self, request: Request) -> Response:
        """Split a group in two, as its messages lie."""
        found = await self._found(request)
        if found is None:
            return await self._list(request, "group_gone")
        places = await self._finder.halves([member.text for member in found.members])
        turns = [found.members[place].turn for place in places]
        return await self._apart(request, turns, "", "group_alike")

    async def draft(self, request: Request) -> Response:
        """Hand over the draft of an article for what no article answered of a group."""
        number, now = _number(request.path_params["id"]), self._clock()
        found = await self._store.browse(lambda db: gaps.questions_of_group(db, number))
        if not found:
            return await self._list(request, "group_gone")
        gap = gap_of(found, now)
        await self._note(request, "draft_group", str(number))
        nearest = await self._store.browse(lambda db: gaps.article_text(db, gap.nearest))
        return Response(
            await self._draft(gap, nearest),
            media_type="text/markdown",
            headers={
                "Content-Disposition": (
                    f"attachment; filename*=UTF-8''{quote(file_name(gap), safe='')}"
                ),
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def _apart(
        self, request: Request, turns: Sequence[str], name: str, problem: Problem
    ) -> Response:
        found = await self._found(request)
        if found is None:
            return await self._list(request, "group_gone")
        account, now = guard.current_session(request).account, self._clock()
        called = name or _name_of(found, set(turns))
        new = await self._store.write(
            lambda db: groups.split(db, found.id, turns, called, account, now, is_named=bool(name))
        )
        if new is None:
            return await self._one(request, problem)
        await self._note(request, "decide_group", f"split {found.id} {new}")
        return RedirectResponse(f"{FOLDER}/{new}", status_code=303)

    async def _list(self, request: Request, problem: Problem = "") -> Response:
        now = self._clock()
        found, run, names = await self._store.browse(
            lambda db: (groups.groups(db), group_runs.newest_run(db), labels.names(db))
        )
        shown = [_Shown(group=each, weeks=weeks(each.weeks(now))) for each in found]
        by_state = {
            state: [each for each in shown if each.group.state == state]
            for state in ("open", "confirmed", "dismissed")
        }
        return self._page(
            request,
            "groups.html",
            status=_STATUS.get(problem, 400),
            problem=problem,
            open=by_state["open"][:MOST_SHOWN],
            more=max(0, len(by_state["open"]) - MOST_SHOWN),
            confirmed=by_state["confirmed"],
            dismissed=by_state["dismissed"],
            names=names,
            run=run,
            finder=self._finder,
        )

    async def _one(self, request: Request, problem: Problem = "") -> Response:
        number, now = _number(request.path_params["id"]), self._clock()
        found, names = await self._store.browse(lambda db: (groups.groups(db), labels.names(db)))
        one = next((each for each in found if each.id == number), None)
        if one is None:
            return await self._list(request, "group_gone")
        values: dict[str, Any] = {
            "shown": _Shown(group=one, weeks=weeks(one.weeks(now))),
            "members": one.members[:MOST_MEMBERS],
            "others": [each for each in found if each.id != number and each.state != "dismissed"],
            "names": names,
        }
        status = _STATUS.get(problem, 400)
        return self._page(request, "group.html", status=status, problem=problem, **values)

    async def _found(self, request: Request) -> Group | None:
        number = _number(request.path_params["id"])
        return await self._store.browse(lambda db: groups.group(db, number))

    async def _note(self, request: Request, action: Action, subject: str) -> None:
        await self._accounts.record(guard.current_session(request).account, action, subject)


def _name_of(group: Group, turns: set[str]) -> str:
    """Return a name for messages of a group from their words, against those of the rest."""
    going = [member.text for member in group.members if member.turn in turns]
    rest = [member.text for member in group.members if member.turn not in turns]
    return named_by(key_terms([going, rest])[0]) if going and rest else ""


def _number(text: str) -> int:
    """Return the number of a group; 0, which none has, for what is no number."""
    is_one = text.isascii() and text.isdigit() and len(text) < 10
    return int(text) if is_one else 0
