"""Accounts: the password, guesses, sessions, and the record of who looked at what."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.log.accounts import (
    AGE_LIMIT,
    GUESSING_WINDOW,
    IDLE_LIMIT,
    MOST_GUESSES,
    MOST_GUESSES_OF_ONE_ADDRESS,
    MOST_GUESSES_OF_STRANGERS,
    MOST_KNOWN_ADDRESSES,
    Accounts,
    GuessLimit,
    utc_now,
)
from bot.log.store import Store
from tests.adapters.web.dialogues import Clock

PASSWORD = "correct horse battery staple"
HOME = "192.0.2.1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "frontdesk.db") as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def accounts(store: Store, clock: Clock) -> Accounts:
    prepared = Accounts(store, clock)
    await prepared.prepare(PASSWORD)
    return prepared


async def log_in(accounts: Accounts, address: str = HOME) -> str:
    token = (await accounts.log_in(PASSWORD, address)).token
    assert token
    return token


async def audit(store: Store) -> list[tuple[str, str, str]]:
    return await store.read(
        lambda db: db.execute("SELECT account, action, object FROM audit ORDER BY id").fetchall()
    )


async def test_that_the_first_start_makes_a_password_and_tells_it_once(
    store: Store, clock: Clock
) -> None:
    accounts = Accounts(store, clock)
    made = await accounts.prepare(None)
    assert made
    assert len(made) == 16
    assert (await accounts.log_in(made, HOME)).outcome == "accepted"
    assert await accounts.prepare(None) is None


async def test_that_two_installations_get_different_passwords(tmp_path: Path) -> None:
    with Store(tmp_path / "a" / "f.db") as first, Store(tmp_path / "b" / "f.db") as second:
        assert await Accounts(first).prepare(None) != await Accounts(second).prepare(None)


async def test_that_a_set_password_is_never_told(store: Store) -> None:
    assert await Accounts(store).prepare(PASSWORD) is None


async def test_that_a_password_is_kept_as_an_argon2id_hash(
    store: Store, accounts: Accounts
) -> None:
    [hashed] = await store.read(
        lambda db: db.execute("SELECT password_hash FROM accounts").fetchone()
    )
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in hashed


async def test_that_a_changed_password_replaces_the_old_and_ends_its_sessions(
    accounts: Accounts,
) -> None:
    token = await log_in(accounts)
    await accounts.prepare("another long password")
    assert await accounts.session(token) is None
    assert (await accounts.log_in(PASSWORD, HOME)).outcome == "wrong_password"
    assert (await accounts.log_in("another long password", HOME)).outcome == "accepted"


async def test_that_the_same_password_at_a_restart_keeps_the_sessions(
    store: Store, accounts: Accounts, clock: Clock
) -> None:
    token = await log_in(accounts)
    restarted = Accounts(store, clock)
    await restarted.prepare(PASSWORD)
    assert await restarted.session(token)


async def test_that_a_password_taken_out_of_the_settings_stays(
    store: Store, accounts: Accounts
) -> None:
    assert await Accounts(store).prepare(None) is None
    assert (await accounts.log_in(PASSWORD, HOME)).outcome == "accepted"


@pytest.mark.parametrize("password", ["", "1234567", "a" * 1001])
async def test_that_a_password_of_a_wrong_length_is_refused(store: Store, password: str) -> None:
    with pytest.raises(SettingsError, match=f"has {len(password)} characters; give it 8 to 1000"):
        await Accounts(store).prepare(password)


async def test_that_a_short_password_is_warned_of_without_showing_it(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await Accounts(store).prepare("hunter2hunter")
    assert "15 characters are safer" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    "password", ["", "wrong", PASSWORD.upper(), PASSWORD + " ", "\x00", "a" * 100_000, "退货" * 9]
)
async def test_that_a_wrong_password_is_refused(accounts: Accounts, password: str) -> None:
    login = await accounts.log_in(password, HOME)
    assert (login.outcome, login.token) == ("wrong_password", None)


async def test_that_nobody_gets_in_without_an_account(store: Store) -> None:
    assert (await Accounts(store).log_in("", HOME)).outcome == "wrong_password"


async def test_that_a_session_is_an_unguessable_token_kept_as_a_hash(
    store: Store, accounts: Accounts
) -> None:
    tokens = {await log_in(accounts, f"192.0.2.{n}") for n in range(3)}
    rows = await store.read(lambda db: db.execute("SELECT token_hash FROM sessions").fetchall())
    assert {len(token) for token in tokens} == {43}
    assert len(rows) == 3
    assert not any(token in row[0] for token in tokens for row in rows)


@pytest.mark.parametrize("token", ["", "x", "' OR 1=1 --", "\ud800", "A" * 10_000])
async def test_that_a_made_up_token_opens_nothing(accounts: Accounts, token: str) -> None:
    await log_in(accounts)
    assert await accounts.session(token) is None


async def test_that_a_session_lasts_while_it_is_used(accounts: Accounts, clock: Clock) -> None:
    token = await log_in(accounts)
    for _ in range(10):
        clock.forward(minutes=29)
        found = await accounts.session(token)
        assert found
        assert found.account == "admin"


async def test_that_an_idle_session_ends(accounts: Accounts, clock: Clock) -> None:
    token = await log_in(accounts)
    clock.now += IDLE_LIMIT
    assert await accounts.session(token) is None
    clock.now -= IDLE_LIMIT
    assert await accounts.session(token) is None


async def test_that_even_a_used_session_ends_after_twelve_hours(
    accounts: Accounts, clock: Clock
) -> None:
    token = await log_in(accounts)
    end = clock.now + AGE_LIMIT
    while clock.now + timedelta(minutes=20) < end:
        clock.forward(minutes=20)
        assert await accounts.session(token)
    clock.now = end
    assert await accounts.session(token) is None


async def test_that_looking_often_writes_seldom(
    store: Store, accounts: Accounts, clock: Clock
) -> None:
    token = await log_in(accounts)
    clock.forward(seconds=59)
    await accounts.session(token)
    assert await last_seen(store) == (clock.now - timedelta(seconds=59)).isoformat()
    clock.forward(seconds=1)
    await accounts.session(token)
    assert await last_seen(store) == clock.now.isoformat()


async def test_that_log_out_ends_the_session_at_once(accounts: Accounts) -> None:
    token, other = await log_in(accounts), await log_in(accounts, "192.0.2.2")
    await accounts.log_out(token)
    assert await accounts.session(token) is None
    assert await accounts.session(other)


async def test_that_log_out_without_a_session_is_fine(store: Store, accounts: Accounts) -> None:
    await accounts.log_out("nothing")
    assert await audit(store) == []


async def test_that_a_login_clears_away_sessions_that_are_over(
    store: Store, accounts: Accounts, clock: Clock
) -> None:
    await log_in(accounts)
    clock.now += AGE_LIMIT
    await log_in(accounts)
    assert await store.read(lambda db: db.table("sessions").count) == 1


async def test_that_coming_and_going_is_written_down(store: Store, accounts: Accounts) -> None:
    await accounts.log_in("wrong", "203.0.113.9")
    await accounts.log_out(await log_in(accounts))
    await accounts.record("admin", "view_transcript", "c1")
    assert await audit(store) == [
        ("admin", "log_in_failed", "203.0.113.9"),
        ("admin", "log_in", HOME),
        ("admin", "log_out", ""),
        ("admin", "view_transcript", "c1"),
    ]


async def test_that_guesses_beyond_the_limit_do_not_reach_the_hash(
    store: Store, accounts: Accounts
) -> None:
    outcomes = [(await accounts.log_in("wrong", f"203.0.113.{n}")).outcome for n in range(30)]
    assert outcomes.count("wrong_password") == MOST_GUESSES_OF_STRANGERS
    assert set(outcomes[MOST_GUESSES_OF_STRANGERS:]) == {"too_many_attempts"}
    assert len(await audit(store)) == MOST_GUESSES_OF_STRANGERS


async def test_that_the_right_password_gets_in_while_another_address_guesses(
    accounts: Accounts,
) -> None:
    for _ in range(50):
        await accounts.log_in("wrong", "203.0.113.9")
    assert (await accounts.log_in(PASSWORD, HOME)).outcome == "accepted"


async def test_that_a_known_address_gets_in_while_many_strangers_guess(
    accounts: Accounts, clock: Clock
) -> None:
    await log_in(accounts)
    clock.now += GUESSING_WINDOW
    for n in range(50):
        await accounts.log_in("wrong", f"203.0.113.{n}")
    assert (await accounts.log_in(PASSWORD, HOME)).outcome == "accepted"


async def test_that_many_logins_at_once_all_come_to_an_end(accounts: Accounts) -> None:
    logins = await asyncio.gather(*(accounts.log_in("wrong", f"10.0.0.{n}") for n in range(20)))
    assert sum(login.outcome == "wrong_password" for login in logins) == MOST_GUESSES_OF_STRANGERS


def test_that_one_address_has_fewer_guesses_than_all(clock: Clock) -> None:
    limit = GuessLimit(clock)
    admitted = [limit.admit(HOME) for _ in range(20)]
    assert sum(admitted) == MOST_GUESSES_OF_ONE_ADDRESS
    assert limit.admit("192.0.2.2")


def test_that_no_minute_has_more_guesses_than_ten(clock: Clock) -> None:
    limit = GuessLimit(clock)
    for n in range(20):
        limit.trust(f"10.0.0.{n}")
    times = []
    for second in range(600):
        clock.now += timedelta(seconds=1)
        if limit.admit(f"10.0.0.{second % 20}"):
            times.append(clock.now)
    counts = [sum(start <= time < start + GUESSING_WINDOW for time in times) for start in times]
    assert max(counts) == MOST_GUESSES


def test_that_guesses_are_forgiven_after_a_minute(clock: Clock) -> None:
    limit = GuessLimit(clock)
    for _ in range(20):
        limit.admit(HOME)
    clock.now += GUESSING_WINDOW - timedelta(milliseconds=1)
    assert not limit.admit(HOME)
    clock.forward(milliseconds=1)
    assert limit.admit(HOME)


def test_that_the_limits_memory_is_bounded(clock: Clock) -> None:
    limit = GuessLimit(clock)
    for n in range(10_000):
        limit.admit(f"address {n}")
        limit.trust(f"address {n}")
    assert len(limit._attempts) <= MOST_GUESSES
    assert len(limit._known) == MOST_KNOWN_ADDRESSES


def test_that_the_clock_outside_of_tests_knows_its_zone() -> None:
    assert utc_now().utcoffset() == timedelta(0)


async def last_seen(store: Store) -> str:
    row = await store.read(lambda db: db.execute("SELECT last_seen_at FROM sessions").fetchone())
    return str(row[0])
