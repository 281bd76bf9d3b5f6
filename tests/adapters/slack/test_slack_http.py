"""Receiving as HTTP requests: only what Slack signed counts. Other workspaces install the app."""

import html
import json
import os
import re
import stat
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from adapters.slack import SlackChannel, SlackInstallations, SlackOAuth
from bot.errors import DeliveryError, DeliveryRefused, LogError, SettingsError
from bot.log.store import Store
from bot.messages import Incoming
from tests.adapters.recording_inbox import KnownDialogues, RecordingInbox
from tests.adapters.slack.channels import channel_for, connected, reply, running, served
from tests.fakes.slack_api import FakeSlack, Fault


@pytest_asyncio.fixture
async def channel(
    slack: FakeSlack, inbox: RecordingInbox, dialogues: KnownDialogues
) -> AsyncIterator[SlackChannel]:
    channel = channel_for(
        slack, inbox, dialogues, app_token=None, signing_secret=slack.signing_secret
    )
    yield channel
    await channel.close()


@pytest.mark.parametrize("text", ["Where is my parcel?", "我的包裹在哪里？"])
async def test_that_signed_events_reach_the_core(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, text: str
) -> None:
    async with served(slack, channel), running(channel):
        event = await slack.customer_writes(text)
        typed = await slack.customer_commands(text)
        (post,) = await channel.send(reply())
        pressed = await slack.customer_presses(slack.message(post), "Helpful")
        form = await slack.customer_submits(
            {
                "id": "V1",
                "type": "modal",
                "callback_id": "frontdesk_complaint",
                "private_metadata": "t1",
            },
            reason="wrong",
            comment=text,
        )
        assert channel.trouble() is None

    assert [each.text for each in inbox.accepted] == [text, text]
    assert [rating.comment for rating in inbox.ratings] == ["", text]
    assert all(each.is_acknowledged for each in (event, typed, pressed, form))


async def test_that_what_could_not_be_stored_gets_a_503_and_comes_again(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    inbox.errors = [LogError("The disk is full.")]
    async with served(slack, channel):
        event = await slack.customer_writes("hello")
        trouble = channel.trouble()
        await slack.send_unacknowledged_again()

    assert event.statuses == [503, 200]
    assert trouble == "Messages from Slack can't be stored at the moment."
    assert channel.trouble() is None
    assert len(inbox.accepted) == 1


async def test_that_slack_may_verify_the_address_with_a_signature_only(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "c7"})
    async with served(slack, channel) as address, httpx.AsyncClient() as client:
        headers = {"Content-Type": "application/json"}
        bare = await client.post(f"{address}/slack/events", content=body, headers=headers)
        headers |= slack.signed(body)
        signed = await client.post(f"{address}/slack/events", content=body, headers=headers)

    assert bare.status_code == 401
    assert "c7" not in bare.text
    assert (signed.status_code, signed.json()) == (200, {"challenge": "c7"})


FORGED: list[dict[str, Any]] = [
    {"secret": "another-secret"},
    {"age": 301},
    {"age": -330},
    {"age": 360},
]


