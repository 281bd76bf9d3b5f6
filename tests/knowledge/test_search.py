"""Search over the small shop: by words alone, by vectors, and while articles change."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import ArticlesError
from bot.knowledge.search import ARTICLES_FOUND, PASSAGES_EACH, Knowledge
from bot.log.store import Store
from bot.messages import Language
from tests.small_shop import ARTICLES, NOW, QUESTION, UNANSWERABLE, WordEncoder


@pytest.fixture
def encoder() -> WordEncoder:
    return WordEncoder()


@pytest.fixture
def knowledge(store: Store, encoder: WordEncoder) -> Iterator[Knowledge]:
    opened = Knowledge(store, encoder)
    yield opened
    opened.close()


def no_progress(done: int, total: int) -> None:
    assert 0 < done <= total


async def test_that_a_sync_tells_what_it_brought_in(knowledge: Knowledge, articles: Path) -> None:
    (articles / "broken.md").write_bytes(b"\xff")

    synced = await knowledge.sync(articles, NOW)

    assert (synced.articles, synced.passages) == (len(ARTICLES), len(ARTICLES))
    assert synced.changes.added == len(ARTICLES)
    assert [file.path.name for file in synced.broken] == ["broken.md"]


async def test_that_a_missing_folder_leaves_the_articles_as_they_were(
    knowledge: Knowledge, articles: Path
) -> None:
    await knowledge.sync(articles, NOW)

    with pytest.raises(ArticlesError):
        await knowledge.sync(articles / "nowhere", NOW)

    assert await knowledge.search(QUESTION["en"], "en")


@pytest.mark.parametrize("with_vectors", [False, True], ids=["words", "vectors"])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_the_right_passage_comes_first(
    knowledge: Knowledge, articles: Path, language: Language, with_vectors: bool
) -> None:
    await knowledge.sync(articles, NOW)
    if with_vectors:
        await knowledge.encode(no_progress)

    best, *_ = await knowledge.search(QUESTION[language], language)

    assert best.passage.article == f"{language}/returns"
    assert (best.similarity is not None) == with_vectors
    assert 0 < best.coverage <= 1


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_words_alone_tell_answers_from_the_rest(
    knowledge: Knowledge, articles: Path, language: Language
) -> None:
    await knowledge.sync(articles, NOW)

    right = await knowledge.search(QUESTION[language], language)
    wrong = await knowledge.search(UNANSWERABLE[language], language)

    assert right[0].is_answer
    assert not any(found.is_answer for found in wrong)


@pytest.mark.parametrize("text", ["", "🎉", "\x00", "你好吗", '" OR "', "a " * 2000])
@pytest.mark.parametrize("with_vectors", [False, True], ids=["words", "vectors"])
async def test_that_any_question_can_be_searched(
    knowledge: Knowledge, articles: Path, text: str, with_vectors: bool
) -> None:
    await knowledge.sync(articles, NOW)
    if with_vectors:
        await knowledge.encode(no_progress)

    hits = await knowledge.search(text, "en")

    scores = [found.score for found in hits]
    assert len({found.passage.article for found in hits}) <= ARTICLES_FOUND
    assert scores == sorted(scores, reverse=True)


async def test_that_another_language_answers_where_there_is_no_article_in_the_asked_one(
    knowledge: Knowledge, articles: Path
) -> None:
    for path in (articles / "zh").iterdir():
        path.unlink()
    await knowledge.sync(articles, NOW)

    [best, *_] = await knowledge.search("return delivery 退货", "zh")

    assert best.passage.language == "en"


async def test_that_only_new_texts_are_encoded(
    knowledge: Knowledge, encoder: WordEncoder, articles: Path
) -> None:
    await knowledge.sync(articles, NOW)
    await knowledge.encode(no_progress)
    encoder.encoded.clear()
    (articles / "en" / "hours.md").write_text("---\ntitle: Hours\n---\nWe open at nine.")

    await knowledge.sync(articles, NOW)
    await knowledge.encode(no_progress)

    assert sorted(encoder.encoded) == ["Hours", "Hours: \nWe open at nine."]


async def test_that_words_decide_in_a_language_whose_vectors_are_not_all_there(
    knowledge: Knowledge, articles: Path
) -> None:
    await knowledge.sync(articles, NOW)
    await knowledge.encode(no_progress)
    (articles / "en" / "hours.md").write_text("---\ntitle: Hours\n---\nWe open at nine.")

    await knowledge.sync(articles, NOW)

    english = await knowledge.search(QUESTION["en"], "en")
    chinese = await knowledge.search(QUESTION["zh"], "zh")
    assert {found.similarity for found in english} == {None}
    assert all(found.similarity is not None for found in chinese)


async def test_that_retired_articles_are_not_found(knowledge: Knowledge, articles: Path) -> None:
    await knowledge.sync(articles, NOW)
    (articles / "en" / "returns.md").unlink()

    synced = await knowledge.sync(articles, NOW)

    hits = await knowledge.search(QUESTION["en"], "en")
    assert synced.changes.retired == 1
    assert "en/returns" not in {found.passage.article for found in hits}


async def test_that_the_closest_passages_of_an_article_come_first(
    knowledge: Knowledge, articles: Path
) -> None:
    sections = "\n\n".join(f"## Part {n}\n\nZeppelin {'umbrella ' * n}" for n in range(4))
    (articles / "en" / "parts.md").write_text(f"---\ntitle: Parts\n---\n\n{sections}")
    await knowledge.sync(articles, NOW)

    hits = await knowledge.search("zeppelin umbrella part 2", "en")

    assert [found.passage.article for found in hits] == ["en/parts"] * PASSAGES_EACH
    assert hits[0].passage.heading == "Part 2"
    assert hits[0].closeness > hits[1].closeness
