"""Erasing a customer: everything they wrote and everything that was said to them.

Asked for in the transaction that stores the reply ("it is being erased"), done once that reply is
delivered, since delivering needs the address. In between, and over a restart, the request is a row.
A message that comes after the request, and still waits for its answer, begins a new conversation.
"""

from datetime import datetime

from sqlite_utils import Database

SWEPT_PAGES = 500  # of about 4 kB, written in one transaction
_UNSWEPT = "erased_at IS NOT NULL AND swept_at IS NULL"


def request(db: Database, channel: str, customer: str, requested_at: str) -> None:
    """Note that a customer asked for being erased, in a message received at that time."""
    db.execute(
        "INSERT INTO erasures (channel, customer, requested_at) VALUES (?, ?, ?)",
        [channel, customer, requested_at],
    )


def is_requested(db: Database) -> bool:
    """Return whether anybody waits for being erased."""
    row = db.execute("SELECT 1 FROM erasures WHERE erased_at IS NULL LIMIT 1").fetchone()
    return row is not None


def erase_requested(db: Database, now: datetime) -> int:
    """Erase all customers who asked for it and have been told; return how many wait for `sweep`."""
    requests = db.execute(
        """
        SELECT id, channel, customer, requested_at FROM erasures
        WHERE erased_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM outbox
            WHERE outbox.channel = erasures.channel AND state IN ('ready', 'sending')
                AND json_extract(reply, '$.customer') = erasures.customer)
        """
    ).fetchall()
    for row_id, channel, customer, requested_at in requests:
        erase(db, channel, customer, requested_at)
        db.execute(
            "UPDATE erasures SET customer = '', erased_at = ? WHERE id = ?",
            [now.isoformat(), row_id],
        )
    [unswept] = db.execute(f"SELECT count(*) FROM erasures WHERE {_UNSWEPT}").fetchone()
    return int(unswept)


def sweep(db: Database, now: datetime, *, is_first: bool) -> bool:
    """Take words of deleted texts out of the search index, one piece of it; return if more is left.

    Its old parts hold them until they are merged. Of a large log that takes seconds in all, which
    messages must not wait for. `is_first` begins, also where an earlier run left off.
    """
    before = db.conn.total_changes
    pages = -SWEPT_PAGES if is_first else SWEPT_PAGES
    db.execute("INSERT INTO turn_search (turn_search, rank) VALUES ('merge', ?)", [pages])
    if db.conn.total_changes - before >= 2:  # fewer: there was nothing to merge, says FTS5's manual
        return True
    db.execute(f"UPDATE erasures SET swept_at = ? WHERE {_UNSWEPT}", [now.isoformat()])
    return False


def erase(db: Database, channel: str, customer: str, requested_at: str) -> None:
    """Erase everything of one customer; what others said in a shared thread stays."""
    whose = {"channel": channel, "customer": customer, "requested_at": requested_at}
    db.execute("CREATE TEMP TABLE IF NOT EXISTS erased (turn TEXT PRIMARY KEY)")
    db.execute("CREATE TEMP TABLE IF NOT EXISTS erased_messages (id INTEGER PRIMARY KEY)")
    db.execute("DELETE FROM temp.erased")
    db.execute("DELETE FROM temp.erased_messages")
    db.execute(f"INSERT INTO temp.erased_messages {_MESSAGES}", whose)
    for sql in (_OWN_CONVERSATIONS, _OWN_TURNS, _REPLIES_TO_THEM):
        db.execute(f"INSERT OR IGNORE INTO temp.erased {sql}", whose)
    for statement in _ERASE:
        db.execute(statement, whose)
    db.execute("DELETE FROM temp.erased")


_MESSAGES = (
    "SELECT id FROM inbox WHERE channel = :channel AND customer = :customer AND NOT (turn IS NULL"
    " AND edits IS NULL AND withdrawn_at IS NULL AND received_at > :requested_at)"
)
_MINE = "SELECT id FROM temp.erased_messages"
_ERASED = "SELECT turn FROM temp.erased"
_CUSTOMER = "SELECT id FROM customers WHERE channel = :channel AND external_id = :customer"

