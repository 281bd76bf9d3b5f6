"""`frontdesk doctor`: one sentence for each thing that is wrong, and nothing is changed."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.doctor import Finding, examine
from bot.log.store import Store
from bot.settings import Settings, load_settings
from tests.fakes.vllm_api import MODEL, FakeVllm, Fault
from tests.serving.support import free_port
from tests.small_shop import ARTICLES, NO_MODEL

EXAMPLE_SERVER = Path(__file__).parents[1] / "examples" / "orders" / "server.py"
NAMES = ["texts", "articles", "database", "port", "model", "telegram", "slack", "actions"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(articles: Path, model_url: str, **changes: Any) -> Settings:
    values = {
        "frontdesk_articles": articles,
        "frontdesk_data": articles.parent / "data",
        "frontdesk_port": free_port(),
        "frontdesk_model_url": model_url,
        "frontdesk_model": MODEL,
    }
    return load_settings(**{**values, **changes})


async def problem(of: Settings, name: str) -> str:
    """Return the problem called `name`, which must be the only one, in one sentence."""
    found = {finding.name: finding for finding in await examine(of)}
    assert [key for key, finding in found.items() if finding.problem] == [name]
    said = found[name].problem
    assert said is not None
    assert len(said.splitlines()) == 1
    assert said.endswith(".")
    return said


async def test_that_a_sound_installation_has_no_problem(articles: Path, vllm: FakeVllm) -> None:
    found = await examine(settings(articles, vllm.url))

    assert [finding.name for finding in found] == NAMES
    assert [finding for finding in found if finding.problem] == []
    assert f"{len(ARTICLES)} in en, zh" in {finding.detail for finding in found}
    assert Finding("model", None, f"{MODEL} at {vllm.url}") in found


async def test_that_missing_articles_are_told(articles: Path, vllm: FakeVllm) -> None:
    missing = settings(articles, vllm.url, frontdesk_articles=articles / "没有")

    assert "FRONTDESK_ARTICLES" in await problem(missing, "articles")


async def test_that_articles_left_out_are_told(articles: Path, vllm: FakeVllm) -> None:
    (articles / "坏.md").write_bytes(b"\xff")

    found = {
        finding.name: finding.detail for finding in await examine(settings(articles, vllm.url))
    }

    assert "left out 1: 坏.md (it is not UTF-8 text; save it as UTF-8)" in found["articles"]


async def test_that_a_corrupt_database_is_told(articles: Path, vllm: FakeVllm) -> None:
    of = settings(articles, vllm.url)
    of.frontdesk_data.mkdir()
    of.database.write_bytes(b"no database" * 1000)

    said = await problem(of, "database")

    assert str(of.database) in said
    assert of.database.read_bytes() == b"no database" * 1000


async def test_that_a_database_in_use_is_told(articles: Path, vllm: FakeVllm) -> None:
    of = settings(articles, vllm.url)
    with Store(of.database):
        assert "FRONTDESK_DATA" in await problem(of, "database")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


async def test_that_a_taken_port_is_told(articles: Path, vllm: FakeVllm, taken_port: int) -> None:
    said = await problem(settings(articles, vllm.url, frontdesk_port=taken_port), "port")

    assert "FRONTDESK_PORT" in said
    assert str(taken_port) in said


@pytest.mark.parametrize(
    ("host", "words"),
    [("no such host", "no address of this machine"), ("192.0.2.1", "can't be used")],
)
async def test_that_an_impossible_address_is_told(
    articles: Path, vllm: FakeVllm, host: str, words: str
) -> None:
    assert words in await problem(settings(articles, vllm.url, frontdesk_host=host), "port")


async def test_that_a_missing_model_server_is_told(articles: Path) -> None:
    assert "FRONTDESK_MODEL_URL" in await problem(settings(articles, NO_MODEL), "model")


async def test_that_a_missing_model_is_told(articles: Path, vllm: FakeVllm) -> None:
    said = await problem(settings(articles, vllm.url, frontdesk_model="另一个"), "model")

    assert said.endswith(f"set FRONTDESK_MODEL to one of: {MODEL}.")


async def test_that_a_server_of_another_kind_is_told(articles: Path, vllm: FakeVllm) -> None:
    vllm.fails(Fault.garbage())

    assert "no OpenAI-compatible server" in await problem(settings(articles, vllm.url), "model")


async def test_that_an_unnamed_model_is_told(articles: Path, vllm: FakeVllm) -> None:
    said = await problem(settings(articles, vllm.url, frontdesk_model=None), "model")

    assert said.startswith("FRONTDESK_MODEL is not set")


@pytest.mark.parametrize(
    ("present", "missing"),
    [("slack_bot_token", "SLACK_APP_TOKEN"), ("slack_app_token", "SLACK_BOT_TOKEN")],
)
async def test_that_half_of_slack_is_told(
    articles: Path, vllm: FakeVllm, present: str, missing: str
) -> None:
    assert missing in await problem(settings(articles, vllm.url, **{present: "x"}), "slack")


async def test_that_every_problem_is_told_at_once(articles: Path, taken_port: int) -> None:
    of = settings(articles, NO_MODEL, frontdesk_articles=articles / "no", frontdesk_port=taken_port)

    found = [finding.name for finding in await examine(of) if finding.problem]

    assert found == ["articles", "port", "model"]


ACTIONS = """
servers:
  orders: {command: [python, server.py]}
