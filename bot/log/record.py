"""What is written about an answer: its turns, and all that led to it, in one transaction."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import uuid_utils
from sqlite_utils import Database

from bot.conversation import Answer
from bot.knowledge.scoring import Hit
from bot.log import actions, erasure, inbox, intents, outbox, usage
from bot.log.export import customer_data
from bot.log.inbox import Received
from bot.log.rows import insert
from bot.log.turns import add_turn, hand_off, record_candidates
from bot.messages import ConversationId, Document, Generation, Language, Outgoing, Turn, TurnId
from bot.model import estimated_tokens
from bot.understanding import language_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What was said before in a conversation, and the language that its customer chose."""

    history: tuple[Turn, ...] = ()
    language: Language | None = None
    chosen: Language | None = None


def context(db: Database, received: Received, turns: int) -> Context:
    """Return up to `turns` turns before a message, oldest first, and their language.

    What was deleted or replaced by a newer version is left out, and for a new version of a message
    what came after the first one.
    """
    chosen = _chosen_language(db, received.channel, received.customer)
    rows = db.execute(
        """
        SELECT turns.role, turns.text, shown.source
        FROM conversations JOIN turns ON turns.conversation = conversations.id
            LEFT JOIN candidates AS shown ON shown.turn = turns.id AND shown.shown
        WHERE channel = :channel AND address = :address
            AND turns.superseded_by IS NULL AND turns.withdrawn_at IS NULL
            AND (:edited IS NULL OR turns.number < (
                SELECT min(asked.number) FROM inbox AS original
                    JOIN inbox AS other ON other.reply = original.reply
                    JOIN turns AS asked ON asked.id = other.turn
                WHERE original.id = :edited))
        ORDER BY turns.number DESC LIMIT :turns
        """,
        {
            "channel": received.channel,
            "address": received.address,
            "edited": received.edits,
            "turns": turns,
        },
    ).fetchall()
    history = tuple(
        Turn(role=role, text=text, source=source) for role, text, source in reversed(rows)
    )
    language = _spoken_language(db, received.channel, received.address) or inbox.customer_language(
        db, received.channel, received.customer
    )
    return Context(history=history, language=language, chosen=chosen)


def exchange(
    db: Database, batch: Sequence[Received], answer: Answer, now: datetime
) -> Outgoing | None:
    """Store the customer's turns, the reply with all that led to it, and the reply to be sent.

    `batch` is what the answer answers: the messages of a burst, or one new version of a message.
    Returns None, and stores nothing, when one of them was changed or deleted meanwhile.
    """
    if not all(inbox.is_as_read(db, received) for received in batch):
        return None
    batch = [inbox.received(db, received.id) for received in batch]  # with its preview
    last, at = batch[-1], now.isoformat()
    language = answer.message.language
    conversation = _conversation(db, last, language, at)
    asked = [_add_question(db, conversation, received, language) for received in batch]
    replied = add_turn(
        db,
        conversation,
        role="assistant",
        text=answer.decision.candidate.text,
        language=language,
        created_at=at,
        replied_to=asked[-1],
        policy=answer.decision.policy,
        latency_ms=answer.latency_ms,
    )
    _record_decision(db, replied, answer)
    _count_usage(db, last, answer, now)
    # Of messages answered together each gets a label of its own, in the background.
    if answer.wanted and answer.message.text == last.text:
        intents.tell(db, {asked[-1]: answer.wanted}, now)
    candidate, is_urgent = answer.decision.candidate, answer.is_urgent
    hand_off(db, conversation, replied, candidate, at, is_urgent=is_urgent)
    replaces = _take_over(db, batch, asked, replied)
    _carry_out(db, last, answer)
    actions.link(db, answer.actions, replied)
    reply = _reply(db, last, answer, conversation, replied)
    others = tuple(received.event_key for received in batch[:-1])
    reply = dataclasses.replace(reply, also_answers=others, replaces=replaces)
    return outbox.queue(db, reply, now)


def retraction(db: Database, withdrawn: Received, now: datetime) -> Outgoing | None:
    """Queue the removal of a reply whose question was deleted; None when nothing is to be removed.

    A reply that also answers messages that still stand stays. The beginning of an answer goes.
    """
    reply, preview = db.execute(
        "SELECT reply, preview FROM inbox WHERE id = ?", [withdrawn.id]
    ).fetchone()
    if reply is None:
        return _preview_retraction(db, withdrawn, preview, now) if preview else None
    replied = TurnId(reply)
    still_asked = db.execute(
        "SELECT 1 FROM inbox WHERE reply = ? AND withdrawn_at IS NULL", [replied]
    ).fetchone()
    answered = outbox.reply_of(db, withdrawn.channel, replied)
    posts = outbox.posts_of(db, replied)
    if still_asked or answered is None or not posts:
        return None
    db.execute("UPDATE turns SET withdrawn_at = ? WHERE id = ?", [now.isoformat(), replied])
    fields = asdict(answered) | {"text": "", "citations": (), "choices": (), "document": None}
    fields |= {"replaces": posts, "is_retraction": True}
    return outbox.queue(db, Outgoing(**fields), now)


