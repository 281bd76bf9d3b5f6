"""Nothing is lost on the way and nothing is answered twice, whatever ends in between."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.answering import HISTORY_TURNS, LARGEST_ATTEMPTS
from bot.candidates.drafts import Show
from bot.conversation import Answer, ConversationManager, Progress, Utterance
from bot.delivery import LONGEST_KEPT, Delivery
from bot.errors import AttachmentError, DeliveryError, DeliveryInDoubt, DeliveryRefused, LogError
from bot.log import inbox, record
from bot.log.store import Store
from bot.messages import Attachment, Feedback, Language, Place, Stage, Turn
from bot.sending import GIVE_UP_SECONDS, LONGEST_PAUSE_SECONDS
from prompts import Prompts
from tests.fakes.vllm_api import FakeVllm
from tests.small_shop import (
    NOW,
    QUESTION,
    RETURNS_EN,
    RETURNS_ZH,
    Desk,
    ScriptedChannel,
    incoming,
    open_desk,
)

ROOT = Path(__file__).parents[1]
ANSWER: dict[Language, str] = {"en": RETURNS_EN, "zh": RETURNS_ZH}


async def states(desk: Desk) -> list[object]:
    return [row[0] for row in await desk.rows("SELECT state FROM outbox ORDER BY id")]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_question_is_answered_and_its_delivery_noted(
    tmp_path: Path, language: Language
) -> None:
    async with open_desk(tmp_path) as desk:
        reply = await desk.ask(QUESTION[language])
        await desk.settled()

        [row] = await desk.rows("SELECT state, platform_id, attempts FROM outbox")
        assert (reply.text, reply.language) == (ANSWER[language], language)
        assert row == ("sent", "platform-1", 1)


async def test_that_a_redelivered_message_is_answered_once(tmp_path: Path) -> None:
    message = incoming(key="update-7")
    async with open_desk(tmp_path) as desk:
        accepted = await asyncio.gather(*(desk.delivery.accept(message) for _ in range(5)))
        await desk.settled()

        assert sorted(accepted) == [False] * 4 + [True]
        assert len(desk.channel.sent) == 1
        assert await desk.rows("SELECT count(*) FROM turns") == [(2,)]


async def test_that_one_conversation_is_answered_in_order(tmp_path: Path) -> None:
    texts = [f"{QUESTION['en']} {number}" for number in range(8)]
    async with open_desk(tmp_path) as desk:
        for text in texts:
            await desk.ask(text)
        await desk.settled()

        rows = await desk.rows("SELECT text FROM turns WHERE role = 'customer' ORDER BY number")
        assert [row[0] for row in rows] == texts
        assert [reply.id for reply in desk.channel.sent] == list(range(1, 9))


async def test_that_many_conversations_are_answered_at_once(tmp_path: Path, vllm: FakeVllm) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        for number in range(30):
            language: Language = "zh" if number % 2 else "en"
            await desk.delivery.accept(incoming(QUESTION[language], address=f"a{number}"))
        await vllm.until(lambda: len(vllm.chats) == 30)
        assert desk.channel.sent == []

        vllm.release()
        replies = await desk.channel.replies(30)

        assert {reply.address for reply in replies} == {f"a{number}" for number in range(30)}
        assert len({reply.conversation for reply in replies}) == 30


async def test_that_each_of_two_hundred_messages_at_once_is_answered_once(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        messages = [incoming(address=f"a{number % 50}") for number in range(200)]
        await asyncio.gather(*(desk.delivery.accept(message) for message in messages))
        await desk.settled()

        asked = sorted(message.event_keys[0] for message in messages)
        answered = [(*reply.also_answers, reply.in_reply_to) for reply in desk.channel.sent]
        assert sorted(key for keys in answered for key in keys) == asked
        assert await desk.rows("SELECT count(*) FROM turns WHERE role = 'customer'") == [(200,)]


async def test_that_a_long_message_is_stored_before_the_short_one_behind_it(tmp_path: Path) -> None:
    texts = [f"call {'+49 30 123456 ' * 600}?", "And this?"]
    async with open_desk(tmp_path) as desk:
        await asyncio.gather(*(desk.delivery.accept(incoming(text)) for text in texts))

        rows = await desk.rows("SELECT text FROM inbox ORDER BY id")
        assert [row[0] for row in rows][1] == "And this?"
        await desk.settled()


@pytest.mark.parametrize("channel", ["test", "other"])
async def test_that_a_reply_goes_back_to_its_channel(tmp_path: Path, channel: str) -> None:
    other = ScriptedChannel("other")
    async with open_desk(tmp_path) as desk:
        desk.delivery.add(other)
        await desk.delivery.accept(incoming(channel=channel))
        await desk.settled()

        assert [len(desk.channel.sent), len(other.sent)] == [channel == "test", channel == "other"]


async def test_that_a_stored_message_is_answered_after_a_restart(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.store.write(lambda db: inbox.receive(db, incoming(QUESTION["zh"]), NOW))

    async with open_desk(tmp_path) as desk:
        await desk.delivery.resume()
        [reply] = await desk.channel.replies(1)
        await desk.delivery.resume()
        await desk.settled()

        assert reply.text == RETURNS_ZH
        assert len(desk.channel.sent) == 1


async def test_that_a_stored_answer_is_sent_without_asking_again(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    channel = ScriptedChannel()
    channel.errors.append(asyncio.CancelledError())
    async with open_desk(tmp_path, channel=channel, model_url=vllm.url) as desk:
        await desk.delivery.accept(incoming())
        await desk.settled()
        await desk.store.write(lambda db: db.execute("UPDATE outbox SET state = 'ready'"))
    asked = len(vllm.chats)

    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.delivery.resume()
        [reply] = await desk.channel.replies(1)

        assert reply.text == RETURNS_EN
        assert len(vllm.chats) == asked
        assert await desk.rows("SELECT count(*) FROM turns") == [(2,)]


@pytest.mark.parametrize(
    ("found", "state"), [(None, "in_doubt"), ((), "sent"), (("there",), "sent")]
)
async def test_that_what_was_posted_before_a_crash_is_looked_for(
    tmp_path: Path, found: tuple[str, ...] | None, state: str
) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.free.clear()
        await desk.delivery.accept(incoming())
        await desk.channel.until(lambda: desk.channel.tries)
        await desk.delivery.finish(0)

    async with open_desk(tmp_path) as desk:
        desk.channel.found = found
        await desk.delivery.resume()
        await desk.settled()

        assert desk.channel.doubts == [True]
        gone = [] if found is None else [found]
        assert [tried.replaces for tried in desk.channel.tries] == gone
        assert await states(desk) == [state]


async def test_that_going_on_twice_answers_once(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for text in QUESTION.values():
            message = incoming(text, address=text)
            await desk.store.write(lambda db, m=message: inbox.receive(db, m, NOW))

        await desk.delivery.resume()
        await desk.delivery.resume()
        await desk.settled()

        assert len(desk.channel.sent) == 2
        assert await desk.rows("SELECT count(*) FROM turns") == [(4,)]


async def test_that_a_message_for_a_channel_that_is_off_waits(tmp_path: Path) -> None:
    message = incoming(channel="slack")
    async with open_desk(tmp_path) as desk:
        await desk.store.write(lambda db: inbox.receive(db, message, NOW))
        await desk.delivery.resume()
        await desk.settled()
        assert await desk.rows("SELECT count(*) FROM turns") == [(0,)]

    slack = ScriptedChannel("slack")
    async with open_desk(tmp_path, channel=slack) as desk:
        await desk.delivery.resume()
        assert len(await slack.replies(1)) == 1


async def test_that_a_failed_delivery_is_tried_again_with_growing_pauses(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.extend(DeliveryError(f"网络 {number}") for number in range(3))

        await desk.ask(QUESTION["en"])
        await desk.settled()

        assert desk.pauses.seconds == [1.0, 2.0, 4.0]
        assert await states(desk) == ["sent"]


async def test_that_the_platform_says_how_long_to_wait(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.append(DeliveryError("slow down", retry_after_seconds=31))
        desk.channel.errors.append(DeliveryError("slow down", retry_after_seconds=0))

        await desk.ask(QUESTION["zh"])

        assert desk.pauses.seconds == [31, 2.0]


async def test_that_a_refused_delivery_is_not_tried_again(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.append(DeliveryRefused("blocked by the customer"))
        await desk.delivery.accept(incoming())
        await desk.settled()
        reply = await desk.ask(QUESTION["zh"])
        await desk.settled()

        assert len(desk.channel.tries) == 2
        assert await states(desk) == ["failed", "sent"]
        assert reply.text == RETURNS_ZH


async def test_that_a_reply_outlives_an_outage_of_hours(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.extend(DeliveryError("down") for _ in range(300))
        await desk.ask(QUESTION["en"])
        await desk.settled()

        assert await states(desk) == ["sent"]
        assert max(desk.pauses.seconds) == LONGEST_PAUSE_SECONDS
        assert sum(desk.pauses.seconds) > 4 * 3600


async def test_that_a_delivery_is_given_up_after_a_day(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.extend(DeliveryError("down", 3600) for _ in range(30))
        await desk.delivery.accept(incoming())
        await desk.settled()

        assert await states(desk) == ["failed"]
        assert sum(desk.pauses.seconds) == GIVE_UP_SECONDS


async def test_that_a_reply_that_may_have_arrived_is_not_sent_again(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.append(DeliveryInDoubt("the answer was lost"))
        await desk.delivery.accept(incoming())
        await desk.settled()

        assert await states(desk) == ["in_doubt"]
        assert len(desk.channel.tries) == 1
        assert desk.channel.doubts == [False, True]


async def test_that_a_reply_whose_answer_was_lost_goes_where_it_is_found(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.append(DeliveryInDoubt("the answer was lost"))
        desk.channel.found = ("there",)
        await desk.delivery.accept(incoming())
        await desk.settled()

        assert await states(desk) == ["sent"]
        assert [tried.replaces for tried in desk.channel.tries] == [(), ("there",)]


async def test_that_what_cannot_be_prepared_is_prepared_again(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.preparing_errors.append(DeliveryError("down"))
        await desk.delivery.accept(incoming())
        await desk.settled()

        assert desk.channel.doubts == [False, False]
        assert await states(desk) == ["sent"]


async def test_that_a_message_whose_channel_gave_up_waiting_is_answered(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        accepting = asyncio.create_task(desk.delivery.accept(incoming()))
        await asyncio.sleep(0)
        accepting.cancel()

        assert (await desk.channel.replies(1))[0].text == RETURNS_EN


async def test_that_a_redelivery_helps_a_forgotten_message_along(tmp_path: Path) -> None:
    message = incoming()
    async with open_desk(tmp_path) as desk:
        # Stored by a program that ended; this one was not told to resume.
        await desk.store.write(lambda db: inbox.receive(db, message, NOW))

        assert await desk.delivery.accept(message) is False

        assert (await desk.channel.replies(1))[0].text == RETURNS_EN


async def test_that_an_answer_waits_for_room_on_the_disk(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        full = "CREATE TEMP TRIGGER full BEFORE INSERT ON turns BEGIN SELECT no_such(); END"
        await desk.store.write(lambda db: db.execute(full))
        desk.pauses.then = lambda: desk.store.write(lambda db: db.execute("DROP TRIGGER full"))

        reply = await desk.ask(QUESTION["en"])
        await desk.settled()

        assert reply.text == RETURNS_EN
        assert await states(desk) == ["sent"]


async def test_that_an_endless_message_is_cut_before_it_is_kept(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask("退" * 100_000)

        [(text,)] = await desk.rows("SELECT text FROM inbox")
        assert text == "退" * LONGEST_KEPT + " [… 100,000]"


async def test_that_a_number_is_answered_in_the_conversations_language(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["zh"])
        reply = await desk.ask("👍", language="en")

        assert reply.language == "zh"


@pytest.mark.parametrize("error", [RuntimeError("defect"), KeyError("缺"), ValueError()])
async def test_that_a_defect_in_a_channel_does_not_stop_the_conversation(
    tmp_path: Path, error: Exception
) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.append(error)
        desk.channel.free.clear()
        await desk.delivery.accept(incoming())
        await desk.channel.until(lambda: desk.channel.tries)
        await desk.delivery.accept(incoming(QUESTION["zh"]))
        desk.channel.free.set()
        [reply] = await desk.channel.replies(1)
        await desk.settled()

        assert reply.text == RETURNS_ZH
        assert await states(desk) == ["in_doubt", "sent"]


class Breaking(ScriptedChannel):
    """A channel whose progress shows a defect of ours."""

    async def show_progress(self, place: Place, stage: Stage) -> None:
        raise RuntimeError("defect")


@pytest.mark.parametrize(("language", "start"), [("en", "Sorry"), ("zh", "抱歉")])
async def test_that_a_defect_in_answering_hands_the_question_on(
    tmp_path: Path, language: Language, start: str
) -> None:
    async with open_desk(tmp_path, channel=Breaking()) as desk:
        reply = await desk.ask(QUESTION[language])

        assert reply.text.startswith(start)
        assert reply.handed_off is True
        assert await desk.rows("SELECT reason FROM handoffs") == [("failure",)]


@pytest.mark.parametrize("part", ["context", "exchange"])
async def test_that_a_question_whose_log_fails_once_is_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    whole = getattr(record, part)
    errors = deque([sqlite3.OperationalError("disk I/O error"), RuntimeError("defect")])
    if part == "exchange":
        errors.popleft()  # the writer's own errors are waited for

    def fails_once(*args: Any) -> Any:
        monkeypatch.setattr(record, part, whole)
        raise errors[0]

    async with open_desk(tmp_path) as desk:
        monkeypatch.setattr(record, part, fails_once)
        await desk.delivery.accept(incoming(QUESTION["zh"]))
        await desk.settled()

        [reply] = desk.channel.sent
        assert reply.text == Prompts.load().text("handoff_failure", "zh")
        assert await desk.rows("SELECT reason FROM handoffs") == [("failure",)]


async def test_that_a_message_that_ended_the_program_before_is_handed_on(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.store.write(lambda db: inbox.receive(db, incoming(QUESTION["zh"]), NOW))
        await desk.store.write(
            lambda db: db.execute("UPDATE inbox SET attempts = ?", [LARGEST_ATTEMPTS])
        )

        await desk.delivery.resume()
        [reply] = await desk.channel.replies(1)

        assert reply.text == Prompts.load().text("handoff_failure", "zh")
        assert await desk.rows("SELECT reason FROM handoffs") == [("failure",)]


async def test_that_every_attempt_is_counted_before_it_is_made(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.delivery.accept(incoming())
        await vllm.until(lambda: vllm.chats)

        assert await desk.rows("SELECT attempts FROM inbox") == [(1,)]
        vllm.release()


async def test_that_finishing_waits_for_running_answers(tmp_path: Path, vllm: FakeVllm) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.delivery.accept(incoming())
        await vllm.until(lambda: vllm.chats)
        finishing = asyncio.create_task(desk.delivery.finish(20))
        await asyncio.sleep(0)
        assert not finishing.done()

        vllm.release()
        await finishing

        assert len(desk.channel.sent) == 1


async def test_that_finishing_waits_for_what_was_just_received(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        accepting = asyncio.create_task(desk.delivery.accept(incoming()))
        await asyncio.sleep(0)
        await desk.delivery.finish(20)

        assert await accepting is True
        assert len(desk.channel.sent) == 1


async def test_that_what_cannot_be_finished_goes_on_at_the_next_start(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.delivery.accept(incoming())
        await vllm.until(lambda: vllm.chats)
        await desk.delivery.finish(0)
        assert desk.channel.sent == []

    async with open_desk(tmp_path) as desk:
        await desk.delivery.resume()
        assert (await desk.channel.replies(1))[0].text == RETURNS_EN


async def test_that_a_message_that_cannot_be_stored_is_not_acknowledged(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.store.write(
            lambda db: db.execute(
                "CREATE TEMP TRIGGER full BEFORE INSERT ON inbox"
                " BEGIN SELECT no_such_function(); END"
            )
        )
        with pytest.raises(LogError):
            await desk.delivery.accept(incoming(key="later"))
        await desk.store.write(lambda db: db.execute("DROP TRIGGER full"))

        assert await desk.delivery.accept(incoming(key="later")) is True


SECRETS = [
    pytest.param("My card is 4111 1111 1111 1111", b"4111 1111", id="card"),
    pytest.param("我的手机是13800138000", b"13800138000", id="phone-zh"),
    pytest.param("mail ada@example.com please", b"ada@example.com", id="email"),
    pytest.param("身份证11010519491231002X", b"11010519491231002X", id="identity-zh"),
]


def bytes_of_the_database(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("frontdesk.db*"))


@pytest.mark.parametrize(("text", "secret"), SECRETS)
async def test_that_sensitive_data_is_nowhere_in_the_database(
    tmp_path: Path, vllm: FakeVllm, text: str, secret: bytes
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.ask(f"{text} {QUESTION['en']}")
        await desk.settled()
        asked = await desk.rows("SELECT text FROM turns WHERE role = 'customer'")

    stored = bytes_of_the_database(tmp_path)
    sent = "".join(text for call in vllm.chats for text in call.texts)
    assert secret not in stored
    assert secret.decode() not in sent
    assert "[" in str(asked[0][0])


class Remembering:
    """Answers as the real manager does, and keeps what it was told of the conversation."""

    def __init__(self, real: ConversationManager) -> None:
        self._real = real
        self.failure = real.failure
        self.histories: list[Sequence[Turn]] = []
        self.languages: list[Language | None] = []

    async def answer(
        self, utterance: Utterance, progress: Progress, show: Show | None = None, **more: Any
    ) -> Answer:
        self.histories.append(utterance.history)
        self.languages.append(utterance.language)
        return await self._real.answer(utterance, progress, show, **more)


async def test_that_the_conversation_so_far_is_known(tmp_path: Path) -> None:
    async with open_desk(tmp_path, around=Remembering) as desk:
        manager = desk.conversations
        for _ in range(HISTORY_TURNS):
            await desk.ask(QUESTION["zh"])
        await desk.ask("👍")

        assert manager.histories[0] == ()
        assert [turn.text for turn in manager.histories[1]] == [QUESTION["zh"], RETURNS_ZH]
        assert len(manager.histories[-1]) == HISTORY_TURNS
        assert (manager.languages[0], manager.languages[-1]) == (None, "zh")
        assert desk.channel.sent[-1].language == "zh"


async def test_that_the_channel_may_know_the_language(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.delivery.accept(incoming("12345?", language="zh"))

        assert (await desk.channel.replies(1))[0].language == "zh"


async def test_that_progress_is_shown_where_the_customer_is(tmp_path: Path, vllm: FakeVllm) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.ask(QUESTION["en"], address="ada")
        await desk.ask("Hi", address="bob")

        assert desk.channel.progress == [("ada", "searching"), ("ada", "writing")]


async def test_that_figures_are_counted(tmp_path: Path) -> None:
    message = incoming()
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.append(DeliveryError("down"))
        await desk.delivery.accept(message)
        await desk.delivery.accept(replace(message, text="again"))
        await desk.settled()

        figures = {
            (sample.name, *sample.labels.values()): sample.value
            for metric in desk.registry.collect()
            for sample in metric.samples
        }
        assert figures["frontdesk_messages_total", "test", "new"] == 1
        assert figures["frontdesk_messages_total", "test", "duplicate"] == 1
        assert figures["frontdesk_replies_total", "test", "article"] == 1
        assert figures["frontdesk_undelivered_total", "test", "ready"] == 1


CRASHING = """
import asyncio, sys
from pathlib import Path
from tests.small_shop import ScriptedChannel, incoming, open_desk

