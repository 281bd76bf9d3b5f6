"""The file of actions (FRONTDESK_ACTIONS): which tools there are, who may use them, and how.

docs/actions.md explains every key. What is wrong in the file is one sentence at the start.
"""

import importlib.util
import os
import re
import string
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from bot.errors import SettingsError
from bot.messages import Language

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
# The client of MCP, and the check of arguments against their schema.
_PACKAGES = ("mcp", "jsonschema", "referencing")


def _expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as err:
        raise ValueError(f"{value!r} is no regular expression ({err})") from None
    return value


def slots(template: str) -> set[str]:
    """Return the names of a template's `{slots}`. Raises ValueError for any that isn't plain."""
    found = set()
    for _, name, form, conversion in string.Formatter().parse(template):
        if name is None:
            continue
        if form or conversion or not name.isidentifier():
            raise ValueError(f"{{{name}}} must be the plain name of a parameter or a result field")
        found.add(name)
    return found


def _template(value: str) -> str:
    slots(value)
    return value


Expression = Annotated[str, AfterValidator(_expression)]
Template = Annotated[str, AfterValidator(_template)]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^/{}]+")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Part):
    """An MCP server: a program that is started, or an address. Secrets come as `${NAME}`."""

    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    url: HttpUrl | None = None
    headers: dict[str, str] = {}

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("name either its command or its url")
        return self


class Http(_Part):
    """A request: `{parameter}` stands in the path, the query or the JSON body."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: HttpUrl
    query: dict[str, Template] = {}
    body: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    parameters: dict[str, Any] = Field({"type": "object"}, alias="schema")


class Parameter(_Part):
    """How a value is found in what the customer wrote, and asked for.

    `given` is filled in by the program: who the customer is, or the call's own key.
    """

    pattern: Expression | None = None
    case: Literal["as_written", "upper", "lower"] = "as_written"
    ask: dict[Language, str] = {}
    given: Literal["customer", "key"] | None = None
    may_be_inferred: bool = False


class Tool(_Part):
    """One tool, and who may use it."""

    server: str | None = None
    tool: str | None = None
    http: Http | None = None
    audience: tuple[str, ...] = Field(min_length=1)
    reads: bool = False
    approval: Literal["customer", "agent"] = "customer"
    description: str = ""
    seconds: float = Field(8.0, gt=0, le=60)
    questions: dict[Language, tuple[str, ...]] = {}
    parameters: dict[str, Parameter] = {}
    result: tuple[str, ...] = ()
    words: dict[str, dict[str, dict[Language, str]]] = {}
    reply: dict[Language, tuple[Template, ...]] = {}
    confirm: dict[Language, Template] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if bool(self.server) == bool(self.http):
            raise ValueError("name either the server that has it or its http request")
        if self.reads and self.approval == "agent":
            raise ValueError("what only reads needs no approval")
        if not self.reads and set(self.confirm) != {"en", "zh"}:
            raise ValueError("say under confirm, in en and zh, what will be done; or that it reads")
        if self.questions and set(self.reply) != {"en", "zh"}:
            raise ValueError("with questions it needs a reply in en and zh")
        if self.http and not self.reads and self.http.method == "GET":
            raise ValueError("a GET changes nothing: say reads: true, or use another method")
        return self


class Limits(_Part):
    """What the tools may take for one message, and how long a customer's yes is waited for."""

    calls: int = Field(3, ge=1, le=10)
    seconds: float = Field(10.0, gt=0, le=60)
    characters: int = Field(20_000, ge=100, le=1_000_000)
    confirm_minutes: float = Field(30.0, gt=0, le=1440)


class Declarations(_Part):
    """The whole file. `agent`: whether the model may choose tools; unset: not the default model."""

    servers: dict[str, Server] = {}
    tools: dict[str, Tool]
    limits: Limits = Limits()
    agent: bool | None = None

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for name, tool in self.tools.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} must be small letters, digits and _")
            if tool.server and tool.server not in self.servers:
                raise ValueError(f"{name} names the server {tool.server!r}, which is not there")
        return self


def load(path: Path) -> Declarations:
    """Read the file of actions.

    Raises SettingsError with the file, the key and the mend when it can't be used, also where the
    packages that actions need are not installed, or a variable of a secret is not set.
    """
    if missing := [name for name in _PACKAGES if importlib.util.find_spec(name) is None]:
        raise SettingsError(
            f"FRONTDESK_ACTIONS needs the package {missing[0]}; install the extra: "
            "pip install 'frontdesk[actions]'."
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        declared = Declarations.model_validate(content)
    except ValidationError as err:
        raise SettingsError(f"FRONTDESK_ACTIONS: {path}: {_explain(err)}.") from err
    except (OSError, yaml.YAMLError, ValueError) as err:
        reason = " ".join(str(err).split())
        raise SettingsError(f"FRONTDESK_ACTIONS: {path} can't be read: {reason}.") from err
    _check_variables(declared, path)
    return declared


def filled(template: str) -> SecretStr:
    """Return a header with its `${NAME}` replaced from the environment."""
    return SecretStr(_VARIABLE.sub(lambda match: os.environ[match[1]], template))


def _check_variables(declared: Declarations, path: Path) -> None:
    headers = [value for server in declared.servers.values() for value in server.headers.values()]
    for tool in declared.tools.values():
        headers += tool.http.headers.values() if tool.http else ()
    named = [name for header in headers for name in _VARIABLE.findall(header)]
    named += [name for server in declared.servers.values() for name in server.environment]
    for name in named:
        if name not in os.environ:
            raise SettingsError(
                f"FRONTDESK_ACTIONS: {path} needs the environment variable {name}; set it."
            )


def _explain(err: ValidationError) -> str:
    problem = err.errors()[0]
    where = ".".join(str(part) for part in problem["loc"]) or "the file"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"
