"""Help articles from files: what goes in, what is listed as broken and why, how they are split."""

import os
import re
from pathlib import Path

import pytest

from bot.errors import ArticlesError
from bot.knowledge.articles import Article, read_articles, read_documents
from bot.knowledge.passages import LONGEST_PASSAGE
from bot.knowledge.sources.reading import LARGEST_TEXT
from tests.small_shop import NOW


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def only(folder: Path) -> Article:
    [article], broken = read_articles(folder)
    assert broken == []
    return article


def test_that_an_article_is_read_with_its_head(tmp_path: Path) -> None:
    head = "title: Returns\nlanguage: en\nurl: https://a.example/r\nquestions:\n  - send back?\n"
    write(tmp_path, "en/returns.md", f"---\n{head}---\n\n## How long\n\n30 days.\n")

    article = only(tmp_path)

    assert (article.id, article.title, article.language) == ("en/returns", "Returns", "en")
    assert (article.url, article.questions) == ("https://a.example/r", ("send back?",))
    assert [(p.heading, p.text) for p in article.passages] == [("How long", "30 days.")]


def test_that_a_chinese_article_is_read_with_its_head(tmp_path: Path) -> None:
    head = "title: 退货\nlanguage: zh\nquestions: [怎么退, 能退吗]"
    write(tmp_path, "zh/退货.md", f"---\n{head}\n---\n\n# 期限\n\n30 天内。")

    article = only(tmp_path)

    assert (article.id, article.title, article.language) == ("zh/退货", "退货", "zh")
    assert article.questions == ("怎么退", "能退吗")
    assert article.passages[0].heading == "期限"


@pytest.mark.parametrize(
    ("name", "body", "title", "language"),
    [
        pytest.param("opening_hours.md", "We open at nine.", "Opening hours", "en", id="english"),
        pytest.param("营业时间.md", "我们九点开门。", "营业时间", "zh", id="chinese"),
    ],
)
def test_that_a_file_without_a_head_is_an_article(
    tmp_path: Path, name: str, body: str, title: str, language: str
) -> None:
    write(tmp_path, name, body)

    article = only(tmp_path)

    assert (article.title, article.language) == (title, language)


BROKEN = [
    pytest.param("---\ntitle: [\n---\nx", "not valid YAML", id="yaml"),
    pytest.param("---\nlanguage: fr\n---\nx", "wrong language", id="language"),
    pytest.param("---\nurl: javascript:alert(1)\n---\nx", "wrong url", id="url"),
    pytest.param("---\naudience: everybody\n---\nx", "wrong audience", id="audience"),
    pytest.param("---\naudience: [slack, public]\n---\nx", "stand alone", id="two audiences"),
    pytest.param("---\naudience: []\n---\nx", "it names nobody", id="no audience"),
    pytest.param("---\naudience: slakc\n---\nx", "'slakc' must be public,", id="no channel"),
    pytest.param("---\nquestions: how\n---\nx", "wrong questions", id="questions-no-list"),
    pytest.param("---\nquestions: [[a]]\n---\nx", "wrong questions.0", id="questions-nested"),
    pytest.param("---\nquestions: [null]\n---\nx", "wrong questions.0", id="question-null"),
    pytest.param("---\ntitle: 2026-03-01\n---\nx", "wrong title", id="title-is-a-date"),
    pytest.param("---\ntitle: ''\n---\nx", "wrong title", id="title-empty"),
    pytest.param('---\ntitle: "\\uD800"\n---\nx', "not valid YAML", id="title-surrogate"),
    pytest.param("---\nupdated: 2026-13-45\n---\nx", "not valid YAML", id="impossible-date"),
    pytest.param("---\ntitle: x\n---\n\n", "no text", id="no-text"),
    pytest.param("", "no text", id="empty-file"),
    pytest.param("# Only a heading\n", "no text", id="only-a-heading"),
    pytest.param(b"caf\xe9", "not UTF-8", id="latin-1"),
    pytest.param("退货".encode("gb18030"), "not UTF-8", id="gb18030"),
    pytest.param("x" * (LARGEST_TEXT + 1), "larger than 2 MB", id="too-large"),
]


@pytest.mark.parametrize(("content", "reason"), BROKEN)
def test_that_a_broken_file_is_listed_and_the_rest_goes_in(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    bad = write(tmp_path, "bad.md", content)
    write(tmp_path, "good.md", "We open at nine.")

    articles, broken = read_articles(tmp_path)

    assert [article.id for article in articles] == ["good"]
    assert [file.path for file in broken] == [bad]
    assert reason in broken[0].reason


def test_that_what_is_no_readable_file_is_listed(tmp_path: Path) -> None:
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere.md")
    write(tmp_path, os.fsdecode(b"\xff.md"), "a name that is no text")
    write(tmp_path, "good.md", "We open at nine.")

    articles, broken = read_articles(tmp_path)

    assert [article.id for article in articles] == ["good"]
    reasons = {file.path.name: file.reason for file in broken}
    assert "No such file" in reasons["gone.md"]
    assert "name is not UTF-8" in reasons["\udcff.md"]


def test_that_a_missing_folder_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ArticlesError, match=r"does not exist; set FRONTDESK_ARTICLES"):
        read_articles(tmp_path / "nowhere")


