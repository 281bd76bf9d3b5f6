"""The channels of the whole program: posted to by the platforms, with voice and erasure."""

from pathlib import Path

from tests.fakes.slack_api import FakeSlack
from tests.fakes.telegram_api import FakeTelegram
from tests.fakes.transcription_api import FakeTranscription
from tests.fakes.vllm_api import FakeVllm
from tests.scenarios.test_program import CHAT, model_settings, started

SECRET = "a-secret_of-16-letters-or-more"
DRAFT = "You can return an item within 30 days of delivery. Sale items cannot be returned."


async def test_that_platforms_can_post_what_customers_write_and_say(
    tmp_path: Path, articles: Path, unused_tcp_port: int
) -> None:
    async with (
        FakeVllm() as model,
        FakeTelegram() as telegram,
        FakeSlack() as slack,
        FakeTranscription() as transcription,
    ):
        transcription.hears = "Can I return an item within 30 days?"
        telegram.keeps_file("voice-1", b"OggS")
        slack.events_url = f"http://127.0.0.1:{unused_tcp_port}/slack/events"
        settings = {
            **model_settings(model),
            "FRONTDESK_TRANSCRIPTION_URL": transcription.url,
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "TELEGRAM_API_BASE_URL": telegram.base_url,
            "TELEGRAM_WEBHOOK_URL": "https://shop.example/telegram/webhook",
            "TELEGRAM_WEBHOOK_SECRET": SECRET,
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_SIGNING_SECRET": slack.signing_secret,
            "SLACK_API_BASE_URL": slack.base_url,
        }
        async with started(tmp_path / "data", articles, unused_tcp_port, **settings) as program:
            await program.until_ready()
            voice = {"file_id": "voice-1", "file_unique_id": "v", "duration": 2}
            telegram.customer_writes(CHAT, None, voice=voice)
            pushed = await telegram.push(f"http://127.0.0.1:{unused_tcp_port}/telegram/webhook")
            by_telegram = (await telegram.next_reply(CHAT))["text"]
            await slack.customer_writes("30天内可以退货吗？")
            by_slack = (await slack.next_reply("D1"))["text"]
            exit_code = await program.stop()

    assert pushed == [200]
    assert "30 days" in by_telegram
    assert "30天" in by_slack
    assert exit_code == 0
    assert ("customer", transcription.hears) in program.turns()


async def test_that_an_answer_is_rated_and_its_customer_erased(
    tmp_path: Path, articles: Path, unused_tcp_port: int
) -> None:
    async with FakeVllm() as model, FakeTelegram() as telegram:
        model.reply = lambda _: [DRAFT]
        model.token_seconds = 0.01
        settings = {
            **model_settings(model),
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "TELEGRAM_API_BASE_URL": telegram.base_url,
        }
        async with started(tmp_path / "data", articles, unused_tcp_port, **settings) as program:
            await program.until_ready()
            telegram.customer_writes(CHAT, "Can I return an item within 30 days?")
            answer = await telegram.next_reply(CHAT)
            [[up, _]] = telegram.buttons(CHAT, answer["message_id"])
            telegram.presses_button(CHAT, answer["message_id"], up)
            await telegram.until(lambda: telegram.called("answerCallbackQuery"))
            rated = program.read("SELECT verdict, origin FROM feedback")
            telegram.customer_writes(CHAT, "/forget yes")
            await telegram.next_reply(CHAT)
            await program.stop()

    drafts = [call["text"] for call in telegram.called("sendMessageDraft")]
    assert drafts[0] == "You can return an item within 30 days of delivery."
    assert answer["text"].startswith(DRAFT)
    assert rated == [("up", "button")]
    assert program.turns() == []
    assert str(CHAT).encode() not in (tmp_path / "data" / "frontdesk.db").read_bytes()
