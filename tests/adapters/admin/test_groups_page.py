"""The pages of groups: found in the log, confirmed, merged, split, renamed and dismissed."""

import asyncio
import re
from datetime import timedelta

import httpx
import pytest

from bot.groups_upkeep import GroupsUpkeep
from bot.log import groups as log
from bot.log.groups import Group
from bot.log.store import Store
from tests.adapters.web.dialogues import ANSWER, HANDOFF, Clock, message, write_exchange
from tests.intents.small_set import texts

HOSTILE = '<script>alert("1")</script>{{ 7*7 }}'
INVOICES, PASSWORDS = texts("invoice")[:6], texts("password")[:6]
FOLDER = "/admin/intents/groups"


async def ask(
    store: Store, clock: Clock, *questions: str, answered: bool = False, days_ago: int = 0
) -> None:
    """Let customers ask, each in a conversation of their own."""
    at, slate = clock() - timedelta(days=days_ago), [ANSWER if answered else HANDOFF]
    for text in questions:
        asked = message(text, address=f"{text}-{at.isoformat()}")
        await store.write(lambda db: write_exchange(db, asked, slate, at=at))  # noqa: B023


async def found(store: Store) -> list[Group]:
    return await store.read(log.groups)


async def asked_of(store: Store, text: str) -> Group:
    """Return the group that a message is in."""
    groups = await found(store)
    return next(each for each in groups if any(text == member.text for member in each.members))


async def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    return await store.read(lambda db: db.execute(sql).fetchall())


async def press(
    admin: httpx.AsyncClient, group: Group, verdict: str, **fields: str
) -> httpx.Response:
    return await admin.post(f"{FOLDER}/{group.id}/{verdict}", data=fields)


@pytest.fixture
async def shop(store: Store, clock: Clock, groups: GroupsUpkeep) -> Store:
    """A log with messages about invoices and passwords, in groups."""
    await ask(store, clock, *INVOICES, days_ago=8)
    await ask(store, clock, *PASSWORDS, answered=True)
    await groups.find()
    assert len(await found(store)) >= 2
    return store


async def one_each(admin: httpx.AsyncClient, store: Store) -> tuple[Group, Group]:
    """Merge what belongs together, and return the groups of invoices and passwords."""
    for those in (INVOICES, PASSWORDS):
        while True:
            into = await asked_of(store, those[0])
            others = [each for each in await found(store) if each.id != into.id]
            same = [each for each in others if each.members[0].text in those]
            if not same:
                break
            await press(admin, same[0], "merge", into=str(into.id))
    return await asked_of(store, INVOICES[0]), await asked_of(store, PASSWORDS[0])


async def test_that_an_empty_log_has_no_groups(
    admin: httpx.AsyncClient, groups: GroupsUpkeep, store: Store
) -> None:
    assert "No groups yet" in (await admin.get(FOLDER)).text
    await groups.find()
    page = (await admin.get(FOLDER)).text
    assert "No groups yet" in page
    assert "0 messages" in page
    assert await found(store) == []


async def test_that_looking_is_asked_for_and_told(
    admin: httpx.AsyncClient, groups: GroupsUpkeep, shop: Store
) -> None:
    assert (await admin.post(f"{FOLDER}/look")).status_code == 303
    assert groups.is_looking
    assert "Groups are being looked for" in (await admin.get(FOLDER)).text

    running = asyncio.create_task(groups.run())
    async with asyncio.timeout(60):
        while groups.is_looking:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
    running.cancel()
    assert "Look for groups now" in (await admin.get(FOLDER)).text
    assert (await rows(shop, "SELECT count(*) FROM intent_group_runs")) == [(2,)]


async def test_that_groups_stand_with_their_figures_in_both_languages(
    admin: httpx.AsyncClient, shop: Store, clock: Clock
) -> None:
    invoices, passwords = await one_each(admin, shop)
    assert (invoices.share_answered, passwords.share_answered) == (0.0, 1.0)
    assert invoices.weeks(clock())[-2:] == (len(INVOICES), 0)
    assert passwords.weeks(clock())[-2:] == (0, len(PASSWORDS))

    page = (await admin.get(FOLDER)).text
    assert "Answered by the articles 0%" in page
    assert "Answered by the articles 100%" in page
    assert f'aria-label="By week: 0 · 0 · 0 · 0 · 0 · 0 · {len(INVOICES)} · 0"' in page
    assert f"{FOLDER}/{invoices.id}/draft" in page
    assert f"{FOLDER}/{passwords.id}/draft" not in page
    assert "文章能回答 0%" in (await admin.get(f"{FOLDER}?lang=zh")).text