def test_that_a_folder_without_articles_says_what_belongs_there(tmp_path: Path) -> None:
    write(tmp_path, "readme.txt", "not Markdown")

    with pytest.raises(ArticlesError, match="put Markdown"):
        read_articles(tmp_path)


def test_that_the_first_reason_is_told_when_every_file_is_broken(tmp_path: Path) -> None:
    write(tmp_path, "bad.md", b"\xff")

    with pytest.raises(ArticlesError, match=r"bad\.md: it is not UTF-8"):
        read_articles(tmp_path)


@pytest.mark.parametrize(
    ("written", "audience"),
    [
        ("public", ("public",)),
        ("Slack", ("slack",)),
        ("web, telegram", ("telegram", "web")),
        ("[telegram, web]", ("telegram", "web")),
        ("telegram、slack:T0123", ("slack:T0123", "telegram")),
    ],
)
def test_that_an_article_says_who_may_see_it(
    tmp_path: Path, written: str, audience: tuple[str, ...]
) -> None:
    write(tmp_path, "vpn.md", f"---\naudience: {written}\n---\nThe VPN is at vpn.example.")

    [found], broken = read_documents(tmp_path)

    assert (found.audience, broken) == (audience, [])
    assert found.is_for_customers(NOW)


def test_that_internal_articles_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "secret.md", "---\naudience: internal\n---\nThe margin is 40 %.")
    write(tmp_path, "open.md", "We open at nine.")

    articles, broken = read_articles(tmp_path)

    assert [article.id for article in articles] == ["open"]
    assert broken == []


def test_that_a_byte_order_mark_is_no_part_of_the_article(tmp_path: Path) -> None:
    write(tmp_path, "a.md", b"\xef\xbb\xbf---\ntitle: Hours\n---\nWe open at nine.")

    assert only(tmp_path).title == "Hours"


def test_that_hidden_characters_are_cleaned_away(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "We\u202e open\u200b at\x00 nine.\r\n\r\nEvery\rday.")

    assert only(tmp_path).passages[0].text == "We open at nine.\n\nEvery\nday."


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("It costs 7.90\u00a0EUR.", "It costs 7.90 EUR.", id="no-break-space"),
        pytest.param("It costs 7.90\u202fEUR.", "It costs 7.90 EUR.", id="narrow-space"),
        pytest.param("Parcel\t4.90 EUR", "Parcel 4.90 EUR", id="tab"),
        pytest.param("退货\u3000换货", "退货 换货", id="ideographic-space"),
    ],
)
def test_that_every_kind_of_space_parts_words(tmp_path: Path, written: str, read: str) -> None:
    write(tmp_path, "a.md", written)

    assert only(tmp_path).passages[0].text == read


def test_that_headings_are_paths(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "# A\n\none\n\n## B\n\ntwo\n\n### C\n\nthree\n\n# D\n\nfour")

    headings = [passage.heading for passage in only(tmp_path).passages]

    assert headings == ["A", "A / B", "A / B / C", "D"]


@pytest.mark.parametrize(
    "sentence",
    [
        pytest.param("You can return item {0} within {0} days. ", id="english"),
        pytest.param("第{0}件商品可以在{0}天内退货。", id="chinese"),
        pytest.param("paragraph {0}\n\n", id="paragraphs"),
        pytest.param("- item {0}\n", id="list"),
        pytest.param("{0}ab", id="no-spaces"),
    ],
)
def test_that_a_long_section_is_split_without_losing_text(tmp_path: Path, sentence: str) -> None:
    body = "".join(sentence.format(number) for number in range(400))
    write(tmp_path, "a.md", f"# Long\n\n{body}")

    passages = only(tmp_path).passages

    assert len(passages) > 1
    assert all(len(passage.text) <= LONGEST_PASSAGE for passage in passages)
    joined = "".join(passage.text for passage in passages)
    assert re.sub(r"\s", "", joined) == re.sub(r"\s", "", body)


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("title: A", "title: B"),
        ("a.example", "b.example"),
        ("[how]", "[why]"),
        ("nine", "ten"),
    ],
)
def test_that_the_digest_changes_with_what_is_indexed(
    tmp_path: Path, field: str, changed: str
) -> None:
    text = "---\ntitle: A\nurl: https://a.example\nquestions: [how]\n---\nWe open at nine."
    before = only(write(tmp_path, "a.md", text).parent).digest

    after = only(write(tmp_path, "a.md", text.replace(field, changed)).parent).digest

    assert (before == after) is False


def test_that_equal_texts_of_two_articles_are_two_passages(tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        write(tmp_path, name, "---\ntitle: Same\n---\nWe open at nine.")

    articles, _ = read_articles(tmp_path)

    assert len({article.passages[0].id for article in articles}) == 2


def test_that_the_example_shop_is_whole_in_both_languages() -> None:
    articles, broken = read_articles(Path("examples/shop/articles"))

    names = [article.id.split("/") for article in articles]
    assert broken == []
    assert {name for folder, name in names if folder == "en"} == {
        name for folder, name in names if folder == "zh"
    }
    assert all(article.language == article.id[:2] for article in articles)
