"""Choices between two replies and corrections, on their page and in the transcript."""

import re
from collections.abc import Sequence
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from sqlite_utils import Database

from bot.log import approved, preferences
from bot.log.store import Store
from bot.messages import Candidate, Citation, Language
from bot.ranking.pairs import Pair
from tests.adapters.web.dialogues import Clock, message, write_exchange

RETURNS = Citation(article="en/returns", title="Returns", url="https://help.example/returns")
LONG = Candidate(source="article", text="Within 30 days.", citations=(RETURNS,))
SHORT = Candidate(source="draft", text="Yes, for a month.")
REFUSED = Candidate(source="draft", text="For ever.", refusal="unsupported")
SLATE = (LONG, SHORT, REFUSED)
HOSTILE = '<script>alert("1")</script>{{ 7*7 }}'


async def ask(
    store: Store,
    text: str = "May I return it?",
    slate: Sequence[Candidate] = SLATE,
    language: Language = "en",
) -> str:
    """Let a customer of their own ask; return the reply's turn."""
    asked = message(text, address=text)
    return await store.write(
        lambda db: str(write_exchange(db, asked, slate, language=language).turn)
    )


async def pairs(store: Store) -> list[Pair]:
    return await store.read(lambda db: list(preferences.pairs(db)))


async def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    return await store.read(lambda db: db.execute(sql).fetchall())


async def judge(admin: httpx.AsyncClient, better: str, pair: str, **fields: str) -> httpx.Response:
    return await admin.post("/admin/choices", data={"pair": pair, "better": better, **fields})


def offered(page: str) -> tuple[str, list[str]]:
    """Return the pair of a page, and the places of its replies in the order they stand in."""
    [pair] = re.findall(r'name="pair" value="([^"]+)"', page)
    places = re.findall(r'name="better" value="(\d+)"', page)
    return pair, places


async def test_that_an_empty_log_has_nothing_to_compare(admin: httpx.AsyncClient) -> None:
    page = (await admin.get("/admin/choices")).text

    assert "Nothing to compare" in page
    assert "Left 0" in page


async def test_that_two_replies_stand_side_by_side_without_their_source(
    admin: httpx.AsyncClient, store: Store
) -> None:
    await ask(store)

    page = (await admin.get("/admin/choices")).text

    for shown in ("May I return it?", LONG.text, SHORT.text, RETURNS.url, "Judged 0", "Left 1"):
        assert shown in page
    for hidden in ("draft", "Article answer", "Probability", REFUSED.text):
        assert hidden not in page


async def test_that_their_order_is_drawn_and_kept(admin: httpx.AsyncClient, store: Store) -> None:
    turn = await ask(store)
    orders = {tuple(offered((await admin.get("/admin/choices")).text)[1]) for _ in range(20)}
    assert orders == {("0", "1"), ("1", "0")}

    await judge(admin, "1", f"{turn}~0~1", stood_first="1")

    kept = await rows(
        store, "SELECT turn, first, second, verdict, account, stood_first FROM preferences"
    )
    assert kept == [(turn, 0, 1, "second", "admin", 1)]
    [pair] = await pairs(store)
    assert (pair.better.text, pair.worse.text) == (SHORT.text, LONG.text)


@pytest.mark.parametrize(
    ("better", "verdict"),
    [("0", "first"), ("1", "second"), ("equal", "equal"), ("neither", "neither")],
)
async def test_that_every_verdict_is_kept_and_the_next_pair_comes(
    admin: httpx.AsyncClient, store: Store, better: str, verdict: str
) -> None:
    first = await ask(store, "1: May I return it?")
    await ask(store, "2: May I return it?")
    shown, _ = offered((await admin.get("/admin/choices")).text)

    response = await judge(admin, better, shown)
    page = (await admin.get(response.headers["location"])).text

    assert response.status_code == 303
    assert await rows(store, "SELECT verdict FROM preferences") == [(verdict,)]
    assert offered(page)[0] == f"{first}~0~1" != shown
    assert "Judged 1" in page
    assert "Left 1" in page


async def test_that_what_is_skipped_stays_away_until_it_is_asked_for(
    admin: httpx.AsyncClient, store: Store
) -> None:
    for number in range(2):
        await ask(store, f"{number}: May I return it?")
    address, seen = "/admin/choices", []
    for _ in range(2):
        page = (await admin.get(address)).text
        pair, _ = offered(page)
        [skipped] = re.findall(r'name="skipped" value="([^"]*)"', page)
        seen.append(pair)
        address = (await judge(admin, "skip", pair, skipped=skipped)).headers["location"]

    page = (await admin.get(address)).text

    assert len(set(seen)) == 2
    assert "You have skipped all that is left" in page
    assert await rows(store, "SELECT * FROM preferences") == []
    assert offered((await admin.get("/admin/choices")).text)[0] in seen


