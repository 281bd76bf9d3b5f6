"""Puts the parts together and runs them: the only place that names concrete adapters and engines.

settings -> store, model, knowledge, policy -> conversations -> delivery <-> channels
"""

import asyncio
import contextlib
import logging
import os
import random
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from starlette.routing import BaseRoute

from adapters.admin import Admin
from adapters.rendering import Links
from adapters.slack import SlackChannel, SlackInstallations, SlackOAuth
from adapters.telegram import TelegramChannel
from adapters.terminal import TerminalChannel
from adapters.web.app import create_app
from adapters.web.channel import WebChannel
from bot.actions import declarations
from bot.actions.agent import Agent
from bot.actions.service import Actions
from bot.background import in_background
from bot.candidates.approved import ApprovedAnswers
from bot.candidates.drafts import DraftWriter
from bot.candidates.trimming import texts_to_encode
from bot.checks.answers import AnswerCheck
from bot.checks.replies import NO_RULES, ReplyChecks
from bot.checks.rules import RULES_FILE, Rules, read_rules
from bot.console import Console
from bot.conversation import ConversationManager
from bot.delivery import Delivery
from bot.errors import AttachmentError, ChannelUnreachable, SettingsError
from bot.knowledge.encoder import E5Encoder, Encoder
from bot.knowledge.gaps import find_gaps
from bot.knowledge.search import Knowledge
from bot.limits import ANSWER_SECONDS, Limits
from bot.log import review
from bot.log.accounts import Accounts, utc_now
from bot.log.dialogues import StoredDialogues
from bot.log.store import Store, sqlite_warning
from bot.messages import Attachment
from bot.metrics import Metrics
from bot.model_server import ModelServer, embedded_engine
from bot.ports import Channel, Dialogues, Inbox, Platform
from bot.ranking.policy import FixedOrder
from bot.settings import Settings
from bot.upkeep import Upkeep
from prompts import Prompts

if TYPE_CHECKING:
    from bot.transcription import Transcriber

logger = logging.getLogger(__name__)

# The supervisor that sent SIGTERM waits ten seconds: these, the engine's own, and the rest.
FINISH_SECONDS = 5.0
CHECK_SECONDS = 2.0
NO_LINKS = Links(frozenset())


