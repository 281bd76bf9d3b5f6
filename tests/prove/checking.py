"""The log is the truth: what was written, sent and shown, against the log, text by text (D6)."""

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.log.store import open_read_only
from tests.prove.town import Message, Person, Post, Town

NUMBER = re.compile(r"\AQ(\d+)")
EVIDENCE = 12


@dataclass
class Findings:
    """What was wrong, each with its evidence; and what is told beside it."""

    messages: int = 0
    unanswered: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    rows_lost: list[str] = field(default_factory=list)
    rows_doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    in_doubt: int = 0
    handed_off: int = 0
    placeholders: int = 0
    beginnings: int = 0

    @property
    def are_none(self) -> bool:
        """Whether everything is as it should be."""
        return not self.faults

    @property
    def strays(self) -> int:
        """Return how many posts stayed behind that are no answer."""
        return self.placeholders + self.beginnings

    @property
    def faults(self) -> list[str]:
        """Return all evidence."""
        return [
            *(f"unanswered: {each}" for each in self.unanswered),
            *(f"answered twice: {each}" for each in self.doubled),
            *(f"row lost: {each}" for each in self.rows_lost),
            *(f"row doubled: {each}" for each in self.rows_doubled),
            *(f"out of order: {each}" for each in self.disordered),
            *(f"not as logged: {each}" for each in self.differing),
        ]

    def __str__(self) -> str:
        found = [
            f"{self.messages} messages",
            f"{len(self.unanswered)} unanswered",
            f"{len(self.doubled)} answered twice",
            f"{len(self.rows_lost)} rows lost",
            f"{len(self.rows_doubled)} doubled",
            f"{len(self.disordered)} out of order",
            f"{len(self.differing)} not as logged",
        ]
        if self.in_doubt:
            found.append(f"{self.in_doubt} in doubt")
        return ", ".join(found) + "".join(f"; {fault}" for fault in self.faults[:EVIDENCE])


@dataclass(frozen=True, slots=True)
class Asked:
    """A row of the inbox."""

    id: int
    channel: str
    text: str
    reply: str | None


@dataclass(frozen=True, slots=True)
class Replied:
    """A reply in the log, with the posts that show it."""

    turn: str
    text: str
    channel: str
    address: str
    state: str
    posts: tuple[str, ...]


class Log:
    """What the log holds at the end, read at once."""

    def __init__(self, path: Path) -> None:
        db = open_read_only(path)
        try:
            self.integrity = [row[0] for row in db.execute("PRAGMA integrity_check").fetchall()]
            self.orphans = db.execute("PRAGMA foreign_key_check").fetchall()
            self.asked = [
                Asked(*row)
                for row in db.execute(
                    "SELECT id, channel, text, reply FROM inbox ORDER BY id"
                ).fetchall()
            ]
            self.turns: list[tuple[str, str, str, str | None]] = db.execute(
                "SELECT id, role, text, replied_to FROM turns ORDER BY conversation, number"
            ).fetchall()
            posts: dict[int, list[str]] = defaultdict(list)
            for outbox, post in db.execute(
                "SELECT outbox, post FROM posts ORDER BY outbox, part"
            ).fetchall():
                posts[outbox].append(post)
            self.replied = [
                Replied(turn, text, channel, address, state, tuple(posts[row]))
                for row, turn, text, channel, address, state in db.execute(
                    "SELECT outbox.id, turn, turns.text, channel, address, state FROM outbox"
                    " JOIN turns ON turns.id = outbox.turn ORDER BY outbox.id"
                ).fetchall()
            ]
            self.handoffs = db.execute("SELECT count(*) FROM handoffs").fetchone()[0]
        finally:
            db.close()
        self.reply_of = {reply.turn: reply for reply in self.replied}


def check(town: Town, database: Path) -> Findings:
    """Compare everything; the program must have ended."""
    return _Check(town, Log(database)).findings


