"""What the admin pages show, that hostile text stays text, and what is written down."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
from sqlite_utils import Database

from adapters.admin.pages import file_name, file_size, moment, percent
from bot.candidates.drafts import STOPPED, UNFINISHED
from bot.log.store import Store
from bot.messages import Attachment, Candidate, Citation, Incoming, Language
from prompts import Prompts
from tests.adapters.admin.conftest import PASSWORD, Files
from tests.adapters.web.dialogues import (
    ANSWER,
    HANDOFF,
    START,
    Clock,
    message,
    write_exchange,
    write_turn,
)

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "{{ 7*7 }}{% raw %}",
    '<a href="javascript:alert(1)">x</a>',
    "</textarea><iframe srcdoc='<script>alert(1)</script>'>",
]


PHOTO = Attachment(
    kind="photo", id="AgAC", name="torn <tent>.jpg", media_type="image/jpeg", size=1_500_000
)
VOICE = Attachment(kind="voice", id="AwAC")


async def exchange(store: Store, *args: object, **options: object) -> str:
    write: Callable[[Database], str] = lambda db: str(  # noqa: E731
        write_exchange(db, *args, **options).conversation  # type: ignore[arg-type]
    )
    return await store.write(write)


async def audit(store: Store) -> list[tuple[str, str]]:
    rows = await store.read(
        lambda db: db.execute("SELECT action, object FROM audit ORDER BY id").fetchall()
    )
    return [(action, subject) for action, subject in rows if action != "log_in"]


async def test_that_the_login_form_is_for_password_managers_too(
    stranger: httpx.AsyncClient,
) -> None:
    text = (await stranger.get("/admin/login")).text
    assert 'type="password" name="password" autocomplete="current-password"' in text
    assert "Log out" not in text


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        pytest.param(b"password=wrong", "application/x-www-form-urlencoded", id="wrong"),
        pytest.param(b"", "application/x-www-form-urlencoded", id="empty"),
        pytest.param(b"\xff\xfe", "application/x-www-form-urlencoded", id="not UTF-8"),
        pytest.param(b"a=1&" * 5000, "application/x-www-form-urlencoded", id="many fields"),
        pytest.param(b'{"password": "x"}', "application/json", id="JSON"),
        pytest.param(b"password=" + b"a" * 500_000, "text/plain", id="long"),
    ],
)
async def test_that_a_wrong_login_is_refused(
    stranger: httpx.AsyncClient, content: bytes, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    response = await stranger.post("/admin/login", content=content, headers=headers)
    assert response.status_code == 403
    assert "That password is not right." in response.text
    assert "set-cookie" not in response.headers


async def test_that_many_guesses_are_refused_politely(stranger: httpx.AsyncClient) -> None:
    for _ in range(5):
        await stranger.post("/admin/login", data={"password": "wrong"})
    response = await stranger.post("/admin/login", data={"password": PASSWORD})
    assert response.status_code == 429
    assert "Please wait a minute" in response.text


async def test_that_a_guess_is_not_shown_again(stranger: httpx.AsyncClient) -> None:
    response = await stranger.post("/admin/login", data={"password": "my real pasword"})
    assert "pasword" not in response.text


async def test_that_an_empty_log_says_so(admin: httpx.AsyncClient) -> None:
    assert "No conversations yet" in (await admin.get("/admin/")).text
    assert "Nothing found" in (await admin.get("/admin/?q=tent")).text


async def test_that_the_list_shows_each_conversation(
    admin: httpx.AsyncClient, store: Store
) -> None:
    conversation = await exchange(store, message("Is the tent waterproof?"), [HANDOFF])
    text = (await admin.get("/admin/")).text
    assert f'href="/admin/conversations/{conversation}"' in text
    assert "Is the tent waterproof?" in text
    assert "Waits for a person</span>" in text
    assert "2 turns" in text
    assert ">09:00</time>" in text


async def test_that_search_and_filters_narrow_the_list(
    admin: httpx.AsyncClient, store: Store
) -> None:
    await exchange(store, message("Is the tent waterproof?"))
    await exchange(store, message("退货要付运费吗", address="Z" * 32), language="zh")
    await exchange(store, message("Give me a person", channel="slack", address="C"), [HANDOFF])
    shown = {
        query: sorted(set(re.findall(r"/conversations/([\w-]+)", (await admin.get(query)).text)))
        for query in (
            "/admin/?q=tent",
            "/admin/?q=%E8%BF%90%E8%B4%B9",
            "/admin/?language=zh",
            "/admin/?channel=slack",
            "/admin/?handed_off=yes",
            "/admin/?handed_off=no&language=en",
            "/admin/?channel=fax",
        )
    }
    tent, chinese, slack = f"web-{'A' * 32}", f"web-{'Z' * 32}", "slack-C"
    expected = [[tent], [chinese], [chinese], [slack], [slack], [tent], []]
    assert list(shown.values()) == expected


async def test_that_filters_stay_chosen(admin: httpx.AsyncClient, store: Store) -> None:
    await exchange(store, message(channel="slack", address="C"))
    text = (await admin.get("/admin/?q=tent+%22x&channel=slack&language=zh&handed_off=no")).text
    assert 'value="tent &#34;x"' in text
    for value in ("slack", "zh", "no"):
        assert f'<option value="{value}" selected>' in text


async def test_that_the_older_pages_follow(admin: httpx.AsyncClient, store: Store) -> None:
    def fill(db: Database) -> None:
        for n in range(60):
            at = START + timedelta(minutes=n)
            write_exchange(db, message(f"Tent number {n}", address=f"{n:032}"), at=at)

    await store.write(fill)
    first = (await admin.get("/admin/?q=tent")).text
    older = re.search(r'href="(/admin/\?[^"]*)" rel="next"', first)
    assert older
    second = (await admin.get(older[1].replace("&amp;", "&"))).text
    assert "Tent number 59<" in first
    assert "Tent number 9<" in second
    assert "Tent number 10<" not in second
    assert 'rel="next"' not in second
    assert 'href="/admin/?q=tent"' in second


@pytest.mark.parametrize(
    "query",
    [
        "q=%00", "q=%FF", "q=" + "a" * 5000, "q=%22%20OR%20%22", "q=*", "q='--", "q=%F0%9F%A6%94",
        "channel=%00", "channel='", "language=xx", "handed_off=maybe", "lang=xx", "q=&q=&channel=",
        "after=x", "after=~", "after=a~b", "after=%00~%00", "before=1", "before=-1", "before=x",
    ],
)  # fmt: skip
async def test_that_odd_queries_are_no_defect(
    admin: httpx.AsyncClient, store: Store, query: str
) -> None:
    conversation = await exchange(store, message("Is the tent waterproof?"))
    assert (await admin.get(f"/admin/?{query}")).status_code == 200
    assert (await admin.get(f"/admin/conversations/{conversation}?{query}")).status_code == 200


async def test_that_a_transcript_shows_why_each_reply_was_chosen(
    admin: httpx.AsyncClient, store: Store
) -> None:
    refused = Candidate(
        source="draft", text="You have 60 days.", refusal="number_not_in_passages",
        features={"coverage": 0.25},
    )  # fmt: skip
    conversation = await exchange(store, message("Return?"), [refused, ANSWER], shown=1)
    text = (await admin.get(f"/admin/conversations/{conversation}")).text
    assert "You have 60 days." in text
    assert "Refused: number_not_in_passages" in text
    assert "<span>coverage</span> 0.25" in text
    assert text.count('<span class="tag good">Shown</span>') == 1
    assert "Probability 50.0%" in text
    assert ANSWER.citations[0].url in text
    assert "<code>p1</code>" in text


async def test_that_a_transcript_shows_passages_model_and_delivery(
    admin: httpx.AsyncClient, store: Store
) -> None:
    def fill(db: Database) -> str:
        reply = write_exchange(db, message("Return?"), [HANDOFF])
        write_reasons(db, reply.turn)
        write_turn(db, reply.conversation, "agent", "Mira here.")
        return str(reply.conversation)

    text = (await admin.get(f"/admin/conversations/{await store.write(fill)}")).text
    for shown in (
        "Return an item",
        "How long",
        "within 30 days",
        "0.033",
        "0.912",
        "0.871",
        "changed since",
    ):
        assert shown in text
    for shown in ("SmolLM2", "v-abc", "412 → –", "923 ms", "model timed out"):
        assert shown in text
    for shown in (
        "Handed off: no article answers it",
        "Not delivered",
        "chat not found",
        "Mira here.",
    ):
        assert shown in text


async def test_that_a_long_transcript_comes_in_pieces(
    admin: httpx.AsyncClient, store: Store
) -> None:
    def fill(db: Database) -> str:
        for n in range(105):
            reply = write_exchange(db, message(f"Question {n}."))
        return str(reply.conversation)

    path = f"/admin/conversations/{await store.write(fill)}"
    latest = (await admin.get(path)).text
    assert "Question 5." in latest
    assert 'href="?before=11"' in latest
    earlier = (await admin.get(f"{path}?before=11")).text
    assert "Question 4." in earlier
    assert "Question 5." not in earlier
    assert f'href="{path}"' in earlier


@pytest.mark.parametrize("path", ["/admin/conversations/none", "/admin/nothing", "/admin/a/b"])
async def test_that_a_missing_page_says_so(admin: httpx.AsyncClient, path: str) -> None:
    response = await admin.get(path)
    assert response.status_code == 404
    assert "There is no such page" in response.text


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_transcript_shows_files_feedback_and_what_was_edited_or_deleted(
    admin: httpx.AsyncClient, store: Store, prompts: Prompts, language: Language
) -> None:
    conversation = await exchange(store, with_files(PHOTO, VOICE))
    await store.write(lambda db: write_feedback(db, f"{conversation}-turn-2", "Too <long>"))
    labels = prompts.labels("admin", language)
    path = f"/admin/conversations/{conversation}?lang={language}"

    text = (await admin.get(path)).text

    assert "/admin/attachments/1" in text
    for words in (
        *("torn &lt;tent&gt;.jpg", "1.5 MB", labels["kind_photo"]),
        *(labels["kind_voice"], labels["unnamed"]),
        *(labels["verdict_down"], labels["complaint_incomplete"], "Too &lt;long&gt;"),
        *(labels["origin_button"], labels["verdict_withdrawn"], labels["origin_reaction"]),
    ):
        assert words in text
    assert labels["edited"] not in text
    assert labels["deleted"] not in text

    await store.write(mark_as_edited_and_deleted)
    text = (await admin.get(path)).text
    assert text.count(labels["edited"]) == text.count(labels["replaced"]) == 1
    assert text.count(labels["deleted"]) == 1


async def test_that_a_file_is_handed_over_to_be_saved(
    admin: httpx.AsyncClient, store: Store, files: Files
) -> None:
    files.content[7] = (PHOTO, b"<script>alert(1)</script>")
    response = await admin.get("/admin/attachments/7")
    assert response.status_code == 200
    assert response.content == b"<script>alert(1)</script>"
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["x-content-type-options"] == "nosniff"
    disposition = "attachment; filename*=UTF-8''torn%20%3Ctent%3E.jpg"
    assert response.headers["content-disposition"] == disposition
    assert await audit(store) == [("view_attachment", "7")]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_file_that_is_gone_is_a_page_that_says_so(
    admin: httpx.AsyncClient, store: Store, prompts: Prompts, language: Language
) -> None:
    response = await admin.get(f"/admin/attachments/8?lang={language}")
    assert response.status_code == 502
    title = prompts.labels("admin", language)["no_file"]
    assert title.replace("'", "&#39;") in response.text
    assert "Telegram no longer has the &lt;file&gt;." in response.text
    assert await audit(store) == [("view_attachment", "8")]


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "9" * 30, "%00", "²"])
async def test_that_what_is_no_files_number_is_no_page(
    admin: httpx.AsyncClient, store: Store, number: str
) -> None:
    assert (await admin.get(f"/admin/attachments/{number}")).status_code == 404
    assert await audit(store) == []


async def test_that_a_file_is_for_the_team_alone(stranger: httpx.AsyncClient, files: Files) -> None:
    files.content[7] = (PHOTO, b"secret")
    response = await stranger.get("/admin/attachments/7")
    assert response.status_code == 303
    assert b"secret" not in response.content


async def test_that_a_file_that_can_not_be_written_down_is_not_handed_over(
    admin: httpx.AsyncClient, store: Store, files: Files
) -> None:
    files.content[7] = (PHOTO, b"secret")
    trigger = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"
    await store.write(lambda db: db.execute(trigger))
    response = await admin.get("/admin/attachments/7")
    assert response.status_code == 500
    assert b"secret" not in response.content


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photo.jpg", "photo.jpg"),
        ("收据.pdf", "收据.pdf"),
        ("", "photo-7"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\a.txt", "a.txt"),
        ("a\r\nSet-Cookie: x\x00", "aSet-Cookie: x"),
        ("gpj\u202e.exe", "gpj.exe"),
        ("..", "photo-7"),
        ("a" * 200 + ".pdf", "a" * 96 + ".pdf"),
    ],
)
def test_that_a_file_gets_a_harmless_name(name: str, expected: str) -> None:
    assert file_name(replace(PHOTO, name=name), 7) == expected


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (999, "999 B"), (1500, "2 kB"), (20_400_000, "20.4 MB")]
)
def test_that_sizes_are_shown_in_units(size: int, shown: str) -> None:
    assert file_size(size) == shown


@pytest.mark.parametrize("text", HOSTILE)
async def test_that_hostile_text_is_shown_as_text(
    admin: httpx.AsyncClient, store: Store, text: str
) -> None:
    citation = Citation(article=text, title=text, url=text)
    candidate = Candidate(
        source="draft", text=text, citations=(citation,), refusal=text, features={text: 1.0}
    )
    file = replace(PHOTO, name=text, kind=text)
    incoming = replace(message(text, customer=text), attachments=(file,))

    def fill(db: Database) -> str:
        reply = write_exchange(db, incoming, [candidate])
        write_reasons(db, reply.turn, text)
        write_feedback(db, reply.turn, text)
        return str(reply.conversation)

    conversation = await store.write(fill)
    pages = [
        await admin.get("/admin/"),
        await admin.get("/admin/", params={"q": text, "channel": text, "after": f"9~{text}"}),
        await admin.get(f"/admin/conversations/{conversation}"),
        await admin.get("/admin/login", params={"next": f"/admin/{text}"}),
        await admin.get("/admin/", params={"lang": text}),
    ]
    for page in pages:
        assert page.status_code == 200
        assert re.search(r"<(script|img src=x|svg/|iframe)", page.text) is None
        assert re.search(r'href="\s*javascript:', page.text) is None
        assert "49" not in re.sub(r"<time.*?</time>", "", page.text)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "//help.example",
        "https:no-host",
        "https://a space.example",
        "http://[",
    ],
)
async def test_that_a_link_that_is_no_web_address_is_no_link(
    admin: httpx.AsyncClient, store: Store, url: str
) -> None:
    bad = Citation(article="a", title="Click me", url=url)
    conversation = await exchange(store, message(), [replace(ANSWER, citations=(bad,))])
    text = (await admin.get(f"/admin/conversations/{conversation}")).text
    assert "Click me" in text
    assert url not in text


async def test_that_a_link_that_is_a_web_address_is_one(
    admin: httpx.AsyncClient, store: Store
) -> None:
    good = Citation(article="a", title="Click me", url="HTTPS://HELP.EXAMPLE/a")
    conversation = await exchange(store, message(), [replace(ANSWER, citations=(good,))])
    text = (await admin.get(f"/admin/conversations/{conversation}")).text
    assert '<a href="HTTPS://HELP.EXAMPLE/a"' in text


async def test_that_no_page_has_inline_script_or_style(
    admin: httpx.AsyncClient, store: Store
) -> None:
    conversation = await exchange(store, message())
    for path in ("/admin/", "/admin/login", f"/admin/conversations/{conversation}", "/admin/none"):
        text = (await admin.get(path)).text
        assert re.search(r"<script|<style|\sstyle=|\son[a-z]+=", text) is None
        assert 'href="/admin/static/admin.css"' in text


@pytest.mark.parametrize(
    ("header", "words"), [("en", ("Conversations", "Search")), ("zh-CN", ("对话", "搜索"))]
)
async def test_that_the_pages_come_in_both_languages(
    admin: httpx.AsyncClient, header: str, words: tuple[str, ...]
) -> None:
    text = (await admin.get("/admin/", headers={"Accept-Language": header})).text
    assert all(word in text for word in words)


async def test_that_the_language_switch_keeps_the_search_and_is_remembered(
    admin: httpx.AsyncClient,
) -> None:
    text = (await admin.get("/admin/?q=tent&lang=en")).text
    assert 'href="?q=tent&amp;lang=zh"' in text
    await admin.get("/admin/?lang=zh")
    assert "没有找到" in (await admin.get("/admin/?q=tent")).text


async def test_that_a_refused_login_offers_the_switch_too(stranger: httpx.AsyncClient) -> None:
    response = await stranger.post("/admin/login", data={"password": "wrong"})
    assert 'href="?lang=zh"' in response.text


async def test_that_a_handed_off_conversation_waits_until_it_is_settled(
    admin: httpx.AsyncClient, store: Store
) -> None:
    conversation = await exchange(store, message(), (HANDOFF,))
    page = f"/admin/conversations/{conversation}"
    assert "waits for a person" in (await admin.get(page)).text
    assert conversation in (await admin.get("/admin/?handed_off=open")).text

    settled = await admin.post(f"{page}/settle", follow_redirects=True)

    assert settled.url.path == page
    assert conversation not in (await admin.get("/admin/?handed_off=open")).text
    assert "waits for a person" not in settled.text
    assert ("settle", conversation) in await audit(store)


async def test_that_no_other_site_can_settle_a_conversation(
    admin: httpx.AsyncClient, store: Store
) -> None:
    conversation = await exchange(store, message(), (HANDOFF,))
    page = f"/admin/conversations/{conversation}"

    refused = await admin.post(f"{page}/settle", headers={"Sec-Fetch-Site": "cross-site"})

    assert refused.status_code == 403
    assert "waits for a person" in (await admin.get(page)).text


async def test_that_looking_and_searching_is_written_down(
    admin: httpx.AsyncClient, store: Store
) -> None:
    conversation = await exchange(store, message())
    await admin.get("/admin/")
    await admin.get("/admin/?q=tent&handed_off=yes")
    await admin.get(f"/admin/conversations/{conversation}")
    await admin.get("/admin/conversations/none")
    assert await audit(store) == [
        ("view_list", ""),
        ("search", "q=tent&handed_off=yes"),
        ("view_list", ""),
        ("view_transcript", conversation),
    ]


async def test_that_each_further_page_of_the_list_is_written_down(
    admin: httpx.AsyncClient, store: Store
) -> None:
    await admin.get("/admin/", params={"after": "2026-11-23T07:00:00+00:00~web-A"})
    assert await audit(store) == [("view_list", "2026-11-23T07:00:00+00:00~web-A")]


async def test_that_a_list_that_can_not_be_written_down_is_not_shown(
    admin: httpx.AsyncClient, store: Store
) -> None:
    await exchange(store, message("Where is my tent?"))
    trigger = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"
    await store.write(lambda db: db.execute(trigger))
    response = await admin.get("/admin/")
    assert response.status_code == 500
    assert "tent" not in response.text


async def test_that_what_was_searched_is_written_down_without_private_data(
    admin: httpx.AsyncClient, store: Store
) -> None:
    query = "tent " + "x" * 170 + " ada.lovelace@customers.example"
    await admin.get("/admin/", params={"q": "ada@example.com 4111 1111 1111 1111"})
    await admin.get("/admin/", params={"q": query, "channel": "ada@example.com"})
    searches = [parse_qs(subject) for action, subject in await audit(store) if action == "search"]
    assert searches[0] == {"q": ["[email] [card]"]}
    assert searches[1] == {"q": ["tent " + "x" * 170 + " [email]"], "channel": ["[email]"]}


async def test_that_no_password_or_token_gets_into_the_log(
    stranger: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        await stranger.post("/admin/login", data={"password": PASSWORD})
        await stranger.get("/admin/")
    assert PASSWORD not in caplog.text
    assert stranger.cookies["frontdesk"] not in caplog.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("2026-11-23T07:05:59+00:00", "07:05", id="today"),
        pytest.param("2026-11-22T23:59:00+00:00", "2026-11-22 23:59", id="yesterday"),
        pytest.param("2026-11-23T01:00:00+02:00", "2026-11-22 23:00", id="another zone"),
        pytest.param("soon", "soon", id="no time"),
    ],
)
def test_that_times_are_shown_in_utc(text: str, shown: str) -> None:
    assert moment(text, Clock().now) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(1, "100%"), (0, "0%"), (0.05, "5.0%"), (1 / 3, "33.3%")]
)
def test_that_probabilities_are_shown_as_percentages(value: float, shown: str) -> None:
    assert percent(value) == shown


def test_that_every_word_of_the_pages_is_a_label() -> None:
    folder = Path("adapters/admin/templates")
    used = set()
    for path in folder.iterdir():
        used |= set(re.findall(r"labels\.(\w+)", path.read_text(encoding="utf-8"))) - {"get"}
    known = set(Prompts.load().labels("admin", "en"))
    kinds = ("channel_", "language_", "role_", "source_", "reason_", "state_")
    kinds = (
        *kinds,
        "kind_",
        "verdict_",
        "complaint_",
        "origin_",
        "refusal_",
        "feature_",
        "action_",
        "policy_",
        "learner_",
        "change_",
        "figure_",
        "group_",
        "decided_",
        "analysis_by_",
        "count_",
        "rose_",
    )
    by_name = {name for name in known if name.startswith(kinds)}
    assert used - known == set()
    assert known & set(dir(dict)) == set()  # in a template those would name the method
    problems = {"approved_incomplete", "approved_no_day", "approved_no_article"}
    problems |= {"correction_empty", "correction_same"}
    assert known - used - by_name == {"wrong_password", "too_many_attempts", *problems}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_that_every_refusal_of_the_checks_is_said_in_words(language: Language) -> None:
    given = re.compile(
        r'(?:refusal=f?|Found\(|None, f?|^ +return f?)"(\w+)(?=:|"(?:$| if|[,)]))', re.MULTILINE
    )
    files = [*Path("bot/grounding").glob("*.py"), *Path("bot/checks").glob("*.py")]
    found = {kind for path in files for kind in given.findall(path.read_text(encoding="utf-8"))} | {
        STOPPED,
        UNFINISHED,
    }
    assert {"number", "quantity", "leak", "off_question"} <= found
    known = set(Prompts.load().labels("admin", language))

    assert {kind for kind in found if f"refusal_{kind}" not in known} == set()


def with_files(*files: Attachment) -> Incoming:
    return replace(message(), attachments=files)


def write_feedback(db: Database, turn: str, comment: str) -> None:
    """Write that a customer complained, and took a reaction back."""
    for key, origin, verdict, complaint, words in (
        ("1", "button", "down", "incomplete", comment),
        ("2", "reaction", "withdrawn", None, ""),
    ):
        db.execute(
            "INSERT INTO feedback (channel, event_key, turn, customer, origin, verdict, complaint,"
            " comment, created_at) VALUES ('web', ?, ?, 'ada', ?, ?, ?, ?, ?)",
            [key, turn, origin, verdict, complaint, words, START.isoformat()],
        )


def mark_as_edited_and_deleted(db: Database) -> None:
    db.execute("UPDATE turns SET superseded_by = id")
    db.execute("UPDATE turns SET withdrawn_at = created_at WHERE number = 1")


def write_reasons(db: Database, turn: str, text: str = "") -> None:
    """Write a passage that changed since, a call that failed, and a delivery that failed."""
    db.execute(
        "INSERT OR IGNORE INTO articles (id, title, language, url, digest, updated_at)"
        " VALUES ('a', 'A', 'en', '', 'd', 't')"
    )
    db.execute(
        "INSERT INTO passages (id, article, position, title, heading, text, language, url,"
        " retired_at) VALUES ('p', 'a', 0, ?, ?, ?, 'en', ?, '2026-11-24')",
        [text or "Return an item", text or "How long", text or "You have within 30 days.", text],
    )
    db.execute(
        "INSERT INTO retrievals (turn, rank, passage, score, closeness, similarity, coverage)"
        " VALUES (?, 1, 'p', 0.0325, 0.912, 0.871, 0.8)",
        [turn],
    )
    db.execute(
        "INSERT INTO generations (turn, model, prompt, prompt_version, sampling, input_tokens,"
        " latency_ms, error) VALUES (?, ?, ?, 'v-abc', ?, 412, 923.4, ?)",
        [turn, text or "SmolLM2", text or "answer", text or "{}", text or "model timed out"],
    )
    db.execute(
        "UPDATE outbox SET state = 'failed', error = ? WHERE turn = ?",
        [text or "chat not found", turn],
    )
