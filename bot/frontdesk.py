"""All parts of one running Frontdesk but its edges, made from the settings.

settings -> store, model, knowledge, policy -> conversations -> delivery
"""

import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from bot.actions import declarations
from bot.actions.agent import Agent
from bot.actions.service import Actions
from bot.alerts_upkeep import AlertsUpkeep
from bot.background import in_background
from bot.candidates.approved import ApprovedAnswers
from bot.candidates.drafts import DraftWriter
from bot.candidates.trimming import texts_to_encode
from bot.checks.answers import AnswerCheck
from bot.checks.replies import NO_RULES, ReplyChecks
from bot.checks.rules import RULES_FILE, Rules, read_rules
from bot.console import Console
from bot.conversation import ConversationManager
from bot.delivery import Delivery
from bot.encoding import encoder_of
from bot.errors import AttachmentError
from bot.groups_upkeep import GroupsUpkeep
from bot.intents.grouping import in_child
from bot.intents.in_force import IntentsInForce
from bot.intents.naming import ModelNamer
from bot.intents_upkeep import IntentsUpkeep
from bot.knowledge.encoder import Encoder
from bot.knowledge.search import Knowledge
from bot.limits import ANSWER_SECONDS, Limits
from bot.log import policies, transcripts
from bot.log.accounts import utc_now
from bot.log.dialogues import StoredDialogues
from bot.log.store import Store, sqlite_warning
from bot.messages import Attachment
from bot.metrics import Metrics
from bot.model_server import ModelServer
from bot.policy_upkeep import PolicyUpkeep
from bot.ports import Channel, Platform
from bot.ranking.exploration import DailyBudget, Exploring
from bot.ranking.folder import PolicyFolder
from bot.ranking.in_force import PolicyInForce
from bot.ranking.preference import Preference
from bot.settings import Settings
from bot.upkeep import Upkeep
from prompts import Prompts

if TYPE_CHECKING:
    from bot.transcription import Transcriber


