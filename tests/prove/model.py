"""M1, M2, M5: a model that fails in every way costs no customer their answer."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.breaker import FAILURES, PROBE_SECONDS
from bot.model import PROBE_TOKENS, Timeouts
from tests.fakes.vllm_api import Break, Call, FakeVllm, Fault
from tests.fakes.vllm_replies import longest_answer
from tests.prove.model_shop import (
    MODEL,
    ONLY_IN_ARTICLE,
    POLL_SECONDS,
    UNSENT,
    Change,
    Shop,
    both_sentences,
    make_well,
    open_shop,
)
from tests.prove.proof import Row, Setup

IN_TIME_SECONDS = 10.0
NORMAL_AGAIN_SECONDS = 10.0
TOLD_SECONDS = {"short": 30.0, "long": 5.0}  # a loaded machine takes longer to load the program
LEEWAY_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """One way to fail. A request fails `fails_after_seconds` after it was made."""

    name: str
    begin: Change
    fails_after_seconds: float = 0.0


def _breaking(outage: Fault | Break) -> Change:
    async def begin(model: FakeVllm) -> None:
        model.breaks(outage)

    return begin


async def _refuse(model: FakeVllm) -> None:
    await model.disappears()


async def _say_nothing(model: FakeVllm) -> None:
    model.reply = lambda body: [""] * (body.get("n") or 1)


async def _crawl(model: FakeVllm) -> None:
    model.first_token_seconds = model.token_seconds = 4.0


async def _stall_in_sight(model: FakeVllm) -> None:
    model.reply = lambda body: [both_sentences(body)] * (body.get("n") or 1)
    model.breaks(Break.stalls(14))  # a token or more after the first sentence


LATE = Timeouts().visible
GAP = Timeouts().between_tokens
OUTAGES = (
    Outage(name="hangs", begin=_breaking(Fault.hangs()), fails_after_seconds=LATE),
    Outage(name="500", begin=_breaking(Fault.server_error())),
    Outage(name="dies after 5 tokens", begin=_breaking(Break.dies(5)), fails_after_seconds=0.2),
    Outage(name="connection refused", begin=_refuse),
    Outage(name="429", begin=_breaking(Fault.too_many_requests())),
    Outage(name="empty answers", begin=_say_nothing),
    Outage(name="garbage", begin=_breaking(Fault.garbage())),
    Outage(name="wrong JSON", begin=_breaking(Fault.garbage("{}", "application/json"))),
    Outage(name="a token each 4 s", begin=_crawl, fails_after_seconds=LATE),
    Outage(name="stalls in sight", begin=_stall_in_sight, fails_after_seconds=GAP),
)
SHORT = 3  # of them are tried in the short form


async def outages(setup: Setup) -> Sequence[Row]:
    """M1: customers write all the time while the model fails in one way after the other."""
    is_long = setup.scale == "long"
    kinds = OUTAGES if is_long else OUTAGES[:SHORT]
    async with open_shop(setup, "outages", customers=20 if is_long else 5) as shop:
        await shop.until_normal()
        rows = [
            await _outage(shop, kind, seconds=60.0 if is_long else 3.0, setup=setup)
            for kind in kinds
        ]
        await shop.settle()
        return [*rows, _truth(shop)]


async def _outage(shop: "Shop", kind: Outage, *, seconds: float, setup: Setup) -> Row:
    """Let the model fail for a while, and look at what customers saw until all was well again."""
    setup.progress(f"M1: the model {kind.name}")
    started, first, first_call = time.monotonic(), len(shop.asked), len(shop.model.chats)
    await kind.begin(shop.model)
    # Whoever asks in the last moment of an outage is part of it.
    await asyncio.sleep(seconds + kind.fails_after_seconds)
    calls = shop.model.chats[first_call:]
    ended = time.monotonic()
    if kind.begin is _refuse:
        await shop.model.returns()
    make_well(shop.model)
    normal = await shop.until_normal()
    asked = shop.asked[first:]
    await shop.answered(asked)
    slowest = max(each.useful_after for each in asked)
    late_calls = _calls_after_opening(calls, kind)
    holds = slowest <= IN_TIME_SECONDS and normal <= NORMAL_AGAIN_SECONDS and bool(asked)
    return Row(
        proof="M1",
        what=f"{seconds:.0f} s of: {kind.name}",
        aim="a useful reply <= 10 s, normal again <= 10 s",
        reached=f"{len(asked)} questions, slowest {slowest:.1f} s, normal after {normal:.1f} s, "
        f"{_customers(calls)} requests, {late_calls} of them after the fifth failure",
        holds=holds,
        seconds=ended - started,
    )


def _calls_after_opening(calls: Sequence[Call], kind: Outage) -> int:
    """Return how many requests of customers began though five had failed."""
    real = [call.at for call in calls if not _is_probe(call)]
    if len(real) < FAILURES:
        return 0
    opened = real[FAILURES - 1] + kind.fails_after_seconds + LEEWAY_SECONDS
    return sum(at > opened for at in real)


def _is_probe(call: Call) -> bool:
    return longest_answer(call.body) == PROBE_TOKENS


def _customers(calls: Sequence[Call]) -> int:
    return sum(not _is_probe(call) for call in calls)


def _truth(shop: "Shop") -> Row:
    """Compare what every chat shows with the questions and with the log."""
    wrong = sum(
        len(shop.telegram.posts(chat)) != len(of_chat) for chat, of_chat in shop.by_chat().items()
    )
    open_posts = sum(map(shop.left_open, shop.by_chat()))
    unsent = shop.count(UNSENT)
    replies = shop.count("SELECT count(*) FROM turns WHERE role = 'assistant'")
    asked = len(shop.asked)
    return Row(
        proof="M1",
        what="all outages together",
        aim="each question answered once, no reply left open",
        reached=f"{asked} questions, {replies} replies in the log, {unsent} not sent, "
        f"{wrong} chats with a reply too many or too few, {open_posts} posts unlike the log",
        holds=(replies, unsent, wrong, open_posts) == (asked, 0, 0, 0),
        seconds=0.0,
    )


async def breaker(setup: Setup) -> Sequence[Row]:
    """M2: one question after the other to a model that fails at once, then is well again."""
    started = time.monotonic()
    async with open_shop(setup, "breaker", customers=0) as shop:
        await shop.until_draft()
        first = len(shop.model.chats)
        shop.model.breaks(Fault.server_error())
        end = time.monotonic() + (60.0 if setup.scale == "long" else 7.0)
        questions = 0
        while time.monotonic() < end:
            await shop.ask()
            await asyncio.sleep(POLL_SECONDS)
            questions += 1
        calls = shop.model.chats[first:]
        shop.model.mends()
        recovered = await shop.ask_until_draft(seconds=2 * NORMAL_AGAIN_SECONDS)
    probes = [call.at for call in calls if _is_probe(call)]
    gaps = [later - earlier for earlier, later in pairwise(probes)]
    failing, shortest = _customers(calls), min(gaps, default=float("inf"))
    has_recovered = recovered is not None and recovered <= NORMAL_AGAIN_SECONDS
    is_paced = bool(probes) and shortest >= PROBE_SECONDS - LEEWAY_SECONDS
    return [
        Row(
            proof="M2",
            what="the breaker, one question after the other",
            aim="<= 5 failing calls, <= 1 probe each 5 s, closed <= 10 s after",
            reached=f"{questions} questions, {failing} failing calls, {len(probes)} probes at "
            f"least {shortest:.1f} s apart, a draft again after {_told(recovered)}",
            holds=failing <= FAILURES and is_paced and has_recovered,
            seconds=time.monotonic() - started,
        )
    ]


def _told(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class _BadStart:
    """A model server that can't be used at the start, and the word that says so."""

    name: str
    told: str
    begin: Change


