"""`frontdesk articles gaps`: what customers asked that no article answered."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np

from bot.console import Console
from bot.errors import FrontdeskError
from bot.knowledge.encoder import E5Encoder
from bot.knowledge.gap_articles import GapWriter, file_name, outline
from bot.knowledge.gaps import Gap, grouped
from bot.log.gaps import OpenQuestion, article_text, open_questions
from bot.log.store import open_read_only
from bot.model_server import ModelServer
from bot.settings import Settings, load_settings
from prompts import Prompts

ENCODED_AT_ONCE = 8


@click.command("gaps")
@click.option("--json", "as_json", is_flag=True, help="Print them with their questions.")
@click.option("--draft", type=click.IntRange(1), help="Write an article for gap N, to be finished.")
@click.pass_obj
def gaps(console: Console, as_json: bool, draft: int | None) -> None:
    """List what customers asked and no article answered, grouped by meaning, the largest first.

    With --draft, an article to be finished goes to a new file in the folder you are in: written by
    the model at FRONTDESK_MODEL_URL from what the team answered, else an outline. Reads the log
    only, so it also runs beside `frontdesk run`.
    """
    settings = load_settings()
    found = [gap for gap in _find(settings, console) if not gap.is_ignored]
    if draft is not None:
        _write(found, draft, settings, console)
    elif as_json:
        click.echo(json.dumps([_as_json(gap) for gap in found], ensure_ascii=False, indent=1))
    else:
        console.say(f"{len(found)} gaps, {sum(len(gap.questions) for gap in found)} questions.")
        for number, gap in enumerate(found, start=1):
            size, languages = len(gap.questions), ", ".join(gap.languages)
            console.say(f"{number:3}. {size:3}x ({languages})  {gap.title}")


def _find(settings: Settings, console: Console) -> list[Gap]:
    db = open_read_only(settings.database)
    try:
        questions = open_questions(db, datetime.now(UTC))
    finally:
        db.close()
    if not questions:
        return []
    encoder, vectors = E5Encoder(), []
    for start in range(0, len(questions), ENCODED_AT_ONCE):
        batch: list[OpenQuestion] = questions[start : start + ENCODED_AT_ONCE]
        vectors.append(encoder.questions([question.text for question in batch]))
        console.encoding(start + len(batch), len(questions))
    return grouped(questions, np.concatenate(vectors), datetime.now(UTC))


def _write(found: list[Gap], number: int, settings: Settings, console: Console) -> None:
    if number > len(found):
        raise FrontdeskError(f"There is no gap {number}; there are {len(found)}.")
    gap = found[number - 1]
    path = Path(file_name(gap))
    if path.exists():
        raise FrontdeskError(f"The file {path} is there already; move it away first.")
    can_write = settings.frontdesk_model_url and gap.answers
    text = asyncio.run(_drafted(gap, settings)) if can_write else outline(gap)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as err:
        raise FrontdeskError(f"The file {path} is there already; move it away first.") from err
    except OSError as err:
        raise FrontdeskError(f"The file {path} can't be written ({err.strerror}).") from err
    console.say(
        f"To be finished: {path}. Check every fact, make it public, and put it into the articles' "
        "folder."
    )


async def _drafted(gap: Gap, settings: Settings) -> str:
    """Return an article by the operator's own model; the embedded engine is not started for it."""
    db = open_read_only(settings.database)
    try:
        nearest = article_text(db, gap.nearest)
    finally:
        db.close()
    server = ModelServer(settings)
    try:
        await server.check()
        await server.chat_model.open()
        writer = GapWriter(server.chat_model, Prompts.load(), server.languages)
        return await writer.draft(gap, nearest)
    finally:
        await server.close()


def _as_json(gap: Gap) -> dict[str, Any]:
    return {
        "title": gap.title,
        "questions": [
            {"text": each.text, "language": each.language, "asked_at": each.asked_at}
            for each in gap.questions
        ],
        "recent": gap.recent,
        "before": gap.before,
        "languages": gap.languages,
        "nearest": gap.nearest,
    }
