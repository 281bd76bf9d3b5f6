"""The whole program as an operator starts it: `frontdesk run`, with each platform's fake.

A process of its own, the real command line, the real client libraries, signals at the end.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from bot.log.store import open_read_only
from tests.fakes.slack_api import FakeSlack
from tests.fakes.telegram_api import FakeTelegram
from tests.fakes.vllm_api import FakeVllm

ROOT = Path(__file__).parent.parent.parent
DEADLINE_SECONDS = 60
CHAT = 4711


class Program:
    """A running `frontdesk run`."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, data: Path) -> None:
        self.process = process
        self.data = data
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=DEADLINE_SECONDS
        )

    async def until_ready(self) -> None:
        """Wait until the page, the model and every channel are well."""
        while self.process.returncode is None:
            try:
                if (await self.http.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
        raise AssertionError(await self.output())

    async def ask(self, text: str, **headers: str) -> httpx.Response:
        """Ask on the page's API."""
        return await self.http.post("/api/v1/messages", json={"text": text}, headers=headers)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        self.process.send_signal(number)
        return await self.process.wait()

    async def output(self) -> str:
        """Return everything that it wrote."""
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()

    def turns(self) -> list[tuple[str, str]]:
        """Return role and text of every turn in the log, in order."""
        rows = self.read("SELECT role, text FROM turns ORDER BY id")
        return [(str(role), str(text)) for role, text in rows]

    def read(self, sql: str) -> list[tuple[object, ...]]:
        """Return rows of the log."""
        db = open_read_only(self.data / "frontdesk.db")
        rows = db.execute(sql).fetchall()
        db.close()
        return rows


@asynccontextmanager
async def started(data: Path, articles: Path, port: int, **settings: str) -> AsyncIterator[Program]:
    environment = {
        **os.environ,
        "FRONTDESK_DATA": str(data),
        "FRONTDESK_ARTICLES": str(articles),
        "FRONTDESK_PORT": str(port),
        "FRONTDESK_EXPLORATION": "0",  # the same reply each time
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run",
        cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    program = Program(process, port, data)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            yield program
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
        await program.http.aclose()


def model_settings(model: FakeVllm) -> dict[str, str]:
    return {"FRONTDESK_MODEL_URL": model.url, "FRONTDESK_MODEL": model.model}


async def test_that_every_channel_is_answered_and_logged(
    tmp_path: Path, articles: Path, unused_tcp_port: int
) -> None:
    async with FakeVllm() as model, FakeTelegram() as telegram, FakeSlack() as slack:
        settings = {
            **model_settings(model),
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "TELEGRAM_API_BASE_URL": telegram.base_url,
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_BASE_URL": slack.base_url,
        }
        async with started(tmp_path / "data", articles, unused_tcp_port, **settings) as program:
            await program.until_ready()
            telegram.customer_writes(CHAT, "Can I return an item within 30 days?")
            by_telegram = (await telegram.next_reply(CHAT))["text"]
            await slack.customer_writes("30天内可以退货吗？")
            by_slack = (await slack.next_reply("D1"))["text"]
            by_page = (await program.ask("How much does standard delivery cost?")).json()
            exit_code = await program.stop()

        assert "30 days" in by_telegram
        assert "Return an item" in by_telegram
        assert "30天" in by_slack
        assert "退货" in by_slack
        assert "4.90 EUR" in by_page["reply"]["text"]
        assert by_page["reply"]["citations"][0]["article"] == "en/delivery"
        assert exit_code == 0
        roles = [role for role, _ in program.turns()]
        assert roles == ["customer", "assistant"] * 3


async def test_that_a_grounded_draft_of_the_model_reaches_the_customer(
    tmp_path: Path, articles: Path, unused_tcp_port: int
) -> None:
    draft = "You can return an item within 30 days of delivery."
    async with FakeVllm() as model:
        model.reply = lambda body: [draft] * body.get("n", 1)
        async with started(
            tmp_path / "data", articles, unused_tcp_port, **model_settings(model)
        ) as program:
            await program.until_ready()
            reply = (await program.ask("Can I return an item within 30 days?")).json()["reply"]

    assert reply["text"] == draft
    assert reply["source"] == "draft"
    assert reply["citations"][0]["article"] == "en/returns"


async def test_that_a_message_stored_before_a_kill_is_answered_after_the_restart(
    tmp_path: Path, articles: Path, unused_tcp_port: int
) -> None:
    async with FakeVllm() as model, FakeTelegram() as telegram:
        settings = {
            **model_settings(model),
            "FRONTDESK_DRAFT_SECONDS": "60",
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "TELEGRAM_API_BASE_URL": telegram.base_url,
        }
        async with started(tmp_path / "data", articles, unused_tcp_port, **settings) as program:
            await program.until_ready()
            model.hold()
            telegram.customer_writes(CHAT, "Can I return an item within 30 days?")
            await model.until(lambda: model.chats)
            await telegram.until(lambda: not telegram.unconfirmed)
            await program.stop(signal.SIGKILL)
        model.release()

        async with started(tmp_path / "data", articles, unused_tcp_port, **settings) as program:
            await program.until_ready()
            reply = (await telegram.next_reply(CHAT))["text"]
            await program.stop()

        assert "30 days" in reply
        assert len(telegram.replies(CHAT)) == 1
        assert [role for role, _ in program.turns()] == ["customer", "assistant"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
async def test_that_it_ends_cleanly(
    tmp_path: Path, articles: Path, unused_tcp_port: int, number: signal.Signals
) -> None:
    async with (
        FakeVllm() as model,
        started(tmp_path / "data", articles, unused_tcp_port, **model_settings(model)) as program,
    ):
        await program.until_ready()
        exit_code = await program.stop(number)
        output = await program.output()

    assert exit_code == 0
    assert "Stopping" in output
    assert "Traceback" not in output


async def test_that_a_wrong_token_ends_the_start_with_one_sentence(
    tmp_path: Path, articles: Path, unused_tcp_port: int
) -> None:
    async with FakeVllm() as model, FakeTelegram() as telegram:
        settings = {
            **model_settings(model),
            "TELEGRAM_BOT_TOKEN": "123456789:wrong",
            "TELEGRAM_API_BASE_URL": telegram.base_url,
        }
        async with started(tmp_path / "data", articles, unused_tcp_port, **settings) as program:
            exit_code = await program.process.wait()
            output = await program.output()

    assert exit_code == 2
    assert "Error: Telegram refused TELEGRAM_BOT_TOKEN" in output
    assert "Traceback" not in output
    assert "123456789:wrong" not in output
