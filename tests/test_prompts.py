"""The texts: complete in both languages, and checked when the program starts."""

import re
import string
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.candidates.commands import command_reply
from bot.candidates.fixed import reply_without_articles
from bot.commands import COMMANDS, Command, CommandName, parse_command
from bot.messages import LANGUAGES, Language
from bot.understanding import Kind, Understood, language_of
from prompts import FOLDER, PromptError, Prompts

TASKS = sorted({path.parent.name for path in FOLDER.glob("*/*.md")})
LABELS = sorted({path.stem.partition(".")[0] for path in FOLDER.glob("labels/*.yaml")})
TEXTS = Prompts.load()
HEAD = "---\ndescription: d\n"


def write(folder: Path, name: str, content: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def write_task(folder: Path, english: str, chinese: str = "---\ndescription: d\n---\n好") -> None:
    write(folder, "task/en.md", english)
    write(folder, "task/zh.md", chinese)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_that_every_text_exists_in_its_language(prompts: Prompts, task: str, language: str) -> None:
    prompt = prompts.get(task, language)
    text = prompt.render(**dict.fromkeys(prompt.variables, ""))

    assert language_of(text) == language
    assert "{" not in text


@pytest.mark.parametrize("kind", sorted({*get_args(Kind)} - {"question", "command"}))
@pytest.mark.parametrize("language", LANGUAGES)
def test_that_every_text_the_core_asks_for_is_there(
    prompts: Prompts, kind: str, language: str
) -> None:
    message = Understood(text="", language=language, written=language, kind=kind)  # type: ignore[arg-type]

    reply = reply_without_articles(message, prompts)

    assert reply is not None
    assert language_of(reply.text) == language


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("argument", ["", "yes", "no", "en", "zh", "auto"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_that_every_command_has_its_text(
    prompts: Prompts, command: CommandName, argument: str, language: Language
) -> None:
    reply = command_reply(Command(name=command, argument=argument), language, (), prompts)

    assert language_of(reply.text) == language
    assert all(parse_command(choice.command) for choice in reply.choices)


@pytest.mark.parametrize("name", LABELS)
def test_that_labels_have_the_same_names_and_slots_in_both_languages(
    prompts: Prompts, name: str
) -> None:
    english, chinese = (prompts.labels(name, language) for language in LANGUAGES)

    def slots(text: str) -> set[str]:
        return {slot for _, slot, _, _ in string.Formatter().parse(text) if slot}

    assert english.keys() == chinese.keys()
    assert {k for k in english if slots(english[k]) != slots(chinese[k])} == set()
    assert all(text.strip() for text in (*english.values(), *chinese.values()))


def test_that_no_chinese_word_is_left_in_english_texts_or_the_other_way_round() -> None:
    for path in FOLDER.glob("*/en.md"):
        assert not re.search("[\u4e00-\u9fff]", path.read_text(encoding="utf-8")), path
    for path in FOLDER.glob("*/zh.md"):
        body = path.read_text(encoding="utf-8").split("---", 2)[2]
        assert re.search("[\u4e00-\u9fff]", body), path


REFUSED = [
    pytest.param("---\n---\nHi", "description", id="no-description"),
    pytest.param("Hi", "description", id="no-head"),
    pytest.param(f"{HEAD}owner: me\n---\nHi", "owner", id="unknown-key"),
    pytest.param(f"{HEAD}variables: [name]\n---\nHi", r"declares \['name'\]", id="unused"),
    pytest.param(f"{HEAD}---\nHi {{name}}", r"uses \['name'\]", id="undeclared"),
    pytest.param(f"{HEAD}variables: [a]\n---\nHi {{b}}", r"uses \['b'\]", id="mistyped"),
    pytest.param(f"{HEAD}---\nHi {{}}", "uses", id="unnamed-slot"),
    pytest.param(f"{HEAD}---\nHi {{", "can't be read", id="half-a-slot"),
    pytest.param(f"{HEAD}---\nHi }}", "can't be read", id="half-a-slot-at-the-end"),
    pytest.param(f"{HEAD}variables: [a]\n---\n{{a.b}}", "uses", id="attribute"),
    pytest.param(f"{HEAD}variables: [a]\n---\n{{a:{{b}}}}", "plain", id="nested-slot"),
    pytest.param(f"{HEAD}variables: [a]\n---\n{{a!r}}", "plain", id="conversion"),
    pytest.param("---\ndescription: [\n---\nHi", "can't be read", id="broken-yaml"),
    pytest.param(b"---\ndescription: d\n---\ncaf\xe9", "can't be read", id="not-utf-8"),
    pytest.param(f"{HEAD}since: 2026-13-45\n---\nHi", "can't be read", id="impossible-date"),
]


@pytest.mark.parametrize(("content", "reason"), REFUSED)
def test_that_a_wrong_prompt_is_refused_by_name(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    write_task(tmp_path, "", "")
    write(tmp_path, "task/en.md", content)
    write(tmp_path, "task/zh.md", content)

    with pytest.raises(PromptError, match=rf"task/en\.md.*{reason}"):
        Prompts.load(tmp_path)


@pytest.mark.parametrize(("present", "missing"), [("en", "zh"), ("zh", "en")])
def test_that_a_missing_language_is_refused(tmp_path: Path, present: str, missing: str) -> None:
    write(tmp_path, f"task/{present}.md", f"{HEAD}---\nHi")

    with pytest.raises(PromptError, match=f"Prompt task is missing in '{missing}'"):
        Prompts.load(tmp_path)


def test_that_both_languages_take_the_same_variables(tmp_path: Path) -> None:
    write_task(tmp_path, f"{HEAD}variables: [a]\n---\n{{a}}", f"{HEAD}---\n好")

    with pytest.raises(PromptError, match="other variables"):
        Prompts.load(tmp_path)


LABELS_REFUSED = [
    pytest.param("words.en.yaml", "send: Send\nyou: You", "lack.*you", id="key-missing"),
    pytest.param("words.en.yaml", "send: {a: b}", "flat list", id="nested"),
    pytest.param("words.en.yaml", "- send", "flat list", id="list"),
    pytest.param("words.en.yaml", "", "flat list", id="empty"),
    pytest.param("words.en.yaml", "send: 1", "flat list", id="number"),
    pytest.param("words.en.yaml", "yes: Yes", "flat list", id="yaml-makes-yes-true"),
    pytest.param("words.en.yaml", "send: [", "can't be read", id="broken-yaml"),
    pytest.param("words.yaml", "send: Send", "must be named", id="no-language-in-the-name"),
]


@pytest.mark.parametrize(("name", "content", "reason"), LABELS_REFUSED)
def test_that_wrong_labels_are_refused_by_name(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    write(tmp_path, "labels/words.zh.yaml", "send: 发送")
    write(tmp_path, f"labels/{name}", content)

    with pytest.raises(PromptError, match=rf"Labels words.*{reason}"):
        Prompts.load(tmp_path)


def test_that_what_is_not_there_is_an_error_of_its_own(prompts: Prompts) -> None:
    with pytest.raises(PromptError, match="no prompt nothing/en"):
        prompts.get("nothing", "en")
    with pytest.raises(PromptError, match=r"no labels chat\.fr"):
        prompts.labels("chat", "fr")


@pytest.mark.parametrize("values", [{}, {"passages": "a", "more": "b"}, {"other": "a"}])
def test_that_exactly_the_declared_variables_are_taken(
    prompts: Prompts, values: dict[str, str]
) -> None:
    with pytest.raises(PromptError, match=r"answer/zh takes \['passages', 'rules'\]"):
        prompts.text("answer", "zh", **values)


@given(st.text(alphabet="{}!:.[]%0a退", max_size=30))
def test_that_braces_in_a_value_are_only_text(value: str) -> None:
    rendered = TEXTS.text("sources", "en", titles=value)

    assert rendered == f"Source: {value}"


def test_that_the_version_changes_with_the_text_alone(tmp_path: Path) -> None:
    versions = []
    for description, text in (("a", "Hi"), ("b", "Hi"), ("b", "Hello")):
        write_task(tmp_path, f"---\ndescription: {description}\n---\n{text}")
        versions.append(Prompts.load(tmp_path).get("task", "en").version)

    assert versions[0] == versions[1] != versions[2]
    assert all(re.fullmatch("[0-9a-f]{12}", version) for version in versions)
