"""The model server as a part of the program: what it tells, warns of, and leaves behind."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.breaker import FAILURES
from bot.console import Console
from bot.errors import ModelError, ModelUnavailable, SettingsError
from bot.model_calls import Call
from bot.model_server import ModelServer
from bot.settings import Settings, load_settings
from serving.weights import DEFAULT_MODEL
from tests.fakes.vllm_api import MODEL, FakeVllm, Fault
from tests.small_shop import NO_MODEL, eventually


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(url: str, **changes: Any) -> Settings:
    return load_settings(
        **{"frontdesk_model_url": url, "frontdesk_model": MODEL, **changes},
    )


async def ask(server: ModelServer) -> None:
    await server.chat_model.sample([("human", "Hi")], n=1, temperature=0, max_tokens=5)


async def fail(server: ModelServer, vllm: FakeVllm, times: int) -> None:
    vllm.breaks(Fault.server_error())
    for _ in range(times):
        with pytest.raises(ModelError):
            await ask(server)


async def test_that_a_model_that_fails_again_and_again_is_told_as_trouble(vllm: FakeVllm) -> None:
    noted: list[Call] = []
    server = ModelServer(settings(vllm.url), noted.append)
    await server.check()
    await server.chat_model.open()
    assert server.trouble() is None

    await fail(server, vllm, FAILURES)

    assert server.status()["model"] == "unavailable"
    assert "failed" in (server.trouble() or "")
    assert [call.outcome for call in noted] == ["unavailable"] * FAILURES
    with pytest.raises(ModelError, match="failed"):
        await ask(server)
    assert len(vllm.chats) == FAILURES
    await server.close()


async def test_that_nothing_waits_for_the_client_library(vllm: FakeVllm) -> None:
    server = ModelServer(settings(vllm.url))
    await server.check()

    assert "being loaded" in (server.trouble() or "")
    with pytest.raises(ModelUnavailable, match="being loaded"):
        await ask(server)
    await server.chat_model.open()
    await ask(server)
    await server.close()


async def test_that_running_it_leaves_no_task_behind(vllm: FakeVllm) -> None:
    server = ModelServer(settings(vllm.url))
    before = asyncio.all_tasks()
    running = asyncio.create_task(server.run(Console()))
    await eventually(lambda: server.trouble() is None)
    await fail(server, vllm, 1)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    await server.close()
    await eventually(lambda: asyncio.all_tasks() == before)  # the fake's own end a little later


async def test_that_a_model_that_is_gone_is_noticed_by_the_next_question(vllm: FakeVllm) -> None:
    server = ModelServer(settings(vllm.url))
    running = asyncio.create_task(server.run(Console()))
    await eventually(lambda: server.trouble() is None)
    vllm.model = "another"

    with pytest.raises(ModelError, match="404"):
        await ask(server)

    await eventually(lambda: "has no model" in (server.trouble() or ""))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await server.close()


async def test_that_the_start_warns_and_the_doctor_refuses(
    capfd: pytest.CaptureFixture[str],
) -> None:
    server = ModelServer(settings(NO_MODEL))

    await server.greet(Console())
    with pytest.raises(SettingsError, match="No model server answers"):
        await server.check()

    said = " ".join(capfd.readouterr().err.split())
    assert said.startswith(f"Warning: No model server answers at {NO_MODEL}")
    assert said.endswith("Until it answers, answers come from the articles alone.")
    await server.close()


async def test_that_a_server_that_hangs_does_not_hold_up_the_start(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with FakeVllm() as vllm:
        vllm.breaks(Fault.hangs(), everywhere=True)
        server = ModelServer(settings(vllm.url))
        started = asyncio.get_running_loop().time()

        await server.greet(Console())

        assert asyncio.get_running_loop().time() - started < 5.0
        assert "Warning: No model server answers" in capfd.readouterr().err
        await server.close()


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"frontdesk_model": DEFAULT_MODEL}, 5.0),
        ({}, 8.0),
        ({"frontdesk_draft_seconds": 30.0}, 30.0),
    ],
    ids=["default", "large", "set"],
)
async def test_that_the_model_has_as_long_as_is_set(
    changes: dict[str, Any], seconds: float
) -> None:
    server = ModelServer(settings(NO_MODEL, **changes))

    assert server.chat_model.timeouts.visible == seconds
    await server.close()


@pytest.mark.parametrize(
    ("changes", "languages"),
    [
        ({"frontdesk_model": DEFAULT_MODEL}, ()),
        ({"frontdesk_model": DEFAULT_MODEL, "frontdesk_model_languages": ["en"]}, ("en",)),
        ({}, ("en", "zh")),
        ({"frontdesk_model_languages": ["zh"]}, ("zh",)),
        ({"frontdesk_model_languages": []}, ()),
    ],
    ids=["default", "default-set", "own", "own-set", "own-without"],
)
async def test_that_nobody_waits_for_drafts_of_the_default_model(
    changes: dict[str, Any], languages: tuple[str, ...]
) -> None:
    server = ModelServer(settings(NO_MODEL, **changes))

    assert server.languages == languages
    await server.close()


async def test_that_the_start_says_when_the_model_writes_no_drafts(
    vllm: FakeVllm, capfd: pytest.CaptureFixture[str]
) -> None:
    vllm.model = DEFAULT_MODEL
    server = ModelServer(settings(vllm.url, frontdesk_model=DEFAULT_MODEL))

    await server.greet(Console())

    said = " ".join(capfd.readouterr().err.split())
    assert f"{DEFAULT_MODEL} is too small to write answers" in said
    assert "FRONTDESK_MODEL" in said
    assert server.status() == {"model": "ready", "detail": ""}
    await server.close()


async def test_that_a_model_that_writes_needs_no_words_at_the_start(
    vllm: FakeVllm, capfd: pytest.CaptureFixture[str]
) -> None:
    server = ModelServer(settings(vllm.url))

    await server.greet(Console())

    assert capfd.readouterr().err == ""
    await server.close()
