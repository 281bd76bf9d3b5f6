"""What was erased is gone from the file itself, the search index too, a piece at a time."""

from pathlib import Path

from bot.log import conversations, erasure
from bot.log.store import Store
from bot.sending import PatientWriter
from tests.log.writing import LATER, exchange
from tests.small_shop import incoming

SECRETS = ("zeppelin", "热气球")


def stored(path: Path) -> bytes:
    """Return everything that the disk has of a database."""
    return path.read_bytes() + path.with_name(path.name + "-wal").read_bytes()


async def fill(store: Store) -> None:
    for number in range(60):
        text = f"{' '.join(SECRETS)} {number}" if number % 3 == 0 else f"parcel 包裹 {number}"
        message = incoming(text, address="ada" if number % 3 == 0 else f"bo-{number}")
        await store.write(
            lambda db, message=message: exchange(db, message, (message.event_keys[0],))
        )


async def test_that_no_byte_of_an_erased_customer_stays(store: Store) -> None:
    await fill(store)
    await store.write(lambda db: erasure.request(db, "test", "customer-ada", LATER.isoformat()))

    await PatientWriter(store).erase_requested(LATER)

    content = stored(store.path)
    assert [word for word in SECRETS if word.encode() in content] == []
    page = await store.read(
        lambda db: conversations.conversations(db, conversations.Filters(text="parcel"))
    )
    assert len(page.conversations) == 40


async def test_that_a_sweep_that_was_interrupted_is_done_at_the_next_start(
    store: Store,
) -> None:
    await fill(store)
    await store.write(lambda db: erasure.request(db, "test", "customer-ada", LATER.isoformat()))
    assert await store.write(lambda db: erasure.erase_requested(db, LATER)) == 1
    await store.write(lambda db: erasure.sweep(db, LATER, is_first=True))

    assert await store.write(lambda db: erasure.erase_requested(db, LATER)) == 1
    await PatientWriter(store).erase_requested(LATER)

    assert await store.write(lambda db: erasure.erase_requested(db, LATER)) == 0
    assert b"zeppelin" not in stored(store.path)
