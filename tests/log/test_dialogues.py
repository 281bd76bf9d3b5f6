"""What channels may read of the log."""

import pytest
from sqlite_utils import Database

from bot.log import inbox
from bot.log.dialogues import MOST_QUESTIONS, StoredDialogues
from bot.log.store import Store
from bot.messages import Language, Outgoing, TurnId, Withdrawal
from tests.log.writing import LATER, exchange
from tests.small_shop import NOW, incoming


@pytest.fixture
def dialogues(store: Store) -> StoredDialogues:
    return StoredDialogues(store)


async def written(store: Store, text: str, **options: str) -> Outgoing:
    return await store.write(lambda db: exchange(db, incoming(text, **options)))  # type: ignore[arg-type]


async def handed_on(store: Store, text: str, **options: str) -> Outgoing:
    def work(db: Database) -> Outgoing:
        return exchange(db, incoming(text, **options), handoff="no_article")  # type: ignore[arg-type]

    return await store.write(work)


@pytest.mark.parametrize(
    ("channel", "address", "customer", "takes_part"),
    [
        ("test", "thread", "ada", True),
        ("test", "thread", "bo", False),
        ("test", "other", "ada", False),
        ("slack", "thread", "ada", False),
    ],
)
async def test_that_who_wrote_in_a_thread_takes_part(
    store: Store,
    dialogues: StoredDialogues,
    channel: str,
    address: str,
    customer: str,
    takes_part: bool,
) -> None:
    await written(store, "Hi", address="thread", customer="ada")

    assert await dialogues.takes_part(channel, address, customer) is takes_part


async def test_that_open_questions_are_ones_own_newest_first(
    store: Store, dialogues: StoredDialogues
) -> None:
    await handed_on(store, "一", address="thread", customer="ada")
    await handed_on(store, "bo's", address="thread", customer="bo")
    await handed_on(store, "二", address="elsewhere", customer="ada")
    await written(store, "answered", address="thread", customer="ada")

    mine = await dialogues.open_questions("test", "ada")
    assert [(q.text, q.address) for q in mine] == [("二", "elsewhere"), ("一", "thread")]
    assert {q.asked_at for q in mine} == {LATER.isoformat()}
    assert [q.text for q in await dialogues.open_questions("test", "bo")] == ["bo's"]
    assert await dialogues.open_questions("slack", "ada") == []


async def test_that_who_asks_for_a_person_means_their_own_question_before(
    store: Store, dialogues: StoredDialogues
) -> None:
    def asked_for_person(db: Database) -> Outgoing:
        message = incoming("/human", address="thread", customer="ada")
        return exchange(db, message, handoff="asked_for_person")

    await written(store, "我的包裹呢？", address="thread", customer="ada")
    await written(store, "/language", address="thread", customer="ada")
    await written(store, "bo's", address="thread", customer="bo")
    await store.write(asked_for_person)

    [question] = await dialogues.open_questions("test", "ada")
    assert question.text == "我的包裹呢？"


async def test_that_settled_edited_and_deleted_questions_are_not_open(
    store: Store, dialogues: StoredDialogues
) -> None:
    settled = await handed_on(store, "settled")
    await handed_on(store, "edited", key="first")
    await handed_on(store, "deleted", key="second")
    await written(store, "answered now", edits="first")
    sql = "UPDATE handoffs SET settled_at = ? WHERE turn = ?"
    await store.write(lambda db: db.execute(sql, [NOW.isoformat(), settled.turn]))
    gone = Withdrawal(channel="test", event_key="second")
    await store.write(lambda db: inbox.withdraw(db, gone, NOW))

    assert await dialogues.open_questions("test", "customer-ada") == []


async def test_that_open_questions_are_limited(store: Store, dialogues: StoredDialogues) -> None:
    for number in range(MOST_QUESTIONS + 2):
        await handed_on(store, f"question {number}")

    found = await dialogues.open_questions("test", "customer-ada")
    assert len(found) == MOST_QUESTIONS
    assert found[0].text == f"question {MOST_QUESTIONS + 1}"


async def test_that_a_reply_is_read_as_it_went_out(
    store: Store, dialogues: StoredDialogues
) -> None:
    reply = await written(store, "Hi")

    assert await dialogues.reply("test", reply.turn) == reply
    assert await dialogues.reply("slack", reply.turn) is None
    assert await dialogues.reply("test", TurnId("unknown")) is None


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_the_last_language_is_known_and_a_chosen_one_goes_before(
    store: Store, dialogues: StoredDialogues, language: Language
) -> None:
    other = "zh" if language == "en" else "en"
    assert await dialogues.language("test", "customer-ada") is None
    await written(store, {"en": "Hello", "zh": "你好"}[language])
    assert await dialogues.language("test", "customer-ada") == language
    await written(store, f"/language {other}")
    assert await dialogues.language("test", "customer-ada") == other
