"""The benchmark itself: every message answered once, and the table as documented.

No time is asserted: the machine that runs the tests has other work.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.candidates.fixed import handoff
from prompts import Prompts
from tests.benchmarks.bench import HANDED_OFF, Bench, Plan, Subject
from tests.benchmarks.customers import Calls, Crowd, Telegram
from tests.benchmarks.measurement import COLUMNS, Measurement, p50_p95, table
from tests.benchmarks.programs import ProgramError, started, usage
from tests.benchmarks.shop import TOKENS, Shop, in_tokens
from tests.fakes.telegram_api import Call, FakeTelegram
from tests.small_shop import QUESTION, RETURNS_EN, UNANSWERABLE

DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
SOURCE = "https://shop.example"


async def measured(
    subjects: Sequence[Subject], articles: Path, folder: Path
) -> tuple[list[Measurement], list[str]]:
    said: list[str] = []
    plan = Plan(
        subjects,
        customers=[3],
        messages=6,
        articles=articles,
        questions=[QUESTION["en"], UNANSWERABLE["en"]],
        mark=SOURCE,
        patience_seconds=15,
    )
    return await Bench(plan, folder, folder / "cache", said.append).measure(), said


async def test_that_every_message_is_answered_once(articles: Path, tmp_path: Path) -> None:
    found, said = await measured(["bare", "telegram", "slack"], articles, tmp_path)

    assert [(one.asked, one.answered, one.unasked) for one in found] == [(9, 9, 0)] * 3
    assert [one.drafted for one in found] == [9] * 3
    assert all(one.cpu_seconds_per_1000 > 0 and one.peak_megabytes > 0 for one in found)
    assert "1 of 2 questions are answered by an article" in said


async def test_that_a_program_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="No module named"):
        async with started("tests.benchmarks.nothing", folder=tmp_path, settings={}) as program:
            await program.finish()


async def test_that_a_second_answer_to_one_question_counts() -> None:
    async with FakeTelegram() as fake:
        crowd = Crowd(Telegram(fake), [SOURCE])
        for text in ("…", f"Within 30 days. {SOURCE}/returns"):
            fake.calls.append(Call("sendMessage", {"chat_id": 1000, "text": text}))

    assert crowd.unasked == 1


async def test_that_a_hand_off_is_an_answer() -> None:
    async with FakeTelegram() as fake:
        crowd = Crowd(Telegram(fake), [SOURCE, HANDED_OFF])
        asking = asyncio.create_task(crowd._ask(0, QUESTION["en"]))
        await fake.until(lambda: fake.unconfirmed)
        said = handoff("no_article", "en", Prompts.load()).text
        fake.calls.append(Call("sendMessage", {"chat_id": 1000, "text": said}))

        assert HANDED_OFF in (await asking).text


async def test_that_a_placeholder_is_not_the_beginning_of_an_answer() -> None:
    async with FakeTelegram() as fake:
        crowd = Crowd(Telegram(fake), [SOURCE])
        asking = asyncio.create_task(crowd._ask(0, QUESTION["en"]))
        await fake.until(lambda: fake.unconfirmed)
        first = []
        for text in ("One moment …", f"Within 30 days. {SOURCE}/returns"):
            fake.calls.append(Call("sendMessage", {"chat_id": 1000, "text": text}))
            first.append(crowd._waiting["1000"].first_seconds)

        assert (await asking).text.count("Within 30 days.") == 1
    assert first[0] is None
    assert first[1] is not None


def test_that_calls_are_handed_on_and_only_the_last_is_kept() -> None:
    seen: list[object] = []
    calls = Calls(seen.append)

    calls.append(first := Call("getMe", {}))
    calls.append(second := Call("getUpdates", {}))

    assert (seen, list(calls)) == ([first, second], [second])


def test_that_the_table_has_the_documented_columns() -> None:
    one = Measurement(
        program="Frontdesk, Telegram",
        customers=50,
        asked=1000,
        answered=1000,
        unasked=2,
        drafted=990,
        handed_off=10,
        first_ms=(100.4, 120.0),
        final_ms=(10.0, 12.25),
        messages_per_second=104.4,
        cpu_seconds_per_1000=8.94,
        peak_megabytes=140,
        beside_encoders_megabytes=90,
        fakes_share=0.5,
    )

    head, ruler, row = table([one]).splitlines()

    assert head == f"| {' | '.join(COLUMNS)} |"
    assert ruler.count("|") == row.count("|") == len(COLUMNS) + 1
    assert row == (
        "| Frontdesk, Telegram | 50 | 1000 of 1000, 2 twice | 100.4 / 120.0 | 10.0 / 12.2 | 104 "
        "| 8.9 | 140 | 90 | 99% | 1% | 0.50 |"
    )
    assert head in DOCUMENT.read_text(encoding="utf-8")


def test_that_the_models_own_time_is_taken_off() -> None:
    seconds = [0.2 + number / 1000 for number in range(100)]

    p50, p95 = p50_p95(seconds, 0.1)

    assert (round(p50, 1), round(p95, 1)) == (149.5, 195.0)


@pytest.mark.parametrize(
    ("sentences", "answer"),
    [(1, "You can return an item within 30 days of delivery."), (2, RETURNS_EN)],
)
def test_that_the_model_says_what_its_passages_say(
    articles: Path, sentences: int, answer: str
) -> None:
    shop = Shop(articles, [], sentences)
    prompt = f"Rules first.\n\nReturns\n{RETURNS_EN}\n\nmore"
    body = {"n": 2, "messages": [{"content": prompt}, {"content": "When?"}]}

    assert shop.reply(body) == [answer] * 2
    assert shop.said == {"When?": answer}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [pytest.param("You can return it within 30 days.", TOKENS, id="long"), ("Yes.", 4)],
)
def test_that_an_answer_is_cut_into_tokens(text: str, tokens: int) -> None:
    pieces = in_tokens(text)

    assert len(pieces) == tokens
    assert "".join(pieces) == text


def test_that_a_process_knows_what_it_used() -> None:
    used = usage(os.getpid())

    assert used.cpu_seconds > 0
    assert used.peak_megabytes > 10
