"""Who may review the log: the admin's password, sessions, and the record of who looked at what.

Passwords are kept as Argon2id hashes, sessions by the SHA-256 of their token, so that a copy of the
database opens nothing. Hashing takes some 30 ms on purpose, which is also why guesses are limited
before they reach it: ten a minute in all, five of one address, and the last three of the ten only
for addresses that have logged in before, so that a stranger who guesses can't keep the admin out.
"""

import asyncio
import hashlib
import logging
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlite_utils import Database

from bot.errors import SettingsError
from bot.log.store import Store

logger = logging.getLogger(__name__)

ADMIN = "admin"
SHORTEST_PASSWORD = 8
ADVISED_PASSWORD = 15
LONGEST_PASSWORD = 1000
IDLE_LIMIT = timedelta(minutes=30)
AGE_LIMIT = timedelta(hours=12)
# A page view within this time of the last one isn't worth a write to the disk.
SEEN_GRANULARITY = timedelta(minutes=1)

GUESSING_WINDOW = timedelta(minutes=1)
MOST_GUESSES = 10
MOST_GUESSES_OF_STRANGERS = 7
MOST_GUESSES_OF_ONE_ADDRESS = 5
MOST_KNOWN_ADDRESSES = 100
HASHES_AT_ONCE = 2

Clock = Callable[[], datetime]
Action = Literal[
    "log_in",
    "log_in_failed",
    "log_out",
    "view_list",
    "view_transcript",
    "view_attachment",
    "settle",
    "search",
    "view_approved",
    "add_approved",
    "edit_approved",
    "retire_approved",
    "view_gaps",
    "draft_gap",
    "mark_gap",
    "view_actions",
    "approve_action",
    "refuse_action",
    "view_choices",
    "choose",
    "correct",
    "view_ranking",
    "view_intents",
    "label_intent",
    "decide_intent",
    "view_groups",
    "view_group",
    "look_for_groups",
    "decide_group",
    "draft_group",
    "view_analysis",
    "export_analysis",
]


def utc_now() -> datetime:
    """Return the time, as the pages outside of tests want it."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What an attempt to log in came to; only an accepted one has a token."""

    outcome: Literal["accepted", "wrong_password", "too_many_attempts"]
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Someone who is logged in."""

    account: str
    created_at: datetime


class GuessLimit:
    """Lets at most ten attempts a minute through.

    Its memory is bounded by what it lets through: ten attempts, and a hundred known addresses.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._attempts: deque[tuple[datetime, str]] = deque()
        self._known: OrderedDict[str, None] = OrderedDict()

    def admit(self, address: str) -> bool:
        """Count an attempt of `address`; return False when it must not go further."""
        now = self._clock()
        while self._attempts and now - self._attempts[0][0] >= GUESSING_WINDOW:
            self._attempts.popleft()
        most = MOST_GUESSES if address in self._known else MOST_GUESSES_OF_STRANGERS
        of_address = sum(attempt[1] == address for attempt in self._attempts)
        if len(self._attempts) >= most or of_address >= MOST_GUESSES_OF_ONE_ADDRESS:
            return False
        self._attempts.append((now, address))
        return True

    def trust(self, address: str) -> None:
        """Remember that someone logged in from `address`."""
        self._known[address] = None
        self._known.move_to_end(address)
        if len(self._known) > MOST_KNOWN_ADDRESSES:
            self._known.popitem(last=False)