_OWN_CONVERSATIONS = f"""
    SELECT turns.id FROM turns JOIN conversations ON conversations.id = turns.conversation
    WHERE conversations.customer IN ({_CUSTOMER}) AND NOT EXISTS (
        SELECT 1 FROM inbox
        WHERE inbox.turn IN (turns.id, turns.replied_to) AND inbox.customer <> :customer)
"""
_OWN_TURNS = (
    "SELECT turn FROM inbox WHERE channel = :channel AND customer = :customer AND turn IS NOT NULL"
)
_REPLIES_TO_THEM = f"SELECT id FROM turns WHERE replied_to IN ({_ERASED})"

_ERASE = (
    "DELETE FROM feedback WHERE (channel = :channel AND customer = :customer)"
    f" OR turn IN ({_ERASED})",
    "DELETE FROM actions WHERE (channel = :channel AND customer = :customer)"
    f" OR asked_in IN ({_ERASED}) OR told_in IN ({_ERASED})",
    f"DELETE FROM posts WHERE outbox IN (SELECT id FROM outbox WHERE turn IN ({_ERASED}))",
    f"DELETE FROM outbox WHERE turn IN ({_ERASED})",
    f"DELETE FROM gap_marks WHERE turn IN ({_ERASED})",
    f"DELETE FROM handoffs WHERE turn IN ({_ERASED})",
    f"DELETE FROM generations WHERE turn IN ({_ERASED})",
    f"DELETE FROM retrievals WHERE turn IN ({_ERASED})",
    f"DELETE FROM candidates WHERE turn IN ({_ERASED})",
    f"DELETE FROM preferences WHERE turn IN ({_ERASED})",
    f"DELETE FROM corrections WHERE turn IN ({_ERASED})",
    f"DELETE FROM intent_labels WHERE turn IN ({_ERASED})",
    # Terms come from what was said, and so does a name that no person gave; the next run finds
    # them anew, and drops a group that nothing is left of.
    "UPDATE intent_groups SET terms = '[]', name = CASE WHEN is_named THEN name ELSE '' END"
    f" WHERE id IN (SELECT intent_group FROM intent_group_members WHERE turn IN ({_ERASED}))",
    f"DELETE FROM intent_group_members WHERE turn IN ({_ERASED})",
    "DELETE FROM turn_search WHERE rowid IN"
    f" (SELECT id FROM turn_search_content WHERE c1 IN ({_ERASED}))",
    f"DELETE FROM attachments WHERE inbox IN ({_MINE})",
    "DELETE FROM usage WHERE channel = :channel AND customer = :customer",
    # Keys without the person in them stay, so that an event that comes again is still known.
    f"DELETE FROM inbox_keys WHERE inbox IN ({_MINE}) AND event_key NOT GLOB 'update:*'"
    " AND event_key NOT GLOB 'event:*'",
    f"UPDATE inbox SET turn = NULL WHERE turn IN ({_ERASED})",
    f"UPDATE inbox SET reply = NULL WHERE reply IN ({_ERASED})",
    f"UPDATE turns SET superseded_by = NULL WHERE superseded_by IN ({_ERASED})",
    f"UPDATE turns SET replied_to = NULL WHERE replied_to IN ({_ERASED})",
    f"DELETE FROM turns WHERE id IN ({_ERASED})",
    "UPDATE inbox SET event_key = '', address = '', customer = '', text = '', language = NULL,"
    " preview = NULL, edits = NULL, withdrawn_at = coalesce(withdrawn_at, received_at)"
    f" WHERE id IN ({_MINE})",
    f"DELETE FROM conversations WHERE customer IN ({_CUSTOMER})"
    " AND NOT EXISTS (SELECT 1 FROM turns WHERE conversation = conversations.id)",
    # A thread that others wrote in too goes over to one of them.
    f"""
    UPDATE conversations SET customer = coalesce((
        SELECT customers.id FROM turns JOIN inbox ON inbox.turn = turns.id
            JOIN customers ON customers.channel = inbox.channel
                AND customers.external_id = inbox.customer
        WHERE turns.conversation = conversations.id LIMIT 1), customer)
    WHERE customer IN ({_CUSTOMER})
    """,
    f"DELETE FROM customers WHERE id IN ({_CUSTOMER})"
    " AND NOT EXISTS (SELECT 1 FROM conversations WHERE customer = customers.id)",
)
