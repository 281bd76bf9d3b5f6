"""`frontdesk doctor`: what is wrong with this installation, one line each, and how to mend it."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bot import app, channels
from bot.actions import declarations
from bot.actions.examining import troubles
from bot.errors import FrontdeskError
from bot.knowledge.articles import read_articles
from bot.log.store import Store, sqlite_warning
from bot.model_server import ModelServer
from bot.settings import Settings
from prompts import PromptError, Prompts
from serving import profiles
from serving.errors import ServingError
from serving.weights import SMOLLM2, find_source


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: `problem` is None when all is well."""

    name: str
    problem: str | None
    detail: str = ""


class _Nothing:
    """Channels are only asked whether their settings work: nothing is received, nothing is read."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not asked for here")


_NOTHING: Any = _Nothing()


async def examine(settings: Settings) -> list[Finding]:
    """Run every check; none of them changes anything but the database's schema."""
    checks: list[tuple[str, Callable[[Settings], Awaitable[str]]]] = [
        ("texts", _texts),
        ("articles", _articles),
        ("database", _database),
        ("port", _port),
        ("model", _model),
        ("telegram", _telegram),
        ("slack", _slack),
    ]
    found = [await _finding(name, check, settings) for name, check in checks]
    return [*found, *await _actions(settings)]


async def _finding(
    name: str, check: Callable[[Settings], Awaitable[str]], settings: Settings
) -> Finding:
    try:
        return Finding(name, None, await check(settings))
    except (FrontdeskError, ServingError, PromptError) as err:
        return Finding(name, str(err))


async def _texts(_: Settings) -> str:
    Prompts.load()
    return "complete in every language"


async def _articles(settings: Settings) -> str:
    articles, broken = read_articles(settings.article_folders[0])
    languages = {article.language for article in articles}
    found = f"{len(articles)} in {', '.join(sorted(languages))}"
    if broken:
        names = ", ".join(f"{file.path.name} ({file.reason})" for file in broken[:3])
        return f"{found}; left out {len(broken)}: {names}"
    return found


async def _database(settings: Settings) -> str:
    with Store(settings.database):
        return sqlite_warning() or str(settings.database)


async def _port(settings: Settings) -> str:
    app.listening_socket(settings).close()
    return f"{settings.frontdesk_port} is free"


async def _model(settings: Settings) -> str:
    if settings.frontdesk_model_url:
        return await _model_server(settings)
    profile = profiles.detect(settings.frontdesk_model)
    if not profiles.is_installed(profile.package):
        raise FrontdeskError(
            f"{profile.package} is not installed; run `make setup`, or set FRONTDESK_MODEL_URL to "
            "a server that you run yourself."
        )
    if profile.needs_default_weights:
        find_source(SMOLLM2)
    return f"{profile.model} on the {profile.name.upper()}"


async def _model_server(settings: Settings) -> str:
    server = ModelServer(settings)
    try:
        await server.check()
    finally:
        await server.close()
    return f"{server.chat_model.name} at {settings.frontdesk_model_url}"


async def _actions(settings: Settings) -> list[Finding]:
    """Reach what the file of actions names, without calling a tool; each trouble is a finding."""
    if settings.frontdesk_actions is None:
        return [Finding("actions", None, "not set up")]
    try:
        declared = declarations.load(settings.frontdesk_actions)
    except FrontdeskError as err:
        return [Finding("actions", str(err))]
    if found := await troubles(declared, settings.frontdesk_actions.parent):
        return [Finding("actions", f"FRONTDESK_ACTIONS: {trouble}.") for trouble in found]
    return [Finding("actions", None, f"{len(declared.tools)} tools can be used")]


async def _telegram(settings: Settings) -> str:
    if not settings.telegram_bot_token:
        return "not set up"
    channel = channels.telegram_channel(settings, _NOTHING, Prompts.load())
    try:
        return await channel.check()
    finally:
        await channel.close()


async def _slack(settings: Settings) -> str:
    if not channels.has_slack(settings):
        return "not set up"
    with contextlib.ExitStack() as opened:
        # The workspaces that installed the app are in the database.
        store = opened.enter_context(Store(settings.database)) if settings.slack_client_id else None
        channel = channels.slack_channel(settings, _NOTHING, _NOTHING, Prompts.load(), store=store)
        try:
            return await channel.check()
        finally:
            await channel.close()
