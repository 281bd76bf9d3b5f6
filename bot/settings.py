"""All settings: environment first, then `frontdesk.toml`, then defaults; checked once at start.

In the environment the names are as written in docs/settings.md (`FRONTDESK_PORT`); in the file they
are the same names in lower case (`frontdesk_port = 8080`). An unknown `FRONTDESK_*` name is an
error, since a mistyped setting is worse than a missing one.
"""

import difflib
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from bot.errors import SettingsError
from bot.messages import Language
from bot.ranking.rewards import Signal, checked_worths

FILE = Path("frontdesk.toml")
EXAMPLE_ARTICLES = Path(__file__).parent.parent / "examples" / "shop" / "articles"


def _http_url(value: str) -> str:
    if not re.match(r"https?://[^/]", value):
        raise ValueError("must start with http:// or https:// and name a host")
    return value.rstrip("/")


def _listed(value: Any) -> Any:
    """Read a list as the environment spells it: `a, b` or `["a", "b"]`."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError('must be a list such as a, b or ["a", "b"]') from None
    return [each.strip() for each in value.split(",") if each.strip()]


def _table(value: Any) -> Any:
    """Read a table as the environment spells it: `{"name": 1}`."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('must be a table such as {"name": 1}') from None


def _worths(value: dict[str, float]) -> dict[str, float]:
    checked_worths(value)
    return value


StreamingChannel = Literal["telegram", "slack", "web"]
T = TypeVar("T")
Listed = Annotated[tuple[T, ...], NoDecode, BeforeValidator(_listed)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]


