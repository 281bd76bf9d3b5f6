"""Settings: where they come from, what is refused, and that secrets stay secret."""

import os
from pathlib import Path
from typing import Any

import pytest

from bot.errors import SettingsError
from bot.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder without settings."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str) -> None:
    (folder / "frontdesk.toml").write_text(text, encoding="utf-8")


def problem(**overrides: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(**overrides)
    return str(caught.value)


def test_that_nothing_has_to_be_set() -> None:
    settings = load_settings()

    assert (settings.frontdesk_host, settings.frontdesk_port) == ("127.0.0.1", 8080)
    assert settings.database == Path("data/frontdesk.db")
    assert settings.frontdesk_articles.is_dir()


def test_that_the_environment_goes_over_the_file_and_both_over_the_defaults(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, 'frontdesk_port = 9000\nfrontdesk_host = "::1"')
    monkeypatch.setenv("FRONTDESK_PORT", "9001")

    settings = load_settings()

    assert (settings.frontdesk_port, settings.frontdesk_host) == (9001, "::1")
    assert settings.frontdesk_drafts == 3
    assert load_settings(frontdesk_port=9002).frontdesk_port == 9002


def test_that_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_PORT", "")
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "")

    settings = load_settings()

    assert (settings.frontdesk_port, settings.telegram_bot_token) == (8080, None)


def test_that_chinese_values_are_read(folder: Path) -> None:
    write(folder, 'frontdesk_articles = "帮助文章"\nfrontdesk_data = "数据"')

    settings = load_settings()

    assert settings.frontdesk_articles == Path("帮助文章")
    assert settings.database == Path("数据/frontdesk.db")


def test_that_languages_of_the_model_are_a_list(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, 'frontdesk_model_languages = ["zh"]')
    assert load_settings().frontdesk_model_languages == ("zh",)

    for written in ('["en", "zh"]', "en,zh", " en , zh"):
        monkeypatch.setenv("FRONTDESK_MODEL_LANGUAGES", written)
        assert load_settings().frontdesk_model_languages == ("en", "zh")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        pytest.param("FRONTDESK_PROT", "FRONTDESK_PORT", id="mistyped"),
        pytest.param("FRONTDESK_ADMIN_PASWORD", "FRONTDESK_ADMIN_PASSWORD", id="letter-missing"),
        pytest.param("FRONTDESK_端口", "FRONTDESK_", id="chinese"),
        pytest.param(
            "FRONTDESK_QQQQXXXXZZZZ_0123456789", "docs/settings.md lists", id="far-from-all"
        ),
    ],
)
def test_that_an_unknown_variable_is_refused_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, name: str, suggestion: str
) -> None:
    monkeypatch.setenv(name, "1")

    said = problem()

    assert said.startswith(f"{name} is not a setting")
    assert suggestion in said


def test_that_an_unknown_key_of_the_file_is_refused_with_a_suggestion(folder: Path) -> None:
    write(folder, "frontdesk_prot = 9000")

    said = problem()

    assert said.startswith("frontdesk_prot in frontdesk.toml is not a setting")
    assert "frontdesk_port" in said


def test_that_the_variables_of_the_tests_are_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_TEST_MODELS", "/models")
    monkeypatch.setenv("TELEGRAM_SOMETHING_ELSE", "x")

    assert load_settings().frontdesk_port == 8080


WRONG = [
    pytest.param("FRONTDESK_PORT", "many", id="port-no-number"),
    pytest.param("FRONTDESK_PORT", "0", id="port-zero"),
    pytest.param("FRONTDESK_PORT", "65536", id="port-too-high"),
    pytest.param("FRONTDESK_PORT", "８０８０端口", id="port-chinese"),
    pytest.param("FRONTDESK_DRAFTS", "9", id="drafts"),
    pytest.param("FRONTDESK_DRAFTS", "-1", id="drafts-negative"),
    pytest.param("FRONTDESK_DRAFT_SECONDS", "0", id="no-time"),
    pytest.param("FRONTDESK_DRAFT_SECONDS", "nan", id="not-a-number"),
    pytest.param("FRONTDESK_DRAFT_SECONDS", "inf", id="endless"),
    pytest.param("FRONTDESK_MODEL_CONTEXT", "512", id="context"),
    pytest.param("FRONTDESK_MODEL_URL", "localhost:8000", id="url-without-scheme"),
    pytest.param("FRONTDESK_MODEL_URL", "file:///etc/passwd", id="url-of-a-file"),
    pytest.param("FRONTDESK_MODEL_URL", "http://", id="url-without-host"),
    pytest.param("TELEGRAM_API_BASE_URL", "api.telegram.org", id="telegram-url"),
    pytest.param("SLACK_API_BASE_URL", "ftp://slack.example", id="slack-url"),
    pytest.param("FRONTDESK_MODEL_LANGUAGES", '["fr"]', id="language"),
    pytest.param("SLACK_ANSWER_CHANNELS", '["C1"', id="half-a-list"),
    pytest.param("FRONTDESK_STREAM", "whatsapp", id="unknown-channel"),
    pytest.param("FRONTDESK_EXPLORATION", "0.6", id="too-much-tried"),
    pytest.param("FRONTDESK_REWARDS", "liked: 1", id="no-table"),
    pytest.param("FRONTDESK_REWARDS", '{"loved": 1}', id="no-signal"),
    pytest.param("FRONTDESK_REWARDS", '{"liked": 2}', id="worth-too-high"),
    pytest.param("FRONTDESK_REWARDS", '{"liked": 0.5}', id="guess-outweighs-thumb"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_that_a_wrong_value_names_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    said = problem()

    assert name in said
    assert "docs/settings.md" in said
    assert "frontdesk.toml" not in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("frontdesk_port = ", id="half-a-line"),
        pytest.param("frontdesk_port = 1\nfrontdesk_port = 2", id="twice"),
        pytest.param("一 = 二", id="chinese-words"),
        pytest.param("\x00", id="control-character"),
    ],
)
def test_that_a_broken_file_is_named(folder: Path, text: str) -> None:
    write(folder, text)

    assert problem().startswith("frontdesk.toml can't be read: ")


def test_that_a_file_in_another_encoding_is_named(folder: Path) -> None:
    (folder / "frontdesk.toml").write_bytes('frontdesk_data = "数据"'.encode("gb18030"))

    assert problem().startswith("frontdesk.toml can't be read: ")


def test_that_urls_lose_their_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_MODEL_URL", "https://models.example/v1/")

    assert load_settings().frontdesk_model_url == "https://models.example/v1"


SECRETS = [
    "FRONTDESK_ADMIN_PASSWORD",
    "FRONTDESK_MODEL_KEY",
    "TELEGRAM_BOT_TOKEN",
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
]


@pytest.mark.parametrize("name", SECRETS)
def test_that_a_secret_is_not_printed_with_the_settings(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "hunter2-秘密")

    settings = load_settings()

    assert getattr(settings, name.lower()).get_secret_value() == "hunter2-秘密"
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize("name", SECRETS)
def test_that_a_secret_of_the_wrong_type_is_not_printed(folder: Path, name: str) -> None:
    write(folder, f"{name.lower()} = 271828182845")

    said = problem()

    assert said.startswith(name)
    assert "271828" not in said


def test_that_settings_never_change() -> None:
    settings = load_settings()

    with pytest.raises(ValueError, match="frozen"):
        settings.frontdesk_port = 1  # type: ignore[misc]


def test_that_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())
    assert not {name for name in os.environ if name.lower() in Settings.model_fields}
