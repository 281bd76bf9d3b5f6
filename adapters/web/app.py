"""The web application: page, API, admin pages and health behind the same middleware."""

from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from adapters.web.api import Api
from adapters.web.channel import WebChannel
from adapters.web.errors import ApiError, ErrorPages
from adapters.web.health import Health, Readiness
from adapters.web.metrics import RequestCounter
from adapters.web.page import ChatPage
from adapters.web.security import BodyLimit, SecurityHeaders
from prompts import Prompts


def create_app(
    web: WebChannel,
    others: Sequence[BaseRoute],
    readiness: Readiness,
    model_status: Callable[[], Mapping[str, str]],
    registry: CollectorRegistry,
    prompts: Prompts,
) -> Starlette:
    """Return the application with every route that the web server answers.

    `others` are the routes of other parts: the admin pages, and what platforms post to.
    """
    errors = ErrorPages(prompts)
    return Starlette(
        routes=[
            *ChatPage(prompts).routes(),
            *Api(web, model_status, prompts).routes(),
            *Health(readiness, registry).routes(),
            *others,
        ],
        middleware=[
            Middleware(SecurityHeaders, error_response=errors.refused),
            Middleware(RequestCounter, registry=registry),
            Middleware(BodyLimit, error_response=errors.refused),
        ],
        exception_handlers={ApiError: errors.refused, HTTPException: errors.unroutable},
    )
