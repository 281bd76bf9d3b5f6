"""What an article's author says about it: title, language, who may see it, and when it counts."""

import re
from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from bot.audiences import EVERYBODY, Audience, checked
from bot.errors import ArticlesError
from bot.messages import Language

# libyaml itself can be crashed by deep nesting, so both are checked before anything is built.
LONGEST_HEAD = 50_000  # characters
DEEPEST_HEAD = 20
DAY = len("2026-12-24")
CLOSE = 0.8  # difflib's ratio, from which a name is taken for a misspelt one
CHINESE_NAMES = {
    "title": ("标题",),
    "language": ("语言",),
    "url": ("链接", "网址"),
    "audience": ("受众", "对象"),
    "valid_from": ("生效日期",),
    "valid_until": ("失效日期",),
    "questions": ("相似问题", "相似问法"),
}
# Whoever misspells one of them would show an article to those, or at a time, it is not for.
DECIDING = ("audience", "valid_from", "valid_until")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _written(value: object) -> object:
    """Read `2026-12-24` also where it stands in quotes, or in a table."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return date.fromisoformat(text) if len(text) == DAY else datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a date such as 2026-12-24") from None


def _beginning(value: object) -> object:
    """Return when a day begins; times without a zone are UTC."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.combine(value, time(), UTC) if isinstance(value, date) else value


def _end(value: object) -> object:
    """Return when a day is over."""
    is_day = isinstance(value, date) and not isinstance(value, datetime)
    beginning = _beginning(value)
    return (
        beginning + timedelta(days=1) if is_day and isinstance(beginning, datetime) else beginning
    )


def _names(value: object) -> object:
    """Read `telegram, web` as well as a list."""
    if not isinstance(value, str):
        return value
    found = (name.strip().partition(":") for name in re.split(r"[,;、\uff0c\uff1b|]", value))
    return ["".join((name.lower(), *part)) for name, *part in found if name]


class Head(BaseModel):
    """The head of an article. Keys it does not know (`model_extra`) belong to other programs."""

    model_config = ConfigDict(extra="allow", frozen=True, coerce_numbers_to_str=True)

    title: str | None = Field(None, min_length=1)
    language: Language | None = None
    url: str = Field("", pattern=r"^(https?://\S+)?$")
    audience: Annotated[Audience, AfterValidator(checked), BeforeValidator(_names)] = EVERYBODY
    valid_from: Annotated[
        datetime | None, BeforeValidator(_beginning), BeforeValidator(_written)
    ] = None
    valid_until: Annotated[datetime | None, BeforeValidator(_end), BeforeValidator(_written)] = None
    questions: tuple[str, ...] = ()


def read_head(text: str) -> Head:
    """Read a head from YAML; raises ArticlesError saying which key is wrong."""
    if len(text) > LONGEST_HEAD:
        raise ArticlesError(f"its front matter is longer than {LONGEST_HEAD:,} characters")
    try:
        _refuse_deep(text)
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, the faster of two
    except (yaml.YAMLError, ValueError, RecursionError) as err:  # ValueError: an impossible date
        raise ArticlesError("its front matter is not valid YAML") from err
    if found is not None and not isinstance(found, dict):
        raise ArticlesError("its front matter is not valid YAML")
    return checked_head(found or {})


def checked_head(fields: dict[Any, Any]) -> Head:
    """Return the head that `fields` are; raises ArticlesError saying which is wrong."""
    if misspelt := misspelt_name([str(key) for key in fields], [*Head.model_fields]):
        raise ArticlesError(f"its front matter has {misspelt}")
    try:
        head = Head.model_validate({str(key): value for key, value in fields.items()})
    except ValidationError as err:
        problem = err.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        reason = problem["msg"].removeprefix("Value error, ")
        raise ArticlesError(f"its front matter has a wrong {where}: {reason}") from err
    if head.valid_from and head.valid_until and head.valid_from >= head.valid_until:
        raise ArticlesError("its front matter has a wrong valid_until: it is before valid_from")
    return head


def misspelt_name(given: Collection[str], known: Collection[str]) -> str | None:
    """Say which of the names `given` is close to one of the fields `known`, or its Chinese name."""
    spellings = {name: name for name in known}
    spellings |= {chinese: name for name in known for chinese in CHINESE_NAMES[name]}
    for name in given:
        plain = re.sub(r"[\s-]", "_", name.strip().lower())
        if name not in known and (close := get_close_matches(plain, spellings, 1, CLOSE)):
            meant = spellings[close[0]]
            return f"{name}, which is no field of an article; did you mean {meant}?"
    return None


def _refuse_deep(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST_HEAD:
            raise ArticlesError(f"its front matter is nested deeper than {DEEPEST_HEAD} levels")
