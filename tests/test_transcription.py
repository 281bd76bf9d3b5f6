"""Voice messages as text: the real client library against a server that can fail."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from bot.errors import AttachmentError
from bot.messages import Language
from bot.transcription import Transcriber
from tests.fakes.transcription_api import MODEL, FakeTranscription, Recording

KEY = "sk-very-secret"


@pytest.fixture
async def server() -> AsyncIterator[FakeTranscription]:
    async with FakeTranscription(key=KEY) as started:
        yield started


@pytest.fixture
async def transcriber(server: FakeTranscription) -> AsyncIterator[Transcriber]:
    opened = Transcriber(server.url, MODEL, SecretStr(KEY))
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("language", "said"), [("en", "Where is it?"), ("zh", "我的包裹在哪里？"), (None, "Hello")]
)
async def test_that_a_recording_becomes_text(
    server: FakeTranscription, transcriber: Transcriber, language: Language | None, said: str
) -> None:
    server.hears = f" {said}\u200b\n"

    assert await transcriber.transcribe(b"OggS", "voice.oga", language) == said
    assert server.recordings == [Recording(b"OggS", "voice.oga", language)]


async def test_that_a_server_without_a_key_is_fine(server: FakeTranscription) -> None:
    server.key = None
    transcriber = Transcriber(f"{server.url}/", MODEL)

    assert await transcriber.transcribe(b"OggS", "voice.ogg", None) == server.hears
    await transcriber.close()


@pytest.mark.parametrize(
    ("status", "body", "content_type", "message"),
    [
        (500, "{}", "application/json", "refused the recording with status 500"),
        (429, "{}", "application/json", "refused the recording with status 429"),
        (413, "<html>", "text/html", "refused the recording with status 413"),
        (403, "{}", "application/json", "correct FRONTDESK_TRANSCRIPTION_KEY"),
        (404, "", "text/html", "must end in /v1"),
        (200, "<html>Bad gateway</html>", "text/html", "no usable answer"),
        (200, "{", "application/json", "no usable answer"),
        (200, "null", "application/json", "no usable answer"),
        (200, "[1]", "application/json", "no usable answer"),
        (200, '{"words": 1}', "application/json", "no usable answer"),
        (200, '{"text": 7}', "application/json", "no usable answer"),
        (200, '{"text": " \\n"}', "application/json", "holds no words"),
    ],
)
async def test_that_a_failure_is_one_sentence_and_is_not_tried_again(
    server: FakeTranscription,
    transcriber: Transcriber,
    status: int,
    body: str,
    content_type: str,
    message: str,
) -> None:
    server.fails(status, body, content_type)

    with pytest.raises(AttachmentError, match=message) as caught:
        await transcriber.transcribe(b"OggS", "voice.ogg", "en")

    assert server.requests == 1
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "key", "message"),
    [
        ("other", KEY, "doesn't know the model 'other'; correct FRONTDESK_TRANSCRIPTION_MODEL"),
        (MODEL, "wrong", "refused the key; correct FRONTDESK_TRANSCRIPTION_KEY"),
    ],
)
async def test_that_a_wrong_setting_is_named(
    server: FakeTranscription, model: str, key: str, message: str
) -> None:
    transcriber = Transcriber(server.url, model, SecretStr(key))

    with pytest.raises(AttachmentError, match=message):
        await transcriber.transcribe(b"OggS", "voice.ogg", None)
    await transcriber.close()


async def test_that_an_empty_recording_is_refused(transcriber: Transcriber) -> None:
    with pytest.raises(AttachmentError, match="refused the recording with status 400"):
        await transcriber.transcribe(b"", "voice.ogg", None)


async def test_that_a_server_that_is_gone_is_named(transcriber: Transcriber) -> None:
    async with FakeTranscription() as gone:
        url = gone.url
    unreachable = Transcriber(url, MODEL)

    with pytest.raises(AttachmentError, match="can't be reached; start it, or correct"):
        await unreachable.transcribe(b"OggS", "voice.ogg", None)
    await unreachable.close()


async def test_that_a_server_that_hangs_is_given_up(server: FakeTranscription) -> None:
    server.hold()
    hasty = Transcriber(server.url, MODEL, SecretStr(KEY), timeout=0.05)

    with pytest.raises(AttachmentError, match=r"gave no answer within 0\.05 seconds"):
        await hasty.transcribe(b"OggS", "voice.ogg", None)
    await hasty.close()