class Frontdesk:
    """All parts of one running Frontdesk but its edges. Use `open_frontdesk` to make one."""

    def __init__(self, settings: Settings, prompts: Prompts, store: Store) -> None:
        self.settings = settings
        self.prompts = prompts
        self.store = store
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.model = ModelServer(settings, self.metrics.model_called)
        self.metrics.follow_breaker(self.model.breaker)
        encoder = _encoder(settings)
        self.knowledge = Knowledge(store, encoder)
        self.metrics.watch_encoder(lambda: self.knowledge.questions_waiting)
        self.approved = ApprovedAnswers(store, self.knowledge.meaning, utc_now)
        self.actions = _actions(settings, store, prompts, self.model)
        checks = ReplyChecks(AnswerCheck(encoder, self.knowledge.in_encoder), rules_of(settings))
        self.conversations = ConversationManager(
            knowledge=self.knowledge,
            approved=self.approved,
            drafts=DraftWriter(
                self.model.chat_model,
                prompts,
                drafts=settings.frontdesk_drafts,
                longest_tokens=self.model.draft_tokens,
                languages=self.model.languages,
                checks=checks,
            ),
            prompts=prompts,
            policy=FixedOrder(),
            rng=random.Random(),  # noqa: S311 - draws replies, no secrets
            actions=self.actions,
            checks=checks,
        )
        self.dialogues = StoredDialogues(store)
        self.platforms: dict[str, Platform] = {}
        self._transcriber = _transcriber(settings)
        self.delivery = Delivery(
            store,
            self.conversations,
            self.metrics,
            streams=frozenset(settings.frontdesk_stream),
            burst_seconds=settings.frontdesk_burst_seconds,
            transcribe=self._transcribe if self._transcriber else None,
            limits=Limits(
                # Who sets a longer wait for drafts wants it, also when there is much to do.
                answer_seconds=max(ANSWER_SECONDS, (settings.frontdesk_draft_seconds or 0.0) + 2.0),
                messages_per_minute=settings.frontdesk_customer_messages_per_minute,
                daily_tokens=settings.frontdesk_customer_tokens_per_day,
            ),
        )

    def add(self, platform: Platform) -> None:
        """Let a platform receive replies, and give out its customers' files."""
        self.platforms[platform.name] = platform
        self.delivery.add(platform)

    def links(self) -> Links:
        """Return which links replies may have: to the articles' own hosts, and those set."""
        return Links(frozenset(self.settings.frontdesk_link_hosts), self.knowledge.hosts)

    def upkeep(self, console: Console) -> Upkeep:
        """Return what keeps the articles up to date, telling so at the console."""
        return Upkeep(self.settings, self.knowledge, self.encode, console)

    async def encode(self, progress: Callable[[int, int], None]) -> None:
        """Make every vector that is missing, calling `progress(done, total)`; resumable."""
        await self.approved.load()
        await self.knowledge.encode(progress)
        await self.knowledge.meaning.prepare(texts_to_encode(self.knowledge.passages()), progress)

    async def attachment(self, number: int) -> tuple[Attachment, bytes]:
        """Return a customer's file by its number in the log.

        Raises AttachmentError when there is none, or its platform does not give it out.
        """
        found = await self.store.read(lambda db: review.attachment(db, number))
        if found is None:
            raise AttachmentError("There is no such file.")
        channel, attachment = found
        if channel not in self.platforms:
            raise AttachmentError(f"The file is at {channel}, which is not set up now.")
        return attachment, await self.platforms[channel].fetch(attachment)

    async def close(self) -> None:
        """Close what was opened beside the database."""
        if self.actions:
            await self.actions.close()
        await self.model.close()
        self.knowledge.close()
        if self._transcriber:
            await self._transcriber.close()

    async def _transcribe(self, channel: str, voice: Attachment) -> str:
        assert self._transcriber is not None
        content = await self.platforms[channel].fetch(voice)
        return await self._transcriber.transcribe(content, voice.name or "voice.ogg", None)

    async def readiness(self, channels: Sequence[Channel]) -> Mapping[str, str | None]:
        """Return each part's trouble as a sentence, or None for those that are well."""
        parts: dict[str, str | None] = {"model": self.model.trouble()}
        try:
            await self.store.read(lambda db: db.execute("SELECT 1 FROM turns LIMIT 1").fetchone())
            parts["database"] = self.store.trouble()
        except Exception as err:  # whatever it is, it is what is asked for here
            parts["database"] = f"The database can't be read ({type(err).__name__})."
        return parts | {channel.name: channel.trouble() for channel in channels}


@contextlib.asynccontextmanager
async def open_frontdesk(
    settings: Settings, console: Console, database: Path | None = None
) -> AsyncIterator[Frontdesk]:
    """Open the database, bring the articles in, and close everything at the end."""
    prompts = Prompts.load()
    store = Store(database or settings.database)
    try:
        console.say(f"Database: {store.path}, SQLite {sqlite3.sqlite_version}.")
        if warning := sqlite_warning():
            console.warn(warning)
        frontdesk = Frontdesk(settings, prompts, store)
        try:
            await frontdesk.upkeep(console).bring_in()
            if frontdesk.actions:
                await frontdesk.actions.confirmations.resume()
            yield frontdesk
        finally:
            await frontdesk.close()
    finally:
        store.close()


async def run_everything(settings: Settings, console: Console) -> None:
    """Run the engine, the pages and every configured channel until SIGINT or SIGTERM.

    Raises FrontdeskError before anything is started when a setting can't work.
    """
    web_socket = listening_socket(settings)
    with contextlib.closing(web_socket):
        async with open_frontdesk(settings, console) as frontdesk:
            await frontdesk.model.greet(console)
            platforms = _platforms(frontdesk)
            await asyncio.gather(*(_check(platform, console) for platform in platforms))
            await _serve(frontdesk, platforms, web_socket, console)


