"""What happens when somebody presses a button under a reply.

It is stored first. Only then, and beside what is received next, the press is answered with a short
note and the used buttons go.
"""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass

from telegram import CallbackQuery, InlineKeyboardMarkup, MaybeInaccessibleMessage, Message, User
from telegram.error import BadRequest, RetryAfter, TelegramError

from adapters.telegram import buttons
from adapters.telegram.address import CHANNEL, Address
from adapters.telegram.buttons import Command, Rating
from adapters.telegram.client import TelegramClient, seconds_to_wait
from adapters.telegram.incoming import address_of, language_of
from adapters.telegram.limits import ChatPacer
from bot.messages import Feedback, Incoming, Language
from bot.ports import Inbox
from prompts import Prompts

logger = logging.getLogger(__name__)

_USED_KEPT = 1000
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """One press on a button: by whom, under which message, and what it stands for.

    `meaning` is None for a button that is not ours. `is_used` says that the button was gone when
    Telegram passed the press on.
    """

    bot: int
    update_id: int
    query: str
    data: str
    meaning: Rating | Command | None
    address: Address
    message: int
    person: int
    language: Language
    hint: Language | None
    markup: InlineKeyboardMarkup | None
    is_used: bool


def press_from(update_id: int, query: CallbackQuery, me: User) -> Press | None:
    """Return the press in an update, or None when it was not under a message in a chat.

    `me` is the bot itself.
    """
    message, data = query.message, str(query.data or "")
    if message is None:
        return None
    # The library makes a Message even of one that is too old to be shown; its buttons are unknown.
    known = message if isinstance(message, Message) and message.is_accessible else None
    markup = known.reply_markup if known else None
    hint = language_of(query.from_user)
    return Press(
        bot=me.id,
        update_id=update_id,
        query=str(query.id),
        data=data,
        meaning=buttons.meaning_of(data, markup),
        address=_address_of(message, query.from_user),
        message=int(message.message_id),
        person=int(query.from_user.id),
        language=hint or "en",
        hint=hint,
        markup=markup,
        is_used=known is not None and not buttons.holds(markup, data),
    )


def _address_of(message: MaybeInaccessibleMessage, person: User) -> Address:
    if isinstance(message, Message):
        return address_of(message, person.id)
    return Address(message.chat.id, 0, 0 if message.chat.id > 0 else person.id)


class Presses:
    """Stores what is pressed, and shows that it was."""

    def __init__(
        self, client: TelegramClient, inbox: Inbox, prompts: Prompts, pacer: ChatPacer
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._prompts = prompts
        self._pacer = pacer
        self._used: dict[tuple[str, int, int, str], None] = {}
        self._tasks: set[asyncio.Future[None]] = set()

    async def take(self, press: Press) -> None:
        """Store a press. Raises what the inbox raises: it is not stored then."""
        used = (press.address.key, press.message, press.person, press.data)
        match press.meaning:
            case None:
                self._start(self._note(press, ""))
                return
            case _ if press.is_used or used in self._used:
                self._start(self._note(press, self._word("closed", press.language)))
                return
            case Command(text=""):
                self._start(self._note(press, self._word("closed", press.language)))
                return
            case Command(person=person) if person not in (0, press.person):
                self._start(self._note(press, self._word("not_yours", press.language)))
                return
            case Command() as command:
                await self._command(press, command)
            case Rating() as rating:
                await self._rate(press, rating)
        self._used[used] = None
        if len(self._used) > _USED_KEPT:
            del self._used[next(iter(self._used))]

    async def close(self) -> None:
        """End what is still being shown."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _rate(self, press: Press, rating: Rating) -> None:
        is_open = await self._inbox.rate(
            Feedback(
                channel=CHANNEL,
                event_key=f"callback:{press.query}",
                customer=str(press.person),
                verdict=rating.verdict,
                origin="button",
                turn=rating.turn,
                complaint=rating.complaint,
            )
        )
        words = self._prompts.labels("feedback", rating.language)
        rows = buttons.without(press.markup, "f")
        note = words["thanks_up" if rating.verdict == "up" else "thanks_down"]
        if not is_open:
            note = self._word("closed", rating.language)
        elif rating.verdict == "down" and rating.complaint is None:
            rows = [*buttons.complaints(rating.turn, rating.language, words), *rows]
            note = words["ask_why"]
        self._start(self._show(press, note, buttons.keyboard(rows)))

    async def _command(self, press: Press, command: Command) -> None:
        is_new = await self._inbox.accept(
            Incoming(
                channel=CHANNEL,
                event_keys=(
                    f"button:{press.bot}/{press.address.key}:{press.message}",
                    f"update:{press.bot}:{press.update_id}",
                ),
                address=str(press.address),
                customer=str(press.person),
                text=command.text,
                language=press.hint,
            )
        )
        note = "" if is_new else self._word("closed", press.language)
        rows = buttons.without(press.markup, "ct")
        self._start(self._show(press, note, buttons.keyboard(rows)))

    def _word(self, name: str, language: Language) -> str:
        return self._prompts.labels(CHANNEL, language)[name]

    def _start(self, showing: Awaitable[None]) -> None:
        task = asyncio.ensure_future(showing)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # An answer that is not Telegram's. The press is stored, and that is what counts.
            logger.warning("What a press changed was not shown (%s).", type(error).__name__)

    async def _show(self, press: Press, note: str, left: InlineKeyboardMarkup | None) -> None:
        await self._note(press, note)
        key = press.address.key
        for _ in range(_TRIES):
            await self._pacer.wait(key, "edit")
            try:
                await self._client.bot.edit_message_reply_markup(
                    press.address.chat, press.message, reply_markup=left
                )
            except RetryAfter as err:
                self._pacer.hold(key, seconds_to_wait(err))
                continue
            except BadRequest as err:
                # Gone, or changed already by another press.
                logger.debug("Buttons in chat %s stay: %s", key, self._client.redacted(err))
            except TelegramError as err:
                logger.info("Buttons in chat %s stay: %s", key, type(err).__name__)
            return

    async def _note(self, press: Press, text: str) -> None:
        try:
            await self._client.bot.answer_callback_query(press.query, text or None)
        except TelegramError as err:
            # Nobody misses it: the press is stored, and the app stops waiting by itself.
            logger.info("A press was not answered: %s", type(err).__name__)
