"""What follows an event once it is stored: nice to have, so it runs apart and may fail."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from slack_sdk.errors import SlackApiError

from adapters.slack.actions import Press
from adapters.slack.addresses import Address, scoped
from adapters.slack.client import NETWORK_ERRORS, error_code
from adapters.slack.formatting import CHOICES, FEEDBACK, SHARE
from adapters.slack.home import complaint_view, home_view, suggested_prompts, without_buttons
from adapters.slack.incoming import CHANNEL, Written
from adapters.slack.posting import Posting
from adapters.slack.workspaces import Workspaces
from bot.errors import FrontdeskError
from bot.messages import LANGUAGES, Incoming, Language, TurnId
from bot.ports import Dialogues
from prompts import Prompts

logger = logging.getLogger(__name__)

_TITLE_LENGTH = 60


class Afterwards:
    """Forms, titles, the Home tab and used buttons."""

    def __init__(
        self, workspaces: Workspaces, dialogues: Dialogues, prompts: Prompts, posting: Posting
    ) -> None:
        self._workspaces = workspaces
        self._dialogues = dialogues
        self._prompts = prompts
        self._posting = posting
        self._tasks: set[asyncio.Task[None]] = set()
        self._sharing: set[str] = set()

    def begin(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        """Do something in the background; `name` says what in the log when it fails."""
        task = asyncio.create_task(self._run(name, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what is still under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except SlackApiError as err:
            logger.info("%s was not shown: %s", name, error_code(err))
        except NETWORK_ERRORS as err:
            logger.info("%s was not shown: %s", name, type(err).__name__)
        except FrontdeskError as err:
            logger.info("%s was not shown: %s", name, err)
        except Exception:
            logger.exception("%s was not shown", name)

    async def name_thread(self, written: Written) -> None:
        """Call the thread of a DM after the question that began it."""
        where = Address.parse(written.incoming.address).answering(written.incoming.event_keys[0])
        title = " ".join(written.incoming.text.split())
        if not title or where.thread is None or title.startswith("/"):
            return
        if len(title) > _TITLE_LENGTH:
            title = f"{title[: _TITLE_LENGTH - 1]}…"
        await self._workspaces.ask(
            where.team,
            lambda client: client.assistant_threads_setTitle(
                channel_id=where.channel, thread_ts=str(where.thread), title=title
            ),
        )

    async def suggest(self, team: str, channel: str, person: str, thread: str | None) -> None:
        """Offer questions to start with."""
        language = await self._dialogues.language(CHANNEL, scoped(team, person))
        title, questions = suggested_prompts(self._prompts, language)
        await self._workspaces.ask(
            team,
            lambda client: client.assistant_threads_setSuggestedPrompts(
                channel_id=channel, thread_ts=thread, title=title, prompts=questions
            ),
        )

    async def show_home(
        self, team: str, person: str, channel: str, language: Language | None = None
    ) -> None:
        """Show the Home tab as it is for this person now, in the language just chosen."""
        customer = scoped(team, person)
        language = language or await self._dialogues.language(CHANNEL, customer) or "en"
        questions = await self._dialogues.open_questions(CHANNEL, customer)
        address = str(Address(channel, team=team)) if channel else ""
        view = home_view(self._prompts, language, questions, address)
        await self._workspaces.ask(
            team, lambda client: client.views_publish(user_id=person, view=view)
        )

    async def ask_why(self, press: Press) -> None:
        """Open the form that asks what was wrong; Slack allows it for three seconds."""
        if (feedback := press.feedback) is None:
            return
        view = complaint_view(self._prompts, press.language, str(feedback.turn))
        await self._workspaces.ask(
            press.team, lambda client: client.views_open(trigger_id=press.trigger_id, view=view)
        )

    async def mark_as_used(self, press: Press, command: Incoming) -> None:
        """Leave a message without the buttons that were used; show the Home tab anew."""
        if press.post is None:
            chosen = next((each for each in LANGUAGES if command.text.endswith(f" {each}")), None)
            channel = Address.parse(command.address).channel
            await self.show_home(press.team, press.person, channel, chosen)
            return
        await self._take_buttons_away(press)

    async def _take_buttons_away(self, press: Press) -> None:
        post, blocks = press.post, without_buttons(press.blocks, CHOICES)
        # Without the words among its blocks, an edit would leave a message of buttons alone.
        has_words = any(block.get("block_id") not in (FEEDBACK, SHARE) for block in blocks)
        if post is None or press.is_private or not has_words or len(blocks) == len(press.blocks):
            return
        await self._workspaces.send(
            Address(post.channel, team=post.team),
            "update",
            lambda client: client.chat_update(
                channel=post.channel,
                ts=post.ts,
                text=press.text,
                blocks=blocks,
                link_names=False,
                parse="none",
                unfurl_links=False,
                unfurl_media=False,
            ),
        )

    async def share(self, press: Press) -> None:
        """Show a private answer to all, for the one who got it."""
        outgoing = await self._dialogues.reply(CHANNEL, TurnId(press.value))
        if outgoing is None or outgoing.customer != press.customer:
            return
        where = Address.parse(outgoing.address)
        if where.thread is None or where.team != press.team or press.value in self._sharing:
            return
        self._sharing.add(press.value)
        try:
            everyone = Address(where.channel, where.thread, where.team)
            await self._posting.share(outgoing, everyone, press.post.ts if press.post else "0")
        finally:
            self._sharing.discard(press.value)