async def chat_in_terminal(settings: Settings, console: Console) -> None:
    """Talk with the bot in the terminal until the end of input."""
    async with open_frontdesk(settings, console) as frontdesk:
        await frontdesk.model.greet(console)
        terminal = TerminalChannel(frontdesk.delivery, frontdesk.prompts)
        frontdesk.delivery.add(terminal)
        async with in_background(
            frontdesk.upkeep(console).run(),
            frontdesk.model.run(console),
            _prepare_actions(frontdesk),
        ):
            await terminal.run()
        await frontdesk.delivery.finish(FINISH_SECONDS)


async def run_engine(settings: Settings, console: Console, port: int) -> None:
    """Run the model server alone until SIGINT or SIGTERM. Raises ServingError when it can't."""
    engine = embedded_engine(settings, port)
    console.say(f"Model server: {engine.url}, model {engine.model}. Ctrl-C stops.")
    running = asyncio.create_task(engine.run())
    stopped = asyncio.create_task(_signalled())
    report = asyncio.create_task(console.follow_engine(engine))
    await asyncio.wait([running, stopped], return_when=asyncio.FIRST_COMPLETED)
    for task in (report, stopped):
        task.cancel()
    await engine.stop()
    await running


@contextlib.asynccontextmanager
async def open_workbench(
    settings: Settings, console: Console, *, with_model: bool
) -> AsyncIterator[Frontdesk]:
    """Open a Frontdesk to measure with: a database of its own, every vector made, the model ready.

    The company's log is not touched, so this runs beside `frontdesk run`.
    """
    folder = settings.frontdesk_data / "workbench"
    changes = {} if with_model else {"frontdesk_drafts": 0}
    settings = settings.model_copy(update=changes)
    async with open_frontdesk(settings, console, folder / "frontdesk.db") as frontdesk:
        await frontdesk.encode(console.encoding)
        if not with_model:
            yield frontdesk
            return
        await frontdesk.model.check()
        async with in_background(frontdesk.model.run(console)):
            await frontdesk.model.chat_model.open()
            if frontdesk.model.engine:
                await frontdesk.model.engine.wait_ready()
            yield frontdesk


def listening_socket(settings: Settings) -> socket.socket:
    """Return the web server's socket. Raises SettingsError when the address can't be had."""
    host, port = settings.frontdesk_host, settings.frontdesk_port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=256)
    except socket.gaierror as err:
        raise SettingsError(
            f"FRONTDESK_HOST is {host!r}, which is no address of this machine ({err.strerror}); "
            "set it to 127.0.0.1, or 0.0.0.0 for all."
        ) from err
    except OSError as err:
        raise SettingsError(
            f"Port {port} on {host} can't be used ({os.strerror(err.errno or 0)}); stop the "
            "program that listens there, or set FRONTDESK_PORT."
        ) from err


async def _check(platform: Platform, console: Console) -> None:
    """Tell what a platform is; one that can't be asked now heals by itself.

    Raises SettingsError when its settings don't work.
    """
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            logger.info("%s: %s", platform.name, await platform.check())
    except ChannelUnreachable as err:
        console.warn(str(err))
    except TimeoutError:
        console.warn(f"{platform.name} did not answer within {CHECK_SECONDS:g} s; going on.")


def _platforms(frontdesk: Frontdesk) -> list[TelegramChannel | SlackChannel]:
    """Return a channel for each platform whose tokens are set."""
    settings, links = frontdesk.settings, frontdesk.links()
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


def rules_of(settings: Settings) -> Rules:
    """Return the company's rules for replies. Raises ArticlesError for a broken file."""
    if settings.frontdesk_rules is not None:
        return read_rules(settings.frontdesk_rules)
    file = settings.frontdesk_articles / RULES_FILE
    return read_rules(file) if file.is_file() else NO_RULES