async def test_that_forged_requests_do_nothing(
    slack: FakeSlack,
    inbox: RecordingInbox,
    channel: SlackChannel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    event = {"type": "message", "channel": "D1", "user": "U1", "text": "my words", "ts": "1.1"}
    envelope = {"type": "event_callback", "event_id": "Ev1", "team_id": "T1", "event": event}
    body = json.dumps({**envelope, "event": {**event, "channel_type": "im"}})
    right = slack.signed(body)
    spoilt: list[dict[str, str]] = [
        {},
        {"X-Slack-Signature": right["X-Slack-Signature"]},
        {"X-Slack-Request-Timestamp": right["X-Slack-Request-Timestamp"]},
        {**right, "X-Slack-Request-Timestamp": "yesterday"},
        {**right, "X-Slack-Signature": "v0="},
        {**right, "X-Slack-Signature": right["X-Slack-Signature"] + "0"},
        *(slack.signed(body, **each) for each in FORGED),
    ]
    async with served(slack, channel) as address, httpx.AsyncClient() as client:
        statuses = set()
        for forged in spoilt:
            headers = {"Content-Type": "application/json", **forged}
            answer = await client.post(f"{address}/slack/events", content=body, headers=headers)
            statuses.add(answer.status_code)
        ssl_check = await client.post(f"{address}/slack/events", data={"ssl_check": "1"})
        good = await client.post(
            f"{address}/slack/events",
            content=body,
            headers={"Content-Type": "application/json", **right},
        )

    assert statuses == {401}
    assert (ssl_check.status_code, good.status_code) == (401, 200)
    assert [incoming.text for incoming in inbox.accepted] == ["my words"]
    assert "my words" not in caplog.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"\xff\xfe", 401, id="bytes"),
        pytest.param(b"{" + b" " * 1024 * 1024, 413, id="large"),
    ],
)
async def test_that_what_is_not_slacks_is_refused(
    slack: FakeSlack, channel: SlackChannel, body: bytes, status: int
) -> None:
    async with served(slack, channel) as address, httpx.AsyncClient() as client:
        headers = {"Content-Type": "application/json", **slack.signed("")}
        answer = await client.post(f"{address}/slack/events", content=body, headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize(
    "body",
    ["{", "[]", '"x"', '{"actions": []}', '{"user": 7}', pytest.param("[" * 100_000, id="deep")],
)
async def test_that_a_signed_body_that_can_not_be_read_ends_nothing(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, body: str
) -> None:
    async with served(slack, channel) as address, httpx.AsyncClient() as client:
        headers = {"Content-Type": "application/json", **slack.signed(body)}
        answer = await client.post(f"{address}/slack/events", content=body, headers=headers)
        await slack.customer_writes("hello")

    assert answer.status_code in (200, 400)
    assert len(inbox.accepted) == 1


async def test_that_an_id_that_is_no_text_does_not_come_for_ever(
    slack: FakeSlack, store: Store
) -> None:
    class StoringInbox(RecordingInbox):
        async def accept(self, incoming: Incoming) -> bool:
            keys = list(incoming.event_keys)
            await store.write(lambda db: db.execute("SELECT ?, ?", keys).fetchone())
            return await super().accept(incoming)

    inbox = StoringInbox()
    channel = channel_for(slack, inbox, app_token=None, signing_secret=slack.signing_secret)
    async with served(slack, channel):
        event = await slack.customer_writes("hello", user="\ud800")
        await slack.customer_writes("hello again")

    assert event.statuses == [200]
    assert [incoming.text for incoming in inbox.accepted] == ["hello again"]


async def test_that_a_socket_needs_no_route(slack: FakeSlack, inbox: RecordingInbox) -> None:
    both = channel_for(slack, inbox, signing_secret=slack.signing_secret)

    assert both.routes() == []


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        pytest.param(
            {"app_token": None}, ["SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"], id="neither"
        ),
        pytest.param(
            {"app_token": " ", "signing_secret": ""},
            ["SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"],
            id="blank",
        ),
        pytest.param(
            {"bot_token": None}, ["SLACK_BOT_TOKEN", "SLACK_CLIENT_ID"], id="no-bot-token"
        ),
    ],
)
async def test_that_what_is_missing_is_named(
    slack: FakeSlack, inbox: RecordingInbox, settings: dict[str, Any], names: list[str]
) -> None:
    with pytest.raises(SettingsError) as refusal:
        channel_for(slack, inbox, **settings)

    assert all(name in str(refusal.value) for name in names)


async def test_that_the_check_names_the_mode(slack: FakeSlack, channel: SlackChannel) -> None:
    assert await channel.check() == (
        "Slack answers as frontdesk in Example, by HTTP at /slack/events."
    )


# Several workspaces.


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "frontdesk.db") as opened:
        yield opened


@pytest.fixture
def installations(store: Store, tmp_path: Path) -> SlackInstallations:
    return SlackInstallations(store, tmp_path)


def shared_channel(
    slack: FakeSlack, inbox: RecordingInbox, installations: SlackInstallations, **settings: Any
) -> SlackChannel:
    oauth = SlackOAuth(
        client_id=slack.client_id, client_secret=slack.client_secret, installations=installations
    )
    defaults = {
        "bot_token": None,
        "app_token": None,
        "signing_secret": slack.signing_secret,
        "oauth": oauth,
    }
    return channel_for(slack, inbox, **{**defaults, **settings})


