"""What is seen of a dialogue, and what a customer can do in it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from bot.messages import Language

Json = dict[str, Any]
Rows = Sequence[Sequence[str]]

MASKED = frozenset({"id", "time", "started_at"})
NAMES: Mapping[Language, tuple[str, str]] = {"en": ("Ada", "Grace"), "zh": ("小安", "小叶")}
NOTES: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "answers": "Frontdesk",
        "voice": "(a voice message)",
        "growing": "While it is being written:",
        "whole": "A moment later, complete:",
        "presses": "{who} presses {label}.",
        "now": "The message now:",
        "replies": "{who} replies to the answer:",
        "in_thread": "In the thread, without a mention:",
        "notice": "A short notice: {text}",
        "edits": "{who} changes the message to: {text}",
        "edited": "The answer in its place:",
        "form": "A form opens:",
        "sends": "{who} chooses {reason}, writes “{comment}” and sends it. The form closes.",
        "home": "{who} opens the Home tab of the app:",
        "alone": "Only {who} sees this:",
        "all": "Everybody in the channel sees this:",
        "file": "The file {name}:",
        "topic": "In a topic of a group:",
        "comment": "Longer than that",
        "silence": "No answer: nobody called Frontdesk.",
    },
    "zh": {
        "answers": "Frontdesk",
        "voice": "（语音消息）",
        "growing": "正在写的时候：",
        "whole": "片刻之后，完整的回答：",
        "presses": "{who}点按{label}。",
        "now": "这条消息现在是：",
        "replies": "{who}回复这条回答：",
        "in_thread": "在消息列里，没有再 @：",
        "notice": "短暂的提示：{text}",
        "edits": "{who}把消息改成：{text}",
        "edited": "原处的新回答：",
        "form": "弹出表单：",
        "sends": "{who}选择{reason}，写下“{comment}”并发送，表单关闭。",
        "home": "{who}打开应用的主页：",
        "alone": "只有{who}能看到：",
        "all": "频道里的所有人都能看到：",
        "file": "文件 {name}：",
        "topic": "在群组的一个话题里：",
        "comment": "不止这些天",
        "silence": "没有回答：没有人叫 Frontdesk。",
    },
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is seen: what somebody wrote, a post of ours with its buttons, or a note."""

    kind: Literal["customer", "assistant", "note"]
    text: str
    who: str = ""
    buttons: Rows = ()


@dataclass(slots=True)
class Dialogue:
    """What is seen of one dialogue, in order."""

    channel: Literal["telegram", "slack"]
    language: Language
    title: str
    lines: list[Line] = field(default_factory=list)

    @property
    def people(self) -> tuple[str, str]:
        """The names of the two customers."""
        return NAMES[self.language]

    def write(self, text: str, person: int = 0) -> None:
        """Write down what a customer wrote."""
        self.lines.append(Line("customer", text, self.people[person]))

    def show(self, text: str, buttons: Rows = ()) -> None:
        """Write down a post of ours."""
        self.lines.append(Line("assistant", text, NOTES[self.language]["answers"], buttons))

    def note(self, kind: str, /, **values: str) -> None:
        """Write down what happens between the messages."""
        text = NOTES[self.language][kind].format(**{"who": self.people[0], **values})
        self.lines.append(Line("note", text))


class Chat(Protocol):
    """What every chat can do; each writes down what is seen of it."""

    dialogue: Dialogue

    async def write(self, *texts: str) -> None:
        """Let the customer write, several messages in a row."""

    async def answer(self) -> None:
        """Wait for the next post of ours."""

    async def growing(self) -> None:
        """Wait for the beginning of an answer."""

    async def edit(self, text: str) -> None:
        """Let the customer change the last message, and wait for its new answer."""

    async def press(self, *labels: str) -> None:
        """Let the customer press a button under the last post: the first of these that is there."""

    async def command(self, text: str) -> None:
        """Let the customer write a command, such as "/language", and wait for the reply."""

    async def speak(self) -> None:
        """Let the customer send a voice message."""

    async def file(self) -> None:
        """Wait for a file of ours."""


def first_of(wanted: Sequence[str], rows: Rows) -> str:
    """Return the first of some labels that stands on a button."""
    there = [label for row in rows for label in row]
    return next(label for label in wanted if label in there)


def data_file(content: bytes) -> str:
    """Return a customer's data as readable text, without what differs from day to day."""
    text = json.dumps(_masked(json.loads(content)), ensure_ascii=False, indent=2)
    return f"```json\n{text}\n```"


def _masked(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: "…" if key in MASKED else _masked(value) for key, value in data.items()}
    return [_masked(each) for each in data] if isinstance(data, list) else data