async def test_that_a_confirmed_group_gives_its_messages_a_label_of_a_person(
    admin: httpx.AsyncClient, shop: Store
) -> None:
    invoices, _ = await one_each(admin, shop)
    done = await press(admin, invoices, "confirm", name="  invoice\n wanted ")
    assert (done.status_code, done.headers["location"]) == (303, FOLDER)

    told = await rows(shop, "SELECT DISTINCT intent, source, account FROM intent_labels")
    assert told == [("invoice wanted", "person", "admin")]
    assert await rows(shop, "SELECT count(*) FROM intent_labels") == [(len(INVOICES),)]
    assert await rows(shop, "SELECT name, state FROM intents") == [("invoice wanted", "confirmed")]
    audit = await rows(shop, "SELECT action, object FROM audit ORDER BY id DESC LIMIT 1")
    assert audit == [("decide_group", f"confirm {invoices.id} invoice wanted")]
    assert '<h2 class="clamp">invoice wanted' in (await admin.get("/admin/intents")).text

    await press(admin, invoices, "open")
    assert await rows(shop, "SELECT count(*) FROM intent_labels") == [(0,)]


async def test_that_a_label_that_somebody_gave_stands(
    admin: httpx.AsyncClient, shop: Store
) -> None:
    invoices, _ = await one_each(admin, shop)
    turn = invoices.members[0].turn
    await admin.post("/admin/intents/label", data={"turn": turn, "intent": "tax"})
    await press(admin, invoices, "confirm", name="invoice")
    await press(admin, invoices, "open")

    assert await rows(shop, "SELECT turn, intent FROM intent_labels") == [(turn, "tax")]


async def test_that_a_renamed_group_takes_its_labels_along(
    admin: httpx.AsyncClient, shop: Store
) -> None:
    invoices, _ = await one_each(admin, shop)
    await press(admin, invoices, "confirm", name="invoice")
    done = await press(admin, invoices, "rename", name="发票")

    assert done.headers["location"] == f"{FOLDER}/{invoices.id}"
    assert await rows(shop, "SELECT DISTINCT intent FROM intent_labels") == [("发票",)]
    assert "<h1>发票</h1>" in (await admin.get(f"{FOLDER}/{invoices.id}")).text


async def test_that_a_confirmed_group_goes_by_the_name_that_its_intent_has_today(
    admin: httpx.AsyncClient, shop: Store
) -> None:
    invoices, _ = await one_each(admin, shop)
    await press(admin, invoices, "confirm", name="invoice")
    renamed = {"name": "invoice", "verdict": "rename", "becomes": "billing"}
    await admin.post("/admin/intents/decide", data=renamed)

    assert "<h1>billing</h1>" in (await admin.get(f"{FOLDER}/{invoices.id}")).text


async def test_that_merging_with_a_confirmed_group_confirms_both(
    admin: httpx.AsyncClient, shop: Store
) -> None:
    invoices, passwords = await one_each(admin, shop)
    await press(admin, invoices, "confirm", name="help")
    done = await press(admin, invoices, "merge", into=str(passwords.id))

    assert done.headers["location"] == f"{FOLDER}/{passwords.id}"
    number = len(INVOICES) + len(PASSWORDS)
    told = await rows(shop, "SELECT intent, count(*) FROM intent_labels GROUP BY 1")
    assert told == [("help", number)]
    [merged] = await found(shop)
    assert (merged.id, merged.name, merged.state) == (passwords.id, "help", "confirmed")


async def test_that_chosen_messages_are_split_off_and_lose_their_label(
    admin: httpx.AsyncClient, shop: Store
) -> None:
    invoices, _ = await one_each(admin, shop)
    await press(admin, invoices, "confirm", name="invoice")
    chosen = [member.turn for member in invoices.members[:3]]
    done = await admin.post(f"{FOLDER}/{invoices.id}/split", data={"turn": chosen})

    new = await asked_of(shop, invoices.members[0].text)
    assert done.headers["location"] == f"{FOLDER}/{new.id}"
    assert sorted(member.turn for member in new.members) == sorted(chosen)
    assert (new.state, bool(new.name)) == ("open", True)
    number = len(INVOICES) - len(chosen)
    assert await rows(shop, "SELECT count(*) FROM intent_labels") == [(number,)]


async def test_that_a_group_is_split_in_two_by_meaning(
    admin: httpx.AsyncClient, shop: Store
) -> None:
    invoices, passwords = await one_each(admin, shop)
    await press(admin, invoices, "merge", into=str(passwords.id))
    await press(admin, passwords, "halve")

    one, other = await found(shop)
    whole = {*INVOICES, *PASSWORDS}
    halves = [{member.text for member in each.members} for each in (one, other)]
    assert halves[0] | halves[1] == whole
    largest = max(len(half & set(INVOICES)) / len(half) for half in halves)
    assert largest > 0.8


