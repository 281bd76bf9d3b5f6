"""The fake transcription server refuses what a real one refuses."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.fakes.transcription_api import LARGEST_BYTES, MODEL, FakeTranscription, Recording


@pytest.fixture
async def server() -> AsyncIterator[FakeTranscription]:
    async with FakeTranscription(key="secret") as started:
        yield started


async def post(
    server: FakeTranscription,
    content: bytes = b"OggS",
    name: str = "voice.ogg",
    key: str = "secret",
    **fields: str,
) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(
            f"{server.url}/audio/transcriptions",
            headers={"Authorization": f"Bearer {key}"},
            data={"model": MODEL, **fields},
            files={"file": (name, content)},
        )


async def test_that_a_recording_is_heard(server: FakeTranscription) -> None:
    server.hears = "包裹在哪里？"

    response = await post(server, language="zh")

    assert (response.status_code, response.json()) == (200, {"text": "包裹在哪里？"})
    assert server.recordings == [Recording(b"OggS", "voice.ogg", "zh")]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"key": "wrong"}, 401),
        ({"model": "other"}, 404),
        ({"content": b""}, 400),
        ({"name": "voice.txt"}, 400),
        ({"name": "voice"}, 400),
        ({"language": "english"}, 400),
        ({"response_format": "poem"}, 400),
        ({"content": b"0" * (LARGEST_BYTES + 1)}, 413),
    ],
)
async def test_that_what_a_server_refuses_is_refused(
    server: FakeTranscription, changes: dict[str, str], status: int
) -> None:
    response = await post(server, **changes)  # type: ignore[arg-type]

    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert server.recordings == []


@pytest.mark.parametrize("form", [{"data": {"model": MODEL}}, {"json": {"model": MODEL}}])
async def test_that_a_file_must_come_in_a_form(
    server: FakeTranscription, form: dict[str, object]
) -> None:
    async with httpx.AsyncClient(headers={"Authorization": "Bearer secret"}) as client:
        url = f"{server.url}/audio/transcriptions"
        response = await client.post(url, **form)  # type: ignore[arg-type]

    assert response.status_code == 400


async def test_that_it_fails_as_told(server: FakeTranscription) -> None:
    server.fails(500, "oops", "text/plain")

    response = await post(server)

    assert (response.status_code, response.text) == (500, "oops")
