"""The terminal channel: lines in, answers out, on terminals, pipes and files."""

import asyncio
import io
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import pytest

from adapters.terminal import TerminalChannel
from bot.errors import DeliveryInDoubt, DeliveryRefused, LogError
from bot.messages import Choice, Document, Incoming, Language, Outgoing, Place
from prompts import Prompts
from tests.adapters.samples import RETURNS, reply

PROMPTS = Prompts.load()


class AnsweringInbox:
    """Answers each message as the core would: later, and through the channel."""

    def __init__(self) -> None:
        self.accepted: list[Incoming] = []
        self.errors: list[LogError] = []
        self.is_silent = False
        self.reply: Outgoing | None = None
        self.channel: TerminalChannel | None = None
        self._tasks: set[asyncio.Task[tuple[str, ...]]] = set()

    def answer_to(self, incoming: Incoming) -> Outgoing:
        given = self.reply or reply(citations=(), text=f"You said: {incoming.text}")
        return replace(given, address=incoming.address)

    async def accept(self, incoming: Incoming) -> bool:
        if self.errors:
            raise self.errors.pop()
        self.accepted.append(incoming)
        if not self.is_silent:
            assert self.channel is not None
            self._tasks.add(asyncio.create_task(self.channel.send(self.answer_to(incoming))))
        return True

    def leave(self, channel: str, event_key: str, address: str) -> None:
        raise AssertionError("who sits at a terminal stays")


@pytest.fixture
def inbox() -> AnsweringInbox:
    return AnsweringInbox()


def channel_for(inbox: AnsweringInbox, stdin: TextIO, stdout: TextIO) -> TerminalChannel:
    inbox.channel = TerminalChannel(inbox, PROMPTS, stdin, stdout, patience_seconds=0.05)
    return inbox.channel


async def chat(inbox: AnsweringInbox, text: str) -> str:
    """Type all at once; return what was printed by the end of the input."""
    stdout = io.StringIO()
    async with asyncio.timeout(5):
        await channel_for(inbox, io.StringIO(text), stdout).run()
    return stdout.getvalue()


async def test_that_each_line_is_answered_in_turn(inbox: AnsweringInbox) -> None:
    assert await chat(inbox, "one\ntwo\n") == "You said: one\nYou said: two\n"


async def test_that_one_run_is_one_conversation(inbox: AnsweringInbox) -> None:
    await chat(inbox, "one\ntwo\n")
    await chat(inbox, "three\n")

    first, second, third = inbox.accepted
    assert first.address == second.address != third.address
    assert len({key for incoming in inbox.accepted for key in incoming.event_keys}) == 3
    assert {incoming.channel for incoming in inbox.accepted} == {"terminal"}


async def test_that_a_last_line_without_an_end_counts(inbox: AnsweringInbox) -> None:
    assert await chat(inbox, "退货要多久？") == "You said: 退货要多久？\n"


@pytest.mark.parametrize("text", ["", "\n", "  \n\t\n"])
async def test_that_empty_lines_ask_nothing(inbox: AnsweringInbox, text: str) -> None:
    assert await chat(inbox, text) == ""
    assert inbox.accepted == []


async def test_that_sources_are_named(inbox: AnsweringInbox) -> None:
    inbox.reply = reply(text="30 days.", citations=(RETURNS,), language="zh")

    assert await chat(inbox, "hi\n") == "30 days.\n\n来源：Returns (https://shop.example/returns)\n"


@pytest.mark.parametrize(
    ("language", "label"), [("en", "Yes, delete it"), ("zh", "是的，删除\x1b[31m")]
)
async def test_that_what_can_be_typed_next_is_listed(
    inbox: AnsweringInbox, language: Language, label: str
) -> None:
    inbox.reply = reply(
        text="Sure?",
        citations=(),
        language=language,
        choices=(Choice(label=label, command="/forget yes"), Choice(label="No", command="/no")),
    )

    shown = label.replace("\x1b", "")
    assert await chat(inbox, "/forget\n") == f"Sure?\n\n[/forget yes] {shown}\n[/no] No\n"


async def test_that_a_document_is_printed(inbox: AnsweringInbox) -> None:
    document = Document(name="data.json", text='{"a": "[b]\x07"}')
    inbox.reply = reply(text="Here.", citations=(), document=document)

    assert await chat(inbox, "/export\n") == 'Here.\n\ndata.json:\n{"a": "[b]"}\n'


async def test_that_posts_are_named_uniquely(inbox: AnsweringInbox) -> None:
    posts = []
    for _ in range(2):
        await chat(inbox, "hi\n")
        assert inbox.channel is not None
        posts.append(await inbox.channel.send(inbox.answer_to(inbox.accepted[-1])))
    assert len(set(posts)) == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("[bold red]not markup[/]", "[bold red]not markup[/]", id="markup"),
        pytest.param(":smile: 1:2", ":smile: 1:2", id="emoji-name"),
        pytest.param("\x1b[31mred\x1b]0;title\x07", "[31mred]0;title", id="escape-sequence"),
        pytest.param("a\rb\x9bc", "abc", id="control-characters"),
        pytest.param("word " * 100, ("word " * 100).strip(), id="long-line"),
    ],
)
async def test_that_hostile_text_is_only_text(inbox: AnsweringInbox, text: str, shown: str) -> None:
    inbox.reply = reply(text=text, citations=())

    assert await chat(inbox, "hi\n") == f"{shown}\n"


