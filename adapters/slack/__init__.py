"""Slack: receives over Socket Mode and answers in the DM or the thread."""

from adapters.slack.channel import SlackChannel

__all__ = ["SlackChannel"]
