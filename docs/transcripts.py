"""Play short dialogues with Frontdesk in Telegram and Slack, and write down what people see.

.venv/bin/python -m docs.transcripts     writes docs/transcripts.md

The program is the real one, a process of its own, with the example shop's articles. The platforms
and the model are the fakes of the tests; the model answers with two sentences of a passage that it
was given.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from bot.messages import LANGUAGES, Language
from bot.settings import EXAMPLE_ARTICLES
from docs.playing.dialogue import Chat, Dialogue, Line, Rows
from docs.playing.slack import PRIVATE_CHANNEL
from docs.playing.stage import Stage, stage_for
from tests.benchmarks.programs import ROOT
from tests.fakes.telegram_api import FakeTelegram

PAGE = Path(__file__).parent / "transcripts.md"
KEPT = ROOT / ".cache" / "transcripts"

# What customers write.
SAID: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "question": "How long do I have to return a jacket?",
        "other": "How much does express delivery cost?",
        "parts": "hi|I ordered a fleece jacket last week|it is too small, can I exchange it?",
        "follow_up": "What does a return cost?",
        "chatter": "I have the green one, it is great!",
    },
    "zh": {
        "question": "买的外套多久之内可以退？",
        "other": "加急配送多少钱？",
        "parts": "你好|我上星期买了件抓绒外套|穿着太小，可以换货吗？",
        "follow_up": "退货运费谁出？",
        "chatter": "我买的是绿色的，很好！",
    },
}
TITLES: Mapping[str, Mapping[Language, str]] = {
    "question": {
        "en": "A question, and what is wrong with its answer",
        "zh": "一个问题，以及回答哪里不对",
    },
    "change": {"en": "A changed question; a voice message", "zh": "修改问题；语音消息"},
    "several": {"en": "Several messages, one answer", "zh": "几条消息，一个回答"},
    "language": {"en": "/language", "zh": "/language：语言"},
    "data": {"en": "/export and /forget", "zh": "/export 和 /forget：导出与删除"},
    "group": {"en": "A topic of a group", "zh": "群组里的一个话题"},
    "channel": {
        "en": "A channel: a mention, the thread, a person, the Home tab",
        "zh": "频道：@ 提问、消息列、转人工、主页",
    },
    "private": {
        "en": "A channel where only the asker sees the answer",
        "zh": "只有提问者看得到回答的频道",
    },
}

INTRODUCTION = """\
<!-- Made by `.venv/bin/python -m docs.transcripts`; don't edit it by hand. -->

# What people see

*实际看到的对话，中英文各一份。*

These dialogues were played with the real program and the example shop's articles. Telegram, Slack
and the model were the fakes of the tests: what stands here is what they were sent. The model
answered with two sentences of a passage; every other text is Frontdesk's own. Buttons are shown as
`[label]`. Times and ids are shown as `…`.

