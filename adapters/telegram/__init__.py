"""Telegram: receives by long polling and answers with plain text."""

from adapters.telegram.channel import TelegramChannel

__all__ = ["TelegramChannel"]
