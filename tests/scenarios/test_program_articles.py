"""Articles that change while `frontdesk run` runs: in answers within seconds, and out of them."""

import asyncio
from pathlib import Path

import httpx

from tests.fakes.vllm_api import FakeVllm
from tests.scenarios.test_program import DEADLINE_SECONDS, Program, model_settings, started
from tests.small_shop import eventually

QUESTION = "Is there free WiFi in the shop?"
ANSWER = "There is free WiFi in the shop; ask for the code at the till."


async def until_cited(program: Program, cited: list[str]) -> httpx.Response:
    """Ask until the reply cites these articles."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            reply = await program.ask(QUESTION)
            if [each["article"] for each in reply.json()["reply"]["citations"]] == cited:
                return reply
            await asyncio.sleep(0.5)


async def test_that_answers_follow_the_folder_without_a_restart(
    tmp_path: Path, articles: Path, unused_tcp_port: int
) -> None:
    async with (
        FakeVllm() as model,
        started(tmp_path / "data", articles, unused_tcp_port, **model_settings(model)) as program,
    ):
        await program.until_ready()
        await until_cited(program, [])
        (articles / "wifi.md").write_text(f"# WiFi\n\n{ANSWER}\n")
        answered = await until_cited(program, ["wifi"])
        (articles / "wifi.md").unlink()
        after = await program.ask(QUESTION)
        retired = "SELECT retired_at IS NOT NULL FROM articles WHERE id = 'wifi'"
        await eventually(lambda: program.read(retired) == [(1,)])

    assert ANSWER in answered.json()["reply"]["text"]
    assert after.json()["reply"]["citations"] == []
