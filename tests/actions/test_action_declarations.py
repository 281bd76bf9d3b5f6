"""The file of actions: read whole, or refused in one sentence with the key and the mend."""

import re
import sys
from pathlib import Path

import pytest

from bot.actions import declarations
from bot.errors import SettingsError
from tests.actions.order_shop import EXAMPLE

READS = "reads: true, audience: [public]"
HTTP = "http: {url: 'https://shop.example/{n}'}"
CONFIRM = "confirm: {en: 'Do {n}', zh: '做{n}'}"


def tool(text: str) -> str:
    return f"tools: {{t: {{{text}}}}}"


def test_that_the_example_is_read() -> None:
    declared = declarations.load(EXAMPLE)

    assert list(declared.tools) == ["order_status", "cancel_order"]
    assert [each.reads for each in declared.tools.values()] == [True, False]


REFUSED = [
    pytest.param("", "the file", id="empty"),
    pytest.param("tools: [", "can't be read", id="broken"),
    pytest.param("tool: {}", "tool", id="unknown-key"),
    pytest.param(tool(READS), "name either the server", id="no-way-to-call"),
    pytest.param(tool(f"server: s, {READS}"), "which is not there", id="unknown-server"),
    pytest.param(tool(f"reads: true, {HTTP}"), "tools.t.audience", id="no-audience"),
    pytest.param(tool(f"{READS}, {HTTP}, when: now"), "tools.t.when", id="unknown-in-tool"),
    pytest.param(
        tool("audience: [public], http: {method: POST, url: 'https://shop.example'}"),
        "under confirm",
        id="change-without-confirm",
    ),
    pytest.param(
        tool(f"audience: [public], {HTTP}, {CONFIRM}"), "a GET changes nothing", id="get-changes"
    ),
    pytest.param(tool(f"{READS}, {HTTP}, approval: agent"), "needs no approval", id="approval"),
    pytest.param(
        tool(f"{READS}, {HTTP}, questions: {{en: [Where]}}"), "needs a reply", id="no-reply"
    ),
    pytest.param(tool(f"{READS}, {HTTP}, reply: {{en: ['{{a.b}}']}}"), "plain name", id="slot"),
    pytest.param(
        tool(f"{READS}, {HTTP}, parameters: {{n: {{pattern: '['}}}}"),
        "no regular expression",
        id="pattern",
    ),
    pytest.param(
        tool(f"{READS}, http: {{url: 'https://{{host}}/x'}}"), "tools.t.http.url", id="host-slot"
    ),
    pytest.param(f"tools: {{T: {{{READS}, {HTTP}}}}}", "small letters", id="name"),
    pytest.param(
        f"servers: {{s: {{}}}}\n{tool(f'server: s, {READS}')}", "command or its url", id="server"
    ),
]


@pytest.mark.parametrize(("content", "reason"), REFUSED)
def test_that_a_wrong_file_is_refused_in_one_sentence(
    tmp_path: Path, content: str, reason: str
) -> None:
    path = tmp_path / "actions.yaml"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(SettingsError, match=re.escape(reason)) as refused:
        declarations.load(path)

    assert str(refused.value).startswith(f"FRONTDESK_ACTIONS: {path}")
    assert "\n" not in str(refused.value)


def test_that_a_secret_that_is_not_set_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "actions.yaml"
    header = "headers: {Authorization: 'Bearer ${SHOP_TOKEN}'}"
    path.write_text(
        tool(f"{READS}, http: {{url: 'https://shop.example', {header}}}"), encoding="utf-8"
    )

    with pytest.raises(SettingsError, match="needs the environment variable SHOP_TOKEN; set it"):
        declarations.load(path)

    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    assert "s3cret" not in repr(declarations.load(path))


def test_that_a_missing_file_and_a_missing_package_are_each_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=r"absent\.yaml can't be read"):
        declarations.load(tmp_path / "absent.yaml")

    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(
        SettingsError, match=r"install the extra: pip install 'frontdesk\[actions]'"
    ):
        declarations.load(EXAMPLE)
