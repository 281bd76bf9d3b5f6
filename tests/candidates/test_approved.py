"""Approved answers: shown for their questions and nearly the same ones, and for no others."""

from dataclasses import replace

import pytest

from bot.log import approved
from bot.log.approved import Wording
from bot.messages import Language
from bot.understanding import understand
from tests.small_shop import NOW, Desk

WORDINGS: dict[Language, Wording] = {
    "en": Wording(
        text="Yes, dogs are welcome in our shop.",
        questions=("Can I bring my dog to the shop?", "May 2 dogs come into the shop?"),
        language="en",
        article="en/returns",
    ),
    "zh": Wording(
        text="可以，欢迎带狗来店。",
        questions=("可以带狗进店里吗？",),
        language="zh",
        article="zh/returns",
    ),
}
SAME: dict[Language, str] = {
    "en": "can I bring my dog to the shop",
    "zh": "请问可以带狗进店里吗",
}


async def approve(desk: Desk, wording: Wording) -> int:
    number = await desk.store.write(lambda db: approved.add(db, wording, "admin", NOW))
    await desk.approved.load()
    return number


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_question_gets_the_answer_that_was_approved_for_it(
    desk: Desk, language: Language
) -> None:
    number = await approve(desk, WORDINGS[language])

    reply = await desk.ask(SAME[language])

    assert (reply.source, reply.text) == ("approved", WORDINGS[language].text)
    assert [cited.article for cited in reply.citations] == [f"{language}/returns"]
    found = await desk.approved.match(understand(SAME[language]))
    assert found is not None
    assert found.features["approved_answer"] == number


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("Can I not bring my dog to the shop?", id="negation"),
        pytest.param("May 3 dogs come into the shop?", id="number"),
        pytest.param("Can I return an item to the shop?", id="other"),
        pytest.param("可以带狗进店里吗？", id="language"),
    ],
)
@pytest.mark.parametrize("seconds", [5.0, 0.0], ids=["meaning", "words"])
async def test_that_another_question_does_not_get_it(
    desk: Desk, question: str, seconds: float
) -> None:
    await approve(desk, WORDINGS["en"])

    assert await desk.approved.match(understand(question), seconds) is None


async def test_that_words_alone_find_it_where_the_encoder_has_no_time(desk: Desk) -> None:
    await approve(desk, WORDINGS["en"])

    assert await desk.approved.match(understand(SAME["en"]), 0.0) is not None


@pytest.mark.parametrize(
    ("until", "is_shown"), [("2026-03-01", True), ("2026-02-28", False)], ids=["last-day", "over"]
)
async def test_that_it_is_shown_until_its_last_day(desk: Desk, until: str, is_shown: bool) -> None:
    await approve(desk, replace(WORDINGS["en"], valid_until=until))

    found = await desk.approved.match(understand(SAME["en"]))

    assert (found is not None) is is_shown


async def test_that_an_edit_counts_at_once_and_a_retired_one_is_gone(desk: Desk) -> None:
    number = await approve(desk, WORDINGS["en"])
    changed = replace(WORDINGS["en"], text="No dogs, sorry.", article="")

    await desk.store.write(lambda db: approved.edit(db, number, changed, "admin", NOW))
    await desk.approved.load()
    found = await desk.approved.match(understand(SAME["en"]))
    assert found is not None
    assert (found.text, found.citations, found.features["version"]) == (changed.text, (), 2)

    await desk.store.write(lambda db: approved.retire(db, number, NOW))
    await desk.approved.load()
    assert await desk.approved.match(understand(SAME["en"])) is None
    versions = await desk.store.read(lambda db: approved.versions(db, number))
    assert [version.wording.text for version in versions] == [changed.text, WORDINGS["en"].text]
