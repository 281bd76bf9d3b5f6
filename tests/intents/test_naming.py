"""Names of groups, from their own words in English and Chinese."""

from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from bot.intents.naming import (
    Described,
    ModelNamer,
    checked_name,
    describe,
    examples,
    key_terms,
)
from bot.knowledge.encoder import Vectors
from bot.messages import LANGUAGES
from bot.model import ChatModel
from prompts import Prompts
from tests.fakes.vllm_api import MODEL, FakeVllm, Fault

LOST = ["I lost my card", "my card is lost", "lost card, please block it", "card lost yesterday"]
REFUND = ["refund for my order", "when is my refund paid", "I want a refund", "refund my order"]
RETURN = ["怎么申请退货", "我想退货", "退货要多久", "可以退货吗"]


def vectors(number: int) -> Vectors:
    return np.eye(number, dtype=np.float32)


def test_that_terms_tell_a_group_from_the_others() -> None:
    lost, refund, back = key_terms([LOST, REFUND, RETURN])

    assert lost[0] in ("lost card", "card lost", "lost", "card")
    assert refund[0] == "refund"
    assert back[0] == "退货"
    assert not {"my", "is", "I", "我"} & {*lost, *refund, *back}


def test_that_what_all_say_names_none() -> None:
    order = [[f"order {word} {word}" for _ in range(4)] for word in ("parcel", "invoice", "tent")]

    assert [terms[0].split()[-1] for terms in key_terms(order)] == ["parcel", "invoice", "tent"]


def test_that_every_group_is_named_and_no_two_alike() -> None:
    texts = ["same words here", "same words here too", "same words here", "?!"]

    found = describe(texts, np.array([0, 1, 0, 2]), vectors(4))

    names = [each.name for each in found]
    assert len(set(names)) == 3
    assert all(names)


def test_that_examples_are_near_the_centre_and_differ() -> None:
    place = np.array([[1, 0], [0.99, 0.1], [1, 0.001], [0.6, 0.8], [-1, 0]], dtype=np.float32)

    assert examples(place, np.arange(4), 2) == (1, 3)
    assert len(examples(place, np.arange(4))) == 4
    assert examples(place, np.array([4])) == (4,)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        pytest.param("Lost card", "Lost card", id="own-words"),
        pytest.param('"lost cards".\nBecause they ask', "lost cards", id="stripped"),
        pytest.param("Stolen passport", "", id="other-words"),
        pytest.param("my", "", id="no-topic"),
        pytest.param("", "", id="nothing"),
        pytest.param("lost card " * 20, "", id="too-long"),
    ],
)
def test_that_a_model_s_name_is_taken_only_in_the_group_s_words(written: str, name: str) -> None:
    assert checked_name(written, LOST) == name


def test_that_a_chinese_name_is_checked_too() -> None:
    assert checked_name("申请退货", RETURN) == "申请退货"
    assert checked_name("修改地址", RETURN) == ""


class TestModel:
    @pytest_asyncio.fixture
    async def model(self, vllm: FakeVllm) -> AsyncIterator[ChatModel]:
        opened = ChatModel(url=vllm.url, name=MODEL)
        yield opened
        await opened.close()

    @pytest.mark.parametrize(
        ("texts", "written", "name"),
        [
            pytest.param(LOST, "Lost card", "Lost card", id="en"),
            pytest.param(RETURN, "申请退货", "申请退货", id="zh"),
            pytest.param(LOST, "Passport office", "own terms", id="other-words"),
        ],
    )
    async def test_that_it_names_a_group_in_the_group_s_words(
        self, model: ChatModel, vllm: FakeVllm, texts: list[str], written: str, name: str
    ) -> None:
        vllm.says(written)
        described = Described(name="own terms", terms=("card", "退货"), examples=(0, 1))

        assert await ModelNamer(model, Prompts.load(), LANGUAGES).name(described, texts) == name
        [system, shown] = vllm.chats[0].texts
        assert "card, 退货" in system
        assert all(text in shown for text in texts)

    async def test_that_a_model_that_fails_leaves_the_terms(
        self, model: ChatModel, vllm: FakeVllm
    ) -> None:
        vllm.fails(Fault.server_error())
        described = Described(name="own terms", terms=(), examples=())

        assert (
            await ModelNamer(model, Prompts.load(), LANGUAGES).name(described, LOST) == "own terms"
        )

    async def test_that_a_model_without_the_language_is_not_asked(
        self, model: ChatModel, vllm: FakeVllm
    ) -> None:
        described = Described(name="own terms", terms=(), examples=())

        assert await ModelNamer(model, Prompts.load(), ["zh"]).name(described, LOST) == "own terms"
        assert vllm.chats == []
