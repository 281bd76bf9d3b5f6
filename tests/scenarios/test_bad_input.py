"""Promise: whatever is sent, something polite and true comes back, and the log has it."""

from pathlib import Path

import pytest

from bot.delivery import LONGEST_KEPT
from bot.messages import Language
from bot.understanding import clean
from prompts import Prompts
from tests.small_shop import QUESTION, RETURNS_EN, RETURNS_ZH, open_desk

ODD = [
    pytest.param("", "no_words", "en", id="empty"),
    pytest.param(" \n\t ", "no_words", "en", id="blank"),
    pytest.param("🎉🎉👍🏽", "no_words", "en", id="emoji"),
    pytest.param("？！……", "no_words", "en", id="punctuation"),
    pytest.param("\x00\x01\x1b[31m", "no_words", "en", id="control-characters"),
    pytest.param("\u202e\u2066\u200b", "no_words", "en", id="invisible"),
    pytest.param("\ud800\udfff", "no_words", "en", id="surrogates"),
    pytest.param("a" * 100_000, "too_long", "en", id="long-word"),
    pytest.param("word " * 20_000, "too_long", "en", id="long-english"),
    pytest.param("退货" * 50_000, "too_long", "zh", id="long-chinese"),
]


@pytest.mark.parametrize(("text", "task", "language"), ODD)
async def test_that_an_odd_message_is_answered_and_logged(
    tmp_path: Path, prompts: Prompts, text: str, task: str, language: Language
) -> None:
    values = {"limit": "4,000"} if task == "too_long" else {}
    async with open_desk(tmp_path) as desk:
        reply = await desk.ask(text)
        await desk.settled()

        assert reply.text == prompts.text(task, language, **values)
        is_cut = len(text) > LONGEST_KEPT
        logged = f"{clean(text[:LONGEST_KEPT])} [… 100,000]" if is_cut else clean(text)
        assert await desk.rows("SELECT text FROM turns WHERE role = 'customer'") == [(logged,)]
        assert await desk.rows("SELECT state FROM outbox") == [("sent",)]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param(
            f"\x1b[1m\u202e{QUESTION['en']}\x00\u200b", RETURNS_EN, id="hidden-characters"
        ),
        pytest.param(QUESTION["zh"] + "👨‍👩‍👧" * 20, RETURNS_ZH, id="many-emoji"),
        pytest.param("Ｃan I ｒeturn an item within ３０ days?", RETURNS_EN, id="full-width"),
        pytest.param(f"'; -- \" {QUESTION['zh']}", RETURNS_ZH, id="sql"),
        pytest.param(f"<b>{QUESTION['zh']}</b>", RETURNS_ZH, id="html"),
    ],
)
async def test_that_a_question_among_noise_is_answered(
    tmp_path: Path, text: str, answer: str
) -> None:
    async with open_desk(tmp_path) as desk:
        assert (await desk.ask(text)).text == answer


async def test_that_hostile_names_are_only_names(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        reply = await desk.ask("Hi", address="'; DROP TABLE turns; -- 名\u202e")

        assert reply.address == "'; DROP TABLE turns; -- 名\u202e"
        assert await desk.rows("SELECT count(*) FROM turns") == [(2,)]


@pytest.mark.parametrize("text", ["", "a" * 100_000, "🎉"])
async def test_that_an_odd_message_does_not_disturb_the_next(tmp_path: Path, text: str) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["zh"])
        odd = await desk.ask(text)
        reply = await desk.ask(QUESTION["zh"])

        assert reply.text == RETURNS_ZH
        assert odd.conversation == reply.conversation
