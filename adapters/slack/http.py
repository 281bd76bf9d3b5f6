"""Receiving as HTTP requests, and the pages on which a workspace installs the app.

A request counts only with Slack's signature, not older than five minutes; anything else is refused
before it is read.
"""

import logging
from dataclasses import dataclass
from typing import Any

from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from adapters.slack.client import library_logger
from adapters.slack.installations import SlackInstallations
from adapters.slack.manifest import SCOPES

logger = logging.getLogger(__name__)

EVENTS_PATH = "/slack/events"
INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"
_LARGEST_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackOAuth:
    """What it takes to let other workspaces install the app.

    `redirect_url` is the public address of /slack/oauth_redirect; without it Slack takes the one
    that is set for the app.
    """

    client_id: str
    client_secret: str
    installations: SlackInstallations
    redirect_url: str | None = None


def event_routes(app: AsyncApp, signing_secret: str) -> list[Route]:
    """Return the route that Slack posts everything to."""
    verifier = SignatureVerifier(signing_secret)

    async def events(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return JSONResponse({"error": "too large"}, status_code=413)
        if not _is_signed(verifier, body, request):
            return JSONResponse({"error": "invalid request"}, status_code=401)
        try:
            parsed = to_async_bolt_request(request, body)
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            # Bolt trips over payloads that are not built like Slack's.
            return JSONResponse({"error": "not readable"}, status_code=400)
        return to_starlette_response(await app.async_dispatch(parsed))

    return [Route(EVENTS_PATH, events, methods=["POST"])]


async def _body(request: Request) -> bytes | None:
    """Return a request's body, or None when it is larger than anything Slack posts."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            return None
    return bytes(body)


def _is_signed(verifier: SignatureVerifier, body: bytes, request: Request) -> bool:
    try:
        return verifier.is_valid(
            body,
            request.headers.get("x-slack-request-timestamp"),
            request.headers.get("x-slack-signature"),
        )
    except (ValueError, TypeError):
        # The library expects a number and plain letters.
        return False


class Installer(AsyncWebClient):
    """A client that sends the app's secret in the body.

    The library sends it by a class of aiohttp's that is about to go.
    """

    async def oauth_v2_access(
        self,
        *,
        client_id: str,
        client_secret: str,
        code: str | None = None,
        redirect_uri: str | None = None,
        **_: Any,
    ) -> AsyncSlackResponse:
        """Exchange a code for a token. Raises SlackApiError when Slack refuses it."""
        values = {"client_id": client_id, "client_secret": client_secret, "code": code}
        if redirect_uri:
            values["redirect_uri"] = redirect_uri
        return await self.api_call("oauth.v2.access", data=values)


def oauth_flow(oauth: SlackOAuth, client: Installer) -> AsyncOAuthFlow:
    """Return Bolt's installation, with our store and the manifest's scopes."""
    settings = AsyncOAuthSettings(
        client_id=oauth.client_id,
        client_secret=oauth.client_secret,
        scopes=sorted(SCOPES),
        user_scopes=[],
        redirect_uri=oauth.redirect_url,
        install_path=INSTALL_PATH,
        redirect_uri_path=REDIRECT_PATH,
        installation_store=oauth.installations,
        state_store=oauth.installations,
        logger=library_logger(),
    )
    return AsyncOAuthFlow(client=client, logger=library_logger(), settings=settings)


def oauth_routes(flow: AsyncOAuthFlow) -> list[Route]:
    """Return the pages on which a workspace installs the app."""

    async def install(request: Request) -> Response:
        return to_starlette_response(
            await flow.handle_installation(to_async_bolt_request(request, b""))
        )

    async def redirect(request: Request) -> Response:
        try:
            answer = await flow.handle_callback(to_async_bolt_request(request, b""))
        except Exception:
            logger.exception("A workspace could not install the app")
            return PlainTextResponse(
                "The app could not be installed. Please try again. / 安装失败，请重试。",
                status_code=502,
            )
        return to_starlette_response(answer)

    return [
        Route(INSTALL_PATH, install, methods=["GET"]),
        Route(REDIRECT_PATH, redirect, methods=["GET"]),
    ]