async def test_that_the_last_pair_can_be_judged_again(
    admin: httpx.AsyncClient, store: Store
) -> None:
    pair = f"{await ask(store)}~0~1"
    address = (await judge(admin, "0", pair)).headers["location"]
    assert parse_qs(urlsplit(address).query)["last"] == [pair]

    again = (await admin.get("/admin/choices", params={"pair": pair})).text
    assert offered(again)[0] == pair
    await judge(admin, "equal", pair)

    assert await rows(store, "SELECT verdict FROM preferences") == [("equal",)]


@pytest.mark.parametrize(
    ("pair", "better"),
    [
        pytest.param("{turn}~0~2", "0", id="refused"),
        pytest.param("{turn}~1~0", "0", id="out of order"),
        pytest.param("{turn}~0~0", "0", id="itself"),
        pytest.param("{turn}~0~1", "2", id="another place"),
        pytest.param("{turn}~0~1", "", id="no verdict"),
        pytest.param("{turn}~0~1", "withdrawn", id="no such verdict"),
        pytest.param("{turn}~0", "0", id="half a pair"),
        pytest.param("{turn}~0~x", "0", id="no number"),
        pytest.param("{turn}~0~²", "0", id="no digit"),
        pytest.param("{turn}~0~99999999999999999999", "0", id="far off"),
        pytest.param("nothing~0~1", "0", id="no reply"),
        pytest.param("", "0", id="nothing"),
    ],
)
async def test_that_a_wrong_choice_is_refused(
    admin: httpx.AsyncClient, store: Store, pair: str, better: str
) -> None:
    pair = pair.format(turn=await ask(store))

    assert (await judge(admin, better, pair)).status_code == 404

    assert await rows(store, "SELECT * FROM preferences") == []


async def test_that_an_address_of_nonsense_shows_a_page(
    admin: httpx.AsyncClient, store: Store
) -> None:
    await ask(store)
    for params in ({"skipped": "x,~~,a~1~2," * 500}, {"last": HOSTILE}, {"pair": HOSTILE}):
        response = await admin.get("/admin/choices", params=params)
        assert response.status_code == 200
        assert "<script>alert" not in response.text
    assert (await admin.get("/admin/choices?pair=x~0~1")).status_code == 404


async def test_that_a_choice_is_made_in_the_transcript(
    admin: httpx.AsyncClient, store: Store
) -> None:
    pair = f"{await ask(store)}~0~1"
    [conversation] = (await rows(store, "SELECT id FROM conversations"))[0]
    transcript = f"/admin/conversations/{quote(str(conversation))}"
    before = (await admin.get(transcript)).text
    assert before.count("Which would have been better?") == 1  # not of what was refused
    assert 'aria-pressed="true"' not in before

    fields = {"from": "transcript", "before": "7"}
    response = await judge(admin, "1", pair, **fields)
    after = (await admin.get(transcript)).text

    assert response.headers["location"].endswith("?before=7#turn-2")
    assert after.count('value="1" aria-pressed="true"') == 1
    assert await rows(store, "SELECT verdict, stood_first FROM preferences") == [("second", None)]


async def test_that_a_correction_is_kept_and_shown(admin: httpx.AsyncClient, store: Store) -> None:
    turn = await ask(store)

    response = await admin.post(
        "/admin/corrections", data={"turn": turn, "text": f"Yes.\n{HOSTILE}\n", "before": HOSTILE}
    )
    page = (await admin.get(response.headers["location"])).text

    assert response.status_code == 303
    assert urlsplit(response.headers["location"]).query == ""
    assert "Corrected by admin" in page
    assert "Yes.\n&lt;script&gt;" in page
    [pair] = await pairs(store)
    assert (pair.source, pair.better.text, pair.worse.text) == (
        "correction",
        f"Yes.\n{HOSTILE}",
        LONG.text,
    )


async def test_that_a_correction_goes_on_to_an_approved_answer(
    admin: httpx.AsyncClient, store: Store
) -> None:
    turn = await ask(store)
    data = {"turn": turn, "text": "Yes, within 30 days.", "approve": "yes"}

    response = await admin.post("/admin/corrections", data=data)
    form = (await admin.get(response.headers["location"])).text

    assert len(await pairs(store)) == 1
    assert ">Yes, within 30 days.</textarea>" in form
    assert ">May I return it?</textarea>" in form
    assert 'value="en/returns"' in form
    assert await store.read(approved.answers) == []  # the form is the last look before customers