async def _be_another(model: FakeVllm) -> None:
    model.model = "another-model"


async def _want_a_key(model: FakeVllm) -> None:
    model.key = "k"


async def _be_a_page(model: FakeVllm) -> None:
    model.breaks(Fault.garbage(), everywhere=True)


BAD_STARTS = (
    _BadStart(name="nothing listens", told="No model server answers", begin=_refuse),
    _BadStart(name="another model", told="has no model", begin=_be_another),
    _BadStart(name="wrong key", told="FRONTDESK_MODEL_KEY", begin=_want_a_key),
    _BadStart(name="garbage", told="no OpenAI-compatible server", begin=_be_a_page),
)


async def bad_starts(setup: Setup) -> Sequence[Row]:
    """M5: the program starts while its model server can't be used, and the model is swapped."""
    cases = BAD_STARTS if setup.scale == "long" else BAD_STARTS[:2]
    rows: list[Row] = []
    for case in cases:
        setup.progress(f"M5: {case.name}")
        folder = case.name.replace(" ", "-")
        async with open_shop(setup, folder, customers=0, begin=case.begin) as shop:
            rows.append(await _bad_start(shop, case, TOLD_SECONDS[setup.scale]))
            if case is cases[-1]:
                rows.append(await _swap(shop))
    return rows


async def _bad_start(shop: Shop, case: _BadStart, limit: float) -> Row:
    started = time.monotonic()
    told = await shop.until_said(case.told)
    answer = await shop.ask()
    is_fallback = ONLY_IN_ARTICLE["en"] in answer
    if case.begin is _refuse:
        await shop.model.returns()
    shop.model.model, shop.model.key = MODEL, None
    shop.model.mends()
    healed = await shop.ask_until_draft(seconds=2 * NORMAL_AGAIN_SECONDS)
    return Row(
        proof="M5",
        what=f"start with: {case.name}",
        aim=f"a clear warning <= {limit:.0f} s, the article answers, heals by itself",
        reached=f"told after {told:.1f} s, {'the article' if is_fallback else 'no article'}, a "
        f"draft {_told(healed)} after the mend",
        holds=told <= limit and is_fallback and healed is not None,
        seconds=time.monotonic() - started,
    )


async def _swap(shop: Shop) -> Row:
    """Another model takes the place of the one that was set, while customers ask."""
    started = time.monotonic()
    shop.model.model = "a-third-model"
    answer = await shop.ask()
    told = await shop.until_said("to one of: a-third-model", since=started)
    calls = len(shop.model.chats)
    await shop.ask()
    asked_again = len(shop.model.chats) - calls
    is_fallback = ONLY_IN_ARTICLE["en"] in answer
    return Row(
        proof="M5",
        what="the model is swapped while it runs",
        aim="noticed <= 5 s, not asked again, the article answers",
        reached=f"noticed after {told:.1f} s, {asked_again} more requests, "
        f"{'the article' if is_fallback else 'no article'}",
        holds=told <= 5.0 and not asked_again and is_fallback,
        seconds=time.monotonic() - started,
    )
