"""The model server: the embedded vLLM engine, or an OpenAI-compatible server of the operator's."""

import socket
from collections.abc import Mapping, Sequence

from bot.background import in_background
from bot.breaker import Breaker
from bot.console import Console
from bot.errors import SettingsError
from bot.messages import LANGUAGES, Language
from bot.model import ChatModel, Timeouts
from bot.model_calls import Call, Note
from bot.model_watch import ModelWatch
from bot.settings import Settings
from serving import profiles
from serving.engine import Engine
from serving.errors import ServingError
from serving.weights import DEFAULT_MODEL

# What the default model writes hardly ever passes the checks (docs/quality.md).
LANGUAGES_OF_DEFAULT: Sequence[Language] = ()
START_SECONDS = 2.0
LONGEST_PROBE_SECONDS = 4.0


class ModelServer:
    """The model, wherever it runs: the embedded engine, or a server of the operator's.

    `note` is told of every request to it that is over.
    """

    def __init__(self, settings: Settings, note: Note = lambda call: None) -> None:
        self._note_elsewhere = note
        self.breaker = Breaker()
        self.engine: Engine | None = None
        self._watch: ModelWatch | None = None
        url = settings.frontdesk_model_url
        if url:
            name = settings.frontdesk_model or _required_model_name()
            self._watch = ModelWatch(url, name, settings.frontdesk_model_key)
        else:
            self.engine = embedded_engine(settings)
            url, name = self.engine.url, self.engine.model
        is_small = name == DEFAULT_MODEL
        self.languages: Sequence[Language] = LANGUAGES_OF_DEFAULT if is_small else LANGUAGES
        if settings.frontdesk_model_languages is not None:
            self.languages = settings.frontdesk_model_languages
        # A small model rambles where a large one reasons first.
        self.draft_tokens = settings.frontdesk_draft_tokens or (48 if is_small else 1024)
        draft_seconds = settings.frontdesk_draft_seconds or (5.0 if is_small else 8.0)
        self._probe_seconds = min(LONGEST_PROBE_SECONDS, draft_seconds / 2)
        self.chat_model = ChatModel(
            url=url,
            name=name,
            key=settings.frontdesk_model_key,
            context_tokens=settings.frontdesk_model_context,
            timeouts=Timeouts(visible=draft_seconds),
            trouble=self.trouble,
            note=self._note,
        )

    def trouble(self) -> str | None:
        """Say why no drafts can be written now, or None when they can."""
        if not self.chat_model.is_open:
            return "the client of the model is being loaded"
        if self._watch:
            return self._watch.trouble() or self.breaker.trouble()
        assert self.engine is not None
        return self.breaker.trouble() if self.engine.state == "ready" else self.engine.detail

    def status(self) -> Mapping[str, str]:
        """Tell the customer page how the model is; one that writes nothing keeps nobody waiting."""
        trouble = self.trouble() if self.languages else None
        if trouble is None:
            return {"model": "ready", "detail": ""}
        loading = self.engine is not None and self.engine.state in ("preparing", "loading")
        return {"model": "loading" if loading else "unavailable", "detail": trouble}

    def silence(self) -> str | None:
        """Say why the model is asked for no answers, or None when it is."""
        if self.languages:
            return None
        name = self.chat_model.name
        if name != DEFAULT_MODEL:
            return f"{name} writes no answers, as FRONTDESK_MODEL_LANGUAGES is empty."
        return (
            f"{name} is too small to write answers: customers get the articles' own words. Set "
            "FRONTDESK_MODEL or FRONTDESK_MODEL_URL to a larger model (docs/serving.md)."
        )

    async def check(self) -> None:
        """Raise SettingsError when the operator's server can't be used; the engine is not asked."""
        if self._watch and (trouble := await self._watch.check()):
            raise SettingsError(trouble)

    async def greet(self, console: Console) -> None:
        """Say when the model writes no answers, and warn when its server can't be used yet.

        The program starts all the same.
        """
        if silence := self.silence():
            console.say(silence)
        if self._watch and (trouble := await self._watch.check(START_SECONDS)):
            console.warn(f"{trouble} Until it answers, answers come from the articles alone.")

    async def run(self, console: Console) -> None:
        """Run the engine, or watch the operator's server, until cancelled."""
        async with in_background(self.chat_model.open(), self.breaker.run(self._probe)):
            await self._run_or_watch(console)

    async def _run_or_watch(self, console: Console) -> None:
        if self._watch:
            await self._watch.run()
            return
        assert self.engine is not None
        async with in_background(console.follow_engine(self.engine)):
            try:
                await self.engine.run()
            except ServingError as err:
                console.warn(f"{err} Until the next start, answers come from the articles alone.")

    async def _probe(self) -> None:
        await self.chat_model.probe(self._probe_seconds)

    def _note(self, call: Call) -> None:
        self.breaker.note(call)
        self._note_elsewhere(call)
        if self._watch and call.outcome == "missing":
            self._watch.look()

    async def close(self) -> None:
        """End the engine, or close the connection."""
        if self.engine:
            await self.engine.stop()
        if self._watch:
            await self._watch.close()
        await self.chat_model.close()


def embedded_engine(settings: Settings, port: int | None = None) -> Engine:
    """Return the engine that this machine can run; it is not started yet."""
    return Engine(
        profiles.detect(settings.frontdesk_model),
        models=settings.frontdesk_data / "models",
        log=settings.frontdesk_data / "engine.log",
        port=port or _free_port(),
    )


def _required_model_name() -> str:
    raise SettingsError(
        "FRONTDESK_MODEL is not set; FRONTDESK_MODEL_URL needs it: the model's id at that server."
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
