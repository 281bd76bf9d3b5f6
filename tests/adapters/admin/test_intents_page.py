"""The page of intents: what is shown, labelled and decided."""

import httpx
import pytest

from bot.intents.classifier import Found
from bot.intents.wanted import Wanted
from bot.log import intents as labels
from bot.log.intents import Decided
from bot.log.store import Store
from bot.messages import TurnId
from tests.adapters.web.dialogues import HANDOFF, Clock, message, write_exchange

HOSTILE = '<script>alert("1")</script>{{ 7*7 }}'


async def ask(store: Store, clock: Clock, text: str, intent: str, probability: float) -> str:
    """Let a customer ask for a person, and the classifier say what they want; return the turn."""
    asked = message(text, address=text)
    await store.write(lambda db: write_exchange(db, asked, [HANDOFF], at=clock()))
    newest = "SELECT id FROM turns WHERE role = 'customer' ORDER BY rowid DESC LIMIT 1"
    [[turn]] = await rows(store, newest)
    wanted = Wanted(found=(Found(intent, probability),), model="m")
    await store.write(lambda db: labels.tell(db, {TurnId(str(turn)): wanted}, clock()))
    return str(turn)


async def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    return await store.read(lambda db: db.execute(sql).fetchall())


async def decide(admin: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await admin.post("/admin/intents/decide", data=fields)


async def test_that_an_empty_log_has_no_intents(admin: httpx.AsyncClient) -> None:
    assert "No message has an intent yet" in (await admin.get("/admin/intents")).text


async def test_that_intents_stand_with_their_figures_and_messages(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await ask(store, clock, "Where is it?", "tracking", 0.9)
    await ask(store, clock, "发票呢", "invoice", 0.4)
    await ask(store, clock, HOSTILE, "invoice", 0.5)

    page = (await admin.get("/admin/intents")).text

    assert page.index('<h2 class="clamp">invoice') < page.index('<h2 class="clamp">tracking')
    assert "Messages 2" in page
    assert "100%" in page
    assert HOSTILE not in page
    doubtful = page.partition("Worth a label")[2]
    assert doubtful.index("发票呢") < doubtful.index("alert") < doubtful.index("Where is it?")


async def test_that_a_label_stands_and_is_written_down(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    turn = await ask(store, clock, "Where is it?", "invoice", 0.4)
    data = {"turn": turn, "intent": "  order \n tracking "}
    assert (await admin.post("/admin/intents/label", data=data)).status_code == 303

    told = await rows(store, "SELECT turn, intent, source, account FROM intent_labels")
    assert told == [(turn, "order tracking", "person", "admin")]
    audit = await rows(store, "SELECT action, object FROM audit ORDER BY id DESC LIMIT 1")
    assert audit == [("label_intent", turn)]


async def test_that_a_name_holds_nobodys_address(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    turn = await ask(store, clock, "Where is it?", "invoice", 0.4)
    await admin.post(
        "/admin/intents/label", data={"turn": turn, "intent": "mail for ada@example.com"}
    )
    await decide(admin, name="write to ada@example.com", verdict="confirm")

    named = await rows(store, "SELECT intent FROM intent_labels UNION SELECT name FROM intents")
    noted = await rows(store, "SELECT object FROM audit")
    assert len(named) == 2
    assert "ada@example.com" not in f"{named} {noted}"


async def test_that_a_merged_intent_goes_on_under_the_other_name(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await ask(store, clock, "Where is it?", "parcel", 0.9)
    await ask(store, clock, "包裹呢", "tracking", 0.9)
    assert (
        await decide(admin, name="parcel", verdict="rename", becomes="tracking")
    ).status_code == 303
    await decide(admin, name="tracking", verdict="confirm")

    page = (await admin.get("/admin/intents", headers={"Accept-Language": "zh"})).text
    assert "消息数 2" in page
    assert "已确认" in page
    assert '<h2 class="clamp">parcel' not in page
    assert await store.read(labels.decisions) == {
        "parcel": Decided("parcel", "retired", "tracking"),
        "tracking": Decided("tracking", "confirmed", None),
    }


async def test_that_a_retired_intent_is_gone(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await ask(store, clock, "Where is it?", "parcel", 0.9)
    await decide(admin, name="parcel", verdict="retire")

    assert '<h2 class="clamp">parcel' not in (await admin.get("/admin/intents")).text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("label", {"turn": "none", "intent": "x"}),
        ("label", {"turn": "none", "intent": " "}),
        ("decide", {"name": "x", "verdict": "nonsense"}),
        ("decide", {"name": "x", "verdict": "rename", "becomes": "x"}),
        ("decide", {"name": "x", "verdict": "rename"}),
        ("decide", {"verdict": "confirm"}),
    ],
)
async def test_that_nonsense_is_refused(
    admin: httpx.AsyncClient, store: Store, path: str, fields: dict[str, str]
) -> None:
    assert (await admin.post(f"/admin/intents/{path}", data=fields)).status_code == 404
    assert await store.read(labels.decisions) == {}


async def test_that_strangers_see_and_say_nothing(
    stranger: httpx.AsyncClient, store: Store
) -> None:
    assert (await stranger.get("/admin/intents")).status_code in (303, 401, 403)
    await stranger.post("/admin/intents/decide", data={"name": "x", "verdict": "confirm"})

    assert await store.read(labels.decisions) == {}
