"""An encoder elsewhere: any server with OpenAI's `/embeddings`."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import numpy as np
from pydantic import SecretStr

from bot.errors import EncoderError
from bot.knowledge.encoder import Vectors

QUESTION_SECONDS = 3.0
PASSAGES_SECONDS = 60.0
# After a failure the server is left alone for so long: every question would else wait for it.
REST_SECONDS = 30.0


class EmbeddingsServer:
    """Gets vectors from `url`, which ends in /v1. Raises EncoderError where there are none."""

    def __init__(
        self,
        url: str,
        model: str,
        key: SecretStr | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = f"{model} at {url}"
        self._url = f"{url}/embeddings"
        self._model = model
        self._headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        self._client = httpx.Client()
        self._clock = clock
        self._rests_until = 0.0

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, width)."""
        return self._encoded(texts, PASSAGES_SECONDS)

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, width)."""
        return self._encoded(texts, QUESTION_SECONDS)

    def _encoded(self, texts: Sequence[str], seconds: float) -> Vectors:
        if self._clock() < self._rests_until:
            raise EncoderError("the embeddings server failed a moment ago")
        try:
            answer = self._client.post(
                self._url,
                json={"model": self._model, "input": list(texts), "encoding_format": "float"},
                headers=self._headers,
                timeout=seconds,
            )
            answer.raise_for_status()
            return _vectors(answer.json(), len(texts))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, KeyError) as err:
            self._rests_until = self._clock() + REST_SECONDS
            # Its text can hold what the customer wrote.
            kind = getattr(getattr(err, "response", None), "status_code", type(err).__name__)
            raise EncoderError(f"the embeddings server gave no vectors ({kind})") from None


def _vectors(answer: Any, number: int) -> Vectors:
    rows = sorted(answer["data"], key=lambda row: int(row["index"]))
    vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True) if vectors.ndim == 2 else None
    if (
        lengths is None
        or len(vectors) != number
        or not np.isfinite(vectors).all()
        or not lengths.all()
    ):
        raise ValueError("not one vector a text")
    return np.asarray(vectors / lengths, dtype=np.float32)