class Settings(BaseSettings):
    """One frozen object with every setting. The field names are the settings' names."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_ignore_empty=True)

    frontdesk_data: Path = Field(Path("data"), description="folder of the database and the models")
    frontdesk_articles: Path = Field(EXAMPLE_ARTICLES, description="folder of help articles")
    frontdesk_website: str | None = Field(
        None,
        description="address of your help pages or their sitemap.xml, or a file with one address "
        "a line; `frontdesk articles sync` fetches them",
    )
    frontdesk_website_hours: float = Field(
        24.0,
        ge=0,
        le=8760,
        description="hours until a running Frontdesk fetches the website again; 0: never by itself",
    )
    frontdesk_actions: Path | None = Field(
        None, description="file of tools that the bot may use (actions.yaml); unset: none"
    )
    frontdesk_rules: Path | None = Field(
        None,
        description="file of the company's rules for replies; unset: rules.yaml in the articles "
        "folder, if there is one",
    )
    frontdesk_host: str = Field("127.0.0.1", description="address the web server listens on")
    frontdesk_port: int = Field(8080, ge=1, le=65535, description="port of the web server")
    frontdesk_admin_password: SecretStr | None = Field(
        None, description="password of the admin pages; unset: made at the first start, shown once"
    )
    frontdesk_model_url: HttpUrl | None = Field(
        None, description="OpenAI-compatible server, ending in /v1; unset: the embedded vLLM engine"
    )
    frontdesk_model: str | None = Field(
        None, description="model id at that server, or a Hugging Face id for the embedded engine"
    )
    frontdesk_model_key: SecretStr | None = Field(None, description="key of the model server")
    frontdesk_model_context: int = Field(
        4096, ge=1024, description="tokens of prompt and answer that the model can take"
    )
    frontdesk_drafts: int = Field(
        3, ge=0, le=8, description="drafts asked of the model for each question; 0: none"
    )
    frontdesk_draft_seconds: float | None = Field(
        None,
        gt=0,
        le=60,
        description="longest wait until a draft can be shown before the articles answer alone",
    )
    frontdesk_draft_tokens: int | None = Field(
        None, ge=16, le=8192, description="longest draft, with a model's reasoning before it"
    )
    frontdesk_model_languages: Listed[Language] | None = Field(
        None, description='languages that the model can write, e.g. ["en", "zh"]'
    )
    frontdesk_stream: Listed[StreamingChannel] = Field(
        ("telegram", "slack", "web"),
        description="channels where an answer appears while it is written, sentence by sentence; "
        "elsewhere several drafts are written and the best is shown",
    )
    frontdesk_burst_seconds: float = Field(
        1.0, ge=0, le=30, description="wait for the rest of a message that looks unfinished"
    )
    frontdesk_customer_messages_per_minute: int = Field(
        20, ge=0, description="messages of one customer answered in a minute; 0: all of them"
    )
    frontdesk_customer_tokens_per_day: int = Field(
        200_000,
        ge=0,
        description="tokens of the model spent on one customer in a day; over it the articles "
        "answer alone; 0: no limit",
    )
    frontdesk_exploration: float = Field(
        0.05,
        ge=0,
        le=0.5,
        description="share of the replies for which another that passed every check is tried, "
        "so that the log can teach; 0: none",
    )
    frontdesk_exploration_per_day: int = Field(
        50, ge=0, description="most such tries in a day (UTC), of all customers together"
    )
    frontdesk_rewards: Annotated[
        dict[str, float], NoDecode, BeforeValidator(_table), AfterValidator(_worths)
    ] = Field(
        {},
        description="what signals are worth, from -1 to 1, where it differs from docs/ranking.md, "
        'e.g. {"handed_off": -0.4}',
    )
    frontdesk_link_hosts: Listed[str] = Field(
        (), description="hosts that replies may link to, beside those of the articles' own urls"
    )
    frontdesk_embeddings_url: HttpUrl | None = Field(
        None,
        description="OpenAI-compatible server for the search by meaning, ending in /v1; unset: the "
        "encoder of the package",
    )
    frontdesk_embeddings_model: str = Field(
        "text-embedding-3-small", description="model id at that server"
    )
    frontdesk_embeddings_key: SecretStr | None = Field(None, description="key of that server")
    frontdesk_transcription_url: HttpUrl | None = Field(
        None, description="OpenAI-compatible server for voice messages, ending in /v1; unset: none"
    )
    frontdesk_transcription_model: str = Field("whisper-1", description="model id at that server")
    frontdesk_transcription_key: SecretStr | None = Field(None, description="key of that server")
    telegram_bot_token: SecretStr | None = Field(None, description="token from @BotFather")
    telegram_api_base_url: HttpUrl = Field(
        "https://api.telegram.org", description="everything before the token"
    )
    telegram_webhook_url: HttpUrl | None = Field(
        None,
        description="public https address that Telegram posts updates to, ending in "
        "/telegram/webhook; unset: the bot asks for them",
    )
    telegram_webhook_secret: SecretStr | None = Field(
        None, description="what Telegram must send along with each update; 16 letters or more"
    )
    slack_bot_token: SecretStr | None = Field(None, description="token that starts with xoxb-")
    slack_app_token: SecretStr | None = Field(
        None, description="app-level token that starts with xapp-, for Socket Mode"
    )
    slack_signing_secret: SecretStr | None = Field(
        None, description="checks what Slack posts to /slack/events; used without an app token"
    )
    slack_client_id: str | None = Field(
        None, description="with slack_client_secret: other workspaces can install the app"
    )
    slack_client_secret: SecretStr | None = Field(None, description="belongs to slack_client_id")
    slack_answer_channels: Listed[str] = Field(
        (), description="ids of the channels where every question is answered, unasked"
    )
    slack_private_channels: Listed[str] = Field(
        (), description="ids of the channels where only the asker sees an answer, and can share it"
    )
    slack_api_base_url: HttpUrl = Field("https://slack.com/api", description="ends in /api/")

    @property
    def database(self) -> Path:
        """The database file."""
        return self.frontdesk_data / "frontdesk.db"

    @property
    def policies(self) -> Path:
        """The folder of the trained policies."""
        return self.frontdesk_data / "policies"

    @property
    def intents(self) -> Path:
        """The folder of the trained intent classifier."""
        return self.frontdesk_data / "intents"

    @property
    def worths(self) -> dict[Signal, float]:
        """What every signal is worth."""
        return checked_worths(self.frontdesk_rewards)

    @property
    def website_pages(self) -> Path:
        """The folder of the website's pages, as they were fetched last."""
        return self.frontdesk_data / "website"

    @property
    def article_folders(self) -> tuple[Path, ...]:
        """The folders that articles are read from; a website alone replaces the example shop."""
        if self.frontdesk_website is None:
            return (self.frontdesk_articles,)
        if "frontdesk_articles" not in self.model_fields_set:
            return (self.website_pages,)
        return (self.frontdesk_articles, self.website_pages)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take explicit arguments first, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, FILE)


def load_settings(**overrides: Any) -> Settings:
    """Read and check all settings.

    Raises SettingsError naming the setting, what is wrong with it and how to mend it.
    """
    _refuse_unknown_environment()
    try:
        return Settings(**overrides)
    except ValidationError as err:
        raise SettingsError(_explain(err)) from err
    except ValueError as err:  # what tomllib and pydantic-settings raise for a broken file
        raise SettingsError(f"{FILE} can't be read: {err}.") from err


def _refuse_unknown_environment() -> None:
    known = {name.upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        is_ours = name.startswith("FRONTDESK_") and not name.startswith("FRONTDESK_TEST_")
        if is_ours and name not in known:
            raise SettingsError(f"{name} is not a setting{_suggestion(name, known)}.")


def _explain(err: ValidationError) -> str:
    problem = err.errors()[0]
    name = str(problem["loc"][0]).upper()
    known = {field.upper() for field in Settings.model_fields}
    if problem["type"] == "extra_forbidden":
        return f"{name.lower()} in {FILE} is not a setting{_suggestion(name, known).lower()}."
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    value = "not usable" if _is_secret(name) else repr(problem["input"])
    return f"{name} is {value}: {message}. See docs/settings.md."


def _is_secret(name: str) -> bool:
    field = Settings.model_fields.get(name.lower())
    return field is not None and SecretStr in get_args(field.annotation)


def _suggestion(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; the nearest name is {close[0]}" if close else "; docs/settings.md lists them all"
