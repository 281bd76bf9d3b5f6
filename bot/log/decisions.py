"""The log as what policies learn from: each choice of a reply, and what came after it."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlite_utils import Database

from bot.log.rows import select
from bot.messages import Complaint, Source, Verdict
from bot.ranking.experience import LoggedCandidate, LoggedDecision
from bot.ranking.rewards import Aftermath

_ASKED: frozenset[Source] = frozenset({"approved", "draft", "article", "clarification", "handoff"})


def decisions(db: Database, now: datetime) -> Iterator[LoggedDecision]:
    """Yield every choice that answered a question, by conversation, in order.

    Replies that were replaced or taken back are left out, and courtesies and commands, where there
    is nothing to choose.
    """
    slates = _slates(db)
    verdicts = _verdicts(db)
    for _, group in groupby(select(db, _TURNS, {}), lambda row: row["conversation"]):
        turns = list(group)
        for place, row in enumerate(turns):
            slate = slates.get(row["id"])
            if slate and any(each["source"] in _ASKED for each in slate):
                after = _after(turns, place, verdicts.get(row["id"], ()), now)
                yield _decision(row, slate, after)


def _decision(row: sqlite3.Row, slate: Sequence[sqlite3.Row], after: Aftermath) -> LoggedDecision:
    return LoggedDecision(
        turn=row["id"],
        conversation=row["conversation"],
        channel=row["channel"],
        language=row["language"],
        at=datetime.fromisoformat(row["created_at"]),
        policy=row["policy"],
        question=row["question"],
        candidates=tuple(
            LoggedCandidate(
                source=each["source"],
                features=json.loads(each["features"]),
                propensity=each["propensity"],
                is_refused=each["refusal"] is not None,
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


def _slates(db: Database) -> Mapping[str, list[sqlite3.Row]]:
    found: defaultdict[str, list[sqlite3.Row]] = defaultdict(list)
    for row in select(db, "SELECT * FROM candidates ORDER BY turn, position", {}):
        found[row["turn"]].append(row)
    return found


def _verdicts(db: Database) -> Mapping[str, list[tuple[Verdict, Complaint | None]]]:
    """Return the newest verdict of each customer and way of telling it, by reply."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for row in select(db, _VERDICTS, {}):
        found[row["turn"]].append((row["verdict"], row["complaint"]))
    return found


_TURNS = """
    SELECT turns.id, turns.conversation, turns.role, turns.text, turns.language, turns.created_at,
        turns.policy, conversations.channel, asked.text AS question, shown.source,
        (SELECT reason FROM handoffs WHERE handoffs.turn = turns.id LIMIT 1) AS reason
    FROM turns JOIN conversations ON conversations.id = turns.conversation
        LEFT JOIN turns AS asked ON asked.id = turns.replied_to
        LEFT JOIN candidates AS shown ON shown.turn = turns.id AND shown.shown
    WHERE turns.superseded_by IS NULL AND turns.withdrawn_at IS NULL
    ORDER BY turns.conversation, turns.number
"""
_VERDICTS = """
    SELECT turn, verdict, complaint FROM feedback
    WHERE id IN (SELECT max(id) FROM feedback GROUP BY channel, customer, turn, origin)
    ORDER BY id
"""