@pytest.mark.parametrize(
    ("verdict", "fields", "said"),
    [
        ("split", {}, "Choose some of the messages"),
        ("split", {"turn": "no such turn"}, "Choose some of the messages"),
        ("confirm", {"name": " \n"}, "Give it a name"),
        ("rename", {}, "Give it a name"),
    ],
)
async def test_that_what_says_nothing_changes_nothing(
    admin: httpx.AsyncClient, shop: Store, verdict: str, fields: dict[str, str], said: str
) -> None:
    before = await found(shop)
    answer = await press(admin, before[0], verdict, **fields)

    assert answer.status_code == 400
    assert said in answer.text
    assert await found(shop) == before


async def test_that_splitting_off_everything_or_what_is_alike_is_refused(
    admin: httpx.AsyncClient, store: Store, clock: Clock, groups: GroupsUpkeep
) -> None:
    await ask(store, clock, "Where is my invoice?")
    await ask(store, clock, "Where is my invoice?", days_ago=1)
    await groups.find()
    [alike] = await found(store)

    everything = {"turn": [member.turn for member in alike.members]}
    split = await admin.post(f"{FOLDER}/{alike.id}/split", data=everything)
    halve = await press(admin, alike, "halve")
    one = await admin.post(f"{FOLDER}/{alike.id}/split", data={"turn": everything["turn"][:1]})

    assert [each.status_code for each in (split, halve, one)] == [400, 400, 400]
    assert "too much alike" in halve.text


@pytest.mark.parametrize("verdict", ["confirm", "rename", "merge", "split", "halve", "dismiss"])
async def test_that_a_group_that_has_gone_is_told(
    admin: httpx.AsyncClient, shop: Store, verdict: str
) -> None:
    before = await found(shop)
    fields = {"name": "x", "turn": before[0].members[0].turn, "into": str(before[0].id)}
    for number in ("77", "0", "9" * 30, "x"):
        answer = await admin.post(f"{FOLDER}/{number}/{verdict}", data=fields)
        assert answer.status_code == 404
        assert "This group is gone" in answer.text

    assert await found(shop) == before
    assert await rows(shop, "SELECT count(*) FROM intent_labels") == [(0,)]


async def test_that_nonsense_is_no_verdict(admin: httpx.AsyncClient, shop: Store) -> None:
    [first, *_] = await found(shop)
    assert (await press(admin, first, "burn")).status_code == 404
    assert (await press(admin, first, "merge", into=str(first.id))).status_code == 404
    assert (await admin.get(f"{FOLDER}/{first.id}/draft")).status_code in (200, 404)


async def test_that_a_dismissed_group_stands_below_and_comes_back(
    admin: httpx.AsyncClient, shop: Store
) -> None:
    invoices, _ = await one_each(admin, shop)
    await press(admin, invoices, "dismiss")
    assert "Dismissed 1" in (await admin.get(FOLDER)).text
    await press(admin, invoices, "open")
    assert "Dismissed 1" not in (await admin.get(FOLDER)).text


async def test_that_what_no_article_answered_becomes_the_draft_of_one(
    admin: httpx.AsyncClient, shop: Store
) -> None:
    invoices, passwords = await one_each(admin, shop)
    draft = await admin.get(f"{FOLDER}/{invoices.id}/draft")

    assert draft.headers["content-type"].startswith("text/markdown")
    assert "attachment" in draft.headers["content-disposition"]
    assert INVOICES[0] in draft.text
    assert PASSWORDS[0] not in draft.text
    assert (await admin.get(f"{FOLDER}/{passwords.id}/draft")).status_code == 404


async def test_that_hostile_words_are_shown_as_words(
    admin: httpx.AsyncClient, store: Store, clock: Clock, groups: GroupsUpkeep
) -> None:
    await ask(store, clock, HOSTILE, f"{HOSTILE} again", f"Please {HOSTILE}")
    await groups.find()
    [group] = await found(store)
    await press(admin, group, "rename", name=HOSTILE)

    for path in (FOLDER, f"{FOLDER}/{group.id}"):
        page = (await admin.get(path)).text
        assert "alert" in page
        assert not re.search(r"<script>alert|\b49\b", page)


async def test_that_strangers_and_other_sites_see_and_decide_nothing(
    stranger: httpx.AsyncClient, admin: httpx.AsyncClient, shop: Store
) -> None:
    before = await found(shop)
    path = f"{FOLDER}/{before[0].id}"
    for address in (FOLDER, path, f"{path}/draft"):
        assert (await stranger.get(address)).status_code == 303
    await stranger.post(f"{path}/dismiss")
    elsewhere = await admin.post(f"{path}/dismiss", headers={"Origin": "https://evil.example"})

    assert elsewhere.status_code == 403
    assert await found(shop) == before
