"""Search over the small shop: by words alone, by vectors, and while articles change."""

import asyncio
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bot.errors import ArticlesError
from bot.knowledge.encoder import Vectors
from bot.knowledge.search import ARTICLES_FOUND, PASSAGES_EACH, Knowledge
from bot.log.store import Store
from bot.messages import Language
from tests.small_shop import (
    ARTICLES,
    DEADLINE_SECONDS,
    NOW,
    QUESTION,
    UNANSWERABLE,
    WordEncoder,
)


class HeldEncoder(WordEncoder):
    """Encodes questions only while it is `free`; `begun` is set with each."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def questions(self, texts: Sequence[str]) -> Vectors:
        self.begun.set()
        assert self.free.wait(DEADLINE_SECONDS)
        return self.passages(texts)


@pytest.fixture
def encoder() -> HeldEncoder:
    return HeldEncoder()


@pytest.fixture
def knowledge(store: Store, encoder: HeldEncoder) -> Iterator[Knowledge]:
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


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_words_decide_while_the_encoder_is_busy(
    knowledge: Knowledge, encoder: HeldEncoder, articles: Path, language: Language
) -> None:
    await knowledge.sync(articles, NOW)
    await knowledge.encode(no_progress)
    encoder.free.clear()
    first = asyncio.create_task(knowledge.search("How much is delivery?", "en"))
    await asyncio.to_thread(encoder.begun.wait)

    hits = await knowledge.search(QUESTION[language], language, encoder_seconds=0.05)
    waiting = knowledge.questions_waiting
    encoder.free.set()

    assert hits[0].passage.article == f"{language}/returns"
    assert {found.similarity for found in hits} == {None}
    assert waiting == 1
    assert (await first)[0].similarity is not None
    assert QUESTION[language] not in encoder.encoded  # what is too late is not worked on


async def test_that_a_slow_encoder_is_not_even_asked(
    knowledge: Knowledge, encoder: HeldEncoder, articles: Path
) -> None:
    await knowledge.sync(articles, NOW)
    await knowledge.encode(no_progress)
    encoder.free.clear()
    waiting = [asyncio.create_task(knowledge.search(QUESTION["en"], "en")) for _ in range(4)]
    await asyncio.to_thread(encoder.begun.wait)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while knowledge.questions_waiting < len(waiting):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)

    # Four questions of about 30 ms each are before it.
    await knowledge.search(QUESTION["zh"], "zh", encoder_seconds=0.1)

    assert knowledge.questions_waiting == len(waiting)
    encoder.free.set()
    await asyncio.gather(*waiting)
    assert knowledge.questions_waiting == 0


async def test_that_retired_articles_are_not_found(knowledge: Knowledge, articles: Path) -> None:
    await knowledge.sync(articles, NOW)
    (articles / "en" / "returns.md").unlink()

    synced = await knowledge.sync(articles, NOW)

    hits = await knowledge.search(QUESTION["en"], "en")
    assert synced.changes.retired == 1
    assert "en/returns" not in {found.passage.article for found in hits}


@pytest.mark.parametrize("way", ["search", "translated", "by name"])
async def test_that_a_deleted_article_is_not_found_even_before_the_next_sync(
    knowledge: Knowledge, articles: Path, way: str
) -> None:
    await knowledge.sync(articles, NOW)
    (articles / "en" / "returns.md").unlink()

    if way == "search":
        hits = await knowledge.search(QUESTION["en"], "en")
    elif way == "translated":
        hits = await knowledge.search_translated(QUESTION["zh"], "zh", "en")
    else:
        hits = await knowledge.article("returns", "en")

    assert "en/returns" not in {found.passage.article for found in hits}


async def test_that_articles_stay_while_their_whole_folder_is_out_of_reach(
    knowledge: Knowledge, articles: Path
) -> None:
    await knowledge.sync(articles, NOW)
    shutil.move(articles, articles.with_name("moved"))

    [best, *_] = await knowledge.search(QUESTION["en"], "en")

    assert best.passage.article == "en/returns"


async def test_that_common_words_are_counted_anew_after_a_change(
    knowledge: Knowledge, articles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.knowledge.index.COMMON", 1)
    (articles / "en" / "tent.md").write_text("---\ntitle: Tent\n---\nA zeppelin.")
    await knowledge.sync(articles, NOW)
    before = await knowledge.weigh("zeppelin", "en")
    (articles / "en" / "boat.md").write_text("---\ntitle: Boat\n---\nA zeppelin, too.")

    await knowledge.sync(articles, NOW)

    after = await knowledge.weigh("zeppelin", "en")
    assert after.found.rarity["zeppelin"] < before.found.rarity["zeppelin"]


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


async def test_that_a_question_is_completed_by_the_turns_before_it(
    knowledge: Knowledge, articles: Path
) -> None:
    await knowledge.sync(articles, NOW)
    history = ["How much is standard delivery?", "Standard delivery costs 4.90 EUR."]

    alone = await knowledge.search("and how long?", "en")
    completed = await knowledge.search("and how long?", "en", history=history)

    assert not any(found.is_answer for found in alone)
    assert completed[0].passage.article == "en/delivery"


@pytest.mark.parametrize("question", ["And how long?", "And how much is that, please?"])
async def test_that_a_question_which_names_nothing_is_about_the_turns_before_it(
    knowledge: Knowledge, articles: Path, question: str
) -> None:
    loans = "## How much and how long\n\nMuch can be borrowed, for as long as three weeks, please."
    (articles / "en" / "loans.md").write_text(f"---\ntitle: How long, how much\n---\n\n{loans}")
    await knowledge.sync(articles, NOW)
    await knowledge.encode(no_progress)
    history = ["What is standard delivery?", "Standard delivery costs 4.90 EUR and takes 3 days."]

    alone = await knowledge.search(question, "en")
    completed = await knowledge.search(question, "en", history=history)

    assert alone[0].passage.article == "en/loans"
    assert alone[0].is_answer
    assert completed[0].passage.article == "en/delivery"


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_the_turns_before_answer_no_question_about_something_else(
    knowledge: Knowledge, articles: Path, language: Language
) -> None:
    await knowledge.sync(articles, NOW)
    history = [QUESTION[language], ARTICLES[f"{language}/returns"][1]]

    hits = await knowledge.search(UNANSWERABLE[language], language, history=history)

    assert not any(found.is_answer for found in hits)


async def test_that_who_changes_the_subject_is_not_answered_from_the_one_before(
    knowledge: Knowledge, articles: Path
) -> None:
    await knowledge.sync(articles, NOW)
    await knowledge.encode(no_progress)
    history = ["Can I return a sale item?", ARTICLES["en/returns"][1]]

    [best, *_] = await knowledge.search("Is delivery free?", "en", history=history)

    assert (best.passage.article, best.is_answer) == ("en/delivery", True)


async def test_that_one_common_word_of_the_article_is_enough_after_the_turns_before(
    knowledge: Knowledge, articles: Path
) -> None:
    museums = [
        "自然",
        "汽车",
        "航空",
        "铁道",
        "电影",
        "钱币",
        "印刷",
        "邮政",
        "陶瓷",
        "茶叶",
        "古建",
        "天文",
    ]
    for number, name in enumerate(museums):
        text = f"{name}博物馆位于北区{number}号，电话：5550{number:02}。"
        (articles / "zh" / f"{number}.md").write_text(f"---\ntitle: {name}博物馆\n---\n\n{text}")
    await knowledge.sync(articles, NOW)
    await knowledge.encode(no_progress)
    history = ["航空博物馆在哪里？", "航空博物馆位于北区2号。"]

    [best, *_] = await knowledge.search("麻烦您把电话发给我妈妈", "zh", history=history)

    assert (best.passage.article, best.is_answer) == ("zh/2", True)


async def test_that_the_turns_before_change_nothing_where_the_question_says_enough(
    knowledge: Knowledge, articles: Path
) -> None:
    await knowledge.sync(articles, NOW)
    await knowledge.encode(no_progress)
    history = ["How much is standard delivery?", "Standard delivery costs 4.90 EUR."]

    alone = await knowledge.search(QUESTION["en"], "en")

    assert alone[0].is_answer
    assert await knowledge.search(QUESTION["en"], "en", history=history) == alone


async def test_that_an_article_in_another_language_is_found_where_the_own_one_has_none(
    knowledge: Knowledge, articles: Path
) -> None:
    (articles / "zh" / "returns.md").unlink()
    await knowledge.sync(articles, NOW)

    [best, *_] = await knowledge.search("return item 30 days delivery 退货", "zh")

    assert best.passage.article == "en/returns"


async def test_that_an_article_gives_way_to_its_counterpart_in_the_asked_language(
    knowledge: Knowledge, articles: Path
) -> None:
    await knowledge.sync(articles, NOW)

    hits = await knowledge.search("return item 30 days delivery 退货", "zh")

    assert {found.passage.language for found in hits} == {"zh"}


async def test_that_an_article_is_no_rival_of_its_translation(
    knowledge: Knowledge, articles: Path
) -> None:
    await knowledge.sync(articles, NOW)
    await knowledge.encode(no_progress)
    both = await knowledge.weigh(QUESTION["en"], "en")
    for path in (articles / "zh").iterdir():
        path.unlink()
    await knowledge.sync(articles, NOW)

    alone = await knowledge.weigh(QUESTION["en"], "en")

    assert both.evidence.keys() == alone.evidence.keys()


async def test_that_a_search_keeps_to_the_articles_that_it_began_with(
    knowledge: Knowledge, articles: Path
) -> None:
    await knowledge.sync(articles, NOW)
    weighed = await knowledge.weigh(QUESTION["en"], "en")
    for path in (articles / "en").iterdir():
        path.unlink()

    await knowledge.sync(articles, NOW)

    assert weighed.order[0] == "en/returns"
    assert weighed.hits("en/returns")[0].passage.article == "en/returns"


async def test_that_a_translated_search_takes_the_counterpart(
    knowledge: Knowledge, articles: Path
) -> None:
    await knowledge.sync(articles, NOW)
    await knowledge.encode(no_progress)

    [best, *_] = await knowledge.search_translated(QUESTION["en"], "en", "zh")

    assert best.passage.article == "zh/returns"
    assert best.is_answer


SECRET = {
    "en": ("slack", "An item can be returned within 90 days by our staff."),
    "zh": ("slack:T0123", "员工的商品送达后90天内可以退货。"),
}


@pytest.mark.parametrize("with_vectors", [False, True], ids=["words", "vectors"])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_an_article_is_found_by_its_audience_alone(
    knowledge: Knowledge, articles: Path, language: Language, with_vectors: bool
) -> None:
    audience, text = SECRET[language]
    head = f"audience: {audience}\nlanguage: {language}"
    for number in range(30):  # more than a shortlist holds
        copy = articles / language / f"staff-{number}.md"
        copy.write_text(f"---\n{head}\ntitle: {number}\n---\n{QUESTION[language]} {text}")
    await knowledge.sync(articles, NOW)
    if with_vectors:
        await knowledge.encode(no_progress)

    outside = await knowledge.search(QUESTION[language], language, audience={"public", "web"})
    inside = await knowledge.search(QUESTION[language], language, audience={"public", audience})

    assert outside[0].passage.article == f"{language}/returns"
    assert not [hit for hit in outside if "staff" in hit.passage.article]
    assert [hit for hit in inside if "staff" in hit.passage.article]
    assert await knowledge.article("staff-1", language) == []
    assert await knowledge.article("staff-1", language, {audience}) != []