class Frontdesk:
    """All parts of one running Frontdesk but its edges. Use `open_frontdesk` to make one."""

    def __init__(self, settings: Settings, prompts: Prompts, store: Store) -> None:
        self.settings = settings
        self.prompts = prompts
        self.store = store
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.model = ModelServer(settings, self.metrics.model_called)
        self.metrics.follow_breaker(self.model.breaker)
        encoder = encoder_of(settings)
        self.knowledge = Knowledge(store, encoder)
        self.metrics.watch_encoder(lambda: self.knowledge.questions_waiting)
        self.approved = ApprovedAnswers(store, self.knowledge.meaning, utc_now)
        self.actions = _actions(settings, store, prompts, self.model)
        self.policies = PolicyFolder(settings.policies)
        self.policy = PolicyInForce(self.policies)
        self.intents = IntentsInForce(settings.intents)
        self.budget = DailyBudget(settings.frontdesk_exploration_per_day, lambda: utc_now().date())
        self.rules = rules_of(settings)
        self.conversations = self._conversations(encoder)
        self.dialogues = StoredDialogues(store)
        self.platforms: dict[str, Platform] = {}
        self._transcriber = _transcriber(settings)
        self.delivery = self._delivery()
        if self.actions:
            self.actions.confirmations.send_through(self.delivery.pass_on)

    def _conversations(self, encoder: Encoder) -> ConversationManager:
        checks = ReplyChecks(AnswerCheck(encoder, self.knowledge.in_encoder), self.rules)
        return ConversationManager(
            knowledge=self.knowledge,
            approved=self.approved,
            drafts=DraftWriter(
                self.model.chat_model,
                self.prompts,
                drafts=self.settings.frontdesk_drafts,
                longest_tokens=self.model.draft_tokens,
                languages=self.model.languages,
                checks=checks,
            ),
            prompts=self.prompts,
            policy=Exploring(self.policy, self.settings.frontdesk_exploration, self.budget),
            rng=random.Random(),  # noqa: S311 - draws replies, no secrets
            preference=Preference(self.policy.scorer, self.knowledge.meaning.questions),
            note=self.budget.note,
            actions=self.actions,
            checks=checks,
            intents=self.intents,
        )

    def _delivery(self) -> Delivery:
        return Delivery(
            self.store,
            self.conversations,
            self.metrics,
            streams=frozenset(self.settings.frontdesk_stream),
            burst_seconds=self.settings.frontdesk_burst_seconds,
            transcribe=self._transcribe if self._transcriber else None,
            limits=Limits(
                # Who sets a longer wait for drafts wants it, also when there is much to do.
                answer_seconds=max(
                    ANSWER_SECONDS, (self.settings.frontdesk_draft_seconds or 0.0) + 2.0
                ),
                messages_per_minute=self.settings.frontdesk_customer_messages_per_minute,
                daily_tokens=self.settings.frontdesk_customer_tokens_per_day,
            ),
        )

    def add(self, platform: Platform) -> None:
        """Let a platform receive replies, and give out its customers' files."""
        self.platforms[platform.name] = platform
        self.delivery.add(platform)

    def upkeep(self, console: Console) -> Upkeep:
        """Return what keeps the articles up to date, telling so at the console."""
        return Upkeep(self.settings, self.knowledge, self.encode, console)

    def policy_upkeep(self, console: Console) -> PolicyUpkeep:
        """Return what follows and watches the policy in force, telling so at the console."""
        worths = self.settings.worths
        return PolicyUpkeep(self.store, self.policies, self.policy, worths, console, utc_now)

    def intents_upkeep(self, console: Console) -> IntentsUpkeep:
        """Return what follows the intent classifier and labels the log, telling so."""
        named = tuple(self.rules.intents)
        return IntentsUpkeep(self.store, self.intents, console, utc_now, named=named)

    def groups_upkeep(self, console: Console) -> GroupsUpkeep:
        """Return what groups the log's messages that no intent fits, telling so."""
        return GroupsUpkeep(
            self.store,
            in_child,
            console,
            utc_now,
            is_trained=lambda: self.intents.version is not None,
            namer=ModelNamer(self.model.chat_model, self.prompts, self.model.languages),
        )

    def alerts_upkeep(self, console: Console) -> AlertsUpkeep:
        """Return what tells when something rises beyond chance."""
        return AlertsUpkeep(self.store, console, utc_now, self.metrics.alerted)

    async def begin_telling_intents(self, console: Console) -> None:
        """Take over the classifier, and tell what the rules name that isn't there."""
        upkeep = self.intents_upkeep(console)
        await upkeep.follow()
        if self.intents.version is None:
            upkeep.check_rules()
        tools = self.actions.tools if self.actions else ()
        named = {tool for rule in self.rules.intents.values() for tool in rule.tools or ()}
        if unknown := sorted(named - set(tools)):
            console.warn(f"The rules name tools that aren't declared: {', '.join(unknown)}.")

    async def encode(self, progress: Callable[[int, int], None]) -> None:
        """Make every vector that is missing, calling `progress(done, total)`; resumable."""
        await self.approved.load()
        await self.knowledge.encode(progress)
        await self.knowledge.meaning.prepare(texts_to_encode(self.knowledge.passages()), progress)

    async def attachment(self, number: int) -> tuple[Attachment, bytes]:
        """Return a customer's file by its number in the log.

        Raises AttachmentError when there is none, or its platform does not give it out.
        """
        found = await self.store.read(lambda db: transcripts.attachment(db, number))
        if found is None:
            raise AttachmentError("There is no such file.")
        channel, attachment = found
        if channel not in self.platforms:
            raise AttachmentError(f"The file is at {channel}, which is not set up now.")
        return attachment, await self.platforms[channel].fetch(attachment)

    async def close(self) -> None:
        """Close what was opened beside the database."""
        if self.actions:
            await self.actions.close()
        await self.model.close()
        self.intents.close()
        self.knowledge.close()
        if self._transcriber:
            await self._transcriber.close()

    async def _transcribe(self, channel: str, voice: Attachment) -> str:
        assert self._transcriber is not None
        content = await self.platforms[channel].fetch(voice)
        return await self._transcriber.transcribe(content, voice.name or "voice.ogg", None)

    async def readiness(self, channels: Sequence[Channel]) -> Mapping[str, str | None]:
        """Return each part's trouble as a sentence, or None for those that are well."""
        parts: dict[str, str | None] = {"model": self.model.trouble()}
        try:
            await self.store.read(lambda db: db.execute("SELECT 1 FROM turns LIMIT 1").fetchone())
            parts["database"] = self.store.trouble()
        except Exception as err:  # whatever it is, it is what is asked for here
            parts["database"] = f"The database can't be read ({type(err).__name__})."
        return parts | {channel.name: channel.trouble() for channel in channels}


