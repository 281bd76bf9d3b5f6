"""What customers can ask for with a command, written or pressed, in both languages."""

import json
from pathlib import Path

import pytest

from bot.commands import Command, parse_command
from bot.errors import DeliveryError
from bot.log import inbox
from bot.messages import Choice, Feedback, Language
from prompts import Prompts
from tests.small_shop import (
    NOW,
    QUESTION,
    RETURNS_EN,
    RETURNS_ZH,
    UNANSWERABLE,
    Desk,
    ScriptedChannel,
    incoming,
    open_desk,
)

PROMPTS = Prompts.load()
HELLO: dict[Language, str] = {"en": "Hello", "zh": "你好"}
ARTICLE: dict[Language, str] = {"en": RETURNS_EN, "zh": RETURNS_ZH}


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/start", Command(name="start")),
        ("/start returns", Command(name="start", argument="returns")),
        ("/help@frontdesk_bot", Command(name="help")),
        ("/LANGUAGE@Frontdesk_Bot zh", Command(name="language", argument="zh")),
        ("  /forget   yes \n", Command(name="forget", argument="yes")),
        ("/forget 是", Command(name="forget", argument="是")),
        ("/export", Command(name="export")),
        ("/human\nmy parcel is lost", Command(name="human", argument="my parcel is lost")),
        *(
            (text, None)
            for text in ("/humanity", "please /help", "/", "//help", "/pay", "帮助", "")
        ),
        *(
            (text, Command(name="stop"))
            for text in ("/stop", "Stop", "stop!", "please stop", "停", "停止", "请停一下。")
        ),
        # They may ask about an order.
        *(
            (text, None)
            for text in ("cancel", "取消", "stop?", "stop it working", "停货了", "停售")
        ),
    ],
)
def test_that_a_command_is_told_from_words(text: str, command: Command | None) -> None:
    assert parse_command(text) == command


