"""A trained classifier as one file: a zip of JSON, plain arrays and ONNX graphs, never code.

The file is written whole or not at all, so a running program never sees half a model.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bot.errors import IntentsError
from bot.intents.classifier import Expert, IntentClassifier
from bot.intents.embedder import EnglishParts
from bot.intents.heads import Head
from bot.intents.live import LiveParts, LiveReader
from bot.intents.scope import Scope
from bot.whole_file import write_whole

VERSION = 1
NAME = "classifier.zip"
CARD = "classifier.md"
_ABOUT = "about.json"
_ExpertName = Literal["everything", "english"]
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Stored:
    """A classifier read from a file, with what `save` was told about it.

    `version` is of all that is in the file.
    """

    classifier: IntentClassifier
    about: Mapping[str, Any]
    version: str


def save(folder: Path, classifier: IntentClassifier, about: Mapping[str, Any], card: str) -> Path:
    """Write a classifier and its card; return its file. Raises IntentsError where it can't.

    The experts' readers must be live ones.
    """
    experts = {"everything": classifier.everything, "english": classifier.english}
    there = {name: expert for name, expert in experts.items() if expert is not None}
    whole = {
        "version": VERSION,
        "intents": classifier.intents,
        "experts": {name: _numbers(expert) for name, expert in there.items()},
        "about": about,
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr(_ABOUT, json.dumps(whole, ensure_ascii=False, indent=1))
        for name, expert in there.items():
            _write_expert(file, name, expert)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / CARD, card.encode())
        write_whole(folder / NAME, made.getvalue())
    except OSError as err:
        raise IntentsError(f"The folder {folder} can't be written ({err.strerror}).") from err
    return folder / NAME


def load(folder: Path) -> Stored:
    """Read the classifier of a folder.

    Raises IntentsError where there is none, it is damaged, or of another version.
    """
    path = folder / NAME
    try:
        with zipfile.ZipFile(path) as file:
            version = _version(file)
            whole = json.loads(file.read(_ABOUT))
            if whole["version"] != VERSION:
                raise IntentsError(
                    f"{path} has version {whole['version']!r}, this Frontdesk reads version "
                    f"{VERSION}: train anew with `frontdesk intents train`."
                )
            experts = {
                name: _read_expert(file, name, numbers)
                for name, numbers in whole["experts"].items()
            }
        classifier = IntentClassifier(
            whole["intents"], experts["everything"], experts.get("english")
        )
    except FileNotFoundError as err:
        raise IntentsError(
            f"There is no trained classifier in {folder}: run `frontdesk intents train` first."
        ) from err
    except OSError as err:
        raise IntentsError(f"{path} can't be read ({err.strerror}).") from err
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError) as err:
        raise IntentsError(
            f"{path} is damaged: train anew with `frontdesk intents train`."
        ) from err
    return Stored(classifier, whole["about"], version)


def _version(file: zipfile.ZipFile) -> str:
    """Return a hash of the names and checksums, which are checked as the parts are read."""
    parts = sorted((part.filename, part.CRC) for part in file.infolist())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _numbers(expert: Expert) -> dict[str, Any]:
    parts = _parts(expert)
    english = parts.english
    return {
        "base": parts.base,
        "temperature": expert.temperature,
        "threshold": expert.scope.threshold,
        "several": expert.several,
        "vocabulary": list(english.vocabulary) if english else None,
        "scale": english.scale if english else None,
        "zero": english.zero if english else None,
    }


def _write_expert(file: zipfile.ZipFile, name: str, expert: Expert) -> None:
    parts = _parts(expert)
    file.writestr(f"{name}/encoder.onnx", parts.graph)
    groups: dict[str, Arrays] = {"head": parts.head.arrays(), "scope": expert.scope.arrays()}
    if parts.english:
        groups["words"] = parts.english.arrays()
    for group, arrays in groups.items():
        for key, array in arrays.items():
            raw = io.BytesIO()
            np.save(raw, array, allow_pickle=False)
            file.writestr(f"{name}/{group}/{key}.npy", raw.getvalue())


def _read_expert(file: zipfile.ZipFile, name: str, numbers: Mapping[str, Any]) -> Expert:
    english = None
    if numbers["base"] == "bge":
        english = EnglishParts.from_arrays(
            _arrays(file, f"{name}/words/"),
            numbers["vocabulary"],
            float(numbers["scale"]),
            int(numbers["zero"]),
        )
    parts = LiveParts(
        base=numbers["base"],
        graph=file.read(f"{name}/encoder.onnx"),
        head=Head.from_arrays(_arrays(file, f"{name}/head/")),
        english=english,
    )
    return Expert(
        reader=LiveReader(parts),
        temperature=float(numbers["temperature"]),
        scope=Scope.from_arrays(_arrays(file, f"{name}/scope/"), float(numbers["threshold"])),
        several=numbers["several"],
    )


def _parts(expert: Expert) -> LiveParts:
    assert isinstance(expert.reader, LiveReader), "only live readers are stored"
    return expert.reader.parts


def _arrays(file: zipfile.ZipFile, prefix: str) -> dict[str, NDArray[Any]]:
    return {
        name.removeprefix(prefix).removesuffix(".npy"): np.load(
            io.BytesIO(file.read(name)), allow_pickle=False
        )
        for name in file.namelist()
        if name.startswith(prefix)
    }
