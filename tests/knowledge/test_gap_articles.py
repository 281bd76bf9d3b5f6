"""The article of a gap: by a model from what the team answered, else an outline."""

from collections.abc import AsyncIterator
from pathlib import Path

import frontmatter
import pytest
import pytest_asyncio

from bot.knowledge.articles import read_articles
from bot.knowledge.gap_articles import GapWriter, file_name, outline
from bot.knowledge.gaps import Gap
from bot.log.gaps import OpenQuestion
from bot.messages import LANGUAGES, Language
from bot.model import ChatModel
from prompts import Prompts
from tests.fakes.vllm_api import MODEL, FakeVllm, Fault
from tests.small_shop import NOW

ANSWERS: dict[Language, tuple[str, ...]] = {
    "en": ("Dogs are welcome on a leash.\nUp to 2 a customer.", "Yes, but not in the café."),
    "zh": ("可以带狗，请牵好绳子，每位顾客最多2只。",),
}
TEXT: dict[Language, str] = {"en": "Can I bring my dog?", "zh": "可以带狗吗？"}


def gap(language: Language = "en", answers: tuple[str, ...] = (), text: str | None = None) -> Gap:
    asked = OpenQuestion(
        turn="t1",
        conversation="c",
        text=text or TEXT[language],
        language=language,
        asked_at=NOW.isoformat(),
        nearest="en/shop",
        is_ignored=False,
        answers=answers,
    )
    return Gap(questions=(asked, asked), recent=2, before=0)


@pytest_asyncio.fixture
async def model(vllm: FakeVllm) -> AsyncIterator[ChatModel]:
    opened = ChatModel(url=vllm.url, name=MODEL)
    yield opened
    await opened.close()


def writer(model: ChatModel, *languages: Language) -> GapWriter:
    return GapWriter(model, Prompts.load(), languages or LANGUAGES)


@pytest.mark.parametrize(
    ("language", "text"), [("en", 'Is it: "free" [or] not?'), ("zh", "可以带狗吗？#1")]
)
def test_that_an_outline_is_an_article_to_fill_in(language: Language, text: str) -> None:
    post = frontmatter.loads(outline(gap(language, text=text)))

    assert post.metadata == {
        "title": text,
        "language": language,
        "audience": "internal",
        "questions": [text],
    }
    assert post.content.startswith("## [")
    assert ">" not in post.content


@pytest.mark.parametrize("language", LANGUAGES)
def test_that_an_outline_quotes_what_the_team_answered(language: Language) -> None:
    content = frontmatter.loads(outline(gap(language, ANSWERS[language]))).content

    quoted = {line for line in content.splitlines() if line.startswith("> ")}
    assert quoted == {f"> {line}" for text in ANSWERS[language] for line in text.splitlines()}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_that_a_model_writes_from_what_the_team_answered(
    model: ChatModel, vllm: FakeVllm, language: Language
) -> None:
    vllm.says("```markdown\n# Dogs: 狗\n\n## On a leash\n\nDogs are welcome on a leash.\n```")

    text = await writer(model).draft(gap(language, ANSWERS[language]), "# The shop\n\nIt is red.")
    post = frontmatter.loads(text)

    assert (post.metadata["title"], post.metadata["audience"]) == ("Dogs: 狗", "internal")
    notice, _, rest = post.content.partition("\n")
    assert notice.startswith("> [")
    assert MODEL in notice
    assert rest.lstrip().startswith("## On a leash\n\nDogs are welcome on a leash.\n")
    [system, question] = vllm.chats[0].texts
    assert all(line in system for each in ANSWERS[language] for line in each.splitlines())
    assert "It is red." in system
    assert question == TEXT[language]
    assert ANSWERS[language][0].splitlines()[0] in post.content


async def test_that_what_the_team_did_not_say_is_pointed_out(
    model: ChatModel, vllm: FakeVllm
) -> None:
    wrong = "Up to 5 a customer.", "Book at https://evil.example/dogs."
    vllm.says(f"# Dogs\n\nDogs are welcome on a leash. {' '.join(wrong)}")

    text = await writer(model).draft(gap("en", ANSWERS["en"]), "")

    notice = frontmatter.loads(text).content.partition("\n")[0]
    assert all(sentence in notice for sentence in wrong)
    assert "leash" not in notice


async def test_that_without_answers_no_model_is_asked(model: ChatModel, vllm: FakeVllm) -> None:
    assert await writer(model).draft(gap(), "# The shop") == outline(gap())
    assert vllm.chats == []


async def test_that_a_model_without_the_language_is_not_asked(
    model: ChatModel, vllm: FakeVllm
) -> None:
    asked = gap("zh", ANSWERS["zh"])

    assert await writer(model, "en").draft(asked, "") == outline(asked)
    assert vllm.chats == []


@pytest.mark.parametrize("reply", [Fault.server_error(), ""], ids=["fails", "says nothing"])
async def test_that_a_model_that_writes_nothing_leaves_the_outline(
    model: ChatModel, vllm: FakeVllm, reply: Fault | str
) -> None:
    asked = gap("en", ANSWERS["en"])
    if isinstance(reply, Fault):
        vllm.fails(reply)
    else:
        vllm.says(reply)

    assert await writer(model).draft(asked, "") == outline(asked)


async def test_that_a_long_history_fits_into_the_model(model: ChatModel, vllm: FakeVllm) -> None:
    answers = tuple(f"Answer {number}. " + "Dogs are welcome. " * 100 for number in range(12))
    vllm.says("# Dogs\n\nDogs are welcome.")

    text = await writer(model).draft(gap("en", answers), "# The shop\n\n" + "It is red. " * 500)

    assert frontmatter.loads(text).metadata["title"] == "Dogs"
    assert "Answer 0." in vllm.chats[0].texts[0]
    assert "It is red." not in vllm.chats[0].texts[0]


async def test_that_no_draft_is_shown_to_customers_before_it_is_finished(
    model: ChatModel, vllm: FakeVllm, tmp_path: Path
) -> None:
    vllm.says("---\naudience: public\n---\n# Dogs\n\nDogs are welcome on a leash.")

    text = await writer(model).draft(gap("en", ANSWERS["en"]), "")
    (tmp_path / "dogs.md").write_text(text, encoding="utf-8")
    (tmp_path / "shop.md").write_text("# The shop\n\nIt is red.", encoding="utf-8")
    articles, _ = read_articles(tmp_path)

    assert [article.id for article in articles] == ["shop"]


def test_that_a_name_of_a_file_is_harmless() -> None:
    assert file_name(gap(text="../../etc/passwd?")) == "etc-passwd.md"
    assert file_name(gap(text="?!")) == "gap.md"
