"""Runs everything: the engine, the pages and the channels, until a signal comes.

bot/frontdesk.py makes the parts, bot/channels.py the platforms' channels.
"""

import asyncio
import contextlib
import logging
import os
import random
import signal
import socket
from collections.abc import Iterator, Sequence
from functools import partial

import uvicorn
from starlette.routing import BaseRoute

from adapters.admin import Admin
from adapters.slack import SlackChannel
from adapters.telegram import TelegramChannel
from adapters.terminal import TerminalChannel
from adapters.web.app import create_app
from adapters.web.channel import WebChannel
from bot.analysis_figures import AnalysisFigures
from bot.background import in_background
from bot.channels import platforms as platforms_of
from bot.console import Console
from bot.errors import ChannelUnreachable, SettingsError
from bot.frontdesk import Frontdesk, open_frontdesk
from bot.groups_upkeep import GroupsUpkeep
from bot.knowledge.gap_articles import GapWriter
from bot.knowledge.gaps import find_gaps
from bot.log.accounts import Accounts, utc_now
from bot.model_server import embedded_engine
from bot.ports import Channel, Platform
from bot.ranking_figures import RankingFigures
from bot.settings import Settings

logger = logging.getLogger(__name__)

# The supervisor that sent SIGTERM waits ten seconds: these, the engine's own, and the rest.
FINISH_SECONDS = 5.0
CHECK_SECONDS = 2.0


async def run_everything(settings: Settings, console: Console) -> None:
    """Run the engine, the pages and every configured channel until SIGINT or SIGTERM.

    Raises FrontdeskError before anything is started when a setting can't work.
    """
    web_socket = listening_socket(settings)
    with contextlib.closing(web_socket):
        async with open_frontdesk(settings, console) as frontdesk:
            await frontdesk.model.greet(console)
            platforms = platforms_of(frontdesk)
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
            frontdesk.policy_upkeep(console).run(),
            frontdesk.intents_upkeep(console).run(),
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


async def _prepare_actions(frontdesk: Frontdesk) -> None:
    if frontdesk.actions:
        await frontdesk.actions.prepare()


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
    groups = frontdesk.groups_upkeep(console)
    server = _web_server(frontdesk, web, channels, accounts, routes, groups)
    await frontdesk.delivery.resume()
    console.started(frontdesk.settings, channels, password)
    async with in_background(
        frontdesk.upkeep(console).run(),
        frontdesk.policy_upkeep(console).run(),
        frontdesk.intents_upkeep(console).run(),
        groups.run(),
        frontdesk.alerts_upkeep(console).run(),
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
    groups: GroupsUpkeep,
) -> "_Server":
    model = frontdesk.model
    writer = GapWriter(model.chat_model, frontdesk.prompts, model.languages)
    admin = Admin(
        frontdesk.store,
        accounts,
        frontdesk.prompts,
        utc_now,
        frontdesk.attachment,
        approved=frontdesk.approved,
        gaps=lambda: find_gaps(frontdesk.store, frontdesk.knowledge.meaning, utc_now()),
        draft_gap=writer.draft,
        groups=groups,
        rng=random.SystemRandom(),
        figures=RankingFigures(frontdesk.store, frontdesk.settings.worths, utc_now),
        analysis=AnalysisFigures(frontdesk.store, utc_now),
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
