"""The log's messages in groups: what is read, what is found again, and that decisions stand."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from bot.console import Console
from bot.errors import IntentsError
from bot.groups_upkeep import AFTER_START, EVERY, GroupsUpkeep
from bot.intents import grouping
from bot.intents.classifier import Found
from bot.intents.encodings import Encodings
from bot.intents.grouping import Grouped, Task, in_child
from bot.intents.naming import ModelNamer
from bot.intents.wanted import Wanted
from bot.log import erasure, group_runs, groups
from bot.log import intents as labels
from bot.log.groups import Group
from bot.log.store import Store
from bot.messages import TurnId
from bot.model import ChatModel
from prompts import Prompts
from tests.fakes.vllm_api import FakeVllm
from tests.intents.small_set import texts
from tests.log.writing import exchange, receive, reply
from tests.small_shop import NOW, eventually, incoming

ENCODINGS = Encodings()
INVOICES, PASSWORDS, RETURNS = (texts(name)[:6] for name in ("invoice", "password", "return"))


class Desk:
    """A Frontdesk as far as its groups go; `tasks` are what was grouped."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOW
        self.is_trained = False
        self.tasks: list[Task] = []
        self.trouble: str | None = None
        self.upkeep = self.new_upkeep()

    def new_upkeep(self, namer: ModelNamer | None = None) -> GroupsUpkeep:
        return GroupsUpkeep(
            self.store,
            self.group,
            Console(),
            lambda: self.now,
            is_trained=lambda: self.is_trained,
            namer=namer,
        )

    async def group(self, task: Task) -> Grouped:
        self.tasks.append(task)
        if self.trouble:
            raise IntentsError(self.trouble)
        return await asyncio.to_thread(grouping.group, task, ENCODINGS)

    async def ask(self, *questions: str, address: str = "ada") -> None:
        for text in questions:
            await self.store.write(
                lambda db: exchange(db, incoming(text, address=address))  # noqa: B023
            )

    async def groups(self) -> list[Group]:
        return await self.store.read(groups.groups)

    async def of(self, text: str) -> Group:
        return next(
            each
            for each in await self.groups()
            if any(member.text == text for member in each.members)
        )

    async def merged(self, those: Sequence[str]) -> Group:
        """Put the messages into one group, as an admin would."""
        into = await self.of(those[0])
        for text in those:
            other = await self.of(text)
            if other.id != into.id:
                await self.store.write(
                    lambda db: groups.merge(db, other.id, into.id, "ada", NOW)  # noqa: B023
                )
        return await self.of(those[0])

    async def tell(self, text: str, intent: str) -> None:
        """Let a classifier say what a message wants."""
        [[turn]] = await self.store.read(
            lambda db: db.execute("SELECT id FROM turns WHERE text = ?", [text]).fetchall()
        )
        wanted = {TurnId(turn): Wanted(found=(Found(intent, 0.9),), model="m")}
        await self.store.write(lambda db: labels.tell(db, wanted, NOW))


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


def words(group: Group) -> set[str]:
    return {member.text for member in group.members}


async def test_that_messages_of_both_languages_are_grouped_named_and_shown(desk: Desk) -> None:
    for intent in ("invoice", "password", "return", "delivery_time"):
        await desk.ask(*texts(intent), address=intent)
    await desk.ask("Hello", "/help", "yes", "")
    await desk.upkeep.find()

    found = await desk.groups()
    assert sum(len(each.members) for each in found) == 48
    assert all(each.name and each.examples and each.state == "open" for each in found)
    shares = []
    for each in found:
        by_intent = [len(words(each) & set(texts(name))) for name in ("invoice", "password")]
        shares.append(max(by_intent) / len(each.members))
    assert max(shares) > 0.8
    newest = await desk.store.read(group_runs.newest_run)
    assert newest is not None
    assert (newest.messages, newest.found) == (48, len(found))


@pytest.mark.parametrize(
    "questions",
    [
        pytest.param([], id="none"),
        pytest.param(["Where is my invoice?"], id="one"),
        pytest.param([*INVOICES[:5], *texts("invoice")[6:11]], id="ten"),
        pytest.param(texts("password")[6:], id="one-language"),
    ],
)
async def test_that_few_messages_are_no_trouble(desk: Desk, questions: list[str]) -> None:
    await desk.ask(*questions)
    await desk.upkeep.find()
    await desk.upkeep.find()

    grouped = [member.text for each in await desk.groups() for member in each.members]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) <= set(questions)
    assert (len(grouped) > 1) is (len(questions) > 1)
    assert not desk.upkeep.has_failed