@contextlib.asynccontextmanager
async def open_frontdesk(
    settings: Settings, console: Console, database: Path | None = None
) -> AsyncIterator[Frontdesk]:
    """Open the database, bring the articles in, and close everything at the end."""
    prompts = Prompts.load()
    store = Store(database or settings.database)
    try:
        console.say(f"Database: {store.path}, SQLite {sqlite3.sqlite_version}.")
        if warning := sqlite_warning():
            console.warn(warning)
        frontdesk = Frontdesk(settings, prompts, store)
        try:
            await frontdesk.upkeep(console).bring_in()
            await frontdesk.begin_telling_intents(console)
            midnight = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
            frontdesk.budget.resume(await store.read(lambda db: policies.tries(db, midnight)))
            if frontdesk.actions:
                await frontdesk.actions.confirmations.resume()
            yield frontdesk
        finally:
            await frontdesk.close()
    finally:
        store.close()


@contextlib.asynccontextmanager
async def open_workbench(
    settings: Settings, console: Console, *, with_model: bool
) -> AsyncIterator[Frontdesk]:
    """Open a Frontdesk to measure with: a database of its own, every vector made, the model ready.

    The company's log is not touched, so this runs beside `frontdesk run`.
    """
    folder = settings.frontdesk_data / "workbench"
    changes: dict[str, float] = {"frontdesk_exploration": 0.0}
    if not with_model:
        changes["frontdesk_drafts"] = 0
    settings = settings.model_copy(update=changes)
    async with open_frontdesk(settings, console, folder / "frontdesk.db") as frontdesk:
        await frontdesk.encode(console.encoding)
        silence = frontdesk.model.silence() if with_model else None
        if silence:
            console.say(silence)
        if silence or not with_model:
            yield frontdesk
            return
        await frontdesk.model.check()
        async with in_background(frontdesk.model.run(console)):
            await frontdesk.model.chat_model.open()
            if frontdesk.model.engine:
                await frontdesk.model.engine.wait_ready()
            yield frontdesk


def rules_of(settings: Settings) -> Rules:
    """Return the company's rules for replies. Raises ArticlesError for a broken file."""
    if settings.frontdesk_rules is not None:
        return read_rules(settings.frontdesk_rules)
    file = settings.frontdesk_articles / RULES_FILE
    return read_rules(file) if file.is_file() else NO_RULES


def _actions(
    settings: Settings, store: Store, prompts: Prompts, model: ModelServer
) -> Actions | None:
    """Return the declared tools, None without a file of them.

    Raises SettingsError for a file that can't be used.
    """
    file = settings.frontdesk_actions
    if file is None:
        return None
    declared = declarations.load(file)
    # The default model is too small to choose tools.
    may_choose = model.engine is None if declared.agent is None else declared.agent
    agent = Agent(model.chat_model, prompts) if may_choose else None
    return Actions(declared, file.parent, store, prompts, agent)


def _transcriber(settings: Settings) -> "Transcriber | None":
    if settings.frontdesk_transcription_url is None:
        return None
    from bot.transcription import Transcriber  # takes half a second, and few need it

    return Transcriber(
        url=settings.frontdesk_transcription_url,
        model=settings.frontdesk_transcription_model,
        key=settings.frontdesk_transcription_key,
    )