class Accounts:
    """The accounts, their sessions, and the audit."""

    def __init__(self, store: Store, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock
        self._limit = GuessLimit(clock)
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    async def prepare(self, password: str | None) -> str | None:
        """See that the admin account exists; return its password if one was made just now.

        A password from the settings replaces the stored one, and ends its sessions. Raises
        SettingsError when it is too short or too long.
        """
        stored = await self._store.read(_password_hash)
        if password is None:
            return None if stored else await self._make_password()
        _check_password(password)
        if stored is None or not await self._verify(stored, password):
            await self._set_password(password)
        return None

    async def log_in(self, password: str, address: str) -> Login:
        """Check the password that came from `address` and begin a session."""
        if not self._limit.admit(address):
            return Login(outcome="too_many_attempts")
        stored = await self._store.read(_password_hash)
        if stored is None or not await self._verify(stored, password):
            await self.record(ADMIN, "log_in_failed", address)
            return Login(outcome="wrong_password")
        self._limit.trust(address)
        return Login(outcome="accepted", token=await self._begin_session(address))

    async def session(self, token: str) -> Session | None:
        """Return the session of a token while it lasts, and count this as use of it."""
        key = _digest(token)
        found = await self._store.read(lambda db: _session_row(db, key))
        if found is None:
            return None
        account, created_at, last_seen_at = found
        now = self._clock()
        if now - last_seen_at >= IDLE_LIMIT or now - created_at >= AGE_LIMIT:
            await self._store.write(lambda db: _delete_session(db, key))
            return None
        if now - last_seen_at >= SEEN_GRANULARITY:
            await self._store.write(lambda db: _touch_session(db, key, now))
        return Session(account=account, created_at=created_at)

    async def log_out(self, token: str) -> None:
        """End a session at once."""
        key, now = _digest(token), self._clock()

        def end(db: Database) -> None:
            if found := _session_row(db, key):
                _delete_session(db, key)
                _add_audit(db, now, found[0], "log_out", "")

        await self._store.write(end)

    async def record(self, account: str, action: Action, subject: str) -> None:
        """Write down who did what. Raises LogError when it can't be: then it must not be done."""
        now = self._clock()
        await self._store.write(lambda db: _add_audit(db, now, account, action, subject))

    async def _make_password(self) -> str:
        password = secrets.token_urlsafe(12)
        await self._set_password(password)
        return password

    async def _set_password(self, password: str) -> None:
        hashed = await asyncio.to_thread(self._hasher.hash, password)
        now = self._clock().isoformat()

        def replace(db: Database) -> None:
            db.execute("DELETE FROM sessions WHERE account = ?", [ADMIN])
            db.execute(
                "INSERT INTO accounts (name, password_hash, created_at) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET password_hash = excluded.password_hash",
                [ADMIN, hashed, now],
            )

        await self._store.write(replace)

    async def _verify(self, hashed: str, password: str) -> bool:
        if len(password) > LONGEST_PASSWORD:
            return False
        async with self._hashing:
            try:
                return await asyncio.to_thread(self._hasher.verify, hashed, password)
            except (VerificationError, InvalidHashError):
                return False

    async def _begin_session(self, address: str) -> str:
        token, now = secrets.token_urlsafe(32), self._clock()

        def begin(db: Database) -> None:
            oldest = (now - AGE_LIMIT).isoformat()
            db.execute("DELETE FROM sessions WHERE created_at <= ?", [oldest])
            db.execute(
                "INSERT INTO sessions (token_hash, account, created_at, last_seen_at)"
                " VALUES (?, ?, ?, ?)",
                [_digest(token), ADMIN, now.isoformat(), now.isoformat()],
            )
            _add_audit(db, now, ADMIN, "log_in", address)

        await self._store.write(begin)
        return token


def _check_password(password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise SettingsError(
            f"FRONTDESK_ADMIN_PASSWORD has {len(password)} characters; give it "
            f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD}, better {ADVISED_PASSWORD} or more."
        )
    if len(password) < ADVISED_PASSWORD:
        logger.warning("The admin password is short; %d characters are safer.", ADVISED_PASSWORD)


def _digest(token: str) -> str:
    # Not a password hash: 256 random bits can't be guessed, whatever the speed.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _password_hash(db: Database) -> str | None:
    row = db.execute("SELECT password_hash FROM accounts WHERE name = ?", [ADMIN]).fetchone()
    return row[0] if row else None


def _session_row(db: Database, key: str) -> tuple[str, datetime, datetime] | None:
    row = db.execute(
        "SELECT account, created_at, last_seen_at FROM sessions WHERE token_hash = ?", [key]
    ).fetchone()
    if row is None:
        return None
    return row[0], datetime.fromisoformat(row[1]), datetime.fromisoformat(row[2])


def _delete_session(db: Database, key: str) -> None:
    db.execute("DELETE FROM sessions WHERE token_hash = ?", [key])


def _touch_session(db: Database, key: str, now: datetime) -> None:
    db.execute("UPDATE sessions SET last_seen_at = ? WHERE token_hash = ?", [now.isoformat(), key])


def _add_audit(db: Database, now: datetime, account: str, action: Action, subject: str) -> None:
    db.execute(
        "INSERT INTO audit (at, account, action, object) VALUES (?, ?, ?, ?)",
        [now.isoformat(), account, action, subject],
    )
