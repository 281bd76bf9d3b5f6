"""Voice messages as text, by any server with OpenAI's transcription API."""

import json

import openai
from pydantic import SecretStr

from bot.errors import AttachmentError
from bot.messages import Language
from bot.understanding import clean

TIMEOUT_SECONDS = 60.0


class Transcriber:
    """Asks one model of one server. `url` ends in /v1."""

    def __init__(
        self,
        url: str,
        model: str,
        key: SecretStr | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._url = url.rstrip("/")
        self._model = model
        self._timeout = timeout
        self._client = openai.AsyncOpenAI(
            base_url=self._url,
            # The library wants a key; a server without one ignores it.
            api_key=key.get_secret_value() if key else "none",
            timeout=timeout,
            max_retries=0,
        )

    async def transcribe(self, content: bytes, name: str, language: Language | None) -> str:
        """Return what is said in a recording; `name` says by its ending what kind of file it is.

        `language` is the one spoken, if it is known. Raises AttachmentError when the server can't
        be reached, refuses the recording, or hears no words.
        """
        try:
            heard = await self._client.audio.transcriptions.create(
                file=(name, content),
                model=self._model,
                language=language or openai.omit,
                response_format="json",
            )
        except openai.OpenAIError as err:
            raise AttachmentError(self._explained(err)) from err
        except json.JSONDecodeError as err:
            raise AttachmentError(f"{self._server} gave no usable answer.") from err
        text = getattr(heard, "text", None)
        if not isinstance(text, str):
            raise AttachmentError(f"{self._server} gave no usable answer.")
        if not (said := clean(text).strip()):
            raise AttachmentError("The recording holds no words.")
        return said

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @property
    def _server(self) -> str:
        return f"The transcription server at {self._url}"

    def _explained(self, error: openai.OpenAIError) -> str:
        match error:
            case openai.APITimeoutError():
                return f"{self._server} gave no answer within {self._timeout:g} seconds."
            case openai.APIConnectionError():
                return (
                    f"{self._server} can't be reached; start it, or correct"
                    " FRONTDESK_TRANSCRIPTION_URL."
                )
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return f"{self._server} refused the key; correct FRONTDESK_TRANSCRIPTION_KEY."
            case openai.NotFoundError():
                return (
                    f"{self._server} doesn't know the model {self._model!r}; correct"
                    " FRONTDESK_TRANSCRIPTION_MODEL, or FRONTDESK_TRANSCRIPTION_URL, which must"
                    " end in /v1."
                )
            case openai.APIStatusError():
                return f"{self._server} refused the recording with status {error.status_code}."
        return f"{self._server} gave no usable answer."