async def test_that_a_line_that_is_not_stored_is_told(inbox: AnsweringInbox) -> None:
    inbox.errors = [LogError("The disk is full.")]
    not_stored = PROMPTS.labels("errors", "en")["not_stored"]

    assert await chat(inbox, "one\ntwo\n") == f"{not_stored}\nYou said: two\n"


async def test_that_a_late_answer_is_told(inbox: AnsweringInbox) -> None:
    inbox.is_silent = True

    assert await chat(inbox, "one\n") == f"{PROMPTS.labels('errors', 'en')['answer_late']}\n"


async def test_that_an_answer_to_an_earlier_run_is_refused(inbox: AnsweringInbox) -> None:
    channel = channel_for(inbox, io.StringIO(), io.StringIO())

    with pytest.raises(DeliveryRefused):
        await channel.send(reply(address="another", text="late"))


async def test_that_nobody_knows_whether_a_doubtful_answer_was_printed(
    inbox: AnsweringInbox,
) -> None:
    channel = channel_for(inbox, io.StringIO(), io.StringIO())

    assert await channel.prepare(reply(), is_doubtful=False) == ()
    with pytest.raises(DeliveryInDoubt):
        await channel.prepare(reply(), is_doubtful=True)


def test_that_there_is_never_trouble(inbox: AnsweringInbox) -> None:
    channel = channel_for(inbox, io.StringIO(), io.StringIO())

    assert (channel.name, channel.trouble()) == ("terminal", None)


# Real streams.


@asynccontextmanager
async def run_with(inbox: AnsweringInbox, stdin: TextIO, stdout: TextIO) -> AsyncIterator[None]:
    task = asyncio.create_task(channel_for(inbox, stdin, stdout).run())
    yield
    async with asyncio.timeout(5):
        await task


async def test_that_a_pipe_is_read_as_it_comes(inbox: AnsweringInbox) -> None:
    read_end, write_end = os.pipe()
    stdout = io.StringIO()
    with os.fdopen(read_end, encoding="utf-8") as stdin:
        async with run_with(inbox, stdin, stdout):
            os.write(write_end, "你好\n".encode())
            await until(lambda: "You said: 你好" in stdout.getvalue())
            os.write(write_end, b"broken \xff utf-8\n")
            os.close(write_end)

    assert stdout.getvalue() == "You said: 你好\nYou said: broken \ufffd utf-8\n"


async def test_that_a_file_is_read_to_its_end(inbox: AnsweringInbox, tmp_path: Path) -> None:
    questions = tmp_path / "questions.txt"
    questions.write_text("one\ntwo", encoding="utf-8")
    stdout = io.StringIO()

    with questions.open(encoding="utf-8") as stdin:
        async with run_with(inbox, stdin, stdout):
            pass

    assert stdout.getvalue() == "You said: one\nYou said: two\n"


async def test_that_a_terminal_gets_a_prompt_and_a_sign_of_progress(
    inbox: AnsweringInbox,
) -> None:
    ours, theirs = pty.openpty()
    inbox.is_silent = True
    with os.fdopen(os.dup(theirs)) as stdin, os.fdopen(theirs, "w") as stdout:
        channel = channel_for(inbox, stdin, stdout)
        task = asyncio.create_task(channel.run())
        os.write(ours, b"hi\n")
        await until(lambda: bool(inbox.accepted))
        await channel.show_progress(place(inbox.accepted[0], address="another"), "searching")
        await channel.show_progress(place(inbox.accepted[0]), "writing")
        assert await channel.preview(place(inbox.accepted[0]), "You") is None
        await channel.send(inbox.answer_to(inbox.accepted[0]))
        os.write(ours, b"\x04")
        async with asyncio.timeout(5):
            await task
        shown = os.read(ours, 65536).decode()
    os.close(ours)

    assert "> " in shown
    assert "…" in shown
    assert "You said: hi" in shown


async def test_that_the_channel_ends_while_nobody_types() -> None:
    """The program must end at Ctrl-C although its thread still waits for a line."""
    program = (
        "import asyncio, sys\n"
        "from adapters.terminal import TerminalChannel\n"
        "from prompts import Prompts\n"
        "async def main():\n"
        "    run = asyncio.create_task(TerminalChannel(None, Prompts.load()).run())\n"
        "    await asyncio.sleep(0.2)\n"
        "    run.cancel()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(20):
        assert process.stderr is not None
        _, stderr = await asyncio.gather(process.wait(), process.stderr.read())

    assert (process.returncode, stderr) == (0, b"")


def place(incoming: Incoming, address: str | None = None) -> Place:
    return Place(
        address=address or incoming.address,
        customer=incoming.customer,
        in_reply_to=incoming.event_keys[0],
        language="en",
    )


async def until(is_true: Callable[[], bool]) -> None:
    """Wait for what happens in another thread."""
    async with asyncio.timeout(5):
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
