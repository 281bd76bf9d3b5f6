"""The chat page: one template, its words from the labels, everything from our own origin."""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from adapters.web.language import page_language, remember_language
from prompts import Prompts

HERE = Path(__file__).parent
LABELS = "chat"
_STARTERS = ("starter_1", "starter_2", "starter_3", "starter_4")


class ChatPage:
    """The routes `/` and `/static`."""

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts
        self._templates = templates(HERE / "templates")

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [Route("/", self.page), Mount("/static", OwnFiles(directory=HERE / "static"))]

    async def page(self, request: Request) -> Response:
        """Return the page in the visitor's language."""
        language = page_language(request)
        labels = self._prompts.labels(LABELS, language)
        html = self._templates.get_template("chat.html").render(
            language=language,
            labels=labels,
            labels_json=json.dumps(dict(labels), ensure_ascii=False),
            starters=[labels[name] for name in _STARTERS],
        )
        response = HTMLResponse(html, headers={"Vary": "Accept-Language, Cookie"})
        remember_language(request, response)
        return response


class OwnFiles(StaticFiles):
    """Style sheets and scripts, checked for a newer version at each use."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file that browsers keep, but ask about before they use it again."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def templates(folder: Path) -> Environment:
    """Return the templates of a folder; what is put into them is escaped."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
