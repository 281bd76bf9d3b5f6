"""The measuring command, as a process, against a server that streams."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serving.benchmark import Measurement, table
from serving.engine import Engine
from tests.serving.support import ROOT, fake_engine, free_port


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Engine]:
    """A server that wants a key and streams words."""
    engine = fake_engine(tmp_path, api_key="key-of-ours")
    running = asyncio.create_task(engine.run())
    await engine.wait_ready()
    yield engine
    await engine.stop()
    await running


async def benchmark(*arguments: str, key: str = "key-of-ours") -> tuple[int, str, str]:
    """Run the command; return its exit code, what it printed, and what it said meanwhile."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "serving.benchmark", *arguments),
        cwd=ROOT,
        env={**os.environ, "FRONTDESK_MODEL_KEY": key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode(), said.decode()


async def test_that_it_prints_a_table_and_shows_progress(server: Engine) -> None:
    code, printed, said = await benchmark(
        "--url", server.url, "--model", "tiny", "--chats", "1", "3"
    )

    lines = printed.splitlines()
    assert code == 0
    assert [line.split("|")[1].strip() for line in lines] == ["chats", "---:", "1", "3"]
    assert all(line.endswith("| 350 |") for line in lines[2:])
    assert said.splitlines() == [
        "warming up",
        "1 of 2: 1 chats, 3 rounds",
        "2 of 2: 3 chats, 3 rounds",
    ]


async def test_that_a_wrong_key_is_said(server: Engine) -> None:
    code, printed, said = await benchmark("--url", server.url, "--model", "tiny", key="wrong")

    assert (code, printed) == (1, "")
    assert "refused with status 401" in said
    assert "Traceback" not in said


async def test_that_a_wrong_model_is_said(server: Engine) -> None:
    code, _, said = await benchmark("--url", server.url, "--model", "huge")

    assert code == 1
    assert "The model huge does not exist." in said


async def test_that_an_absent_server_is_said() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"

    code, _, said = await benchmark("--url", url, "--model", "tiny")

    assert code == 1
    assert f"The server at {url} can't be reached (ConnectError)" in said


@pytest.mark.parametrize("words", [["--chats", "0"], ["--chats", "many"], ["--rounds", "-1"]])
async def test_that_bad_numbers_are_refused(words: list[str]) -> None:
    code, _, said = await benchmark("--model", "tiny", *words)

    assert code == 2
    assert words[0] in said


def test_that_a_measurement_becomes_a_row() -> None:
    one = Measurement(
        8, first_token_seconds=0.0874, output_tokens_per_second=99.96, prompt_tokens=9
    )

    assert table([one]).splitlines()[-1] == "| 8 | 87 | 100.0 | 9 |"
