"""The least that a bot can do, to measure beside: no log, no search, no check, no limit.

    python -m tests.benchmarks.bare_loop TELEGRAM_URL TOKEN MODEL_URL MODEL PROMPT_FILE

Takes updates, streams an answer from the model and sends it when it is whole.
"""

import asyncio
import logging
import os
import sys
from pathlib import Path

os.environ.setdefault("PTB_TIMEDELTA", "true")

import openai
from telegram import Bot, Update
from telegram.request import HTTPXRequest

CONNECTIONS = 512


class BareLoop:
    """A bot without anything around it."""

    def __init__(self, bot: Bot, model: openai.AsyncOpenAI, name: str, prompt: str) -> None:
        self._bot = bot
        self._model = model
        self._name = name
        self._prompt = prompt
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answer until cancelled."""
        offset = None
        while True:
            for update in await self._bot.get_updates(offset=offset, timeout=30):
                offset = update.update_id + 1
                running = asyncio.create_task(self._answer(update))
                self._running.add(running)
                running.add_done_callback(self._running.discard)

    async def _answer(self, update: Update) -> None:
        assert update.message is not None
        assert update.message.text is not None
        stream = await self._model.chat.completions.create(
            model=self._name,
            messages=[
                {"role": "system", "content": self._prompt},
                {"role": "user", "content": update.message.text},
            ],
            stream=True,
        )
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        await self._bot.send_message(update.message.chat.id, "".join(pieces))


async def run(base_url: str, token: str, model_url: str, name: str, prompt: str) -> None:
    """Answer until the process is ended."""
    bot = Bot(
        token,
        base_url=f"{base_url}/bot",
        request=HTTPXRequest(connection_pool_size=CONNECTIONS, pool_timeout=60),
    )
    model = openai.AsyncOpenAI(base_url=model_url, api_key="none")
    async with bot, model:
        await BareLoop(bot, model, name, prompt).run()


if __name__ == "__main__":
    logging.getLogger("httpx").setLevel(logging.WARNING)
    telegram, token, model, name, prompt = sys.argv[1:]
    asyncio.run(run(telegram, token, model, name, Path(prompt).read_text(encoding="utf-8")))