class Stuck(ScriptedChannel):
    async def show_progress(self, place, stage):
        print("answering", flush=True)
        await asyncio.Event().wait()

async def main():
    async with open_desk(Path(sys.argv[1]), channel=Stuck()) as desk:
        await desk.delivery.resume()
        await desk.delivery.accept(incoming("商品送达后可以退货吗？", key="only"))
        await asyncio.Event().wait()

asyncio.run(main())
"""


def kill_while_answering(folder: Path) -> list[tuple[int, str | None]]:
    """Let a program accept a message, kill it, and return what is noted of the message."""
    command = [sys.executable, "-c", CRASHING, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "answering\n"
        child.send_signal(signal.SIGKILL)
    with closing(sqlite3.connect(folder / "frontdesk.db")) as connection:
        return connection.execute("SELECT attempts, turn FROM inbox").fetchall()


async def test_that_a_killed_program_answers_once_when_it_is_back(tmp_path: Path) -> None:
    assert await asyncio.to_thread(kill_while_answering, tmp_path) == [(1, None)]

    async with open_desk(tmp_path) as desk:
        await desk.delivery.resume()
        assert await desk.delivery.accept(incoming(QUESTION["zh"], key="only")) is False
        await desk.settled()

        assert [reply.text for reply in desk.channel.sent] == [RETURNS_ZH]


async def test_that_a_closed_store_is_told_to_the_channel(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        delivery: Delivery = desk.delivery
    assert isinstance(desk.store, Store)

    with pytest.raises(LogError, match="closed"):
        await delivery.accept(incoming())


VOICE = Attachment(kind="voice", id="file-7", media_type="audio/ogg", size=2048)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_voice_message_is_answered_by_what_it_says(
    tmp_path: Path, language: Language
) -> None:
    asked: list[tuple[str, Attachment]] = []

    async def transcribe(channel: str, voice: Attachment) -> str:
        asked.append((channel, voice))
        return f"{QUESTION[language]} ada@example.com\x00"

    async with open_desk(tmp_path, transcribe=transcribe) as desk:
        await desk.delivery.accept(incoming("", attachments=(VOICE,)))
        [reply] = await desk.channel.replies(1)

        assert asked == [("test", VOICE)]
        assert reply.text == ANSWER[language]
        [(text,)] = await desk.rows("SELECT text FROM turns WHERE role = 'customer'")
        assert str(text).startswith(QUESTION[language])
        assert "ada@" not in str(text)
        assert "\x00" not in str(text)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("error", [AttachmentError("too large"), RuntimeError("defect"), None])
async def test_that_who_cannot_be_heard_is_told_what_can_be_read(
    tmp_path: Path, language: Language, error: Exception | None
) -> None:
    async def transcribe(channel: str, voice: Attachment) -> str:
        assert error is not None
        raise error

    async with open_desk(tmp_path, transcribe=transcribe if error else None) as desk:
        await desk.delivery.accept(incoming("", language=language, attachments=(VOICE,)))
        [reply] = await desk.channel.replies(1)

        assert reply.text == Prompts.load().text("no_text", language)
        assert (reply.source, reply.language) == ("clarification", language)


async def test_that_words_beside_a_voice_message_go_first(tmp_path: Path) -> None:
    async def transcribe(channel: str, voice: Attachment) -> str:
        raise AssertionError("nobody asked for it")

    async with open_desk(tmp_path, transcribe=transcribe) as desk:
        await desk.delivery.accept(incoming(QUESTION["zh"], attachments=(VOICE,)))

        assert (await desk.channel.replies(1))[0].text == RETURNS_ZH


async def test_that_what_was_heard_is_not_asked_for_again_after_a_restart(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    heard: list[str] = []

    async def transcribe(channel: str, voice: Attachment) -> str:
        heard.append(voice.id)
        return QUESTION["en"]

    vllm.hold()
    async with open_desk(tmp_path, transcribe=transcribe, model_url=vllm.url) as desk:
        await desk.delivery.accept(incoming("", attachments=(VOICE,)))
        await vllm.until(lambda: vllm.chats)
        await desk.delivery.finish(0)

    async with open_desk(tmp_path, transcribe=transcribe) as desk:
        await desk.delivery.resume()
        assert (await desk.channel.replies(1))[0].text == RETURNS_EN
        assert heard == ["file-7"]


async def test_that_a_verdict_is_masked_and_stored(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        reply = await desk.ask(QUESTION["zh"])
        await desk.settled()
        rating = Feedback(
            channel="test",
            event_key="press:1",
            customer="customer-ada",
            verdict="down",
            origin="button",
            post="platform-1",
            complaint="incomplete",
            comment="写信给 ada@example.com\x00",
        )

        assert await desk.delivery.rate(rating) is True
        assert await desk.delivery.rate(replace(rating, post="platform-9")) is False
        [row] = await desk.rows("SELECT turn, verdict, comment FROM feedback")
        assert row[:2] == (reply.turn, "down")
        assert "ada@example.com" not in str(row[2])
        assert reply.invites_feedback
