"""The log as what policies learn from: each choice of a reply, and what came after it.

Conversations are read one after the other, so that a log of any size needs little memory.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlite_utils import Database

from bot.log.rows import rows, select
from bot.log.turns import HISTORY_TURNS
from bot.messages import Complaint, Source, Verdict
from bot.ranking.experience import LoggedCandidate, LoggedDecision
from bot.ranking.rewards import Aftermath

MOST = 100_000  # choices; what is older says little about the articles of today
RETURNING = timedelta(days=1)  # after their first message
_ASKED: frozenset[Source] = frozenset({"approved", "draft", "article", "clarification", "handoff"})


def decisions(
    db: Database,
    now: datetime,
    *,
    since: datetime | None = None,
    most: int = MOST,
    turn: str | None = None,
    with_texts: bool = False,
    with_features: bool = True,
) -> Iterator[LoggedDecision]:
    """Yield every choice that answered a question, by conversation, in order.

    Replies that were replaced or taken back are left out, and courtesies and commands, where there
    is nothing to choose. Of `since` then and later, and of about the newest `most` replies; or of
    the one reply `turn` alone. Texts of candidates and of the turns before take much memory
    and come only `with_texts`; who needs no features saves more than half of it without them.
    """
    oldest = max(since.isoformat() if since else "", _oldest(db, most))
    verdicts = _verdicts(db, oldest)
    replies = rows(db, _TURNS, {"oldest": oldest, "turn": turn})
    for _, group in groupby(replies, lambda row: row["conversation"]):
        turns = list(group)
        for place, row in enumerate(turns):
            if row["role"] != "assistant" or turn not in (None, row["id"]):
                continue
            slate = select(db, _SLATE, {"turn": row["id"]})
            if any(each["source"] in _ASKED for each in slate):
                after = _after(turns, place, verdicts.get(row["id"], ()), now)
                found = _decision(
                    row, slate, after, with_texts=with_texts, with_features=with_features
                )
                before = _before(turns[:place], row["replied_to"]) if with_texts else ()
                yield replace(found, before=before)


def _before(turns: Sequence[sqlite3.Row], question: str) -> tuple[str, ...]:
    """Return what was said before a question, as far as an answer is written from it."""
    said = [row["text"] for row in turns if row["id"] != question and row["text"]]
    return tuple(said[-HISTORY_TURNS:])


def _oldest(db: Database, most: int) -> str:
    """Return when the oldest of the newest replies was given; empty where there are fewer."""
    found = select(db, _NEWEST, {"most": most})
    return str(found[0]["created_at"]) if found else ""


def _decision(
    row: sqlite3.Row,
    slate: Sequence[sqlite3.Row],
    after: Aftermath,
    *,
    with_texts: bool,
    with_features: bool,
) -> LoggedDecision:
    at = datetime.fromisoformat(row["created_at"])
    return LoggedDecision(
        turn=row["id"],
        conversation=row["conversation"],
        channel=row["channel"],
        language=row["language"],
        at=at,
        is_returning=at - datetime.fromisoformat(row["first_seen"]) >= RETURNING,
        policy=row["policy"],
        question=row["question"],
        candidates=tuple(
            LoggedCandidate(
                source=each["source"],
                features=json.loads(each["features"]) if with_features else {},
                propensity=each["propensity"],
                is_refused=each["refusal"] is not None,
                text=each["text"] if with_texts else "",
            )
            for each in slate
        ),
        shown=next(i for i, each in enumerate(slate) if each["shown"]),
        after=after,
    )


def _after(
    turns: Sequence[sqlite3.Row],
    place: int,
    verdicts: Sequence[tuple[Verdict, Complaint | None]],
    now: datetime,
) -> Aftermath:
    """Return what came after a reply, up to the customer's next message and its answer."""
    later = turns[place + 1 :]
    said = next((i for i, row in enumerate(later) if row["role"] == "customer"), len(later))
    spoken = later[said] if said < len(later) else None
    until = datetime.fromisoformat(spoken["created_at"]) if spoken else now
    answer = next((row for row in later[said:] if row["role"] == "assistant"), None)
    return Aftermath(
        verdicts=verdicts,
        next_text=spoken["text"] if spoken else None,
        next_source=answer["source"] if answer else None,
        next_asked_for_person=bool(answer and answer["reason"] == "asked_for_person"),
        agent_spoke=any(row["role"] == "agent" for row in later[:said]),
        hours=(until - datetime.fromisoformat(turns[place]["created_at"])).total_seconds() / 3600,
    )


def _verdicts(db: Database, oldest: str) -> Mapping[str, list[tuple[Verdict, Complaint | None]]]:
    """Return the newest verdict of each customer and way of telling it, by reply."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows(db, _VERDICTS, {"oldest": oldest}):
        found[row["turn"]].append((row["verdict"], row["complaint"]))
    return found


_NEWEST = """
    SELECT created_at FROM turns WHERE role = 'assistant' ORDER BY id DESC LIMIT 1 OFFSET :most
"""
_SLATE = "SELECT * FROM candidates WHERE turn = :turn ORDER BY position"
# A reply's feedback is never older than the reply.
_TURNS = """
    SELECT turns.id, turns.conversation, turns.role, turns.text, turns.language, turns.created_at,
        turns.policy, turns.replied_to, conversations.channel, customers.created_at AS first_seen,
        asked.text AS question, shown.source,
        (SELECT reason FROM handoffs WHERE handoffs.turn = turns.id LIMIT 1) AS reason
    FROM turns JOIN conversations ON conversations.id = turns.conversation
        JOIN customers ON customers.id = conversations.customer
        LEFT JOIN turns AS asked ON asked.id = turns.replied_to
        LEFT JOIN candidates AS shown ON shown.turn = turns.id AND shown.shown
    WHERE turns.superseded_by IS NULL AND turns.withdrawn_at IS NULL
        AND turns.created_at >= :oldest
        AND (:turn IS NULL
            OR turns.conversation = (SELECT conversation FROM turns WHERE id = :turn))
    ORDER BY turns.conversation, turns.number
"""
_VERDICTS = """
    SELECT turn, verdict, complaint FROM feedback
    WHERE created_at >= :oldest
        AND id IN (SELECT max(id) FROM feedback GROUP BY channel, customer, turn, origin)
    ORDER BY id
"""