async def install(address: str, slack: FakeSlack, team: str) -> httpx.Response:
    """Install the app as a browser would."""
    async with httpx.AsyncClient() as browser:
        page = await browser.get(f"{address}/slack/install")
        (link,) = re.findall(r'href="(https://slack\.com/oauth/[^"]+)"', page.text)
        asked = parse_qs(urlsplit(html.unescape(link)).query)
        assert "chat:write" in asked["scope"][0]
        cookie = page.headers["set-cookie"].split(";")[0]
        return await browser.get(
            f"{address}/slack/oauth_redirect",
            params={"code": slack.install(team), "state": asked["state"][0]},
            headers={"Cookie": cookie},
        )


async def test_that_workspaces_install_the_app_and_are_answered_with_their_own_token(
    slack: FakeSlack,
    inbox: RecordingInbox,
    installations: SlackInstallations,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level("DEBUG")
    channel = shared_channel(slack, inbox, installations)
    message = {"type": "message", "channel_type": "im", "channel": "D1", "text": "hi"}
    async with served(slack, channel) as address:
        for team in ("T1", "T2"):
            assert (await install(address, slack, team)).status_code == 200
        for team in ("T1", "T2"):
            await slack.send_event({**message, "user": "U1", "ts": "1790000001.1"}, team)

    assert [(each.address, each.customer) for each in inbox.accepted] == [
        ("T1/D1", "T1/U1"),
        ("T2/D1", "T2/U1"),
    ]
    for each in inbox.accepted:
        (post,) = await channel.send(
            reply(address=each.address, customer=each.customer, in_reply_to=each.event_keys[0])
        )
        assert post.startswith(each.address)
    assert await channel.check() == (
        "Slack answers in 2 installed workspaces, by HTTP at /slack/events."
    )
    with pytest.raises(DeliveryRefused, match="T3"):
        await channel.send(reply(address="T3/D1", customer="T3/U1"))
    stored = everything_in(tmp_path)
    written = [record.getMessage() for record in caplog.records if "slack" in record.name]
    for secret in ("xoxb-token-of-T1", slack.client_secret, "code-"):
        assert secret not in "\n".join(written)
        assert secret.encode() not in stored


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("frontdesk.db*"))


async def test_that_a_workspace_that_removes_the_app_is_forgotten(
    slack: FakeSlack, inbox: RecordingInbox, installations: SlackInstallations
) -> None:
    channel = shared_channel(slack, inbox, installations)
    async with served(slack, channel) as address:
        for team in ("T1", "T2", "T3"):
            await install(address, slack, team)
        await slack.send_event({"type": "app_uninstalled"}, "T1")
        await slack.send_event({"type": "tokens_revoked", "tokens": {"bot": ["U0BOT"]}}, "T2")
        await slack.send_event({"type": "tokens_revoked", "tokens": {"oauth": ["U1"]}}, "T3")

    assert await installations.count() == 1
    assert await installations.token("T3") == "xoxb-token-of-T3"


@pytest.mark.parametrize(
    "spoil", ["no-cookie", "other-state", "used-state", "wrong-code", "denied"]
)
async def test_that_a_forged_installation_is_refused(
    slack: FakeSlack, inbox: RecordingInbox, installations: SlackInstallations, spoil: str
) -> None:
    channel = shared_channel(slack, inbox, installations)
    state = await installations.async_issue()
    params = {"code": slack.install("T1"), "state": state}
    headers = {"Cookie": f"slack-app-oauth-state={state}"}
    if spoil == "no-cookie":
        headers = {}
    elif spoil == "other-state":
        params["state"] = "guessed"
        headers = {"Cookie": "slack-app-oauth-state=guessed"}
    elif spoil == "used-state":
        assert await installations.async_consume(state)
    elif spoil == "wrong-code":
        params["code"] = "guessed"
    else:
        params = {"error": "access_denied"}
    async with served(slack, channel) as address, httpx.AsyncClient() as browser:
        url = f"{address}/slack/oauth_redirect"
        answer = await browser.get(url, params=params, headers=headers)

    assert answer.status_code == 200 if spoil == "denied" else answer.status_code in (400, 401)
    assert await installations.count() == 0


async def test_that_asking_to_install_stores_nothing(
    slack: FakeSlack, inbox: RecordingInbox, installations: SlackInstallations, store: Store
) -> None:
    async with (
        served(slack, shared_channel(slack, inbox, installations)) as address,
        httpx.AsyncClient() as browser,
    ):
        for _ in range(50):
            await browser.get(f"{address}/slack/install")

    assert await store.read(lambda db: db.table("slack_oauth_states").count) == 0


