"""The intent classifier while Frontdesk runs: followed, and run over the log."""

import io
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from bot.console import Console
from bot.intents import model_file
from bot.intents.in_force import IntentsInForce
from bot.intents_upkeep import BATCH, FOLLOW_SECONDS, REST_SECONDS, IntentsUpkeep
from bot.log import erasure
from bot.log import intents as labels
from bot.log.store import Store
from tests.intents.small_set import texts
from tests.intents.taught import put_in_force
from tests.log.writing import exchange
from tests.small_shop import NOW, incoming


class Running:
    """A Frontdesk as far as its intents go."""

    def __init__(self, path: Path) -> None:
        self.folder = path / "intents"
        self.store = Store(path / "frontdesk.db")
        self.in_force = IntentsInForce(self.folder)
        self.upkeep = self.new_upkeep()
        self.pauses: list[float] = []

    def new_upkeep(self) -> IntentsUpkeep:
        return IntentsUpkeep(self.store, self.in_force, Console(), lambda: NOW, self.pause)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if seconds == FOLLOW_SECONDS:
            raise StopAsyncIteration

    async def ask(self, *questions: str) -> None:
        for text in questions:
            await self.store.write(lambda db: exchange(db, incoming(text)))  # noqa: B023

    async def labels(self, columns: str = "text, intent") -> list[Any]:
        return await self.store.read(
            lambda db: db.execute(
                f"SELECT {columns} FROM intent_labels JOIN turns ON turns.id = turn ORDER BY number"
            ).fetchall()
        )

    async def label_all(self) -> int:
        batches = 0
        while await self.upkeep.label():
            batches += 1
        return batches


@pytest_asyncio.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    made = Running(tmp_path)
    yield made
    made.in_force.close()
    made.store.close()


async def test_that_the_log_is_labelled_once_the_newest_first(running: Running) -> None:
    questions = [*texts("invoice"), "Hello", "/help", "yes"]
    await running.ask(*questions)
    version = put_in_force(running.folder)
    await running.upkeep.follow()

    assert await running.upkeep.label()
    first = await running.labels()
    await running.label_all()

    told = await running.labels("text, source, model, account")
    assert [text for text, _ in first] == texts("invoice")[-BATCH + 3 :]
    assert told == [(text, "model", version, "") for text in texts("invoice")]
    assert {intent for _, intent in await running.labels()} == {"invoice"}
    assert not await running.upkeep.label()


async def test_that_a_restart_goes_on_where_it_ended(running: Running) -> None:
    await running.ask(*texts("invoice"), *texts("return"))
    put_in_force(running.folder)
    await running.upkeep.follow()
    await running.upkeep.label()

    running.upkeep = running.new_upkeep()
    left = len(texts("invoice")) + len(texts("return")) - BATCH
    assert await running.label_all() == -(-left // BATCH)
    assert len(await running.labels()) == left + BATCH


async def test_that_questions_that_come_later_are_labelled_too(running: Running) -> None:
    put_in_force(running.folder)
    await running.upkeep.follow()
    await running.label_all()
    await running.ask("I need an invoice")
    await running.label_all()

    assert await running.labels() == [("I need an invoice", "invoice")]


async def test_that_a_new_classifier_labels_all_anew_but_what_a_person_said(
    running: Running,
) -> None:
    await running.ask("I need an invoice", "I want to return the shoes")
    old = put_in_force(running.folder)
    await running.upkeep.follow()
    await running.label_all()
    [turn, _] = await running.labels("turn")
    await running.store.write(lambda db: labels.label(db, turn[0], "billing", "ada", NOW))

    new = put_in_force(running.folder, "2026-03-02")
    await running.upkeep.follow()
    await running.label_all()

    assert new != old
    assert await running.labels("intent, source, model, account") == [
        ("billing", "person", "", "ada"),
        ("return", "model", new, ""),
    ]


@pytest.mark.parametrize("damage", ["half", "version", "array"])
async def test_that_a_file_that_cannot_be_used_is_told_once_and_the_old_one_goes_on(
    running: Running, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = put_in_force(running.folder)
    await running.upkeep.follow()
    spoil(running.folder / model_file.NAME, damage)
    capsys.readouterr()

    await running.upkeep.follow()
    await running.upkeep.follow()

    warning = capsys.readouterr().err
    assert warning.count("train anew") == warning.count(f"The classifier {old} goes on") == 1
    [told] = await running.in_force.told(["I need an invoice"])
    assert told.intents == ("invoice",)


def spoil(path: Path, damage: str) -> None:
    """Damage a file as a broken copy, a newer program or a lost part would."""
    if damage == "half":
        path.write_bytes(path.read_bytes()[:5000])
        return
    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if damage == "version":
                data = data.replace(b'"version": 1', b'"version": 99')
            elif name.endswith("head/bias.npy"):
                raw = io.BytesIO()
                np.save(raw, np.zeros(3, dtype=np.float32))
                data = raw.getvalue()
            new.writestr(name, data)
    path.write_bytes(made.getvalue())


async def test_that_without_a_classifier_nothing_is_labelled(running: Running) -> None:
    await running.ask("I need an invoice")
    await running.upkeep.follow()

    assert not await running.upkeep.label()
    assert await running.labels() == []


async def test_that_it_rests_between_batches_and_follows_by_itself(running: Running) -> None:
    await running.ask(*texts("invoice"))
    put_in_force(running.folder)
    with pytest.raises((StopAsyncIteration, RuntimeError)):
        await running.upkeep.run()

    assert running.pauses == [REST_SECONDS, REST_SECONDS, FOLLOW_SECONDS]
    assert len(await running.labels()) == len(texts("invoice"))


async def test_that_nothing_is_labelled_of_what_was_erased_meanwhile(running: Running) -> None:
    await running.ask("I need an invoice")
    put_in_force(running.folder)
    await running.upkeep.follow()
    [wanted] = await running.in_force.told(["I need an invoice"])
    [asked] = await running.store.read(lambda db: labels.unlabelled(db, "", "", "~", 1))
    later = (NOW + timedelta(days=1)).isoformat()

    await running.store.write(lambda db: erasure.erase(db, "test", "customer-ada", later))
    await running.store.write(lambda db: labels.tell(db, {asked.id: wanted}, NOW))

    assert await running.store.read(lambda db: db.table("intent_labels").count) == 0


async def test_that_intents_of_the_rules_that_nobody_knows_are_told(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    put_in_force(running.folder)
    named = ("invoice", "out_of_scope", "warranty", "保修")
    upkeep = IntentsUpkeep(
        running.store, running.in_force, Console(), lambda: NOW, running.pause, named=named
    )
    await upkeep.follow()

    said = capsys.readouterr().err
    assert "the classifier doesn't know: warranty, 保修." in said
