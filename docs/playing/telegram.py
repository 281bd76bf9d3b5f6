"""Chats in Telegram as people see them: what the fake holds after what they do."""

from collections.abc import Mapping, Sequence
from typing import Any

from docs.playing.dialogue import NOTES, Dialogue, Json, Rows, data_file, first_of
from tests.fakes.telegram_api import FakeTelegram


class TelegramChat:
    """A private chat, or a topic of a group, where the bot must be mentioned."""

    def __init__(self, fake: FakeTelegram, dialogue: Dialogue, chat: int, topic: int = 0) -> None:
        self.dialogue = dialogue
        self._fake = fake
        self._chat = chat
        self._topic = {"message_thread_id": topic, "is_topic_message": True} if topic else {}
        self._post: Json = {}
        self._question = 0

    async def write(self, *texts: str) -> None:
        """Let the customer write, several messages in a row."""
        for text in texts:
            self.dialogue.write(text)
            self._deliver(text, 0)

    async def command(self, text: str) -> None:
        """Let the customer write a command and wait for the reply."""
        await self.write(text)
        await self.answer()

    def chatter(self, text: str) -> None:
        """Let somebody else write in the group."""
        self.dialogue.write(text, 1)
        self._deliver(text, 1)

    def reply(self, text: str) -> None:
        """Let the customer reply to the bot's last post."""
        self.dialogue.note("replies")
        self.dialogue.write(text)
        self._deliver(text, 0, reply_to_message=self._post)

    def _deliver(self, text: str | None, person: int, **fields: Any) -> None:
        number = abs(self._chat) + person
        sender = {
            "id": number,
            "is_bot": False,
            "first_name": self.dialogue.people[person],
            "language_code": self.dialogue.language,
        }
        fields = {"from": sender, **self._topic, **fields}
        if self._chat > 0:
            self._fake.customer_writes(self._chat, text, **fields)
        else:
            self._fake.member_writes(self._chat, number, text, **fields)
        self._question = self._fake.last_message(self._chat)["message_id"]

    async def answer(self) -> None:
        """Wait for the next post of ours; one in a group is edited until it has its buttons."""
        self._post = await self._fake.next_reply(self._chat)
        if self._topic:
            await self._fake.until(lambda: self._post.get("reply_markup"))
        self._show()

    async def growing(self) -> None:
        """Wait for the beginning of an answer."""
        await self._fake.until(lambda: self._fake.drafts[self._chat])
        self.dialogue.note("growing")
        self.dialogue.show(as_markdown(self._fake.drafts[self._chat][0]))
        self.dialogue.note("whole")

    async def edit(self, text: str) -> None:
        """Let the customer change the last message, and wait for its new answer."""
        before = self._post["text"]
        self._fake.edits_message(self._chat, self._question, text)
        self.dialogue.note("edits", text=text)
        await self._fake.until(lambda: self._post["text"] != before)
        self.dialogue.note("edited")
        self._show()

    async def press(self, *labels: str) -> None:
        """Let the customer press a button, and wait until it is used up."""
        label = first_of(labels, _rows(self._post))
        rows = self._post["reply_markup"]["inline_keyboard"]
        [data] = [each["callback_data"] for row in rows for each in row if each["text"] == label]
        notes = len(self._fake.called("answerCallbackQuery"))
        self._fake.presses_button(self._chat, self._post["message_id"], data)
        await self._fake.until(lambda: _rows(self._post) != _texts(rows))
        self.dialogue.note("presses", label=f"[{label}]")
        if text := self._fake.called("answerCallbackQuery")[notes].get("text"):
            self.dialogue.note("notice", text=text)
            self.dialogue.note("now")
            self._show()
        else:
            await self.answer()

    async def speak(self) -> None:
        """Let the customer send a voice message."""
        self.dialogue.write(NOTES[self.dialogue.language]["voice"])
        voice = {"file_id": "voice", "file_unique_id": "voice", "duration": 4}
        self._deliver(None, 0, voice=voice)

    def photograph(self, words: str) -> None:
        """Let the customer send a picture with words."""
        self.dialogue.write(words)
        photo = {"file_id": "photo", "file_unique_id": "photo", "file_size": 184_000}
        size = {"width": 1200, "height": 900}
        self._deliver(None, 0, photo=[photo | size], caption=words)

    async def file(self) -> None:
        """Wait for a file of ours."""
        document = (await self._fake.next_reply(self._chat))["document"]
        self.dialogue.note("file", name=document["file_name"])
        self.dialogue.show(data_file(self._fake.content_of(document["file_id"])))

    def _show(self) -> None:
        self.dialogue.show(as_markdown(self._post), _rows(self._post))


def as_markdown(message: Mapping[str, Any]) -> str:
    """Return a text of Telegram with its entities as Markdown."""
    units = str(message["text"]).encode("utf-16-le")
    marks: list[tuple[int, int, str]] = []
    for number, entity in enumerate(message.get("entities") or ()):
        start, end = entity["offset"], entity["offset"] + entity["length"]
        before, after = _marks(entity)
        marks += [(start, number, before), (end, -number - 1, after)]
    text, at = "", 0
    for place, _, mark in sorted(marks):
        text += units[at * 2 : place * 2].decode("utf-16-le") + mark
        at = place
    return text + units[at * 2 :].decode("utf-16-le")


def _marks(entity: Json) -> tuple[str, str]:
    match entity["type"]:
        case "bold":
            return "**", "**"
        case "italic":
            return "_", "_"
        case "code":
            return "`", "`"
        case "pre":
            return "```\n", "\n```"
        case "text_link":
            return "[", f"]({entity['url']})"
    return "", ""


def _rows(message: Json) -> Rows:
    return _texts((message.get("reply_markup") or {}).get("inline_keyboard", ()))


def _texts(rows: Sequence[Sequence[Json]]) -> Rows:
    return [[button["text"] for button in row] for row in rows]