async def test_that_a_further_run_knows_the_groups_again(desk: Desk) -> None:
    await desk.ask(*INVOICES, *PASSWORDS)
    await desk.upkeep.find()
    before = {each.id: words(each) for each in await desk.groups()}

    await desk.ask("The invoice is missing", "My password is forgotten")
    await desk.upkeep.find()

    after = {each.id: words(each) for each in await desk.groups()}
    same = [number for number in before if before[number] & after.get(number, set())]
    assert same


async def test_that_what_was_decided_stands_and_new_messages_join_it(desk: Desk) -> None:
    await desk.ask(*INVOICES, *PASSWORDS, *RETURNS)
    await desk.upkeep.find()
    invoices, passwords = await desk.merged(INVOICES), await desk.merged(PASSWORDS)
    await desk.store.write(lambda db: groups.confirm(db, invoices.id, "invoice", "ada", NOW))
    await desk.store.write(lambda db: groups.rename(db, passwords.id, "login", "ada", NOW))
    chosen = [member.turn for member in passwords.members[:2]]
    new = await desk.store.write(
        lambda db: groups.split(db, passwords.id, chosen, "split off", "ada", NOW)
    )
    before = {each.id: each for each in await desk.groups() if each.is_decided}

    await desk.ask("Where is the invoice?", "Please send me an invoice", "I forgot the password")
    for _ in range(2):
        await desk.upkeep.find()

    after = {each.id: each for each in await desk.groups()}
    assert set(before) == {invoices.id, passwords.id, new}
    for number, each in before.items():
        assert words(each) <= words(after[number])
        assert (each.name, each.state) == (after[number].name, after[number].state)
    assert "Where is the invoice?" in words(after[invoices.id])
    # Until the admin says that they are invoices, too.
    joined = words(after[invoices.id]) - words(before[invoices.id])
    assert after[invoices.id].unlabelled == len(joined)


async def test_that_dismissed_messages_stay_dismissed(desk: Desk) -> None:
    await desk.ask(*INVOICES, *PASSWORDS)
    await desk.upkeep.find()
    invoices = await desk.merged(INVOICES)
    await desk.store.write(lambda db: groups.dismiss(db, invoices.id, "ada", NOW))
    await desk.ask("Where is the invoice?")
    await desk.upkeep.find()

    assert (await desk.of("Where is the invoice?")).id == invoices.id
    assert (await desk.of(INVOICES[0])).state == "dismissed"


async def test_that_what_is_decided_while_a_run_goes_on_stands(desk: Desk) -> None:
    await desk.ask(*INVOICES, *PASSWORDS)
    await desk.upkeep.find()

    async def decide_meanwhile(task: Task) -> Grouped:
        grouped = await desk.group(task)
        invoices = await desk.merged(INVOICES)
        await desk.store.write(lambda db: groups.confirm(db, invoices.id, "invoice", "ada", NOW))
        later = (NOW + timedelta(days=1)).isoformat()
        await desk.store.write(lambda db: erasure.erase(db, "test", "customer-bo", later))
        return grouped

    await desk.ask("An invoice for my shop?", address="bo")
    upkeep = GroupsUpkeep(
        desk.store, decide_meanwhile, Console(), lambda: NOW, is_trained=lambda: False
    )
    await upkeep.find()

    invoices = await desk.of(INVOICES[0])
    assert (invoices.name, invoices.state) == ("invoice", "confirmed")
    assert words(invoices) == set(INVOICES)
    broken = await desk.store.read(lambda db: db.execute("PRAGMA foreign_key_check").fetchall())
    assert broken == []


async def test_that_with_a_classifier_only_what_fits_no_intent_is_grouped(desk: Desk) -> None:
    await desk.ask(*INVOICES, *PASSWORDS, *RETURNS)
    for text in PASSWORDS:
        await desk.tell(text, "password")
    for text in INVOICES:
        await desk.tell(text, "out_of_scope")
    desk.is_trained = True
    await desk.upkeep.find()
    assert {text for each in await desk.groups() for text in words(each)} == set(INVOICES)

    await desk.store.write(lambda db: labels.decide(db, "password", "ada", NOW, retired=True))
    desk.is_trained = False
    await desk.upkeep.find()
    everything = {*INVOICES, *PASSWORDS, *RETURNS}
    assert {text for each in await desk.groups() for text in words(each)} == everything


async def test_that_messages_leave_a_group_once_an_intent_fits_them(desk: Desk) -> None:
    await desk.ask(*INVOICES)
    await desk.upkeep.find()
    for text in INVOICES:
        await desk.tell(text, "invoice")
    await desk.upkeep.find()

    assert await desk.groups() == []