tools:
  order_status:
    server: orders
    audience: [public]
    reads: true
    parameters: {number: {pattern: "LF-.*"}}
"""


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """Return a file of actions in a folder with the example's server."""
    shutil.copy(EXAMPLE_SERVER, tmp_path / "server.py")
    path = tmp_path / "actions.yaml"
    path.write_text(ACTIONS, encoding="utf-8")
    return path


def rewritten(path: Path, written: str, instead: str) -> Path:
    path.write_text(ACTIONS.replace(written, instead), encoding="utf-8")
    return path


async def test_that_tools_that_are_there_have_no_problem(
    articles: Path, vllm: FakeVllm, orders: Path
) -> None:
    found = await examine(settings(articles, vllm.url, frontdesk_actions=orders))

    assert Finding("actions", None, "1 tools can be used") in found


@pytest.mark.parametrize(
    ("written", "instead", "words"),
    [
        pytest.param(
            "order_status:\n",
            "lost_parcel:\n",
            "has no tool 'lost_parcel'; name one that it has as `tool` of lost_parcel "
            "(cancel_order, order_status)",
            id="a tool that the server has not",
        ),
        pytest.param("{number:", "{parcel:", "has no parameter 'parcel'", id="a parameter"),
        pytest.param("server.py", "gone.py", "run its command in", id="a program that ends"),
        pytest.param(
            "command: [python, server.py]",
            'url: "http://127.0.0.1:9/mcp"',
            "'orders' does not answer; check that it runs at http://127.0.0.1:9/mcp",
            id="an address where nothing is",
        ),
        pytest.param(
            "    server: orders\n",
            '    http: {url: "http://127.0.0.1:9/orders/{number}"}\n',
            "127.0.0.1:9 can't be reached (ConnectionRefusedError); check the url",
            id="a host that does not answer",
        ),
        pytest.param(
            "server.py]}",
            "server.py], environment: [NO_SUCH_KEY]}",
            "needs the environment variable NO_SUCH_KEY; set it",
            id="a secret that is not set",
        ),
    ],
)
async def test_that_what_a_file_of_actions_lacks_is_told(
    articles: Path, vllm: FakeVllm, orders: Path, written: str, instead: str, words: str
) -> None:
    declared = rewritten(orders, written, instead)

    said = await problem(settings(articles, vllm.url, frontdesk_actions=declared), "actions")

    assert said.startswith("FRONTDESK_ACTIONS: ")
    assert words in said
