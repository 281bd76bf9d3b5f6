"""Telegram: receives by long polling or a webhook, and answers with formatted text and buttons."""

from adapters.telegram.channel import TelegramChannel
from adapters.telegram.limits import TELEGRAM_LIMITS, Limits

__all__ = ["TELEGRAM_LIMITS", "Limits", "TelegramChannel"]
