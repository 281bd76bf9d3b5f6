"""The schema's steps: their names stay, and every step leads to the last with all rows."""

import itertools
from collections.abc import Callable

import pytest
from sqlite_utils import Database
from sqlite_utils.db import NotFoundError

from bot.log import inbox
from bot.log import migrations as module
from bot.log.migrations import migrations
from bot.log.store import migrations_by_name

# Released names never change and never go; new ones are added at the end.
NAMES = [
    "m001_dialogues",
    "m002_knowledge",
    "m003_delivery",
    "m004_admin",
    "m005_channels",
    "m006_reliability",
    "m007_sources",
    "m008_actions",
    "m009_approved",
    "m010_ranking",
    "m011_corrections",
    "m012_intents",
    "m013_intent_groups",
    "m014_alerts",
]
AT = "2026-03-01T09:30:00+00:00"
ROWS: dict[str, list[tuple[str, list[object]]]] = {
    "m001_dialogues": [
        ("customers", ["c", "telegram", "42", AT]),
        ("conversations", ["k", "c", "telegram", "42", "zh", AT, AT]),
        ("turns", ["t1", "k", 1, "customer", "退货", "zh", AT, None, None, None]),
        ("turns", ["t2", "k", 2, "assistant", "30 天", "zh", AT, "t1", "fixed-order/1", 4.5]),
        ("candidates", ["t2", 0, "article", "30 天", "[]", "{}", None, 1.0, "p", 1]),
        ("generations", [1, "t2", "m", "answer/zh", "v", "{}", 1, 2, 3.0, None]),
        ("handoffs", [1, "k", "t2", "no_article", AT]),
    ],
    "m002_knowledge": [
        ("articles", ["zh/a", "退货", "zh", "", "digest", AT, None]),
        ("passages", ["p", "zh/a", 0, "退货", "", "30 天", "zh", "", None]),
        ("article_questions", ["zh/a", 0, "怎么退"]),
        ("vectors", ["d", "e5", b"\x00\x00\x80?"]),
        ("retrievals", ["t2", 1, "p", 0.9, 0.8, 0.7, 1.0]),
    ],
    "m003_delivery": [
        ("inbox", [1, "telegram", "e1", "42", "42", "退货", None, AT, 0, "t1"]),
        ("inbox_keys", ["telegram", "e1", 1]),
        ("outbox", [1, "t2", "k", "telegram", "42", "{}", "sent", 1, "77", None, AT, AT]),
    ],
    "m004_admin": [
        ("accounts", ["admin", "hash", AT]),
        ("sessions", ["token", "admin", AT, AT]),
        ("audit", [1, AT, "admin", "view", "k"]),
    ],
    "m005_channels": [
        ("attachments", [1, 1, "voice", "file-1", "", "audio/ogg", 2048]),
        ("posts", ["telegram", "42:77", 1, 0]),
        ("feedback", [1, "telegram", "p1", "t2", "42", "button", "up", None, "谢谢", AT]),
        ("erasures", [1, "telegram", "42", AT, None]),
        ("slack_installations", ["", "T1", AT, b"secret"]),
        ("slack_oauth_states", ["hash", AT]),
    ],
    "m006_reliability": [("usage", ["telegram", "42", "2026-03-01", 3, 900])],
    "m007_sources": [
        ("article_files", ["/help", "zh/a.md", "1 2", ".md/1", "[]"]),
        (
            "article_documents",
            [
                *["/help", "zh/a.md", 0, "zh/a", "digest", "zh/a.md", "退货", "zh", "", "public"],
                *[None, None, "[]", "30 天"],
            ],
        ),
    ],
    "m008_actions": [
        (
            "actions",
            [
                *["key", "telegram", "42", "42", "cancel_order", "{}", "取消", "zh", "done"],
                *["已取消", None, "{}", 2, "hash", "t2", "t2", AT, AT, AT, None, None, AT, AT],
            ],
        ),
    ],
    "m009_approved": [
        ("approved_answers", [1, AT, None]),
        ("approved_versions", [1, 1, "可以。", '["能退吗"]', "zh", "zh/a", "", "admin", AT]),
        ("gap_marks", ["t1", "ignored", "admin", AT]),
    ],
    "m010_ranking": [
        ("policies", ["softmax/1", None, AT]),
        ("policy_changes", [1, "softmax/1", "promoted", "", AT]),
        ("preferences", [1, "t1", 0, 1, "first", "admin", AT]),
    ],
    "m011_corrections": [("corrections", [1, "t2", "30 天内可退", "admin", AT])],
    "m012_intents": [
        ("intents", [1, "退货", "retired", "return", "admin", AT]),
        ("intent_labels", ["t1", "return", 0.9, "model", "0a1b", "", AT]),
    ],
    "m013_intent_groups": [
        ("intent_groups", [1, "退货", '["退货"]', "confirmed", 1, "admin", AT, AT]),
        ("intent_group_members", ["t1", 1, 1, 0, 1]),
        ("intent_group_runs", [1, 100, 1, AT, AT]),
    ],
    "m014_alerts": [("alerts", [1, "2026-03-01", "intent", "退货", 7, 20, 4.5, 0.0001, AT])],
}


def schema(db: Database) -> list[tuple[str, str]]:
    rows = db.execute(
        "SELECT name, coalesce(sql, '') FROM sqlite_master"
        " WHERE name NOT LIKE '\\_sqlite%' ESCAPE '\\' ORDER BY name"
    )
    return rows.fetchall()


