"""Chats in Slack as people see them: what the fake holds after what they do."""

from docs.playing.dialogue import NOTES, Dialogue, Json, Rows, data_file, first_of
from tests.fakes.slack_api import Event, FakeSlack
from tests.fakes.slack_blocks import labels, shown

PRIVATE_CHANNEL = "C9"


class SlackChat:
    """A direct message with the app, or a channel, where it must be mentioned."""

    def __init__(
        self, fake: FakeSlack, dialogue: Dialogue, person: str, channel: str | None = None
    ) -> None:
        self.dialogue = dialogue
        self._fake = fake
        self._person = person
        self.channel = channel or f"D{person.removeprefix('U')}"
        fake._members.setdefault(self.channel, True)
        self._post: Json = {}
        self._question: Event | None = None

    async def write(self, *texts: str) -> None:
        """Let the customer write, several messages in a row."""
        for text in texts:
            self.dialogue.write(text)
            self._question = await self._fake.customer_writes(
                text, user=self._person, channel=self.channel
            )

    async def mention(self, text: str) -> None:
        """Let the customer call the app in the channel."""
        self.dialogue.write(f"@Frontdesk {text}")
        called = f"<@{self._fake.bot_user}> {text}"
        self._question = await self._fake.customer_mentions(
            called, user=self._person, channel=self.channel
        )

    async def follow_up(self, text: str) -> None:
        """Let the customer go on in the thread of the question, without a mention."""
        assert self._question is not None
        self.dialogue.note("in_thread")
        self.dialogue.write(text)
        await self._fake.customer_writes(
            text, user=self._person, channel=self.channel, thread_ts=self._question.ts
        )

    async def command(self, text: str) -> None:
        """Let the customer write `/frontdesk` and a command, and wait for the reply."""
        self.dialogue.write(f"/frontdesk {text.removeprefix('/')}")
        await self._fake.customer_commands(
            text.removeprefix("/"), user=self._person, channel=self.channel
        )
        await self.answer()

    async def answer(self) -> None:
        """Wait for the next post of ours."""
        self._post = await self._fake.next_reply(self.channel)
        self._show()

    async def answer_to_one(self, count: int) -> None:
        """Wait for a post that only the customer sees, after so many others."""
        await self._fake.until(lambda: len(self._fake.ephemeral) > count)
        self._post = self._fake.ephemeral[count]
        self.dialogue.note("alone")
        self._show()

    async def growing(self) -> None:
        """Wait for the beginning of an answer."""
        await self._fake.until(lambda: self._fake.sent(self.channel))
        self.dialogue.note("growing")
        self.dialogue.show(str(self._fake.sent(self.channel)[-1]["markdown"]))
        self.dialogue.note("whole")

    async def edit(self, text: str) -> None:
        """Let the customer change the last message, and wait for its new answer."""
        assert self._question is not None
        before = shown(self._post)
        await self._fake.customer_edits(self._question, text)
        self.dialogue.note("edits", text=text)
        await self._fake.until(lambda: shown(self._post) != before)
        self.dialogue.note("edited")
        self._show()

    async def press(self, *labels: str) -> None:
        """Let the customer press a button that stands for a command, and wait for the reply."""
        label = first_of(labels, _block_rows(self._post))
        is_private, count = bool(self._post.get("is_ephemeral")), len(self._fake.ephemeral)
        await self._fake.customer_presses(self._post, label, user=self._person)
        self.dialogue.note("presses", label=f"[{label}]")
        await (self.answer_to_one(count) if is_private else self.answer())

    async def complain(self, label: str, reason: str) -> None:
        """Let the customer press the lower thumb, and send off the form that opens."""
        count = len(self._fake.modals)
        await self._fake.customer_presses(self._post, label, user=self._person)
        await self._fake.until(lambda: len(self._fake.modals) > count)
        form = self._fake.modals[-1]
        self.dialogue.note("presses", label=f"[{label}]")
        self.dialogue.note("form")
        self.dialogue.show(*_view(form))
        options = form["blocks"][0]["element"]["options"]
        [value] = [each["value"] for each in options if each["text"]["text"] == reason]
        comment = NOTES[self.dialogue.language]["comment"]
        sent = await self._fake.customer_submits(
            form, reason=value, comment=comment, user=self._person
        )
        await self._fake.until(lambda: sent.is_acknowledged)
        self.dialogue.note("sends", reason=f"[{reason}]", comment=comment)

    async def speak(self) -> None:
        """Let the customer send a voice message."""
        self.dialogue.write(NOTES[self.dialogue.language]["voice"])
        file = self._fake.add_file(b"OggS", name="voice.ogg", mimetype="audio/ogg")
        await self._fake.customer_writes(
            "", user=self._person, channel=self.channel, subtype="file_share", files=[file]
        )

    async def file(self) -> None:
        """Wait for a file of ours."""
        await self._fake.until(self._uploads)
        upload = self._uploads()[-1]
        self.dialogue.note("file", name=upload["title"])
        self.dialogue.show(data_file(upload["content"]))

    def _uploads(self) -> list[Json]:
        return [each for each in self._fake.uploads if each["channel"] == self.channel]

    async def open_home(self) -> None:
        """Let the customer open the Home tab."""
        home = f"D{self._person.removeprefix('U')}"
        event = {"type": "app_home_opened", "tab": "home", "user": self._person, "channel": home}
        await self._fake.send_event(event)
        await self._fake.until(lambda: self._person in self._fake.homes)
        self.dialogue.note("home")
        self.dialogue.show(*_view(self._fake.homes[self._person]))

    async def ask_privately(self, text: str) -> None:
        """Let the customer call the app where only the asker sees the answer."""
        count = len(self._fake.ephemeral)
        await self.mention(text)
        await self.answer_to_one(count)

    async def share(self, label: str) -> None:
        """Let the customer show a private answer to all."""
        await self._fake.customer_presses(self._post, label, user=self._person)
        self.dialogue.note("presses", label=f"[{label}]")
        self.dialogue.note("all")
        await self.answer()

    def _show(self) -> None:
        self.dialogue.show(shown(self._post), _block_rows(self._post))


def _block_rows(message: Json) -> Rows:
    blocks = [{"blocks": [block]} for block in message.get("blocks") or ()]
    return [row for row in map(labels, blocks) if row]


def _view(view: Json) -> tuple[str, Rows]:
    """Return a form or the Home tab: its words, and its buttons."""
    words = [_words(block) for block in view["blocks"]]
    if view["type"] == "modal":
        words.insert(0, f"**{view['title']['text']}**")
        return "\n\n".join(words), [[view["submit"]["text"], view["close"]["text"]]]
    return "\n\n".join(word for word in words if word), _block_rows(view)


def _words(block: Json) -> str:
    match block["type"]:
        case "header":
            return f"**{block['text']['text']}**"
        case "section":
            return _undated(str(block["text"]["text"])).replace("\n", "\\\n")
        case "input":
            options = block["element"].get("options", ())
            choices = [f"- ( ) {option['text']['text']}" for option in options]
            return "\n".join([block["label"]["text"], *(choices or ["`__________`"])])
    return ""


def _undated(text: str) -> str:
    head, _, last = text.rpartition("\n")
    words = ["…" if word.strip("_").count("-") == 2 else word for word in last.split(" ")]
    closed = "_" if last.endswith("_") and words[-1] == "…" else ""
    return f"{head}\n{' '.join(words)}{closed}" if head else text
