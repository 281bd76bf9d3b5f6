"""The app manifest makes an app that this code can work with, and asks for no more."""

import re
from pathlib import Path
from typing import Any

import pytest

from adapters.slack.actions import SHORTCUT, SLASH_COMMAND
from adapters.slack.manifest import MANIFEST, SCOPES
from adapters.slack.receiving import HANDLED_EVENTS
from tests.fakes.slack_api import ALL_SCOPES

DOC = Path(__file__).parents[3] / "docs" / "slack.md"
# What Slack lets an app have with each scope, by the events and features of the manifest.
NEEDED = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
}


@pytest.fixture
def manifest() -> dict[str, Any]:
    return MANIFEST


def test_that_it_receives_exactly_what_is_handled(manifest: dict[str, Any]) -> None:
    events = manifest["settings"]["event_subscriptions"]["bot_events"]

    assert {event.partition(".")[0] for event in events} == HANDLED_EVENTS
    assert {event for event in events if "." in event} == {
        "message.channels",
        "message.groups",
        "message.im",
        "message.mpim",
    }
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert manifest["settings"]["interactivity"]["is_enabled"] is True


def test_that_it_asks_for_what_is_used_and_no_more(manifest: dict[str, Any]) -> None:
    events = manifest["settings"]["event_subscriptions"]["bot_events"]
    of_events = {NEEDED[event] for event in events if event in NEEDED}
    of_methods = {"assistant:write", "chat:write", "files:read", "files:write", "im:write"}

    assert of_events | of_methods | {"commands"} == SCOPES
    assert manifest["oauth_config"]["scopes"] == {"bot": sorted(SCOPES)}
    assert SCOPES == ALL_SCOPES


def test_that_people_can_write_to_it(manifest: dict[str, Any]) -> None:
    features = manifest["features"]

    assert features["app_home"] == {
        "home_tab_enabled": True,
        "messages_tab_enabled": True,
        "messages_tab_read_only_enabled": False,
    }
    assert "assistant_view" not in features
    assert features["bot_user"]["display_name"]


def test_that_its_command_and_its_shortcut_are_those_that_are_read(
    manifest: dict[str, Any],
) -> None:
    (command,) = manifest["features"]["slash_commands"]
    (shortcut,) = manifest["features"]["shortcuts"]

    assert command["command"] == SLASH_COMMAND
    assert (shortcut["callback_id"], shortcut["type"]) == (SHORTCUT, "message")
    assert shortcut["name"] == "Ask Frontdesk"


def test_that_it_speaks_both_languages(manifest: dict[str, Any]) -> None:
    view = manifest["features"]["agent_view"]

    described = [
        view["agent_description"],
        manifest["display_information"]["description"],
        *(each["description"] for each in manifest["features"]["slash_commands"]),
        *(each["description"] for each in manifest["features"]["shortcuts"]),
    ]
    assert [text for text in described if not re.search(r"[a-z].*[\u4e00-\u9fff]", text)] == []
    messages = [prompt["message"] for prompt in view["suggested_prompts"]]
    assert any(message.isascii() for message in messages)
    assert any(re.search(r"[\u4e00-\u9fff]", message) for message in messages)


def test_that_the_guide_names_the_file_and_every_scope() -> None:
    guide = DOC.read_text(encoding="utf-8")

    assert "adapters/slack/manifest.json" in guide
    assert [scope for scope in sorted(SCOPES) if f"`{scope}`" not in guide] == []
