"""Approved answers and gaps in the admin pages."""

import httpx
import pytest
from sqlite_utils import Database

from bot.log import approved
from bot.log.store import Store
from bot.messages import Candidate, Citation
from tests.adapters.web.dialogues import HANDOFF, Clock, message, write_exchange

AGENT_REPLIES = """
    INSERT INTO turns (id, conversation, number, role, text, language, created_at)
    SELECT 'z', conversation, max(number) + 1, 'agent', 'On a leash, yes.', 'en', ? FROM turns
"""
FORM = {
    "questions": "May I bring my dog?\n\n Are dogs <b>welcome</b>? \n",
    "text": "Yes & welcome.",
    "language": "en",
    "article": "",
    "valid_until": "",
}


async def stored(store: Store) -> list[approved.ApprovedAnswer]:
    return await store.read(approved.answers)


async def actions(store: Store) -> list[str]:
    rows = await store.read(
        lambda db: db.execute("SELECT action || ' ' || object FROM audit ORDER BY id").fetchall()
    )
    return [text.strip() for (text,) in rows]


async def test_that_an_answer_is_added_edited_and_retired(
    admin: httpx.AsyncClient, store: Store
) -> None:
    assert "No approved answers yet" in (await admin.get("/admin/approved")).text

    added = await admin.post("/admin/approved", data=FORM)
    assert (added.status_code, added.headers["location"]) == (303, "/admin/approved")
    [answer] = await stored(store)
    assert answer.wording.questions == ("May I bring my dog?", "Are dogs <b>welcome</b>?")
    assert (answer.number, answer.account) == (1, "admin")

    await admin.post(f"/admin/approved/{answer.id}", data={**FORM, "text": "On a lead."})
    page = (await admin.get(f"/admin/approved/{answer.id}")).text
    assert "On a lead." in page
    assert "Earlier versions" in page
    assert "Are dogs &lt;b&gt;welcome&lt;/b&gt;?" in page
    assert "Yes &amp; welcome." in page

    await admin.post(f"/admin/approved/{answer.id}/retire")
    assert (await stored(store))[0].retired_at is not None
    assert "Retired" in (await admin.get("/admin/approved")).text
    kept = [f"{verb}_approved {answer.id}" for verb in ("add", "edit", "retire")]
    assert [action for action in await actions(store) if action in kept] == kept


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"text": " "}, "needs a text and a question", id="no-text"),
        pytest.param({"questions": "\n"}, "needs a text and a question", id="no-question"),
        pytest.param({"valid_until": "2026-13-40"}, "must be a date", id="no-day"),
        pytest.param({"article": "en/none"}, "no article with that id", id="no-article"),
    ],
)
async def test_that_a_wrong_form_comes_back_with_what_was_written(
    admin: httpx.AsyncClient, store: Store, change: dict[str, str], problem: str
) -> None:
    response = await admin.post("/admin/approved", data=FORM | change)

    assert response.status_code == 400
    assert problem in response.text
    assert await stored(store) == []


async def test_that_a_reply_of_a_transcript_can_be_approved(
    admin: httpx.AsyncClient, store: Store
) -> None:
    def write(db: Database) -> str:
        db.execute(
            "INSERT INTO articles (id, title, language, url, digest, updated_at)"
            " VALUES ('en/dogs', 'Dogs', 'en', '', 'd', 't')"
        )
        cited = Citation(article="en/dogs", title="Dogs", url="")
        reply = Candidate(source="article", text="Dogs may come in.", citations=(cited,))
        return str(write_exchange(db, message("Can I\nbring my dog?"), [reply]).turn)

    turn = await store.write(write)

    page = (await admin.get(f"/admin/approved/new?turn={turn}")).text

    assert "Dogs may come in." in page
    assert "Can I bring my dog?" in page
    assert 'value="en/dogs"' in page


@pytest.mark.parametrize("path", ["/admin/approved/77", "/admin/gaps/nothing/draft"])
async def test_that_what_is_not_there_is_no_page(admin: httpx.AsyncClient, path: str) -> None:
    assert (await admin.get(path)).status_code == 404
    assert (await admin.post("/admin/approved/77", data=FORM)).status_code == 404


async def test_that_gaps_are_listed_drafted_and_done(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    for number in range(2):
        asked = message("Are dogs <i>welcome</i>?", id=f"k{number}")
        await store.write(lambda db: write_exchange(db, asked, [HANDOFF], at=clock()))  # noqa: B023
    await store.write(lambda db: db.execute(AGENT_REPLIES, [clock().isoformat()]))
    page = (await admin.get("/admin/gaps")).text
    assert "Are dogs &lt;i&gt;welcome&lt;/i&gt;?" in page
    assert "Questions 2" in page
    [gap] = {part.split("/")[0] for part in page.split("/admin/gaps/")[1:]}

    draft = await admin.get(f"/admin/gaps/{gap}/draft")
    assert "attachment" in draft.headers["content-disposition"]
    assert draft.text.startswith("---\ntitle:")
    assert "> On a leash, yes." in draft.text
    assert "Your team&#39;s answers 1" in page

    await admin.post(f"/admin/gaps/{gap}/mark", data={"state": "ignored"})
    assert "Ignored 1" in (await admin.get("/admin/gaps")).text
    await admin.post(f"/admin/gaps/{gap}/mark", data={"state": "open"})
    assert "Ignored" not in (await admin.get("/admin/gaps")).text.replace("Ignore<", "")
    await admin.post(f"/admin/gaps/{gap}/mark", data={"state": "done"})
    assert "No open questions" in (await admin.get("/admin/gaps")).text
    assert (await admin.post(f"/admin/gaps/{gap}/mark", data={"state": "x"})).status_code == 404


@pytest.mark.parametrize("path", ["/admin/approved", "/admin/approved/1", "/admin/gaps/x/mark"])
async def test_that_no_other_site_can_change_anything(
    admin: httpx.AsyncClient, store: Store, path: str
) -> None:
    response = await admin.post(path, data=FORM, headers={"Origin": "https://evil.example"})

    assert response.status_code == 403
    assert await stored(store) == []
