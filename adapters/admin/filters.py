"""What the address of the list says about which conversations are wanted."""

from datetime import UTC, date, datetime, time, timedelta
from typing import get_args
from urllib.parse import urlencode

from starlette.requests import Request

from adapters.admin.analysis import as_date
from bot.log.asked import ANY, CONCERN, AskedFilters, Cohort
from bot.log.conversations import Filters
from bot.messages import LANGUAGES, HandoffReason
from bot.privacy import mask

LONGEST_SEARCH = 200
CLOSER = ("from", "to", "intent", "reason", "verdict", "outcome", "mood", "cohort")
FIELDS = ("q", "channel", "language", "handed_off", *CLOSER)
REASONS = (ANY, CONCERN, *get_args(HandoffReason))


def filters_of(request: Request) -> Filters:
    """Return the filters of the address; values that don't exist count as not given."""
    params = request.query_params
    language = next((code for code in LANGUAGES if code == params.get("language")), None)
    asked = _asked(request)
    return Filters(
        text=params.get("q", "")[:LONGEST_SEARCH].strip(),
        channel=params.get("channel") or None,
        language=language,
        handed_off={"yes": True, "no": False}.get(params.get("handed_off", "")),
        is_open=True if params.get("handed_off") == "open" else None,
        asked=asked if asked != AskedFilters() else None,
    )


def is_looking_closer(request: Request) -> bool:
    """Say whether one of the filters is given that the page shows only when asked for."""
    return any(request.query_params.get(name) for name in CLOSER)


def query_of(request: Request, **more: str) -> str:
    """Return the query of the list's address with the same filters."""
    given = {name: request.query_params.get(name, "") for name in FIELDS} | more
    return urlencode({name: value[:LONGEST_SEARCH] for name, value in given.items() if value})


def audited_query(request: Request) -> str:
    """Return the search without private data: the audit outlives what the log forgets."""
    given = {name: mask(request.query_params.get(name, "")) for name in FIELDS}
    return urlencode({name: value[:LONGEST_SEARCH] for name, value in given.items() if value})


def _asked(request: Request) -> AskedFilters:
    params = request.query_params
    first, last = as_date(params.get("from", "")), as_date(params.get("to", ""))
    reason, mood = params.get("reason", ""), params.get("mood", "")
    return AskedFilters(
        since=_begin(first) if first else None,
        until=_begin(last) + timedelta(days=1) if last else None,
        intent=params.get("intent", "")[:LONGEST_SEARCH],
        reason=reason if reason in REASONS else "",
        verdict={"up": "up", "down": "down"}.get(params.get("verdict", "")),  # type: ignore[arg-type]
        outcome={"solved": "solved", "unsolved": "unsolved"}.get(params.get("outcome", "")),  # type: ignore[arg-type]
        is_annoyed=mood == "annoyed",
        cohort=_cohort(params.get("cohort", "")),
    )


def _cohort(text: str) -> Cohort | None:
    """Return who came first when: from which day on counted, the first and the last day."""
    days = [as_date(each) for each in text.split("..")]
    if len(days) != 3 or None in days:
        return None
    origin, since, last = (_begin(each) for each in days if each)
    return Cohort(origin=origin, since=since, until=last + timedelta(days=1))


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
