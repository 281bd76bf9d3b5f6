"""The beginning of an answer is shown once checked, one call at a time, and never after the end."""

import asyncio
from pathlib import Path

import pytest

from bot.errors import DeliveryError
from bot.messages import Language, Place
from bot.preview import Preview
from tests.fakes.vllm_api import FakeVllm
from tests.small_shop import (
    DEADLINE_SECONDS,
    QUESTION,
    RETURNS_EN,
    RETURNS_ZH,
    ScriptedChannel,
    incoming,
    open_desk,
)
from tests.test_lines import stalled

ANSWER: dict[Language, str] = {"en": RETURNS_EN, "zh": RETURNS_ZH}
BEGINNING: dict[Language, str] = {
    "en": "You can return an item within 30 days of delivery.",
    "zh": "商品送达后30天内可以退货。",
}
PLACE = Place(address="ada", customer="ada", in_reply_to="first", language="en")


class Slow(ScriptedChannel):
    """A channel that shows a text when it is let to, and knows how many calls run at once."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Semaphore(0)
        self.running = self.most_running = 0

    async def preview(self, place: Place, text: str) -> str | None:
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            found = await super().preview(place, text)
            await self.let.acquire()
            return found
        finally:
            self.running -= 1


class Kept:
    """Keeps the posts it is told of."""

    def __init__(self) -> None:
        self.posts: list[str] = []

    async def __call__(self, post: str) -> None:
        self.posts.append(post)


async def test_that_only_the_newest_text_follows_a_call_under_way() -> None:
    channel, kept = Slow(), Kept()
    channel.keeps_previews = True
    preview = Preview(channel, PLACE, kept)

    assert preview.is_visible is False
    await preview.show("一")
    await channel.until(lambda: channel.previews)
    for text in ("一二", "一二三", "一二三四"):
        await preview.show(text)
    channel.let.release()
    await channel.until(lambda: len(channel.previews) == 2)
    channel.let.release()
    await preview.finish()

    assert channel.previews == ["一", "一二三四"]
    assert channel.most_running == 1
    assert kept.posts == ["preview-ada"]
    assert preview.is_visible is True


async def test_that_the_end_waits_for_the_call_under_way_and_no_other_follows() -> None:
    channel = Slow()
    preview = Preview(channel, PLACE, Kept())
    await preview.show("One.")
    await channel.until(lambda: channel.previews)
    await preview.show("One. Two.")

    finishing = asyncio.create_task(preview.finish())
    await asyncio.sleep(0)
    assert not finishing.done()
    channel.let.release()
    await finishing
    await preview.show("One. Two. Three.")
    await preview.finish()

    assert channel.previews == ["One."]


@pytest.mark.parametrize(
    "error", [DeliveryError("慢", retry_after_seconds=18), RuntimeError("defect")]
)
async def test_that_a_refusal_ends_a_preview_and_not_the_answer(
    tmp_path: Path, vllm: FakeVllm, error: Exception
) -> None:
    vllm.says(RETURNS_EN, broken=stalled("en"))
    async with open_desk(tmp_path, model_url=vllm.url, streams=True) as desk:
        desk.channel.preview_errors.append(error)
        await desk.delivery.accept(incoming())
        await vllm.until(lambda: vllm.stalled)
        vllm.release()
        [reply] = await desk.channel.replies(1)

        assert (reply.text, reply.replaces) == (RETURNS_EN, ())
        assert len(desk.channel.previews) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("stays", [True, False])
async def test_that_an_answer_appears_sentence_by_sentence(
    tmp_path: Path, vllm: FakeVllm, language: Language, stays: bool
) -> None:
    vllm.says(ANSWER[language], broken=stalled(language))
    async with open_desk(tmp_path, model_url=vllm.url, streams=True) as desk:
        desk.channel.keeps_previews = stays
        await desk.delivery.accept(incoming(QUESTION[language]))
        await desk.channel.until(lambda: desk.channel.previews)
        assert desk.channel.sent == []
        await vllm.until(lambda: vllm.stalled)
        vllm.release()
        [reply] = await desk.channel.replies(1)

        assert desk.channel.previews[0] == BEGINNING[language]
        assert (reply.text, reply.source) == (ANSWER[language], "draft")
        assert reply.replaces == (("preview-ada",) if stays else ())


async def test_that_a_kept_post_is_replaced_after_a_restart_without_another_preview(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.says(RETURNS_ZH, broken=stalled("zh"))
    async with open_desk(tmp_path, model_url=vllm.url, streams=True) as desk:
        desk.channel.keeps_previews = True
        await desk.delivery.accept(incoming(QUESTION["zh"]))
        await desk.channel.until(lambda: desk.channel.previews)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await desk.rows("SELECT preview FROM inbox") == [(None,)]:  # noqa: ASYNC110
                await asyncio.sleep(0)
        await desk.delivery.finish(0)

    vllm.reply = lambda body: [RETURNS_ZH] * (body.get("n") or 1)
    async with open_desk(tmp_path, model_url=vllm.url, streams=True) as desk:
        await desk.delivery.resume()
        [reply] = await desk.channel.replies(1)

        assert (reply.text, reply.replaces) == (RETURNS_ZH, ("preview-ada",))
        assert desk.channel.previews == []


async def test_that_a_channel_without_streams_gets_whole_answers(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.ask(QUESTION["en"])

        assert desk.channel.previews == []
        assert "stream" not in vllm.chats[0].body or not vllm.chats[0].body["stream"]