def _preview_retraction(db: Database, withdrawn: Received, preview: str, now: datetime) -> Outgoing:
    """Queue the removal of what was shown of an answer; the log says that something was."""
    at, language = now.isoformat(), withdrawn.language or language_of(withdrawn.text)
    conversation = _conversation(db, withdrawn, language, at)
    asked = _add_question(db, conversation, withdrawn, language)
    replied = add_turn(
        db,
        conversation,
        role="assistant",
        text="",
        language=language,
        created_at=at,
        replied_to=asked,
    )
    db.execute("UPDATE turns SET withdrawn_at = ? WHERE id IN (?, ?)", [at, asked, replied])
    db.execute("UPDATE inbox SET reply = ? WHERE id = ?", [replied, withdrawn.id])
    retraction = Outgoing(
        id=0,  # until it is stored
        conversation=conversation,
        turn=replied,
        channel=withdrawn.channel,
        address=withdrawn.address,
        customer=withdrawn.customer,
        in_reply_to=withdrawn.event_key,
        text="",
        source="draft",
        language=language,
        citations=(),
        candidates=0,
        handed_off=False,
        replaces=(preview,),
        is_retraction=True,
    )
    return outbox.queue(db, retraction, now)


def settle(db: Database, conversation: str, now: datetime) -> None:
    """Mark everything that a conversation handed off as settled by a person."""
    db.execute(
        "UPDATE handoffs SET settled_at = ? WHERE conversation = ? AND settled_at IS NULL",
        [now.isoformat(), conversation],
    )


def move(db: Database, channel: str, old: str, new: str) -> None:
    """Let the conversations at an address, and below it, go on at another one."""
    for table in ("conversations", "inbox", "outbox", "actions"):
        db.execute(
            f"UPDATE OR IGNORE {table} SET address = :new || substr(address, length(:old) + 1)"
            " WHERE channel = :channel AND (address = :old"
            " OR substr(address, 1, length(:old) + 1) = :old || ':')",
            {"channel": channel, "old": old, "new": new},
        )
    db.execute(
        "UPDATE outbox SET reply = json_set(reply, '$.address', address)"
        " WHERE channel = ? AND state IN ('ready', 'sending')",
        [channel],
    )


def _add_question(
    db: Database, conversation: ConversationId, received: Received, language: Language
) -> TurnId:
    asked = add_turn(
        db,
        conversation,
        role="customer",
        text=received.text,
        language=language,
        created_at=received.received_at,
    )
    db.execute("UPDATE inbox SET turn = ? WHERE id = ?", [asked, received.id])
    return asked


def _take_over(
    db: Database, batch: Sequence[Received], asked: Sequence[TurnId], replied: TurnId
) -> tuple[str, ...]:
    """Let the new reply answer the batch; return the posts in whose place it goes."""
    edited = batch[-1].edits
    previews = tuple(received.preview for received in batch if received.preview)
    if edited is not None:
        previews = _supersede(db, edited, asked[-1], replied)
    marks = ", ".join("?" * len(batch))
    db.execute(
        f"UPDATE inbox SET reply = ? WHERE id IN ({marks})",
        [replied, *(received.id for received in batch)],
    )
    return previews


def _supersede(db: Database, edited: int, asked: TurnId, replied: TurnId) -> tuple[str, ...]:
    """Put a question and its reply in the place of the edited one's; return the old posts."""
    row = db.execute("SELECT reply FROM inbox WHERE id = ?", [edited]).fetchone()
    old_reply = TurnId(row[0])
    db.execute(
        "UPDATE turns SET superseded_by = ? WHERE superseded_by IS NULL AND id <> ? AND id IN"
        " (SELECT turn FROM inbox WHERE id = ? OR edits = ?)",
        [asked, asked, edited, edited],
    )
    db.execute("UPDATE turns SET superseded_by = ? WHERE id = ?", [replied, old_reply])
    db.execute("UPDATE inbox SET reply = ? WHERE reply = ?", [replied, old_reply])
    return outbox.posts_of(db, old_reply)


def _carry_out(db: Database, received: Received, answer: Answer) -> None:
    """Do what a command asks for, together with the reply that says so."""
    command = answer.message.command
    if command is None:
        return
    if command.name == "language" and command.is_understood:
        db.execute(
            "UPDATE customers SET language = ? WHERE channel = ? AND external_id = ?",
            [command.language, received.channel, received.customer],
        )
    if command.name == "forget" and command.is_confirmed:
        erasure.request(db, received.channel, received.customer, received.received_at)


