"""Adding rows where it happens for every message.

sqlite-utils looks at the schema for each insert, which took half of the time of storing an answer.
"""

from collections.abc import Mapping

from sqlite_utils import Database


def insert(db: Database, table: str, row: Mapping[str, object]) -> int:
    """Insert a row; return its rowid, which means nothing for a table without one."""
    marks = ", ".join("?" * len(row))
    cursor = db.execute(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
    )
    assert cursor.lastrowid is not None
    return int(cursor.lastrowid)
