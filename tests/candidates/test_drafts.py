"""Drafts: the real client against a model server that answers, refuses, lies or hangs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.candidates.drafts import STOPPED, DraftWriter, Shown
from bot.knowledge.scoring import Hit
from bot.messages import Candidate, Generation, Language, Turn
from bot.model import ChatModel, Timeouts, estimated_tokens
from bot.model_calls import Call
from bot.understanding import understand
from prompts import Prompts
from tests.fakes.vllm_api import MODEL, Break, FakeVllm, Fault, log_probability
from tests.small_shop import (
    DEADLINE_SECONDS,
    NO_MODEL,
    QUESTION,
    RETURNS_EN,
    RETURNS_ZH,
    hit,
    passage,
)

LONGEST = 160
GOOD: dict[Language, str] = {
    "en": "You can return an item within 30 days of delivery.",
    "zh": "商品送达后30天内可以退货。",
}
# So often the sentence fits into the longest draft, whose last word may go on.
CUT_AFTER = 16
CUT = " ".join([GOOD["en"]] * (CUT_AFTER + 4))
HITS: dict[Language, list[Hit]] = {
    "en": [hit(passage(RETURNS_EN))],
    "zh": [hit(passage(RETURNS_ZH, "tui-huo", "zh"))],
}


def chat_model(url: str, **options: Any) -> ChatModel:
    return ChatModel(url=url, name=MODEL, **options)


def writer(
    model: ChatModel,
    *,
    drafts: int = 2,
    languages: Sequence[Language] = ("en", "zh"),
) -> DraftWriter:
    return DraftWriter(
        model,
        Prompts.load(),
        drafts=drafts,
        longest_tokens=LONGEST,
        languages=languages,
    )


async def write(
    url: str,
    language: Language = "en",
    *,
    history: Sequence[Turn] = (),
    hits: Sequence[Hit] | None = None,
    drafts: int = 2,
    seconds: float | None = None,
    **options: Any,
) -> tuple[list[Candidate], Generation]:
    model = chat_model(url, **options)
    try:
        return await writer(model, drafts=drafts).write(
            understand(QUESTION[language]),
            history,
            HITS[language] if hits is None else hits,
            seconds=seconds,
        )
    finally:
        await model.close()


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_one_request_brings_all_drafts(vllm: FakeVllm, language: Language) -> None:
    wrong = GOOD[language].replace("30", "90")
    vllm.says(GOOD[language], wrong)

    candidates, generation = await write(vllm.url, language)

    [call] = vllm.chats
    assert (call.body["n"], call.body["logprobs"]) == (2, True)
    assert [candidate.text for candidate in candidates] == [GOOD[language], wrong]
    assert candidates[0].refusal is None
    assert (candidates[1].refusal or "").startswith("number:90")
    assert generation.error is None


async def test_that_log_probabilities_and_tokens_are_kept(vllm: FakeVllm) -> None:
    vllm.says(GOOD["en"], "NO ANSWER")

    candidates, generation = await write(vllm.url)

    assert [c.features["log_probability"] for c in candidates] == pytest.approx(
        [log_probability(0), log_probability(1)]
    )
    assert generation.texts == (GOOD["en"], "NO ANSWER")
    assert generation.input_tokens
    assert generation.output_tokens == len(GOOD["en"].split()) + 2


@pytest.mark.parametrize(
    ("drafts", "temperature"), [pytest.param(1, 0.0, id="one"), pytest.param(3, 0.3, id="several")]
)
async def test_that_the_log_holds_the_sampling_that_was_asked_for(
    vllm: FakeVllm, drafts: int, temperature: float
) -> None:
    _, generation = await write(vllm.url, drafts=drafts)

    sent = vllm.chats[0].body
    assert (sent.get("n", 1), sent["temperature"]) == (drafts, temperature)
    assert dict(generation.sampling) == {"n": drafts, "temperature": temperature, "max_tokens": 160}


async def test_that_equal_drafts_are_one_candidate(vllm: FakeVllm) -> None:
    vllm.says(GOOD["en"], f"  {GOOD['en']}\n", "NO ANSWER")

    candidates, _ = await write(vllm.url, drafts=3)

    assert [candidate.text for candidate in candidates] == [GOOD["en"], "NO ANSWER"]


async def test_that_drafts_are_cleaned_before_they_are_stored_or_shown(vllm: FakeVllm) -> None:
    vllm.says(f"\x1b[31m{GOOD['en']}\u202e\x00", "x\ud800")

    candidates, _ = await write(vllm.url)

    assert [candidate.text for candidate in candidates] == [GOOD["en"], "x"]


async def test_that_a_draft_without_room_to_end_is_not_shown(vllm: FakeVllm) -> None:
    vllm.says(CUT, GOOD["en"])

    candidates, _ = await write(vllm.url)

    assert [candidate.refusal for candidate in candidates] == ["unfinished", None]


async def test_that_what_stands_of_a_draft_without_room_is_whole_sentences(vllm: FakeVllm) -> None:
    vllm.says(CUT)

    shown = await write_along(vllm.url, Reader())

    assert shown.draft.refusal == "unfinished"
    assert shown.visible == " ".join([GOOD["en"]] * (CUT_AFTER - 1))
    assert shown.generation.error is None


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_the_prompt_goes_from_stable_to_volatile(
    vllm: FakeVllm, language: Language
) -> None:
    history = [
        Turn(role="customer", text="Hi 你好"),
        Turn(role="assistant", text="Hello!"),
        Turn(role="agent", text="Mira here."),
    ]
    await write(vllm.url, language, history=history)

    [call] = vllm.chats
    assert call.roles == ["system", "user", "assistant", "assistant", "user"]
    assert HITS[language][0].passage.text in call.texts[0]
    assert call.texts[1:] == ["Hi 你好", "Hello!", "Mira here.", QUESTION[language]]


async def test_that_every_passage_is_in_the_system_message_best_first(vllm: FakeVllm) -> None:
    hits = [hit(passage(f"Text {name}.", name)) for name in ("first", "second", "third")]

    await write(vllm.url, hits=hits)

    system = vllm.chats[0].texts[0]
    assert system.index("Text first.") < system.index("Text second.") < system.index("Text third.")


@pytest.mark.parametrize("text", ["long words " * 30, "很长的一句话" * 30], ids=["en", "zh"])
async def test_that_history_is_trimmed_to_the_budget_from_its_start(
    vllm: FakeVllm, text: str
) -> None:
    history = [
        Turn(role="assistant" if number % 2 else "customer", text=f"{number} {text}")
        for number in range(40)
    ]
    await write(vllm.url, context_tokens=2048, history=history)

    [call] = vllm.chats
    kept = call.texts[1:-1]
    assert 0 < len(kept) < 40
    assert call.roles[1] == "user"
    assert kept == [turn.text for turn in history[-len(kept) :]]
    assert sum(map(estimated_tokens, call.texts)) + 160 <= 2048


@pytest.mark.parametrize(("letter", "fitting"), [("word ", 5), ("字", 1)], ids=["en", "zh"])
async def test_that_passages_that_do_not_fit_are_left_out_from_the_last(
    vllm: FakeVllm, letter: str, fitting: int
) -> None:
    text = letter * (1150 // len(letter))
    hits = [hit(passage(f"{number}: {text}", str(number))) for number in range(6)]

    _, generation = await write(vllm.url, hits=hits, context_tokens=2600)

    system = vllm.chats[-1].texts[0]
    assert generation.error is None
    assert [number for number in range(6) if f"{number}: {letter}" in system] == [*range(fitting)]


FAULTS = [
    pytest.param(Fault.server_error(), "does not answer", id="500"),
    pytest.param(Fault.too_many_requests(), "refused", id="429"),
    pytest.param(Fault.garbage(), "refused", id="html"),
    pytest.param(Fault.garbage("{", "application/json"), "refused", id="broken-json"),
    pytest.param(Fault.garbage("{}", "application/json"), "refused", id="empty-object"),
    pytest.param(Fault.garbage("[]", "application/json"), "refused", id="list"),
    pytest.param(Fault.garbage("null", "application/json"), "refused", id="null"),
    pytest.param(Fault.garbage('"hi"', "application/json"), "refused", id="string"),
    pytest.param(Fault.garbage('{"choices": null}', "application/json"), "refused", id="no-list"),
    pytest.param(Fault.garbage('{"choices": []}', "application/json"), "no text", id="no-choices"),
    pytest.param(Fault.garbage('{"choices": [1]}', "application/json"), "refused", id="numbers"),
    pytest.param(
        Fault.garbage(
            '{"choices": [{"message": {"role": "assistant", "content": "Hi"}, "index": 0,'
            ' "finish_reason": "stop", "logprobs": {"content": [{"token": "Hi"}]}}]}',
            "application/json",
        ),
        "refused",
        id="broken-logprobs",
    ),
    pytest.param(Fault.dropped(), "does not answer", id="hang-up"),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS)
async def test_that_a_failed_call_gives_no_drafts_and_a_recorded_error(
    vllm: FakeVllm, fault: Fault, reason: str
) -> None:
    vllm.breaks(fault)

    candidates, generation = await write(vllm.url)

    assert candidates == []
    assert generation.texts == ()
    assert reason in (generation.error or "")
    assert len(vllm.chats) == (2 if "does not answer" in reason else 1)


async def test_that_a_server_that_is_not_there_is_a_recorded_error() -> None:
    candidates, generation = await write(NO_MODEL)

    assert candidates == []
    assert "does not answer" in (generation.error or "")


async def test_that_a_wrong_model_or_key_is_a_recorded_error() -> None:
    async with FakeVllm(key="right") as vllm:
        _, with_wrong_key = await write(vllm.url)
    async with FakeVllm(model="another") as vllm:
        _, with_wrong_model = await write(vllm.url)

    assert "401" in (with_wrong_key.error or "")
    assert "404" in (with_wrong_model.error or "")


async def test_that_the_deadline_ends_the_wait_and_the_request(vllm: FakeVllm) -> None:
    vllm.hold()

    candidates, generation = await write(vllm.url, seconds=0.05)

    assert candidates == []
    assert generation.error == "no draft within 0.05 s"
    await vllm.until(lambda: vllm.abandoned == len(vllm.chats))


@pytest.mark.parametrize(
    ("changes", "language", "hits"),
    [
        pytest.param({"drafts": 0}, "en", HITS["en"], id="switched-off"),
        pytest.param({"languages": ("en",)}, "zh", HITS["zh"], id="language"),
        pytest.param({}, "en", [], id="no-passage"),
        pytest.param({}, "en", [hit(passage(), 0.1)], id="passage-too-far"),
        pytest.param({"trouble": lambda: "still loading"}, "zh", HITS["zh"], id="model-loading"),
    ],
)
def test_that_no_time_is_spent_on_drafts_in_vain(
    changes: dict[str, Any], language: Language, hits: list[Hit]
) -> None:
    trouble = changes.pop("trouble", lambda: None)

    assert not writer(chat_model(NO_MODEL, trouble=trouble), **changes).can_write(language, hits)
    assert writer(chat_model(NO_MODEL)).can_write("en", HITS["en"])


async def test_that_a_model_in_trouble_is_not_asked(vllm: FakeVllm) -> None:
    _, generation = await write(vllm.url, trouble=lambda: "still loading")

    assert generation.error == "still loading"
    assert vllm.calls == []


# One retry, by us alone; and what ends a draft.

SENTENCES = "You can return an item within 30 days of delivery. Sale items cannot be returned."


@dataclass
class Reader:
    """Someone who sees a draft grow. `seen` is set once something is visible."""

    shown: list[str] = field(default_factory=list)
    seen: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, text: str) -> None:
        self.shown.append(text)
        self.seen.set()


async def write_along(
    url: str, reader: Reader, timeouts: Timeouts | None = None, **options: Any
) -> Shown:
    model = chat_model(url, timeouts=timeouts)
    try:
        return await writer(model).write_along(
            understand(QUESTION["en"]), [], HITS["en"], reader, **options
        )
    finally:
        await model.close()


@pytest.mark.parametrize("opening", ["Of course!", "Yes.", "Sure! Yes!"])
async def test_that_a_draft_may_begin_with_a_courtesy_or_a_yes(
    vllm: FakeVllm, opening: str
) -> None:
    said = f"{opening} {SENTENCES}"
    vllm.says(said)
    reader = Reader()

    shown = await write_along(vllm.url, reader)

    assert (shown.draft.text, shown.draft.refusal) == (said, None)
    assert opening not in reader.shown


@pytest.mark.parametrize("fault", [Fault.server_error(), Fault.dropped()], ids=["500", "dropped"])
async def test_that_a_request_that_fails_at_once_is_made_once_more(
    vllm: FakeVllm, fault: Fault
) -> None:
    vllm.fails(fault)
    vllm.says(GOOD["en"], GOOD["en"])
    candidates, generation = await write(vllm.url)

    vllm.fails(fault)
    vllm.says(GOOD["en"])
    shown = await write_along(vllm.url, Reader())

    assert (generation.error, [each.text for each in candidates]) == (None, [GOOD["en"]])
    assert (shown.generation.error, shown.draft.text) == (None, GOOD["en"])
    assert len(vllm.chats) == 4


async def test_that_a_stream_that_breaks_before_anything_is_visible_is_begun_anew(
    vllm: FakeVllm,
) -> None:
    vllm.says(SENTENCES, broken=Break.dies(3))
    vllm.says(SENTENCES)
    reader = Reader()

    shown = await write_along(vllm.url, reader)

    assert (shown.draft.text, shown.draft.refusal) == (SENTENCES, None)
    assert reader.shown[0] == GOOD["en"]


async def test_that_nothing_is_asked_again_once_something_is_visible(vllm: FakeVllm) -> None:
    vllm.says(SENTENCES, broken=Break.dies(12))

    shown = await write_along(vllm.url, Reader())

    assert (shown.visible, shown.draft.refusal) == (GOOD["en"], "unfinished")
    assert len(vllm.chats) == 1


async def test_that_a_failure_that_took_long_is_not_tried_again(vllm: FakeVllm) -> None:
    vllm.breaks(Fault.hangs())

    shown = await write_along(vllm.url, Reader(), seconds=0.3)
    _, generation = await write(vllm.url, seconds=0.3)

    assert shown.generation.error == generation.error == "no draft within 0.3 s"
    assert len(vllm.chats) == 2


async def test_that_a_model_that_may_not_be_asked_any_more_is_not_tried_again(
    vllm: FakeVllm,
) -> None:
    vllm.breaks(Fault.server_error())
    calls: list[Call] = []

    await write(
        vllm.url,
        note=calls.append,
        trouble=lambda: "it failed" if calls else None,
    )

    assert len(vllm.chats) == 1


async def test_that_a_draft_has_its_time_until_visible_and_then_as_long_as_tokens_come(
    vllm: FakeVllm,
) -> None:
    vllm.says(SENTENCES)
    vllm.token_seconds = 0.1  # the first sentence has ten words, the second five more

    shown = await write_along(vllm.url, Reader(), seconds=1.4)

    assert (shown.draft.refusal, shown.visible) == (None, SENTENCES)


async def test_that_a_draft_of_which_nothing_is_visible_in_time_is_left(vllm: FakeVllm) -> None:
    vllm.says(SENTENCES)
    vllm.token_seconds = 0.2

    shown = await write_along(vllm.url, Reader(), seconds=0.5)

    assert (shown.visible, shown.draft.refusal) == ("", "unfinished")
    await vllm.until(lambda: vllm.abandoned == 1)


async def test_that_a_stop_ends_the_request_and_leaves_what_is_visible(vllm: FakeVllm) -> None:
    vllm.says(SENTENCES, broken=Break.stalls(12))
    reader, stopped = Reader(), asyncio.Event()
    writing = asyncio.create_task(write_along(vllm.url, reader, stopped=stopped))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await reader.seen.wait()

    stopped.set()
    shown = await writing

    assert (shown.visible, shown.draft.refusal) == (GOOD["en"], STOPPED)
    assert shown.generation.error == STOPPED
    await vllm.until(lambda: vllm.abandoned == 1)


async def test_that_a_stop_ends_drafts_that_nobody_sees(vllm: FakeVllm) -> None:
    vllm.hold()
    model, stopped = chat_model(vllm.url), asyncio.Event()
    drafting = writer(model).write(understand(QUESTION["en"]), [], HITS["en"], stopped=stopped)
    writing = asyncio.create_task(drafting)
    await vllm.until(lambda: vllm.chats)

    stopped.set()
    candidates, generation = await writing

    assert (candidates, generation.error) == ([], STOPPED)
    await vllm.until(lambda: vllm.abandoned == 1)
    await model.close()