@pytest.mark.parametrize(
    ("word", "language", "is_understood"),
    [
        *(("en", "en", True), ("English", "en", True), ("中文", "zh", True), ("ZH", "zh", True)),
        *(("auto", None, True), ("自动", None, True), ("", None, False), ("klingon", None, False)),
    ],
)
def test_that_languages_go_by_several_names(
    word: str, language: Language | None, is_understood: bool
) -> None:
    command = Command(name="language", argument=word)

    assert (command.language, command.is_understood) == (language, is_understood)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("command", "task", "source"),
    [
        ("/start", "start", "courtesy"),
        ("/start no-such-article", "start", "courtesy"),
        ("/help", "help", "command"),
        ("/help@frontdesk_bot", "help", "command"),
        ("/human", "handoff_requested", "handoff"),
        ("/language", "language", "command"),
        ("/language klingon", "language", "command"),
        ("/language auto", "language_automatic", "command"),
        ("/forget", "forget", "command"),
        ("/forget no", "kept", "command"),
        ("/forget yes", "forgotten", "command"),
        ("/export", "export", "command"),
        ("/stop", "nothing_to_stop", "command"),
    ],
)
async def test_that_a_command_is_answered_in_the_customers_language(
    tmp_path: Path, language: Language, command: str, task: str, source: str
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(HELLO[language])
        reply = await desk.ask(command)

        assert reply.text == PROMPTS.text(task, language)
        assert (reply.source, reply.language) == (source, language)
        assert not reply.invites_feedback


@pytest.mark.parametrize(("word", "language"), [("stop", "en"), ("停", "zh")])
async def test_that_a_word_for_stop_says_its_language(
    tmp_path: Path, word: str, language: Language
) -> None:
    async with open_desk(tmp_path) as desk:
        assert (await desk.ask(word)).text == PROMPTS.text("nothing_to_stop", language)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("command", "buttons"),
    [
        ("/help", {"human": "/human"}),
        ("/forget", {"forget_yes": "/forget yes", "forget_no": "/forget no"}),
        (
            "/language",
            {"english": "/language en", "chinese": "/language zh", "automatic": "/language auto"},
        ),
    ],
)
async def test_that_buttons_stand_for_commands(
    tmp_path: Path, language: Language, command: str, buttons: dict[str, str]
) -> None:
    labels = PROMPTS.labels("choices", language)
    async with open_desk(tmp_path) as desk:
        await desk.ask(HELLO[language])
        reply = await desk.ask(command)

        expected = [Choice(label=labels[name], command=text) for name, text in buttons.items()]
        assert list(reply.choices) == expected
        assert all(parse_command(choice.command) for choice in reply.choices)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_start_with_an_articles_name_shows_it(
    tmp_path: Path, language: Language
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(HELLO[language])
        reply = await desk.ask("/start returns")

        assert reply.text == ARTICLE[language]
        assert reply.citations[0].article == f"{language}/returns"


@pytest.mark.parametrize(("chosen", "other"), [("en", "zh"), ("zh", "en")])
async def test_that_a_chosen_language_stays_until_it_is_taken_back(
    tmp_path: Path, chosen: Language, other: Language
) -> None:
    async with open_desk(tmp_path) as desk:
        assert (await desk.ask(f"/language {chosen}")).text == PROMPTS.text("language_set", chosen)
        assert (await desk.ask(HELLO[other])).text == PROMPTS.text("greeting", chosen)

    async with open_desk(tmp_path) as desk:
        assert (await desk.ask(HELLO[other])).language == chosen
        elsewhere = incoming(HELLO[other], address="elsewhere", customer="customer-ada")
        await desk.delivery.accept(elsewhere)
        assert (await desk.channel.replies(2))[1].language == chosen
        assert (await desk.ask(HELLO[other], address="bo")).language == other
        await desk.ask("/language auto")
        assert (await desk.ask(HELLO[other])).language == other


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_command_elsewhere_is_in_the_language_last_written(
    tmp_path: Path, language: Language
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION[language])
        await desk.settled()
        elsewhere = incoming("/help", address="ada@elsewhere", customer="customer-ada")
        await desk.delivery.accept(elsewhere)

        assert (await desk.channel.replies(2))[1].language == language


# Being forgotten.

SECRETS = ("Zanzibar", "桑给巴尔", "customer-ada", "secret-file")


def stored(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("frontdesk.db*"))


async def talk(desk: Desk, name: str, word: str) -> None:
    """Let a customer leave something in every table."""
    await desk.ask(f"{QUESTION['en']} {word}", address=name, key=f"message:{name}:1")
    reply = await desk.ask(f"{UNANSWERABLE['zh']} {word}", address=name)
    await desk.settled()
    rating = Feedback(
        channel="test",
        event_key=f"press:{name}",
        customer=f"customer-{name}",
        verdict="down",
        origin="button",
        turn=reply.turn,
        comment=f"no {word}",
    )
    assert await desk.delivery.rate(rating)
    edit = incoming(f"{QUESTION['zh']} {word}", address=name, edits=f"message:{name}:1")
    await desk.delivery.accept(edit)
    await desk.settled()


async def test_that_erased_words_are_gone_from_the_files_at_once(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await talk(desk, "ada", "Zanzibar")
        await desk.ask("/forget yes")
        await desk.settled()

        assert b"Zanzibar" not in stored(tmp_path)


async def test_that_asking_erases_nothing_and_no_keeps_all(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await talk(desk, "ada", "Zanzibar")
        await desk.ask("/forget")
        await desk.ask("/forget no")
        await desk.settled()

        assert await desk.rows("SELECT count(*) FROM erasures") == [(0,)]
    assert b"Zanzibar" in stored(tmp_path)


@pytest.mark.parametrize("restarts", [False, True])
async def test_that_nothing_is_left_of_a_customer_and_all_of_the_others(
    tmp_path: Path, restarts: bool
) -> None:
    async with open_desk(tmp_path) as desk:
        await talk(desk, "ada", "Zanzibar 桑给巴尔")
        await talk(desk, "bo", "Patagonia")
        if restarts:
            forget = incoming("/forget yes", key="update:7")
            await desk.store.write(lambda db: inbox.receive(db, forget, NOW))
        else:
            reply = await desk.ask("/forget yes", key="update:7")
            assert reply.text == PROMPTS.text("forgotten", "zh")
        await desk.settled()

    async with open_desk(tmp_path) as desk:
        await desk.delivery.resume()
        await desk.settled()
        again = incoming("/forget yes", key="update:7")
        assert await desk.delivery.accept(again) is False
        assert await desk.rows("SELECT customer, erased_at IS NULL FROM erasures") == [("", 0)]
        assert await desk.rows("SELECT external_id FROM customers") == [("customer-bo",)]
        assert await desk.rows("SELECT count(*) FROM turns") == [(6,)]
        assert await desk.rows("SELECT count(*) FROM feedback") == [(1,)]
        assert await desk.rows("SELECT count(*) FROM handoffs") == [(1,)]
        assert await desk.rows("PRAGMA foreign_key_check") == []

    left = stored(tmp_path)
    assert [secret for secret in SECRETS if secret.encode() in left] == []
    assert b"Patagonia" in left
    assert b"customer-bo" in left


class Withholding(ScriptedChannel):
    """A channel that shows what the log held when the reply left."""

    desk: Desk

    async def send(self, outgoing: object) -> tuple[str, ...]:
        self.turns = await self.desk.rows("SELECT count(*) FROM turns")
        return await super().send(outgoing)  # type: ignore[arg-type]


async def test_that_a_customer_is_told_before_being_erased(tmp_path: Path) -> None:
    channel = Withholding()
    async with open_desk(tmp_path, channel=channel) as desk:
        channel.desk = desk
        await desk.ask(QUESTION["zh"])
        await desk.ask("/forget yes")
        await desk.settled()

        assert channel.turns == [(4,)]
        assert await desk.rows("SELECT count(*) FROM turns") == [(0,)]


async def test_that_a_reply_elsewhere_that_waited_does_not_prevent_the_erasure(
    tmp_path: Path,
) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.append(DeliveryError("down"))
        desk.pauses.then = lambda: forget(desk)
        await desk.delivery.accept(incoming(address="elsewhere", customer="customer-ada"))
        await desk.settled()

        assert len(desk.channel.sent) == 2
        assert await desk.rows("SELECT count(*) FROM turns") == [(0,)]


async def forget(desk: Desk) -> None:
    await desk.delivery.accept(incoming("/forget yes"))
    await desk.channel.replies(1)


async def test_that_what_comes_after_the_request_is_answered(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["en"])
        desk.channel.free.clear()
        await desk.delivery.accept(incoming("/forget yes"))
        await desk.channel.until(lambda: len(desk.channel.tries) == 2)
        await desk.delivery.accept(incoming(QUESTION["zh"]))
        desk.channel.free.set()
        replies = await desk.channel.replies(3)
        await desk.settled()

        assert replies[2].text == RETURNS_ZH
        left = await desk.rows("SELECT text FROM turns ORDER BY number")
        assert left == [(QUESTION["zh"],), (RETURNS_ZH,)]


async def test_that_others_keep_their_part_of_a_shared_thread(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for name, text in (("ada", QUESTION["en"]), ("bo", QUESTION["zh"])):
            await desk.delivery.accept(incoming(text, address="thread", customer=name))
            await desk.settled()
        await desk.delivery.accept(incoming("/forget yes", address="thread", customer="ada"))
        await desk.settled()

        assert await desk.rows("SELECT text FROM turns ORDER BY number") == [
            (QUESTION["zh"],),
            (RETURNS_ZH,),
        ]
        owners = "SELECT external_id FROM customers JOIN conversations ON customer = customers.id"
        assert await desk.rows(owners) == [("bo",)]
        assert await desk.rows("SELECT count(*) FROM customers") == [(1,)]


# A copy of one's data.


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_an_export_goes_along_and_is_not_kept(
    tmp_path: Path, language: Language
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION[language])
        desk.channel.errors.append(DeliveryError("down"))
        reply = await desk.ask("/export")
        await desk.settled()

        assert reply.document is not None
        data = json.loads(reply.document.text)
        [conversation] = data["conversations"]
        assert [turn["text"] for turn in conversation["turns"]] == [
            QUESTION[language],
            ARTICLE[language],
            "/export",
            PROMPTS.text("export", language),
        ]
        assert [message["text"] for message in data["messages"]] == [QUESTION[language], "/export"]
        [*_, (kept,)] = await desk.rows("SELECT reply FROM outbox ORDER BY id")
        assert "document" not in json.loads(str(kept))


async def test_that_an_edit_can_be_a_command(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask("/langage zh", key="first")
        await desk.delivery.accept(incoming("/language zh", edits="first"))
        reply = (await desk.channel.replies(2))[1]

        assert reply.text == PROMPTS.text("language_set", "zh")
        assert reply.replaces == ("platform-1",)
