"""A web server on loopback for the routes of one channel."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

DEADLINE_SECONDS = 10


class _Server(uvicorn.Server):
    """A server that says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@asynccontextmanager
async def serving(routes: Sequence[BaseRoute]) -> AsyncIterator[str]:
    """Serve some routes; yield the address, without a slash at its end."""
    async with serving_app(Starlette(routes=routes)) as address:
        yield address


@asynccontextmanager
async def serving_app(app: Starlette) -> AsyncIterator[str]:
    """Serve an application; yield the address, without a slash at its end."""
    server = _Server(uvicorn.Config(app, port=0, log_config=None, ws="none", lifespan="off"))
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(DEADLINE_SECONDS):
        await server.is_up.wait()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await task
