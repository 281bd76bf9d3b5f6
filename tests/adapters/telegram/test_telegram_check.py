"""What the operator is told about the bot, and the menu that customers see."""

import pytest

from adapters.telegram import TelegramChannel
from bot.errors import ChannelUnreachable, SettingsError
from prompts import Prompts
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.telegram.channels import channel_for, running
from tests.fakes.telegram_api import FakeTelegram, Fault

PUBLIC = "https://shop.example/telegram/webhook"
WEBHOOK = {"webhook_url": PUBLIC, "webhook_secret": "a-secret_of-16-letters"}


async def test_that_a_right_token_is_no_trouble(channel: TelegramChannel) -> None:
    await channel.check()


@pytest.mark.parametrize(
    ("token", "start"),
    [
        pytest.param("123456789:wrong", "Telegram refused TELEGRAM_BOT_TOKEN", id="wrong"),
        pytest.param("nonsense", "Telegram found no bot at http://127.0.0.1", id="malformed"),
        pytest.param("", "Telegram found no bot at http://127.0.0.1", id="empty"),
    ],
)
async def test_that_a_refused_token_is_told_from_silence(
    telegram: FakeTelegram, inbox: RecordingInbox, token: str, start: str
) -> None:
    with pytest.raises(SettingsError, match="TELEGRAM_BOT_TOKEN") as refusal:
        await channel_for(telegram, inbox, token=token).check()

    assert str(refusal.value).startswith(start)


async def test_that_an_unreachable_telegram_is_not_a_wrong_token(
    telegram: FakeTelegram, inbox: RecordingInbox, unused_tcp_port: int
) -> None:
    address = f"http://127.0.0.1:{unused_tcp_port}"

    with pytest.raises(ChannelUnreachable, match=f"can't be reached at {address}: check the net"):
        await channel_for(telegram, inbox, base_url=address).check()


async def test_that_a_token_with_space_around_it_works(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    settings = {"token": f" {telegram.token}\n", "base_url": f"{telegram.base_url}/"}
    await channel_for(telegram, inbox, **settings).check()


@pytest.mark.parametrize("settings", [{}, WEBHOOK])
async def test_that_the_check_hides_a_token_in_a_webhooks_address(
    telegram: FakeTelegram, inbox: RecordingInbox, settings: dict[str, str]
) -> None:
    secret = telegram.token.partition(":")[2]
    telegram.webhook_url = f"https://shop.example/{telegram.token.replace(':', '%3A')}"
    if settings:
        settings = {**settings, "webhook_url": telegram.webhook_url}

    said = await channel_for(telegram, inbox, **settings).check()

    assert "https://shop.example/<token>" in said
    assert secret not in said


@pytest.mark.parametrize(("reads_all", "words"), [(False, "mode is on"), (True, "mode is off")])
async def test_that_the_check_explains_privacy_mode(
    telegram: FakeTelegram, channel: TelegramChannel, reads_all: bool, words: str
) -> None:
    telegram.me = {**telegram.me, "can_read_all_group_messages": reads_all}

    said = await channel.check()

    assert said.startswith("@frontdesk_bot. Privacy ")
    assert words in said
    assert said.endswith("Updates are asked for; 0 updates wait.")


@pytest.mark.parametrize(
    ("settings", "current", "words"),
    [
        pytest.param({}, PUBLIC, f"A webhook is set to {PUBLIC}; it is removed at", id="ours-not"),
        pytest.param(WEBHOOK, PUBLIC, f"Telegram posts updates to {PUBLIC}; 1 updates", id="set"),
        pytest.param(WEBHOOK, "", f"The webhook will be set to {PUBLIC} at", id="not-yet"),
    ],
)
async def test_that_the_check_tells_about_the_webhook(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    settings: dict[str, str],
    current: str,
    words: str,
) -> None:
    telegram.webhook_url = current
    telegram.webhook_error = "Connection refused" if current else ""
    telegram.customer_writes(42, "hello")

    said = await channel_for(telegram, inbox, **settings).check()

    assert words in said
    assert ("Telegram's last error with it: Connection refused." in said) is bool(current)
    assert {call.method for call in telegram.calls} == {"getMe", "getWebhookInfo"}


async def test_that_customers_see_a_menu_in_their_language(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    async with running(channel):
        await telegram.until(lambda: len(telegram.commands) == 2)

    for language, name in (("", "en"), ("zh", "zh")):
        words = Prompts.load().labels("telegram", name)
        menu = {item["command"]: item["description"] for item in telegram.commands[language]}
        assert list(menu) == ["start", "help", "human", "language", "stop", "forget", "export"]
        assert menu == {command: words[command] for command in menu}


async def test_that_a_menu_that_is_refused_is_no_trouble(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    telegram.fail_next("setMyCommands", Fault.server_error(), Fault.dropped())
    telegram.customer_writes(42, "hello")

    async with running(channel):
        await inbox.texts(1)
        await telegram.until(lambda: len(telegram.called("setMyCommands")) == 2)
        await telegram.until(lambda: not telegram.unconfirmed)

    assert "The menu of commands is not set" in caplog.text
    assert channel.trouble() is None