def _reply(
    db: Database,
    received: Received,
    answer: Answer,
    conversation: ConversationId,
    turn: TurnId,
) -> Outgoing:
    chosen = answer.decision.candidate
    document = None
    if answer.message.command and answer.message.command.name == "export":
        text = customer_data(db, received.channel, received.customer)
        document = Document(name="frontdesk.json", text=text)
    return Outgoing(
        id=0,  # until it is stored
        conversation=conversation,
        turn=turn,
        channel=received.channel,
        address=received.address,
        customer=received.customer,
        in_reply_to=_first_version_key(db, received),
        text=chosen.text,
        source=chosen.source,
        language=answer.message.language,
        citations=chosen.citations,
        candidates=len(answer.decision.candidates),
        handed_off=chosen.handoff_reason is not None,
        choices=chosen.choices,
        document=document,
    )


def _first_version_key(db: Database, received: Received) -> str:
    if received.edits is None:
        return received.event_key
    return inbox.received(db, received.edits).event_key


def _chosen_language(db: Database, channel: str, customer: str) -> Language | None:
    row = db.execute(
        "SELECT language FROM customers WHERE channel = ? AND external_id = ?", [channel, customer]
    ).fetchone()
    return row[0] if row else None


def _spoken_language(db: Database, channel: str, address: str) -> Language | None:
    row = db.execute(
        "SELECT language FROM conversations WHERE channel = ? AND address = ?", [channel, address]
    ).fetchone()
    return row[0] if row else None


def _conversation(db: Database, received: Received, language: Language, at: str) -> ConversationId:
    customer = _customer(db, received, at)
    db.execute(
        """
        INSERT INTO conversations
            (id, customer, channel, address, language, started_at, last_turn_at)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (channel, address) DO UPDATE
        SET language = excluded.language, last_turn_at = excluded.last_turn_at
        """,
        [
            _new_id(),
            customer,
            received.channel,
            received.address,
            language,
            received.received_at,
            at,
        ],
    )
    [found] = db.execute(
        "SELECT id FROM conversations WHERE channel = ? AND address = ?",
        [received.channel, received.address],
    ).fetchone()
    return ConversationId(found)


def _customer(db: Database, received: Received, at: str) -> str:
    db.execute(
        "INSERT INTO customers (id, channel, external_id, created_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (channel, external_id) DO NOTHING",
        [_new_id(), received.channel, received.customer, at],
    )
    [found] = db.execute(
        "SELECT id FROM customers WHERE channel = ? AND external_id = ?",
        [received.channel, received.customer],
    ).fetchone()
    return str(found)


def _record_decision(db: Database, turn: TurnId, answer: Answer) -> None:
    record_candidates(db, turn, answer.decision)
    for rank, hit in enumerate(answer.hits, start=1):
        _record_hit(db, turn, rank, hit)
    for generation in filter(None, (answer.choosing, answer.generation)):
        _record_generation(db, turn, generation)


def _record_hit(db: Database, turn: TurnId, rank: int, hit: Hit) -> None:
    row = {
        "turn": turn,
        "rank": rank,
        "passage": hit.passage.id,
        "score": hit.score,
        "closeness": hit.closeness,
        "similarity": hit.similarity,
        "coverage": hit.coverage,
    }
    insert(db, "retrievals", row)


def _record_generation(db: Database, turn: TurnId, generation: Generation) -> None:
    row = asdict(generation)
    del row["texts"], row["log_probabilities"]  # each draft is a candidate
    insert(db, "generations", {**row, "turn": turn, "sampling": _json(row["sampling"])})


def _count_usage(db: Database, received: Received, answer: Answer, now: datetime) -> None:
    if answer.model_calls == 0:
        return
    tokens = answer.model_calls * _tokens_of_a_call(answer)
    usage.add(db, received.channel, received.customer, now, calls=answer.model_calls, tokens=tokens)


def _tokens_of_a_call(answer: Answer) -> int:
    """Return what the server said that a call took, or about that where it did not."""
    generation = answer.generation
    passages = (f"{hit.passage.title} {hit.passage.text}" for hit in answer.hits)
    asked = estimated_tokens("\n".join((answer.message.text, *passages)))
    if generation is None:
        return asked
    written = sum(estimated_tokens(text) for text in generation.texts)
    used = generation.input_tokens, generation.output_tokens
    return (asked if used[0] is None else used[0]) + (written if used[1] is None else used[1])


def _new_id() -> str:
    return str(uuid_utils.uuid7())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
