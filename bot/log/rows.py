"""Rows in and out of the log.

sqlite-utils looks at the schema for each insert, which took half of the time of storing an answer.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeVar, cast

from sqlite_utils import Database

from bot.messages import Citation

T = TypeVar("T")


def insert(db: Database, table: str, row: Mapping[str, object]) -> int:
    """Insert a row; return its rowid, which means nothing for a table without one."""
    marks = ", ".join("?" * len(row))
    cursor = db.execute(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
    )
    assert cursor.lastrowid is not None
    return int(cursor.lastrowid)


def select(db: Database, sql: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
    """Return what a query finds, with the columns by name."""
    cursor = db.conn.cursor()
    cursor.row_factory = sqlite3.Row
    try:
        return cursor.execute(sql, values).fetchall()
    finally:
        cursor.close()


def rows(db: Database, sql: str, values: Mapping[str, Any]) -> Iterator[sqlite3.Row]:
    """Yield what a query finds, with the columns by name, as it is found."""
    cursor = db.conn.cursor()
    cursor.row_factory = sqlite3.Row
    try:
        yield from cursor.execute(sql, values)
    finally:
        cursor.close()


def as_value(kind: type[T], row: sqlite3.Row, **more: object) -> T:
    """Build a value from the columns of its fields' names; `more` stands in for columns."""
    names = {field.name for field in fields(cast(Any, kind))} - set(more)
    return kind(**{name: row[name] for name in names}, **more)


def as_citations(text: str) -> tuple[Citation, ...]:
    """Return citations as a column keeps them."""
    return tuple(Citation(**citation) for citation in json.loads(text))