async def test_that_the_number_read_is_bounded_and_the_newest_count(desk: Desk) -> None:
    await desk.ask(*INVOICES)
    await desk.ask("I take it back", address="bo")
    requested = NOW + timedelta(days=1)
    await desk.store.write(
        lambda db: erasure.request(db, "test", "customer-bo", requested.isoformat())
    )

    read = await desk.store.read(lambda db: group_runs.unfit(db, NOW, 2, is_trained=False))
    assert [each.text for each in read] == INVOICES[:-3:-1]


async def test_that_of_messages_answered_together_each_counts_as_answered(desk: Desk) -> None:
    def ask(db: object) -> None:
        batch = [receive(db, incoming(text)) for text in INVOICES]  # type: ignore[arg-type]
        reply(db, batch, handoff="no_article")  # type: ignore[arg-type]

    await desk.store.write(ask)
    await desk.upkeep.find()

    found = await desk.groups()
    assert sum(each.unanswered for each in found) == len(INVOICES)
    assert {each.share_answered for each in found} == {0.0}


async def test_that_a_run_that_fails_is_told_and_changes_nothing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.ask(*INVOICES)
    await desk.upkeep.find()
    before = await desk.groups()
    desk.trouble = "No memory."
    await desk.upkeep.find()

    assert await desk.groups() == before
    assert desk.upkeep.has_failed
    assert "can't be grouped now: No memory." in capsys.readouterr().err
    assert await desk.upkeep.halves(INVOICES) == []


async def test_that_a_failed_read_or_write_ends_no_upkeep(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.ask(*INVOICES)

    async def close_meanwhile(task: Task) -> Grouped:
        await desk.store.write(lambda db: db.execute("DROP TABLE intent_group_runs"))
        return await desk.group(task)

    desk.now = NOW + AFTER_START
    upkeep = GroupsUpkeep(
        desk.store, close_meanwhile, Console(), lambda: desk.now, is_trained=lambda: False
    )
    await upkeep.find()
    assert upkeep.has_failed
    assert "can't be grouped now" in capsys.readouterr().err

    desk.now += EVERY
    await upkeep.check()
    assert upkeep.has_failed
    assert not upkeep.is_looking
    assert "can't be grouped now" in capsys.readouterr().err


async def test_that_a_child_process_that_can_not_begin_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(IntentsError, match="could not be grouped"):
        await in_child(Task(texts=INVOICES))


async def test_that_it_looks_once_a_day_and_not_at_the_start(desk: Desk) -> None:
    await desk.ask(*INVOICES)
    await desk.upkeep.check()
    assert len(desk.tasks) == 0
    for ahead, expected in (
        (AFTER_START, 1),
        (AFTER_START + timedelta(hours=1), 1),
        (AFTER_START + EVERY, 2),
    ):
        desk.now = NOW + ahead
        await desk.upkeep.check()
        assert len(desk.tasks) == expected

    desk.upkeep = desk.new_upkeep()  # after a restart
    desk.now += timedelta(hours=1)
    await desk.upkeep.check()
    assert len(desk.tasks) == 2
    desk.upkeep.look()
    await desk.upkeep.check()
    assert len(desk.tasks) == 3


async def test_that_a_model_puts_the_names_into_better_words_once(
    desk: Desk, vllm: FakeVllm, prompts: Prompts
) -> None:
    await desk.ask(*INVOICES)
    vllm.reply = lambda body: ["invoice missing"] * (body.get("n") or 1)
    model = ChatModel(url=vllm.url, name=vllm.model)
    await model.open()
    upkeep = desk.new_upkeep(ModelNamer(model, prompts, ("en",)))
    await upkeep.find()
    names = {each.name for each in await desk.groups()}
    asked = len(vllm.chats)
    await upkeep.find()
    await model.close()

    assert "invoice missing" in names
    assert {each.name for each in await desk.groups()} == names
    assert len(vllm.chats) == asked > 0


async def test_that_a_child_process_groups_as_this_one_does(desk: Desk) -> None:
    task = Task(texts=[*INVOICES, *PASSWORDS], confirmed={"7": [0, 1]}, number=2)

    assert await in_child(task) == await desk.group(task)
    with pytest.raises(IntentsError, match="could not be grouped"):
        await in_child(Task(texts=[]))


async def test_that_a_child_process_ends_when_nobody_waits_for_it() -> None:
    many = [f"Where is invoice {number}?" for number in range(999)]
    running = asyncio.create_task(in_child(Task(texts=many)))
    await eventually(children)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert children() == []


def children() -> list[Path]:
    """Return the grouping processes that this one started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid() and b"grouping" in (folder / "cmdline").read_bytes():
                found.append(folder)
    return found