def fill(db: Database, step: str) -> None:
    for table, values in ROWS[step]:
        # Later steps add columns behind those that a table began with.
        columns = [column.name for column in db.table(table).columns][: len(values)]
        marks = ", ".join("?" * len(values))
        db.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)
    db.conn.commit()


def counts(db: Database) -> dict[str, int]:
    tables = {table for rows in ROWS.values() for table, _ in rows}
    return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


@pytest.fixture
def empty() -> Database:
    opened = Database(memory=True)
    opened.execute("PRAGMA foreign_keys = ON")
    return opened


def test_that_the_names_are_those_that_were_released() -> None:
    assert migrations_by_name()[: len(NAMES)] == NAMES


def test_that_every_step_says_what_it_is_for() -> None:
    assert all((getattr(module, name).__doc__ or "").strip() for name in migrations_by_name())


@pytest.mark.parametrize("stop", range(1, len(NAMES) + 1))
def test_that_rows_of_every_step_survive_to_the_last(empty: Database, stop: int) -> None:
    after = [*migrations_by_name(), None][stop]
    migrations.apply(empty, stop_before=after)
    for step in NAMES[:stop]:
        fill(empty, step)

    migrations.apply(empty)

    for step in NAMES[stop:]:
        fill(empty, step)
    expected = itertools.chain.from_iterable(ROWS.values())
    assert sum(counts(empty).values()) == len(list(expected))
    assert empty.execute("PRAGMA foreign_key_check").fetchall() == []


def test_that_every_way_to_the_last_step_ends_in_the_same_schema(empty: Database) -> None:
    at_once = Database(memory=True)
    migrations.apply(at_once)

    for name in [*migrations_by_name()[1:], None]:
        migrations.apply(empty, stop_before=name)

    assert schema(empty) == schema(at_once)


def test_that_applying_again_changes_nothing(empty: Database) -> None:
    migrations.apply(empty)
    before = schema(empty)

    migrations.apply(empty)

    assert schema(empty) == before
    assert [m.name for m in migrations.applied(empty)] == migrations_by_name()


@pytest.mark.parametrize(
    ("channel", "replaces", "state"),
    [
        ("telegram", "[]", "in_doubt"),
        ("telegram", '["42:77"]', "sending"),
        ("slack", "[]", "sending"),
    ],
)
def test_that_what_an_earlier_version_may_have_sent_is_not_sent_again(
    empty: Database, channel: str, replaces: str, state: str
) -> None:
    migrations.apply(empty, stop_before="m006_reliability")
    for step in NAMES[:5]:
        fill(empty, step)
    empty.execute(
        "UPDATE outbox SET state = 'sending', settled_at = NULL, channel = ?,"
        " reply = json_set('{}', '$.replaces', json(?))",
        [channel, replaces],
    )
    empty.conn.commit()

    migrations.apply(empty)

    [row] = empty.execute("SELECT state, settled_at IS NULL FROM outbox").fetchall()
    assert row == (state, state == "sending")


def test_that_a_failed_step_leaves_no_half(empty: Database) -> None:
    empty.execute("CREATE TABLE passages (id TEXT)")
    empty.conn.commit()

    with pytest.raises(Exception, match="passages"):
        migrations.apply(empty)

    assert [migration.name for migration in migrations.applied(empty)] == NAMES[:1]
    assert "articles" not in empty.table_names()


REFUSED: list[tuple[str, Callable[[Database], object]]] = [
    (
        "role",
        lambda db: db.execute(
            "INSERT INTO turns (id, conversation, number, role, text, language, created_at)"
            " VALUES ('t', 'k', 1, 'robot', '', 'en', '')"
        ),
    ),
    (
        "customer",
        lambda db: db.execute("INSERT INTO conversations VALUES ('k','x','','','','','')"),
    ),
    ("type", lambda db: db.execute("INSERT INTO accounts VALUES (x'00', 'h', 't')")),
    (
        "key",
        lambda db: [db.execute("INSERT INTO customers VALUES ('c','a','b','',NULL)") for _ in "12"],
    ),
]


@pytest.mark.parametrize("insert", [pytest.param(work, id=name) for name, work in REFUSED])
def test_that_the_schema_refuses_what_is_impossible(
    db: Database, insert: Callable[[Database], object]
) -> None:
    with pytest.raises(Exception, match=r"constraint failed|cannot store"):
        insert(db)


def test_that_a_missing_row_is_not_made_up(db: Database) -> None:
    with pytest.raises(NotFoundError):
        db.table("accounts").get("nobody")


def test_that_messages_answered_before_know_their_reply(empty: Database) -> None:
    migrations.apply(empty, stop_before="m005_channels")
    for step in NAMES[:4]:
        fill(empty, step)
    waiting = [2, "telegram", "e2", "42", "42", "还有呢", None, AT, 0, None]
    empty.execute("INSERT INTO inbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", waiting)
    empty.conn.commit()

    migrations.apply(empty)

    found = empty.execute("SELECT turn, reply, edits, preview, withdrawn_at FROM inbox")
    assert found.fetchall() == [("t1", "t2", None, None, None), (None, None, None, None, None)]
    assert [message.text for message in inbox.unanswered(empty)] == ["还有呢"]
