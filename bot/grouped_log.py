"""The log's messages that no intent fits, in groups: from what the log holds to what it keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlite_utils import Database

from bot.intents.discovery import carried_over
from bot.intents.grouping import Grouped, Task
from bot.intents.naming import Described, ModelNamer
from bot.log import group_runs
from bot.log.group_runs import FEWEST_IN_GROUP, FoundGroup, Known

MOST_NAMED = 20  # by the model in a run, the largest first: each is a call of it
_TELLING_TERMS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ToGroup:
    """What a run groups: `texts` are different ones, `turns` who wrote each, the newest first."""

    known: Known
    texts: Sequence[str]
    turns: Mapping[str, Sequence[str]]

    def task(self, number: int | None = None, seed: int = 0) -> Task | None:
        """Return the task of grouping them, None where there is nothing to group."""
        if not self.known.messages:
            return None
        place = {text: row for row, text in enumerate(self.texts)}
        confirmed: dict[str, list[int]] = {}
        taken: set[str] = set()
        for anchor in self.known.anchors:
            if anchor.text not in taken:  # the same words show one group at most
                taken.add(anchor.text)
                confirmed.setdefault(str(anchor.group), []).append(place[anchor.text])
        return Task(texts=self.texts, confirmed=confirmed, number=number, seed=seed)


def to_group(known: Known) -> ToGroup:
    """Return what a run groups of what the log holds."""
    turns: dict[str, list[str]] = {}
    for asked in known.messages:
        turns.setdefault(asked.text, []).append(asked.id)
    for anchor in known.anchors:
        turns.setdefault(anchor.text, [])
    return ToGroup(known=known, texts=list(turns), turns=turns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A group that was found, with what it is about and the texts of it, examples first."""

    group: FoundGroup
    described: Described
    texts: Sequence[str]


def found_groups(given: ToGroup, grouped: Grouped) -> list[Named]:
    """Return the groups of a run: those decided about, those known again, and new ones.

    A new one of a single message is none.
    """
    members: dict[int, list[str]] = {}
    for text, number in zip(given.texts, grouped.groups, strict=True):
        members.setdefault(number, []).append(text)
    ids = _ids(given, grouped)
    named = [
        _named(
            given, grouped.described[number], texts, ids.get(number), is_kept=number in grouped.keys
        )
        for number, texts in sorted(members.items())
    ]
    return [
        each
        for each in named
        if each.group.turns
        and (len(each.group.turns) >= FEWEST_IN_GROUP or each.group.id is not None)
    ]


async def with_names(found: Sequence[Named], namer: ModelNamer) -> list[Named]:
    """Return groups with the model's names, for those that want a new one, the largest first."""
    wanting = [each for each in found if each.group.name]
    wanting.sort(key=lambda each: -len(each.group.turns))
    names = {
        id(each): await namer.name(each.described, each.texts) for each in wanting[:MOST_NAMED]
    }
    return [
        replace(each, group=replace(each.group, name=names.get(id(each), each.group.name)))
        for each in found
    ]


def keep(
    db: Database, given: ToGroup, found: Sequence[Named], started: datetime, now: datetime
) -> None:
    """Store what a run found."""
    read = [asked.id for asked in given.known.messages]
    group_runs.keep(db, [each.group for each in found], read, started, now)


def _ids(given: ToGroup, grouped: Grouped) -> dict[int, int]:
    """Return which groups are there already: decided about, or known by their messages."""
    kept = {number: int(key) for number, key in grouped.keys.items()}
    now = {
        turn: number
        for text, number in zip(given.texts, grouped.groups, strict=True)
        for turn in given.turns[text]
        if number not in kept
    }
    return kept | carried_over(given.known.before, now)


def _named(
    given: ToGroup, described: Described, texts: Sequence[str], number: int | None, *, is_kept: bool
) -> Named:
    shown = [given.texts[row] for row in described.examples]
    terms = described.terms
    before = given.known.terms.get(number, ()) if number is not None else ()
    is_same = set(terms[:_TELLING_TERMS]) == set(before[:_TELLING_TERMS])
    group = FoundGroup(
        id=number,
        name="" if is_kept or is_same else described.name,
        terms=terms,
        turns=[turn for text in texts for turn in given.turns[text]],
        examples=[given.turns[text][0] for text in shown if given.turns[text]],
    )
    return Named(group=group, described=described, texts=list(dict.fromkeys([*shown, *texts])))
