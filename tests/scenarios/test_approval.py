"""An agent decides at the admin pages, and the customer is told on each channel, by the program."""

import shutil
from pathlib import Path
from typing import Any

from tests.actions.order_shop import EXAMPLE, OPEN_ORDER
from tests.fakes.slack_api import FakeSlack
from tests.fakes.telegram_api import FakeTelegram
from tests.fakes.vllm_api import FakeVllm
from tests.scenarios.test_program import CHAT, Program, model_settings, started

PASSWORD = "correct horse battery staple"
CANCEL = {"en": f"Cancel my order {OPEN_ORDER}.", "zh": f"取消我的订单{OPEN_ORDER}"}


def declared(folder: Path) -> Path:
    """Return the example's file of actions, beside its server, with an agent's approval."""
    shutil.copytree(EXAMPLE.parent, folder)
    path = folder / EXAMPLE.name
    written = path.read_text(encoding="utf-8")
    path.write_text(written.replace("    confirm:", "    approval: agent\n    confirm:"), "utf-8")
    return path


async def decide(program: Program, channel: str, word: str) -> None:
    """Approve or refuse what waits on a channel, as somebody of the team does."""
    [(key,)] = program.read(
        f"SELECT id FROM actions WHERE state = 'waiting' AND channel = '{channel}'"
    )
    headers = {"Origin": str(program.http.base_url).rstrip("/")}
    for path, data in (
        ("/admin/login", {"password": PASSWORD}),
        (f"/admin/actions/{key}/{word}", {}),
    ):
        response = await program.http.post(path, data=data, headers=headers)
        assert response.status_code == 303


async def write(program: Program, text: str, conversation: str | None) -> dict[str, Any]:
    body = {"text": text, "conversation": conversation}
    answer: dict[str, Any] = (await program.http.post("/api/v1/messages", json=body)).json()
    return answer


async def test_that_who_waits_for_an_approval_is_told_on_every_channel(
    tmp_path: Path, articles: Path, unused_tcp_port: int
) -> None:
    async with FakeVllm() as model, FakeTelegram() as telegram, FakeSlack() as slack:
        settings = {
            **model_settings(model),
            "FRONTDESK_ACTIONS": str(declared(tmp_path / "orders")),
            "FRONTDESK_ADMIN_PASSWORD": PASSWORD,
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "TELEGRAM_API_BASE_URL": telegram.base_url,
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_BASE_URL": slack.base_url,
        }
        async with started(tmp_path / "data", articles, unused_tcp_port, **settings) as program:
            await program.until_ready()
            for text in (CANCEL["en"], "yes"):
                telegram.customer_writes(CHAT, text)
                await telegram.next_reply(CHAT)
            await decide(program, "telegram", "approve")
            by_telegram = (await telegram.next_reply(CHAT))["text"]
            for text in (CANCEL["zh"], "是的"):
                await slack.customer_writes(text)
                await slack.next_reply("D1")
            await decide(program, "slack", "refuse")
            by_slack = (await slack.next_reply("D1"))["text"]
            token = (await write(program, CANCEL["en"], None))["conversation"]
            await write(program, "yes", token)
            await decide(program, "web", "refuse")
            seen = (await program.http.get(f"/api/v1/conversations/{token}")).json()
            await program.stop()

    assert by_telegram == f"Order {OPEN_ORDER} is cancelled."
    assert by_slack.startswith("同事查看后没有批准")
    assert seen["turns"][-1]["text"].startswith("A colleague looked at this")
    assert program.read("SELECT count(*) FROM outbox WHERE state <> 'sent'") == [(0,)]