class _Check:
    def __init__(self, town: Town, log: Log) -> None:
        self.town, self.log = town, log
        self.findings = Findings(messages=len(town.messages))
        self.rows: dict[int, list[Asked]] = defaultdict(list)
        for row in log.asked:
            if found := NUMBER.match(row.text):
                self.rows[int(found[1])].append(row)
        self._check_file()
        self._check_rows()
        self._check_turns()
        for person in town.people:
            if person.platform is town.web:
                self._check_page(person)
            else:
                self._check_chat(person)
        self.findings.in_doubt = sum(reply.state == "in_doubt" for reply in log.replied)
        self.findings.handed_off = log.handoffs

    def _check_file(self) -> None:
        if self.log.integrity != ["ok"] or self.log.orphans:
            self.findings.differing.append(f"the file: {self.log.integrity} {self.log.orphans}")

    def _check_rows(self) -> None:
        for message in self.town.messages:
            rows = self.rows[message.number]
            if not rows:
                self.findings.rows_lost.append(f"Q{message.number} in {message.chat}")
            if len(rows) > 1:
                self.findings.rows_doubled.append(f"Q{message.number} in {message.chat}")
            if any(row.text != message.text for row in rows):
                self.findings.differing.append(f"Q{message.number} is {rows[0].text!r}")

    def _check_turns(self) -> None:
        """Each message is one turn of its customer, with at most one reply of its own."""
        numbers: Counter[str] = Counter()
        replied: Counter[str] = Counter()
        for _, role, text, replied_to in self.log.turns:
            if role == "customer" and (found := NUMBER.match(text)):
                numbers[found[1]] += 1
            if replied_to:
                replied[replied_to] += 1
        for number, times in numbers.items():
            if times > 1:
                self.findings.rows_doubled.append(f"turn of Q{number}, {times} times")
        for turn, times in replied.items():
            if times > 1:
                self.findings.doubled.append(f"turn {turn} has {times} replies in the log")

    def _check_chat(self, person: Person) -> None:
        posts = {post.id: post for post in person.platform.posts(person.customer)}
        where = f"{person.platform.name} {person.platform.chat(person.customer)}"
        turns = self._turns_in_order(person)
        taken: set[str] = set()
        for message in person.messages:
            reply = self._reply_to(message)
            shown = [posts[post] for post in reply.posts if post in posts] if reply else []
            taken.update(post.id for post in shown)
            if reply is None or not _shows(shown, reply.text):
                state = f"{reply.state}, shown: {[p.text for p in shown]}" if reply else "no reply"
                self.findings.unanswered.append(f"Q{message.number} in {where} ({state})")
        for post in posts.values():
            if post.id not in taken:
                self._note_surplus(post, where)
        self._check_order(turns, [post for post in posts if post in taken], where)
        self._check_count(person, list(posts.values()), where)

    def _note_surplus(self, post: Post, where: str) -> None:
        if post.is_whole:
            self.findings.doubled.append(f"{post.id} in {where}: {post.text!r}")
        elif post.text in self.town.telegram.placeholders:
            self.findings.placeholders += 1
        else:
            self.findings.beginnings += 1

    def _check_count(self, person: Person, posts: list[Post], where: str) -> None:
        """Of who waits for each answer, the platform alone tells how many there must be."""
        whole = sum(post.is_whole for post in posts)
        if person.pairs == 0 and person.is_patient and whole != len(person.messages):
            self.findings.differing.append(
                f"{where} shows {whole} answers to {len(person.messages)} messages"
            )

    def _check_order(self, turns: list[str], posts: list[str], where: str) -> None:
        """Answers stand in the order in which their questions were stored."""
        place = {post: turn for turn in turns for post in self.log.reply_of[turn].posts}
        shown = list(dict.fromkeys(place[post] for post in posts if post in place))
        expected = [turn for turn in turns if turn in set(shown)]
        if shown != expected:
            self.findings.disordered.append(f"{where}: {shown} instead of {expected}")

    def _turns_in_order(self, person: Person) -> list[str]:
        numbers = {message.number for message in person.messages}
        rows = sorted((row for n in numbers for row in self.rows[n]), key=lambda row: row.id)
        groups = {message.number: message.group for message in person.messages}
        order = [groups[int(NUMBER.match(row.text)[1])] for row in rows]  # type: ignore[index]
        if order != sorted(order) and person.is_patient:
            where = f"{person.platform.name} {person.platform.chat(person.customer)}"
            self.findings.disordered.append(f"{where}: its messages are stored as {order}")
        return list(dict.fromkeys(row.reply for row in rows if row.reply in self.log.reply_of))

    def _reply_to(self, message: Message) -> Replied | None:
        rows = self.rows[message.number]
        return self.log.reply_of.get(rows[0].reply or "") if rows else None

    def _check_page(self, person: Person) -> None:
        self._turns_in_order(person)
        for message in person.messages:
            given = self.town.web.answered.get(message.number, [])
            reply = self._reply_to(message)
            if reply is None or not given:
                self.findings.unanswered.append(f"Q{message.number} on the page")
            elif {(answer.turn, answer.text) for answer in given} != {(reply.turn, reply.text)}:
                self.findings.doubled.append(f"Q{message.number} on the page: {given} {reply}")


def _shows(posts: list[Post], text: str) -> bool:
    shown = _plain("".join(post.text for post in posts))
    return bool(posts) and _plain(text) in shown


def _plain(text: Any) -> str:
    """Return a text without spaces, and without what platforms show of Markdown otherwise."""
    text = text if isinstance(text, str) else json.dumps(text)
    text = re.sub(r"(?m)^[-•] +", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text))
    return re.sub(r"\s+", "", text)
