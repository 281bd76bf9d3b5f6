"""One attempt to answer what a customer wrote: with what was said before, and in their sight."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.admission import Admission, Admitted, Entry, Overloaded
from bot.conversation import Answer, ConversationManager, Halt, Utterance
from bot.errors import AttachmentError
from bot.limits import ShedReason
from bot.lines import looks_unfinished
from bot.log import inbox, record, usage
from bot.log.inbox import Received
from bot.log.store import Store
from bot.log.turns import HISTORY_TURNS
from bot.messages import Attachment, Dialogue, Place, Stage
from bot.ports import Channel
from bot.preview import Preview
from bot.privacy import mask
from bot.sending import PatientWriter, Pause
from bot.understanding import clean, language_of

logger = logging.getLogger(__name__)

LARGEST_ATTEMPTS = 3  # a message that ended the program this often is handed to a person

# From a channel's name and a voice message to what it says; raises AttachmentError.
Transcribe = Callable[[str, Attachment], Awaitable[str]]


class Answerer:
    """Finds answers, as many at once as `admission` lets.

    `streams` are the names of the channels where answers appear while they are written. The rest
    of a message that looks unfinished is waited for, `burst_seconds` long.
    """

    def __init__(
        self,
        store: Store,
        writer: PatientWriter,
        conversations: ConversationManager,
        channels: Mapping[str, Channel],
        admission: Admission,
        *,
        streams: frozenset[str],
        burst_seconds: float,
        transcribe: Transcribe | None,
        now: Callable[[], datetime],
        pause: Pause,
    ) -> None:
        self.store = store
        self.writer = writer
        self.conversations = conversations
        self.channels = channels
        self.streams = streams
        self.burst_seconds = burst_seconds
        self.transcribe = transcribe
        self.now = now
        self.pause = pause
        self.admission = admission

    def attempt(
        self, batch: Sequence[Received], since: float, *, has_stopped: bool = False
    ) -> "Attempt":
        """Return a new attempt to answer some messages together, which wait `since` then.

        `has_stopped` says whether the last of them, a "stop", ended something.
        """
        return Attempt(self, batch, since, has_stopped=has_stopped)

    def failure(self, batch: Sequence[Received]) -> Answer:
        """Return the hand-off of messages whose answer could not be found, or not be stored."""
        last = batch[-1]
        return self.conversations.failure(Utterance(text=last.text, language=last.language))

    async def shed(self, batch: Sequence[Received], reason: ShedReason) -> Answer:
        """Return the polite reply to messages that are not answered."""
        last = batch[-1]
        context = await self.store.read(lambda db: record.context(db, last, 0))
        language = context.language or last.language
        utterance = Utterance(text=last.text, language=language, chosen=context.chosen)
        logger.warning("Message %d is not answered: %s.", last.id, reason)
        return self.conversations.shed(utterance, reason)


class Attempt:
    """One attempt. `batch` are the messages as they were answered, voice messages as text."""

    def __init__(
        self, answerer: Answerer, batch: Sequence[Received], since: float, *, has_stopped: bool
    ) -> None:
        self._of = answerer
        self._since = since
        self._admitted: Admitted | None = None
        self._halt = Halt()
        self._has_stopped = has_stopped
        self._preview: Preview | None = None
        self.batch = list(batch)

    @property
    def is_visible(self) -> bool:
        """Whether the customer may see something of the answer already."""
        return self._preview is not None and self._preview.is_visible

    @property
    def model_calls(self) -> int:
        """How often the model was asked."""
        return self._admitted.model_calls if self._admitted else 0

    async def run(self) -> Answer:
        """Return the answer, not before the rest of an unfinished message had time to come."""
        rest = asyncio.ensure_future(self._wait_for_rest())
        try:
            answer = await self._find_in_turn(rest)
            await rest
        finally:
            rest.cancel()
        return answer

    def stop(self) -> None:
        """Write no more, and add nothing to what is visible: the customer said so."""
        self._halt.stop(is_asked_for=True)

    def leave(self) -> None:
        """Let the model write no more, since nobody waits for it; the articles answer."""
        self._halt.stop(is_asked_for=False)

    async def finish(self) -> None:
        """Show no more, and wait until what is on its way has arrived."""
        if self._preview:
            await self._preview.finish()

    def abandon(self) -> None:
        """Show no more, not even what is on its way."""
        if self._preview:
            self._preview.abandon()

    async def _wait_for_rest(self) -> None:
        last = self.batch[-1]  # nothing joins a new version
        # To a file without words, its words often follow.
        is_unfinished = looks_unfinished(last.text) or bool(last.attachments and not last.text)
        if self._of.burst_seconds and last.edits is None and is_unfinished:
            await self._of.pause(self._of.burst_seconds)

    async def _find_in_turn(self, rest: "asyncio.Future[None]") -> Answer:
        last = self.batch[-1]
        entry = Entry(last.channel, last.customer, self._since)
        try:
            async with self._of.admission.enter(entry) as admitted:
                self._admitted = admitted
                return await self._find(rest, admitted)
        except Overloaded as err:
            return await self._of.shed(self.batch, err.reason)

    async def _find(self, rest: "asyncio.Future[None]", admitted: Admitted) -> Answer:
        await self._listen()
        await admitted.begin()
        last, now, limits = self.batch[-1], self._of.now(), self._of.admission.limits
        context, used = await self._of.store.read(
            lambda db: (
                record.context(db, last, HISTORY_TURNS),
                usage.tokens_used(db, last.channel, last.customer, now),
            )
        )
        admitted.may_spend_tokens = not limits.daily_tokens or used < limits.daily_tokens
        text = await self._of.store.read(lambda db: inbox.wording(db, self.batch))
        # The channel may know the language of a customer who has not written yet.
        language = context.language or last.language
        if self._has_stopped:
            text, language = last.text, language_of(text.removesuffix(last.text), language)
        utterance = Utterance(
            text=text,
            history=context.history,
            language=language,
            has_stopped=self._has_stopped,
            chosen=context.chosen,
            has_files=any(message.attachments for message in self.batch),
            dialogue=Dialogue(channel=last.channel, address=last.address, customer=last.customer),
        )
        if max(message.attempts for message in self.batch) >= LARGEST_ATTEMPTS:
            logger.error("Message %d ended the program before; handed off.", last.id)
            return self._of.conversations.failure(utterance)
        try:
            return await self._answer(utterance, rest, admitted)
        except Exception:  # the edge of one message: the customer still gets an answer
            logger.exception("Message %d could not be answered.", last.id)
            return self._of.conversations.failure(utterance)

    async def _answer(
        self, utterance: Utterance, rest: "asyncio.Future[None]", admitted: Admitted
    ) -> Answer:
        channel, place = self._of.channels[self.batch[-1].channel], self._place(utterance)

        async def progress(stage: Stage) -> None:
            await channel.show_progress(place, stage)

        if channel.name not in self._of.streams or not self._has_nothing_shown():
            return await self._of.conversations.answer(
                utterance, progress, halt=self._halt, allowance=admitted
            )
        preview = self._preview = Preview(channel, place, self._keep)

        async def show(text: str) -> None:
            if rest.done():
                await preview.show(text)

        return await self._of.conversations.answer(
            utterance, progress, show, halt=self._halt, allowance=admitted
        )

    def _has_nothing_shown(self) -> bool:
        # A new version's answer takes the old one's place, and one that a crash interrupted its
        # beginning's: both in one step.
        return all(message.edits is None and message.preview is None for message in self.batch)

    def _place(self, utterance: Utterance) -> Place:
        last = self.batch[-1]
        return Place(
            address=last.address,
            customer=last.customer,
            in_reply_to=last.event_key,
            language=utterance.chosen or language_of(utterance.text, utterance.language),
        )

    async def _keep(self, post: str) -> None:
        message = self.batch[-1].id
        await self._of.writer.write(lambda db: inbox.set_preview(db, message, post))

    async def _listen(self) -> None:
        """Turn voice messages without words into text, where that is set up."""
        for position, message in enumerate(self.batch):
            voice = next((a for a in message.attachments if a.kind in ("voice", "audio")), None)
            if voice is None or message.text or self._of.transcribe is None:
                continue
            try:
                heard = mask(clean(await self._of.transcribe(message.channel, voice)))
            except AttachmentError as err:
                logger.warning("Message %d could not be transcribed: %s", message.id, err)
                continue
            except Exception:  # the customer is told what can be read
                logger.exception("Message %d could not be transcribed.", message.id)
                continue
            await self._of.writer.write(
                lambda db: inbox.set_text(db, message.id, heard)  # noqa: B023
            )
            self.batch[position] = replace(message, text=heard)
