"""The app manifest in docs/slack.md makes an app that this code can work with."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

DOC = Path(__file__).parents[3] / "docs" / "slack.md"


@pytest.fixture
def manifest() -> dict[str, Any]:
    block = re.search(r"```json\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    return dict(json.loads(block[1]))


def test_that_it_receives_what_is_handled(manifest: dict[str, Any]) -> None:
    events = manifest["settings"]["event_subscriptions"]["bot_events"]
    assert events == ["app_mention", "message.im"]
    assert manifest["settings"]["socket_mode_enabled"] is True


def test_that_it_asks_for_what_is_used_and_no_more(manifest: dict[str, Any]) -> None:
    scopes = manifest["oauth_config"]["scopes"]
    bot = ["app_mentions:read", "assistant:write", "chat:write", "im:history"]
    assert scopes == {"bot": bot}


def test_that_people_can_write_to_it(manifest: dict[str, Any]) -> None:
    features = manifest["features"]
    assert features["app_home"]["messages_tab_enabled"] is True
    assert features["app_home"]["messages_tab_read_only_enabled"] is False
    assert "assistant_view" not in features


def test_that_it_offers_questions_in_both_languages(manifest: dict[str, Any]) -> None:
    view = manifest["features"]["agent_view"]
    assert view["agent_description"]
    messages = [prompt["message"] for prompt in view["suggested_prompts"]]
    assert any(message.isascii() for message in messages)
    assert any(re.search(r"[\u4e00-\u9fff]", message) for message in messages)