这些对话由真实的程序和示例商店的文章产生；Telegram、Slack 和模型用的是测试里的仿真服务，
下面就是它们实际收到的内容。模型用段落里的两句话作答，其余文字都来自 Frontdesk。按钮写作 `[文字]`，
时间和编号写作 `…`。
"""


Scene = Callable[[Stage, Language], Awaitable[None]]


async def ask(stage: Stage, chat: Chat, language: Language) -> None:
    """Let an answer appear sentence by sentence."""
    stage.write_slowly(language)
    await chat.write(SAID[language]["question"])
    await chat.growing()
    stage.model.release()
    await chat.answer()


async def change(stage: Stage, chat: Chat, language: Language) -> None:
    """Let a question be changed after its answer; then somebody speaks."""
    await chat.write(SAID[language]["question"])
    await chat.answer()
    await chat.edit(SAID[language]["other"])
    await chat.speak()
    await chat.answer()


async def several(stage: Stage, chat: Chat, language: Language) -> None:
    """Let a question come in several messages."""
    await chat.write(*SAID[language]["parts"].split("|"))
    await chat.answer()


async def choose_language(stage: Stage, chat: Chat, language: Language) -> None:
    """Let a customer choose the other language, and then write as before."""
    await chat.write(SAID[language]["other"])
    await chat.answer()
    await chat.command("/language")
    await chat.press(*stage.labels("chinese" if language == "en" else "english", language))
    await chat.write(SAID[language]["question"])
    await chat.answer()


async def take_and_forget(stage: Stage, chat: Chat, language: Language) -> None:
    """Let a customer ask for their data, and then be forgotten."""
    await chat.write(SAID[language]["other"])
    await chat.answer()
    await chat.command("/export")
    await chat.file()
    await chat.command("/forget")
    await chat.press(*stage.labels("forget_yes", language))


async def telegram_question(stage: Stage, language: Language) -> None:
    """Play a question and a complaint about its answer."""
    chat = stage.telegram_chat(TITLES["question"][language], language)
    await ask(stage, chat, language)
    await chat.press(f"👎 {stage.label('down', language)}")
    await chat.press(stage.label("incomplete", language))


async def telegram_group(stage: Stage, language: Language) -> None:
    """Play a topic of a group."""
    chat = stage.telegram_topic(TITLES["group"][language], language)
    await chat.write(f"@{FakeTelegram.me['username']} {SAID[language]['question']}")
    await chat.answer()
    chat.chatter(SAID[language]["chatter"])
    chat.dialogue.note("silence")
    chat.reply(SAID[language]["follow_up"])
    await chat.answer()


async def slack_question(stage: Stage, language: Language) -> None:
    """Play a question in a DM and a complaint about its answer."""
    chat = stage.slack_chat(TITLES["question"][language], language)
    await ask(stage, chat, language)
    await chat.complain(stage.label("down", language), stage.label("incomplete", language))


async def slack_channel(stage: Stage, language: Language) -> None:
    """Play a thread in a channel, then the Home tab of who asked."""
    chat = stage.slack_chat(TITLES["channel"][language], language, "C1")
    await chat.mention(SAID[language]["question"])
    await chat.answer()
    await chat.follow_up(SAID[language]["follow_up"])
    await chat.answer()
    await chat.press(stage.label("person", language))
    await chat.open_home()


async def slack_private(stage: Stage, language: Language) -> None:
    """Play a channel where only the asker sees answers."""
    chat = stage.slack_chat(TITLES["private"][language], language, PRIVATE_CHANNEL)
    await chat.ask_privately(SAID[language]["question"])
    await chat.share(stage.label("share", language, "slack"))


Play = Callable[[Stage, Chat, Language], Awaitable[None]]
PLAYS: Mapping[str, Play] = {
    "change": change,
    "several": several,
    "language": choose_language,
    "data": take_and_forget,
}


def in_telegram(name: str) -> Scene:
    """Return a play as a scene in a private chat of Telegram."""

    async def scene(stage: Stage, language: Language) -> None:
        chat = stage.telegram_chat(TITLES[name][language], language)
        await PLAYS[name](stage, chat, language)

    return scene


def in_slack(name: str) -> Scene:
    """Return a play as a scene in a DM of Slack."""

    async def scene(stage: Stage, language: Language) -> None:
        await PLAYS[name](stage, stage.slack_chat(TITLES[name][language], language), language)

    return scene


SCENES: tuple[Scene, ...] = (
    telegram_question,
    *map(in_telegram, PLAYS),
    telegram_group,
    slack_question,
    *map(in_slack, PLAYS),
    slack_channel,
    slack_private,
)


async def play(
    scenes: Sequence[Scene], articles: Path = EXAMPLE_ARTICLES, kept: Path | None = None
) -> list[Dialogue]:
    """Play scenes in both languages, each after the other; return what was seen.

    `kept` is a folder for the articles' vectors, so that the next time nothing is encoded again.
    """
    async with stage_for(articles, kept) as stage:
        for scene in scenes:
            for language in LANGUAGES:
                await scene(stage, language)
        return stage.dialogues


def page(dialogues: Sequence[Dialogue]) -> str:
    """Return dialogues as one page of Markdown."""
    parts = [INTRODUCTION]
    for channel, name in (("telegram", "Telegram"), ("slack", "Slack")):
        picture = f"![{name}](images/{channel}.png)\n"
        for language, heading in (("en", f"{name}\n\n{picture}"), ("zh", f"{name}（中文）\n")):
            of_it = [d for d in dialogues if (d.channel, d.language) == (channel, language)]
            parts += [f"## {heading}", *map(as_markdown, of_it)]
    return "\n".join(parts)


def as_markdown(dialogue: Dialogue) -> str:
    """Return one dialogue as Markdown."""
    return "\n".join([f"### {dialogue.title}\n", *map(_line, dialogue.lines)])


def _line(line: Line) -> str:
    match line.kind:
        case "customer":
            return f"**{line.who}:** {line.text}\n"
        case "note":
            return f"*{line.text}*\n"
    rows = _rows(line.buttons)
    text = f"{line.text}\n\n{rows}" if rows else line.text
    quoted = "\n".join(f"> {row}".rstrip() for row in text.split("\n"))
    return f"{quoted}\n"


def _rows(rows: Rows) -> str:
    return "\\\n".join(" ".join(f"`[{label}]`" for label in row) for row in rows)


def main() -> None:
    """Play everything and write the page."""
    dialogues = asyncio.run(play(SCENES, kept=KEPT))
    PAGE.write_text(page(dialogues), encoding="utf-8")


if __name__ == "__main__":
    main()
