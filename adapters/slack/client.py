"""Slack's Web API: its errors as our sentences, its markup, and logs without tokens."""

import logging
import re

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import DeliveryError, DeliveryInDoubt, DeliveryRefused

logger = logging.getLogger(__name__)

DEFAULT_BASE_URL = AsyncWebClient.BASE_URL

NETWORK_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
# Nothing was sent to Slack: there was no connection, not even through the proxy.
_NEVER_LEFT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)
_REFUSED = frozenset(
    {
        "account_inactive",
        "cannot_reply_to_message",
        "cannot_dm_bot",
        "channel_not_found",
        "channel_type_not_supported",
        "ekm_access_denied",
        "invalid_arguments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_metadata_format",
        "is_archived",
        "messages_tab_disabled",
        "metadata_too_large",
        "method_not_supported_for_channel_type",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "not_in_channel",
        "restricted_action",
        "restricted_action_non_threadable_channel",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
        "restricted_action_thread_only_channel",
        "team_access_not_granted",
        "thread_not_found",
        "user_is_restricted",
        "user_not_found",
        "user_not_in_channel",
        "is_inactive",
    }
)
_WRONG_TOKEN = frozenset(
    {
        "account_inactive",
        "invalid_auth",
        "not_authed",
        "not_allowed_token_type",
        "token_expired",
        "token_revoked",
    }
)
# Slack says of these that some of what was asked for may have been done.
_PERHAPS_DONE = frozenset({"fatal_error", "internal_error"})
_MENDING = {
    "SLACK_BOT_TOKEN": "set it to the Bot User OAuth Token (xoxb-…) under OAuth & Permissions of "
    "your Slack app",
    "SLACK_APP_TOKEN": "set it to an app-level token (xapp-…) with the scope connections:write, "
    "made under Basic Information, App-Level Tokens of your Slack app",
}
_MENDING_AN_INSTALLATION = "let somebody of that workspace open /slack/install again"

_SECRETS = re.compile(
    r"\bx(?:ox[a-z]|app|oxe\.xox[a-z])-[\w-]+|(?<=ticket=)[^&\s'\"]+"
    # An OAuth code, which Bolt logs when Slack refuses it.
    r"|(?<=with code: )\S+"
    # What somebody posted without Slack's signature.
    r"|(?<=Invalid request signature detected )(?s:.+)"
)


class Redacting(logging.Filter):
    """Takes tokens and the socket's one-time tickets out of what Slack's libraries log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; let it pass where a record of ours would."""
        record.msg, record.args = _SECRETS.sub("<secret>", record.getMessage()), ()
        if record.exc_info:
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_text = _SECRETS.sub("<secret>", text)
        return logger.isEnabledFor(record.levelno)


def library_logger() -> logging.Logger:
    """Return the logger for Slack's libraries: at DEBUG they would write customers' texts."""
    library = logging.getLogger("adapters.slack.library")
    library.setLevel(logging.INFO)
    if not any(isinstance(each, Redacting) for each in library.filters):
        library.addFilter(Redacting())
    return library


def error_code(error: SlackApiError) -> str:
    """Return Slack's word for what is wrong, such as "channel_not_found"."""
    return _named_error(error) or f"status {status_of(error)}"


def _named_error(error: SlackApiError) -> str | None:
    data = getattr(error.response, "data", None)
    named = data.get("error") if isinstance(data, dict) else None
    return named if isinstance(named, str) else None


def status_of(error: SlackApiError) -> int:
    """Return the HTTP status; two kinds of responses spell it in two ways."""
    response = error.response
    return int(getattr(response, "status_code", 0) or getattr(response, "status", 0))


def needed_scope(error: BaseException | None) -> str | None:
    """Return the scope without which Slack refused a request, or None if it was not that."""
    if not isinstance(error, SlackApiError) or error_code(error) != "missing_scope":
        return None
    return str(error.response.get("needed") or "that docs/slack.md lists for it")


def seconds_to_wait(error: SlackApiError) -> float | None:
    """Return how long Slack asks us to wait, or None if it does not."""
    if status_of(error) != 429 and error_code(error) not in ("ratelimited", "rate_limited"):
        return None
    seconds = str(error.response.headers.get("Retry-After", ""))
    return float(seconds) if seconds.isdigit() else 30.0


def explain(error: Exception, setting: str, base_url: str) -> str:
    """Say in one sentence what is wrong and how to mend it. Never holds a token.

    `setting` is what was refused: a setting's name, or words for a workspace's own token.
    """
    if not isinstance(error, SlackApiError):
        reason = type(error).__name__
        return (
            f"Slack can't be reached at {base_url}: check the network and SLACK_API_BASE_URL "
            f"({reason})."
        )
    code = error_code(error)
    if code in _WRONG_TOKEN:
        mending = _MENDING.get(setting, _MENDING_AN_INSTALLATION)
        return f"Slack refused {setting} ({code}): {mending}."
    if code == "missing_scope":
        return (
            f"{setting} lacks a scope: add what docs/slack.md lists, then install the app to the "
            "workspace again."
        )
    if seconds_to_wait(error) is not None or status_of(error) >= 500:
        return f"Slack does not answer at the moment ({code}); it is asked again."
    return (
        f"Slack answered {setting} with an error ({code}); check SLACK_API_BASE_URL if it is set."
    )


def is_mended_by_settings(error: Exception) -> bool:
    """Return whether the operator must act; else it may be over soon."""
    if not isinstance(error, SlackApiError):
        return False
    return error_code(error) in (*_WRONG_TOKEN, "missing_scope")


def delivery_error(error: Exception, setting: str, base_url: str) -> DeliveryError:
    """Return the error to raise for a reply that Slack did not take, or perhaps did."""
    if isinstance(error, SlackApiError):
        if (seconds := seconds_to_wait(error)) is not None:
            return DeliveryError("Slack asks us to wait.", seconds)
        if (code := error_code(error)) in _REFUSED:
            return DeliveryRefused(f"Slack refused the reply: {code}.")
        if status_of(error) >= 500 or code in _PERHAPS_DONE:
            return in_doubt(f"Slack failed at taking the reply ({code}).")
    sentence = explain(error, setting, base_url)
    return DeliveryError(sentence) if _is_surely_not_posted(error) else in_doubt(sentence)


def in_doubt(sentence: str) -> DeliveryInDoubt:
    """Return the error to raise for a reply that Slack may have posted."""
    return DeliveryInDoubt(f"{sentence} The reply may have arrived.")


def _is_surely_not_posted(error: Exception) -> bool:
    if not isinstance(error, SlackApiError):
        return isinstance(error, _NEVER_LEFT)
    # An answer without Slack's own "no" may be what is left of a "yes".
    return status_of(error) >= 300 or _named_error(error) is not None