def _actions(
    settings: Settings, store: Store, prompts: Prompts, model: ModelServer
) -> Actions | None:
    """Return the declared tools, None without a file of them.

    Raises SettingsError for a file that can't be used.
    """
    file = settings.frontdesk_actions
    if file is None:
        return None
    declared = declarations.load(file)
    # The default model is too small to choose tools.
    may_choose = model.engine is None if declared.agent is None else declared.agent
    agent = Agent(model.chat_model, prompts) if may_choose else None
    return Actions(declared, file.parent, store, prompts, agent)


async def _prepare_actions(frontdesk: Frontdesk) -> None:
    if frontdesk.actions:
        await frontdesk.actions.prepare()


def _encoder(settings: Settings) -> Encoder:
    if settings.frontdesk_embeddings_url is None:
        return E5Encoder()
    from bot.knowledge.embeddings_server import EmbeddingsServer

    return EmbeddingsServer(
        settings.frontdesk_embeddings_url,
        settings.frontdesk_embeddings_model,
        settings.frontdesk_embeddings_key,
    )


def _transcriber(settings: Settings) -> "Transcriber | None":
    if settings.frontdesk_transcription_url is None:
        return None
    from bot.transcription import Transcriber  # takes half a second, and few need it

    return Transcriber(
        url=settings.frontdesk_transcription_url,
        model=settings.frontdesk_transcription_model,
        key=settings.frontdesk_transcription_key,
    )


async def _serve(
    frontdesk: Frontdesk,
    platforms: Sequence[TelegramChannel | SlackChannel],
    web_socket: socket.socket,
    console: Console,
) -> None:
    """Run every part side by side until a signal comes, then let running answers finish."""
    web = WebChannel(frontdesk.delivery, frontdesk.store)
    channels: list[Channel] = [web, *platforms]
    frontdesk.delivery.add(web)
    for platform in platforms:
        frontdesk.add(platform)
    accounts = Accounts(frontdesk.store)
    configured = frontdesk.settings.frontdesk_admin_password
    password = await accounts.prepare(configured.get_secret_value() if configured else None)
    routes = [route for platform in platforms for route in platform.routes()]
    server = _web_server(frontdesk, web, channels, accounts, routes)
    await frontdesk.delivery.resume()
    console.started(frontdesk.settings, channels, password)
    async with in_background(
        frontdesk.upkeep(console).run(),
        frontdesk.model.run(console),
        _prepare_actions(frontdesk),
    ):
        pages = asyncio.create_task(server.serve(sockets=[web_socket]))
        async with in_background(*(platform.run() for platform in platforms)):
            stop = asyncio.create_task(_signalled())
            await asyncio.wait([pages, stop], return_when=asyncio.FIRST_COMPLETED)
            console.stopping()
            server.should_exit = True
        # Nothing comes in any more; who waits at the page still gets what is being written.
        await asyncio.gather(pages, frontdesk.delivery.finish(FINISH_SECONDS))
    for platform in platforms:
        await platform.close()


def _web_server(
    frontdesk: Frontdesk,
    web: WebChannel,
    channels: Sequence[Channel],
    accounts: Accounts,
    platform_routes: Sequence[BaseRoute],
) -> "_Server":
    admin = Admin(
        frontdesk.store,
        accounts,
        frontdesk.prompts,
        utc_now,
        frontdesk.attachment,
        approved=frontdesk.approved,
        gaps=lambda: find_gaps(frontdesk.store, frontdesk.knowledge.meaning, utc_now()),
        approvals=frontdesk.actions.confirmations if frontdesk.actions else None,
    )
    app = create_app(
        web,
        [*admin.routes(), *platform_routes],
        partial(frontdesk.readiness, channels),
        frontdesk.model.status,
        frontdesk.registry,
        frontdesk.prompts,
    )
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=int(FINISH_SECONDS),
    )
    return _Server(config)


class _Server(uvicorn.Server):
    """A web server that leaves the signals to the program it is part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _signalled() -> None:
    """Wait for SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