async def test_that_only_private_data_is_masked_in_a_correction(
    admin: httpx.AsyncClient, store: Store
) -> None:
    def add_article(db: Database) -> None:
        db.execute("INSERT INTO articles VALUES ('a', 'Help', 'en', '', 'd', 't', NULL, '')")
        db.execute(
            "INSERT INTO passages VALUES"
            " ('p', 'a', 0, 'Help', '', 'Write to help@shop.example.', 'en', '', NULL)"
        )

    await store.write(add_article)
    text = "Write to help@shop.example from ada@mail.example."

    await admin.post("/admin/corrections", data={"turn": await ask(store), "text": text})

    [pair] = await pairs(store)
    assert pair.better.text == "Write to help@shop.example from [email]."


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "needs a text", id="empty"),
        pytest.param(" \n\u200b", "needs a text", id="nothing to see"),
        pytest.param("Within  30 days.\n", "says already", id="the same"),
    ],
)
async def test_that_a_correction_must_say_something_else(
    admin: httpx.AsyncClient, store: Store, text: str, problem: str
) -> None:
    response = await admin.post("/admin/corrections", data={"turn": await ask(store), "text": text})

    assert response.status_code == 400
    assert problem in response.text
    assert await rows(store, "SELECT * FROM corrections") == []


async def test_that_a_long_correction_is_cut(admin: httpx.AsyncClient, store: Store) -> None:
    data = {"turn": await ask(store), "text": "不" * 9000}
    assert (await admin.post("/admin/corrections", data=data)).status_code == 303

    assert await rows(store, "SELECT length(text) FROM corrections") == [(4000,)]


async def test_that_what_is_no_reply_is_not_corrected(
    admin: httpx.AsyncClient, store: Store
) -> None:
    turn = await ask(store)
    [question] = (await rows(store, "SELECT id FROM turns WHERE role = 'customer'"))[0]
    for wrong in (str(question), "nothing", f"{turn}'"):
        data = {"turn": wrong, "text": "No."}
        assert (await admin.post("/admin/corrections", data=data)).status_code == 404


async def test_that_hostile_text_stays_text(admin: httpx.AsyncClient, store: Store) -> None:
    bad = Citation(article="a", title=HOSTILE, url="javascript:alert(1)")
    slate = [Candidate(source="article", text=HOSTILE, citations=(bad,)), SHORT]
    await ask(store, HOSTILE, slate)
    asked = message("And then?", address=HOSTILE)
    await store.write(lambda db: write_exchange(db, asked, [LONG, SHORT]))

    pages = ""
    for _ in range(2):
        page = (await admin.get("/admin/choices")).text
        pages += page
        await judge(admin, "equal", offered(page)[0])

    assert "And then?" in pages
    assert "javascript:" not in pages
    assert "49" not in pages
    scripts = re.findall(r"<script[^>]*>", pages)
    assert set(scripts) == {'<script src="/admin/static/choices.js" defer>'}
    assert re.search(r"<style|\sstyle=|\son[a-z]+=", pages) is None


async def test_that_looking_and_judging_is_written_down(
    admin: httpx.AsyncClient, store: Store
) -> None:
    turn = await ask(store)
    pair = f"{turn}~0~1"
    await admin.get("/admin/choices")
    await judge(admin, "0", pair)
    await admin.post("/admin/corrections", data={"turn": turn, "text": "Yes."})

    found = await rows(store, "SELECT action, object FROM audit WHERE action <> 'log_in'")

    assert found == [("view_choices", pair), ("choose", pair), ("correct", turn)]


@pytest.mark.parametrize("path", ["/admin/choices", "/admin/corrections"])
async def test_that_no_other_site_can_judge(
    admin: httpx.AsyncClient, store: Store, path: str
) -> None:
    turn = await ask(store)
    data = {"pair": f"{turn}~0~1", "better": "0", "turn": turn, "text": "Yes."}

    response = await admin.post(path, data=data, headers={"Origin": "https://evil.example"})

    assert response.status_code == 403
    assert await pairs(store) == []


async def test_that_the_page_comes_in_chinese(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    slate = [Candidate(source="article", text="30天内。"), Candidate(source="draft", text="可以。")]
    await ask(store, "可以退货吗？", slate, "zh")

    page = (await admin.get("/admin/choices?lang=zh")).text

    for shown in ("哪一个回答更好？", "可以退货吗？", "30天内。", "这个更好", "一样好", "剩余 1"):
        assert shown in page
