"""Which two replies to ask the team about next: where their word says most."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from sqlite_utils import Database

from bot.log.preferences import STANDING, history_before, plain
from bot.log.rows import as_citations, select
from bot.messages import Citation, Language, Turn
from bot.ranking.rewards import is_same_question

# The newest: what is older was answered by what is hardly in use any more.
MOST_REPLIES = 1000


class PairKey(NamedTuple):
    """Two candidates of a reply, by their places on its slate, in order."""

    turn: str
    first: int
    second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A candidate as its customer would see it."""

    place: int
    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A question with the turns before it and two replies that it might have got."""

    key: PairKey
    conversation: str
    number: int
    language: Language
    question: str
    history: tuple[Turn, ...]
    options: tuple[Option, Option]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The next choice of an account, None when there is none; how many it made, how many wait."""

    next: Choice | None
    done: int
    left: int


def choices(db: Database, account: str, skipped: Collection[PairKey] = ()) -> Choices:
    """Return what to ask an account next, of the newest replies, but for what it skipped now.

    First comes where the policy was least sure, the customer disliked the reply or asked the same
    again; each slate once before any a second time. The languages take turns: next is the one in
    which the account has judged the fewest.
    """
    judged = _judged(db, account)
    queues = _queues(db, judged)
    waiting = {
        language: [key for key in queue if key not in skipped] for language, queue in queues.items()
    }
    made = Counter(judged.values())
    turn_of = min(
        (language for language in waiting if waiting[language]), key=made.__getitem__, default=None
    )
    return Choices(
        next=choice(db, waiting[turn_of][0]) if turn_of else None,
        done=len(judged),
        left=sum(map(len, queues.values())),
    )


def choice(db: Database, key: PairKey) -> Choice | None:
    """Return two candidates side by side with their question; None where there is no such pair."""
    rows = select(db, _CHOICE, {"turn": key.turn, "first": key.first, "second": key.second})
    if key.first > key.second or len(rows) != 2 or plain(rows[0]["text"]) == plain(rows[1]["text"]):
        return None
    first, second = (
        Option(place=row["position"], text=row["text"], citations=as_citations(row["citations"]))
        for row in rows
    )
    row = rows[0]
    return Choice(
        key=PairKey(key.turn, first.place, second.place),
        conversation=row["conversation"],
        number=row["number"],
        language=row["language"],
        question=row["question"],
        history=history_before(db, row["conversation"], row["asked_number"]),
        options=(first, second),
    )


def _judged(db: Database, account: str) -> Mapping[PairKey, Language]:
    """Return the pairs that an account has judged, with their languages."""
    rows = select(db, _JUDGED, {"account": account})
    return {PairKey(row["turn"], row["first"], row["second"]): row["language"] for row in rows}


def _queues(db: Database, judged: Collection[PairKey]) -> Mapping[Language, list[PairKey]]:
    """Return what an account has not judged, in each language, what says most first."""
    seen = Counter(key.turn for key in judged)
    slates = _slates(db)
    found: defaultdict[Language, list[tuple[float, float, int, PairKey]]] = defaultdict(list)
    for age, reply in enumerate(select(db, _REPLIES, {"limit": MOST_REPLIES})):
        pairs = [pair for pair in _worth(reply, slates[reply["id"]]) if pair[1] not in judged]
        for place, (worth, key) in enumerate(sorted(pairs, key=lambda pair: -pair[0])):
            found[reply["language"]].append((seen[key.turn] + place, -worth, age, key))
    # Where nothing is said in one language, the next is that of what says most.
    ordered = {language: sorted(queue) for language, queue in found.items()}
    by_worth = sorted(ordered, key=lambda language: ordered[language][0])
    return {language: [key for *_, key in ordered[language]] for language in by_worth}


def _worth(reply: sqlite3.Row, slate: Sequence[sqlite3.Row]) -> Iterator[tuple[float, PairKey]]:
    """Yield the pairs of a slate, the shown one's first, with how much a verdict on each says."""
    ordered = sorted(slate, key=lambda row: (not row["shown"], row["position"]))
    pairs = list(combinations([(row, plain(row["text"])) for row in ordered], 2))
    again = bool(pairs and reply["next_text"]) and is_same_question(
        reply["question"], reply["next_text"]
    )
    failed = bool(reply["is_disliked"]) + again
    for (one, text), (other, other_text) in pairs:
        if text != other_text:
            least, most = sorted((one["propensity"], other["propensity"]))
            first, second = sorted((one["position"], other["position"]))
            unsure = least / most if most else 0.0
            yield unsure + failed, PairKey(reply["id"], first, second)


def _slates(db: Database) -> Mapping[str, list[sqlite3.Row]]:
    """Return what might have been shown, of the newest replies."""
    found: defaultdict[str, list[sqlite3.Row]] = defaultdict(list)
    for row in select(db, _SLATES, {"limit": MOST_REPLIES}):
        found[row["turn"]].append(row)
    return found


_NEWEST = "SELECT id FROM turns WHERE replied_to IS NOT NULL ORDER BY id DESC LIMIT :limit"
_JUDGED = """
    SELECT turn, first, second, turns.language
    FROM preferences JOIN turns ON turns.id = preferences.turn WHERE account = :account
"""
_REPLIES = f"""
    SELECT turns.id, turns.language, asked.text AS question,
        (SELECT next.text FROM turns AS next
            WHERE next.conversation = turns.conversation AND next.number > turns.number
                AND next.role = 'customer' AND next.superseded_by IS NULL
                AND next.withdrawn_at IS NULL
            ORDER BY next.number LIMIT 1) AS next_text,
        EXISTS (SELECT 1 FROM feedback AS said WHERE said.turn = turns.id AND verdict = 'down'
            AND NOT EXISTS (SELECT 1 FROM feedback AS later
                WHERE later.turn = said.turn AND later.id > said.id
                    AND later.channel = said.channel AND later.customer = said.customer
                    AND later.origin = said.origin)) AS is_disliked
    FROM {STANDING} AND turns.id IN ({_NEWEST})
    ORDER BY turns.id DESC
"""
_SLATES = f"""
    SELECT turn, position, text, propensity, shown FROM candidates
    WHERE turn IN ({_NEWEST}) AND refusal IS NULL AND text <> ''
    ORDER BY turn, position
"""
_CHOICE = f"""
    SELECT position, candidates.text, citations, turns.conversation, turns.number, turns.language,
        asked.text AS question, asked.number AS asked_number
    FROM candidates JOIN {STANDING} AND turns.id = candidates.turn
    WHERE candidates.turn = :turn AND position IN (:first, :second) AND refusal IS NULL
        AND candidates.text <> ''
    ORDER BY position
"""
