"""The scorer itself: what a reply's chances are, and why; stored as plain data."""

import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.errors import RankingError
from bot.ranking.scorer.combiner import Combiner
from bot.ranking.scorer.evidence import Log
from bot.ranking.scorer.net import Net
from bot.ranking.scorer.parts import NAMES, Knowledge, net_numbers
from bot.ranking.scorer.space import PIECES, Space
from bot.ranking.scorer.texts import Texts
from bot.ranking.scorer.wording import Rarity
from bot.whole_file import write_whole

Numbers = NDArray[np.float64]

VERSION = 1  # of the parts and of how they are stored
_LOG = ("right", "offered", "vectors", "contexts", "slates", "chosen", "worth")
_SHORT = ("vectors", "contexts")  # stored in 16 bits


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Scorer:
    """How likely each text is the reply that people want.

    `encoder` is the name of the one whose vectors it takes; `trained_on` says what it learned from.
    """

    knowledge: Knowledge
    combiner: Combiner
    encoder: str
    trained_on: Mapping[str, Any]

    @property
    def method(self) -> str:
        """How it was made, in words."""
        known = self.trained_on
        return (
            f"{len(NAMES)} parts of {known['learned']} choices, combined by {known['combiner']}; "
            f"{len(self.knowledge.nets)} nets on {self.encoder}"
        )

    def scores(self, context: Sequence[str], replies: Sequence[str], texts: Texts) -> Numbers:
        """Return a number for each reply to the turns before; only differences mean something.

        The last TURNS of the context and all replies have their vectors in `texts`.
        """
        return self.combiner.scores(self.knowledge.parts(context, replies, texts))

    def chances(self, context: Sequence[str], replies: Sequence[str], texts: Texts) -> Numbers:
        """Return the probability of each reply to be the one that people want, of these."""
        scores = self.scores(context, replies, texts)
        share = np.exp(scores - scores.max())
        return np.asarray(share / share.sum())

    def explain(
        self, context: Sequence[str], replies: Sequence[str], texts: Texts
    ) -> list[dict[str, float]]:
        """Return what each part adds to each reply, against the mean of these; largest first."""
        added = self.combiner.contributions(self.knowledge.parts(context, replies, texts))
        added -= added.mean(axis=0)
        named = (dict(zip(NAMES, row, strict=True)) for row in added.tolist())
        return [dict(sorted(row.items(), key=lambda part: -abs(part[1]))) for row in named]

    def save(self, file: Path) -> None:
        """Store it whole or not at all. Raises RankingError when the file can't be written."""
        try:
            write_whole(file, self.as_bytes())
        except OSError as err:
            raise RankingError(
                f"The scorer {file} can't be written ({os.strerror(err.errno or 0)})."
            ) from err

    def as_bytes(self) -> bytes:
        """Return it as a compressed archive of arrays, without any text of a conversation."""
        know = self.knowledge
        about = {
            "version": VERSION,
            "parts": NAMES,
            "encoder": self.encoder,
            "trained_on": dict(self.trained_on),
            "nets": len(know.nets),
            "common": know.log.common,
        }
        arrays: dict[str, Any] = {
            "about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
            "mean": know.space.mean,
            "directions": know.space.directions.astype(np.float16),
            "rarity": know.rarity.weights,
            "places": np.array(list(know.log.places), dtype="S16"),
            "named": np.array(list(know.named), dtype="S16"),
            "knots": self.combiner.knots,
            "heights": self.combiner.heights,
        }
        for name in _LOG:
            value = getattr(know.log, name)
            arrays[f"log.{name}"] = value.astype(np.float16) if name in _SHORT else value
        for number, net in enumerate(know.nets):
            arrays |= {f"net{number}.{k}": v.astype(np.float16) for k, v in net.weights.items()}
        out = io.BytesIO()
        np.savez_compressed(out, **arrays)
        return out.getvalue()

    @classmethod
    def load(cls, file: Path) -> "Scorer":
        """Return what `save` stored.

        Raises RankingError when there is none, or it is damaged or of another version.
        """
        try:
            stored = file.read_bytes()
        except OSError as err:
            raise RankingError(
                f"The scorer {file} can't be read ({os.strerror(err.errno or 0)})."
            ) from err
        return cls.from_bytes(stored)

    @classmethod
    def from_bytes(cls, stored: bytes) -> "Scorer":
        """Return what `as_bytes` gave. Raises RankingError as `load` does."""
        try:
            with np.load(io.BytesIO(stored), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            about = json.loads(arrays["about"].tobytes())
            version, parts = about["version"], tuple(about["parts"])
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as err:
            raise RankingError("The scorer's file is damaged; train it anew.") from err
        if version != VERSION or parts != NAMES:
            raise RankingError(
                f"The scorer is of version {version}, and this is version {VERSION}; train it anew."
            )
        try:
            return cls._of(about, arrays)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as err:
            raise RankingError("The scorer's file is damaged; train it anew.") from err

    @classmethod
    def _of(cls, about: Mapping[str, Any], arrays: Mapping[str, Any]) -> "Scorer":
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(name)

        def floats(name: str) -> NDArray[np.float32]:
            return np.asarray(arrays[name], dtype=np.float32)

        log = {name: arrays[f"log.{name}"] for name in _LOG}
        log |= {name: floats(f"log.{name}") for name in _SHORT}
        nets = [
            Net({k.split(".", 1)[1]: floats(k) for k in arrays if k.startswith(f"net{number}.")})
            for number in range(about["nets"])
        ]
        made = cls(
            knowledge=Knowledge(
                space=Space(floats("mean"), floats("directions")),
                rarity=Rarity(floats("rarity")),
                log=Log(places=_numbered(arrays["places"]), common=about["common"], **log),
                nets=nets,
                named=_numbered(arrays["named"]),
            ),
            combiner=Combiner(arrays["knots"], arrays["heights"]),
            encoder=about["encoder"],
            trained_on=about["trained_on"],
        )
        made._try()
        return made

    def _try(self) -> None:
        """Raise what a part that is missing or of another shape raises where it is used."""
        know, log = self.knowledge, self.knowledge.log
        [wide] = know.space.wide(np.zeros((1, PIECES, len(know.space.mean)), dtype=np.float32))
        reply = np.zeros((1, len(know.space.mean)), dtype=np.float32)
        numbers = net_numbers(wide, [""], Texts(0))
        for net in know.nets:
            net.scores(numbers, reply, np.array([len(know.named) - 1]))
        log.popular(np.arange(len(log.places)))
        log.popular_like(reply)
        log.near(know.space.narrow(wide), reply, np.zeros(1, dtype=np.int64))
        self.combiner.scores(np.zeros((1, len(NAMES))))
        for name in ("contexts", "slates", "chosen", "worth"):
            if len(getattr(log, name)) != len(log.contexts):
                raise ValueError(name)
        if int(log.chosen.max()) >= len(log.vectors) or self.combiner.knots.shape[1] < 2:
            raise ValueError("chosen")


def _numbered(digests: Any) -> dict[str, int]:
    return {digest.decode(): number for number, digest in enumerate(digests.tolist())}
