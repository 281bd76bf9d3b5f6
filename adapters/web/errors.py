"""The one shape of every error: `{"error": {"code", "message"}}`, in the reader's language."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal

from starlette.requests import Request
from starlette.responses import JSONResponse

from adapters.web.language import api_language
from bot.messages import Language
from prompts import Prompts

LABELS = "errors"

Code = Literal[
    "answer_late",
    "body_late",
    "busy",
    "cross_site",
    "internal",
    "invalid_request",
    "method_not_allowed",
    "not_found",
    "not_json",
    "not_stored",
    "too_large",
]

_STATUS: Mapping[Code, int] = {
    "answer_late": HTTPStatus.GATEWAY_TIMEOUT,
    "body_late": HTTPStatus.REQUEST_TIMEOUT,
    "busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "cross_site": HTTPStatus.FORBIDDEN,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
    "invalid_request": HTTPStatus.UNPROCESSABLE_ENTITY,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "not_found": HTTPStatus.NOT_FOUND,
    "not_json": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "not_stored": HTTPStatus.SERVICE_UNAVAILABLE,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


class ApiError(Exception):
    """A request that is refused. `field` names the part of it that is wrong."""

    def __init__(self, code: Code, field: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.field = field

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return _STATUS[self.code]

    def body(self, prompts: Prompts, language: Language) -> dict[str, dict[str, str]]:
        """Return the JSON that the client gets."""
        message = prompts.labels(LABELS, language)[self.code].replace("{field}", self.field)
        return {"error": {"code": self.code, "message": message}}


class ErrorPages:
    """Turns what handlers raise into responses."""

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts

    def refused(self, request: Request, error: Exception) -> JSONResponse:
        """Answer a request that was refused with an ApiError."""
        err = error if isinstance(error, ApiError) else ApiError("internal")
        headers = {"Retry-After": "5"} if err.status == HTTPStatus.SERVICE_UNAVAILABLE else None
        body = err.body(self._prompts, api_language(request))
        return JSONResponse(body, err.status, headers=headers)

    def unroutable(self, request: Request, error: Exception) -> JSONResponse:
        """Answer what the router refuses: an unknown path, or a method that a path hasn't."""
        wrong_method = getattr(error, "status_code", None) == HTTPStatus.METHOD_NOT_ALLOWED
        err = ApiError("method_not_allowed" if wrong_method else "not_found")
        body = err.body(self._prompts, api_language(request))
        return JSONResponse(body, err.status, headers=getattr(error, "headers", None))
