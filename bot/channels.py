"""The platforms' channels, made from the settings: where the bot meets its adapters."""

from pydantic import SecretStr

from adapters.rendering import Links
from adapters.slack import SlackChannel, SlackInstallations, SlackOAuth
from adapters.telegram import TelegramChannel
from bot.errors import SettingsError
from bot.frontdesk import Frontdesk
from bot.log.store import Store
from bot.ports import Dialogues, Inbox
from bot.settings import Settings
from prompts import Prompts

NO_LINKS = Links(frozenset())


def platforms(frontdesk: Frontdesk) -> list[TelegramChannel | SlackChannel]:
    """Return a channel for each platform whose tokens are set.

    Replies may have links to the articles' own hosts, as they are at the time, and to those set.
    """
    settings = frontdesk.settings
    links = Links(frozenset(settings.frontdesk_link_hosts), frontdesk.knowledge.hosts)
    found: list[TelegramChannel | SlackChannel] = []
    if settings.telegram_bot_token:
        found.append(telegram_channel(settings, frontdesk.delivery, frontdesk.prompts, links))
    if has_slack(settings):
        found.append(
            slack_channel(
                settings,
                frontdesk.delivery,
                frontdesk.dialogues,
                frontdesk.prompts,
                links,
                frontdesk.store,
            )
        )
    return found


def telegram_channel(
    settings: Settings, inbox: Inbox, prompts: Prompts, links: Links = NO_LINKS
) -> TelegramChannel:
    """Return the Telegram channel that the settings describe."""
    assert settings.telegram_bot_token
    return TelegramChannel(
        token=settings.telegram_bot_token.get_secret_value(),
        base_url=settings.telegram_api_base_url,
        webhook_url=settings.telegram_webhook_url,
        webhook_secret=_secret(settings.telegram_webhook_secret),
        inbox=inbox,
        prompts=prompts,
        links=links,
    )


def has_slack(settings: Settings) -> bool:
    """Return whether anything of Slack is set up."""
    return any((settings.slack_bot_token, settings.slack_app_token, settings.slack_client_id))


def slack_channel(
    settings: Settings,
    inbox: Inbox,
    dialogues: Dialogues,
    prompts: Prompts,
    links: Links = NO_LINKS,
    store: Store | None = None,
) -> SlackChannel:
    """Return the Slack channel that the settings describe.

    `store` holds the workspaces that installed the app, where several can. Raises SettingsError
    when something is missing that the rest needs.
    """
    return SlackChannel(
        bot_token=_secret(settings.slack_bot_token),
        app_token=_secret(settings.slack_app_token),
        signing_secret=_secret(settings.slack_signing_secret),
        oauth=_slack_oauth(settings, store),
        base_url=settings.slack_api_base_url,
        answer_channels=frozenset(settings.slack_answer_channels),
        private_channels=frozenset(settings.slack_private_channels),
        inbox=inbox,
        dialogues=dialogues,
        prompts=prompts,
        links=links,
    )


def _slack_oauth(settings: Settings, store: Store | None) -> SlackOAuth | None:
    client_id, secret = settings.slack_client_id, _secret(settings.slack_client_secret)
    if client_id is None and secret is None:
        return None
    if client_id is None or secret is None:
        missing = "SLACK_CLIENT_SECRET" if client_id else "SLACK_CLIENT_ID"
        raise SettingsError(f"{missing} is not set; see docs/slack.md, Several workspaces.")
    assert store is not None
    installations = SlackInstallations(store, settings.frontdesk_data)
    return SlackOAuth(client_id=client_id, client_secret=secret, installations=installations)


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