async def test_that_a_state_is_good_once_and_for_ten_minutes(store: Store, tmp_path: Path) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    installations = SlackInstallations(store, tmp_path, lambda: now)
    state, late = await installations.async_issue(), await installations.async_issue()

    assert await installations.async_consume(state)
    assert not await installations.async_consume(state)
    assert not await installations.async_consume("guessed")
    now += timedelta(minutes=11)
    assert not await installations.async_consume(late)


async def test_that_used_states_do_not_pile_up(
    installations: SlackInstallations, store: Store
) -> None:
    at = datetime.now(UTC).isoformat()
    rows = [{"state_hash": str(number), "created_at": at} for number in range(1500)]
    await store.write(lambda db: db.table("slack_oauth_states").insert_all(rows))

    state = await installations.async_issue()
    used = [await installations.async_consume(state) for _ in range(2)]

    assert used == [True, False]
    assert await store.read(lambda db: db.table("slack_oauth_states").count) == 1000


async def test_that_an_installation_that_slack_does_not_answer_can_be_tried_again(
    slack: FakeSlack, inbox: RecordingInbox, installations: SlackInstallations
) -> None:
    channel = shared_channel(slack, inbox, installations)
    slack.fail_next("oauth.v2.access", Fault.dropped())
    async with served(slack, channel) as address:
        failed = await install(address, slack, "T1")
        worked = await install(address, slack, "T1")

    assert (failed.status_code, worked.status_code) == (502, 200)


async def test_that_a_refused_token_of_an_installed_workspace_is_mended_there(
    slack: FakeSlack, inbox: RecordingInbox, installations: SlackInstallations
) -> None:
    channel = shared_channel(slack, inbox, installations)
    async with served(slack, channel) as address:
        await install(address, slack, "T1")
    slack.fail_next("chat.postMessage", Fault.refused("token_revoked"))

    with pytest.raises(DeliveryError, match=r"workspace T1 .*open /slack/install again\.$"):
        await channel.send(reply(address="T1/D1", customer="T1/U1"))


async def test_that_in_a_shared_channel_the_workspace_is_the_one_that_installed_the_app(
    slack: FakeSlack, inbox: RecordingInbox, installations: SlackInstallations
) -> None:
    channel = shared_channel(slack, inbox, installations)
    mention = {"type": "app_mention", "channel": "C1", "user": "U1", "text": "hi", "ts": "1.1"}
    form = {"callback_id": "frontdesk_complaint", "private_metadata": "t1", "id": "V1"}
    async with served(slack, channel):
        await slack.send_event(mention, "T1", host="T8")
        await slack.customer_submits(
            {**form, "app_installed_team_id": "T2"}, reason="wrong", comment="!"
        )

    assert [(each.address, each.customer) for each in inbox.accepted] == [("T1/C1:1.1", "T1/U1")]
    assert [rating.customer for rating in inbox.ratings] == ["T2/U1"]


async def test_that_several_workspaces_can_use_one_socket(
    slack: FakeSlack, inbox: RecordingInbox, installations: SlackInstallations
) -> None:
    channel = shared_channel(slack, inbox, installations, app_token=slack.app_token)
    async with connected(slack, channel):
        await slack.customer_writes("hi")
        await inbox.texts(1)

    assert inbox.accepted[0].address == "T1/D1"
    assert [route.path for route in channel.routes()] == ["/slack/install", "/slack/oauth_redirect"]


def test_that_the_key_is_made_once_and_is_the_programs_alone(store: Store, tmp_path: Path) -> None:
    SlackInstallations(store, tmp_path)
    key = (tmp_path / "slack.key").read_bytes()
    SlackInstallations(store, tmp_path)

    assert (tmp_path / "slack.key").read_bytes() == key
    assert stat.S_IMODE(os.stat(tmp_path / "slack.key").st_mode) == 0o600


async def test_that_a_wrong_key_is_told(
    store: Store, tmp_path: Path, slack: FakeSlack, inbox: RecordingInbox
) -> None:
    installations = SlackInstallations(store, tmp_path)
    async with served(slack, shared_channel(slack, inbox, installations)) as address:
        await install(address, slack, "T1")
    (tmp_path / "slack.key").unlink()

    assert await SlackInstallations(store, tmp_path).token("T1") is None
    (tmp_path / "slack.key").write_text("no key")
    with pytest.raises(SettingsError, match=r"slack\.key"):
        SlackInstallations(store, tmp_path)
