"""Slack: receives over Socket Mode or HTTP, and answers in the thread of the question."""

from adapters.slack.channel import SlackChannel
from adapters.slack.http import SlackOAuth
from adapters.slack.installations import SlackInstallations
from adapters.slack.workspaces import SLACK_LIMITS, SlackLimits

__all__ = ["SLACK_LIMITS", "SlackChannel", "SlackInstallations", "SlackLimits", "SlackOAuth"]
