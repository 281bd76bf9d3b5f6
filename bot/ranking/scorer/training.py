"""The scorer learned from choices.

What the log and the nets say of a choice must not come from that choice, or they would seem to know
everything: the examples are parted by conversation into folds, and each fold's parts are measured
with what the other folds say. On those parts the combiner is fitted, its shape chosen by what
it foretells of choices that it was not fitted on. The nets of all folds are kept and averaged.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bot.errors import RankingError
from bot.knowledge.encoder import Encoder
from bot.ranking.scorer import combiner, evidence, net, space, wording
from bot.ranking.scorer.combiner import Combiner, Slates, Terms
from bot.ranking.scorer.conversations import conversations, folds
from bot.ranking.scorer.evidence import Choice, Counts, Log
from bot.ranking.scorer.examples import Example
from bot.ranking.scorer.net import Taught
from bot.ranking.scorer.parts import IS_EVIDENCE, RISING, Knowledge, net_numbers, scale
from bot.ranking.scorer.scorer import Scorer
from bot.ranking.scorer.texts import Texts, digest, encoded

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]
Progress = Callable[[str, int, int], None]
Shape = Literal["lines", "curves"]

FEWEST = 50  # examples
FOLDS = 4
MOST_ROWS = 20_000  # examples whose texts are encoded; all others count for popularity
MOST_TEXTS = 40_000  # that are encoded
SLATES = (64, 32, 16, 8)  # replies of a slate that are learned from, fewer where texts are many
COMBINED = (3_000, 24)  # examples that the combiner is fitted on, and replies of each
PARTS = 3
NAMED_FROM = 3  # times chosen: replies that get numbers of their own in the nets
MOST_NAMED = 1_000
HIDDEN = (
    0.15  # of all replies, from the log and the net of a fold: what it will be to meet new ones
)
# How the combiner may be: whether evidence makes curves, the penalty of evidence, and of the rest.
_SHAPES: tuple[tuple[Shape, float, float], ...] = (
    ("lines", 1.0, 1.0),
    ("lines", 0.1, 1.0),
    ("lines", 0.01, 0.1),
    ("curves", 0.01, 1.0),
    ("curves", 0.01, 0.1),
    ("curves", 0.01, 0.01),
)


def fit(
    examples: Sequence[Example],
    encoder: Encoder,
    seed: int = 0,
    progress: Progress | None = None,
    texts: Texts | None = None,
) -> Scorer:
    """Return a scorer; the same examples and seed give the same one.

    `texts` may have vectors already. Raises RankingError where there is too little to learn from.
    """
    require(examples)
    rng = np.random.default_rng(seed)
    learned = _learned(examples, rng)

    def encoding(done: int, total: int) -> None:
        if progress:
            progress("Texts encoded", done, total)

    wanted = (text for each in learned for text in (*each.context, *each.candidates))
    texts = encoded(wanted, encoder, encoding, texts)
    rows = _rows(learned, texts, rng)
    named = _named(rows)
    rest = _counted_only(examples, learned)
    nets, slates, right = _in_folds(learned, texts, rows, named, rest, rng, seed, progress)
    fused, tried = _combined(_slates(slates), right)
    whole = Knowledge(
        space=rows.space,
        rarity=rows.rarity,
        log=_log(
            rows, np.ones(len(learned), dtype=bool), rest, np.zeros(len(rows.digests), dtype=bool)
        ),
        nets=nets,
        named=named,
    )
    return Scorer(
        knowledge=whole,
        combiner=fused,
        encoder=encoder.name,
        trained_on={"examples": len(examples), "learned": len(learned), "seed": seed, **tried},
    )


def _in_folds(
    learned: Sequence[Example],
    texts: Texts,
    rows: "_Rows",
    named: dict[str, int],
    rest: Counts,
    rng: np.random.Generator,
    seed: int,
    progress: Progress | None,
) -> tuple[list[net.Net], list[tuple[Numbers, float]], list[str]]:
    """Return a net for each fold, learned from the others, and what they say of their own folds.

    That is a slate for the combiner and the digest of its right reply, for some of the examples.
    """
    of_fold = folds(learned, FOLDS, rng)
    most, longest = COMBINED
    for_combiner = set(rng.permutation(len(learned))[:most].tolist())
    nets, slates, right = [], [], []
    for number in range(FOLDS):
        if progress:
            progress("Folds learned", number, FOLDS)
        others, own = of_fold != number, np.flatnonzero(of_fold == number).tolist()
        hidden = _hidden(rows, rng)
        nets.append(net.fit(_taught(rows, named, others, hidden), seed + number))
        log = _log(rows, others, rest, hidden)
        knowledge = Knowledge(
            space=rows.space, rarity=rows.rarity, log=log, nets=[nets[-1]], named=named
        )
        own = [i for i in own if i in for_combiner]
        right += [rows.digests[rows.slates[i][0]] for i in own]
        slates += [
            (knowledge.parts(each.context, each.candidates[:longest], texts), rows.weights[i])
            for i, each in ((i, learned[i]) for i in own)
        ]
    if progress:
        progress("Folds learned", FOLDS, FOLDS)
    return nets, slates, right


def require(examples: Sequence[Example]) -> None:
    """Raise RankingError where examples are too few, or none of them says anything."""
    if len(examples) < FEWEST:
        raise RankingError(
            f"There are {len(examples)} examples; {FEWEST} are needed to learn from."
        )
    if not any(each.reward is None or each.reward for each in examples):
        raise RankingError("Every reward is 0, so that there is nothing to learn from.")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Rows:
    """The examples that are learned from, as numbers.

    `slates` are places among the texts, the chosen reply first; `vectors` (texts, width), `narrow`
    and `numbers` what the log and the nets see of each conversation.
    """

    space: space.Space
    rarity: wording.Rarity
    digests: Sequence[str]
    vectors: NDArray[np.float32]
    slates: Sequence[Integers]
    narrow: NDArray[np.float32]
    numbers: NDArray[np.float32]
    weights: Numbers


def _rows(learned: Sequence[Example], texts: Texts, rng: np.random.Generator) -> _Rows:
    contexts = [each.context for each in learned]
    around = space.learn(contexts, texts, rng)
    worded = [texts.wording(text) for text in texts]
    wide = around.wide(np.stack([around.pieces(context, texts) for context in contexts]))
    return _Rows(
        space=around,
        rarity=wording.learn(worded),
        digests=[each.digest for each in worded],
        vectors=around.texts(texts.all_vectors),
        slates=[texts.places(each.candidates) for each in learned],
        narrow=around.narrow(wide),
        numbers=np.stack(
            [net_numbers(own, each, texts) for own, each in zip(wide, contexts, strict=True)]
        ),
        weights=weights_of(learned),
    )


def weights_of(examples: Sequence[Example]) -> Numbers:
    """Return how much each example counts: 1 on average, below 0 where the choice was wrong."""
    rewards = np.array([1.0 if each.reward is None else each.reward for each in examples])
    return np.asarray(rewards / max(np.abs(rewards).mean(), 1e-9))


def _chosen_first(example: Example) -> list[str]:
    """Return the candidates, the chosen one first, without others that say the very same."""
    return list(dict.fromkeys([example.right, *example.candidates]))


def _learned(examples: Sequence[Example], rng: np.random.Generator) -> list[Example]:
    """Return examples by whole conversations, with parts of long slates, that can be encoded."""
    telling = [each for each in examples if each.reward is None or each.reward]
    of = conversations(telling)
    order = np.argsort(rng.permutation(int(of.max()) + 1)[of], kind="stable")
    kept = [telling[i] for i in order[:MOST_ROWS]]
    while True:
        for longest in SLATES:
            shorter = [_shortened(each, longest, rng) for each in kept]
            if (
                len({t for each in shorter for t in (*each.context, *each.candidates)})
                <= MOST_TEXTS
            ):
                return shorter
        kept = kept[: len(kept) * 2 // 3]


def _shortened(example: Example, longest: int, rng: np.random.Generator) -> Example:
    """Return an example with some of its other candidates, in a random order, and no old turns."""
    others = _chosen_first(example)[1:]
    some = [others[i] for i in rng.permutation(len(others))[: longest - 1]]
    return replace(
        example,
        context=example.context[-space.TURNS :],
        candidates=(example.right, *some),
        chosen=0,
    )


def _named(rows: _Rows) -> dict[str, int]:
    counts = Counter(rows.digests[slate[0]] for slate in rows.slates)
    often = [each for each, count in counts.most_common(MOST_NAMED) if count >= NAMED_FROM]
    return {digest: number for number, digest in enumerate(often)}


def _hidden(rows: _Rows, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which texts are to be as new to a fold, by what they say."""
    replies = sorted({rows.digests[i] for slate in rows.slates for i in slate})
    some = {replies[i] for i in rng.permutation(len(replies))[: int(HIDDEN * len(replies))]}
    return np.array([each in some for each in rows.digests])


def _visible(
    rows: _Rows, used: NDArray[np.bool_], hidden: NDArray[np.bool_]
) -> list[tuple[int, Integers]]:
    """Return rows with what isn't hidden of their slates, where that leaves a choice."""
    found = []
    for row in np.flatnonzero(used).tolist():
        slate = rows.slates[row]
        seen = slate[~hidden[slate]]
        if not hidden[slate[0]] and len(seen) > 1:
            found.append((row, seen))
    return found


def _taught(
    rows: _Rows, named: dict[str, int], used: NDArray[np.bool_], hidden: NDArray[np.bool_]
) -> Taught:
    visible = _visible(rows, used, hidden)
    kept = [row for row, _ in visible]
    return Taught(
        contexts=rows.numbers[kept],
        replies=rows.vectors * np.float32(scale(rows.vectors)),
        slates=[slate for _, slate in visible],
        named=np.array([named.get(each, -1) for each in rows.digests], dtype=np.int64),
        weights=rows.weights[kept],
    )


def _log(rows: _Rows, used: NDArray[np.bool_], rest: Counts, hidden: NDArray[np.bool_]) -> Log:
    visible = _visible(rows, used, hidden)
    kept = [row for row, _ in visible]
    choices = [Choice(tuple(slate.tolist()), float(rows.weights[row])) for row, slate in visible]
    counts = rest.without({rows.digests[i] for i in np.flatnonzero(hidden)})
    for choice in choices:
        counts.add([rows.digests[i] for i in choice.slate], choice.weight)
    return evidence.learn(choices, rows.digests, counts, rows.narrow[kept], rows.vectors)


def _counted_only(examples: Sequence[Example], learned: Sequence[Example]) -> Counts:
    """Count the choices that are not learned from otherwise."""
    counts = Counts()
    seen = {(each.context, each.right) for each in learned}
    for example, weight in zip(examples, weights_of(examples).tolist(), strict=True):
        if (example.context[-space.TURNS :], example.right) not in seen:
            counts.add([digest(each) for each in _chosen_first(example)], weight)
    return counts


def _slates(measured: Sequence[tuple[Numbers, float]]) -> Slates:
    lengths = np.array([len(parts) for parts, _ in measured])
    return Slates(
        np.concatenate([parts for parts, _ in measured]),
        np.cumsum(lengths) - lengths,
        np.array([weight for _, weight in measured]),
    )


def _combined(slates: Slates, right: Sequence[str]) -> tuple[Combiner, dict[str, object]]:
    """Return the combiner of the shape that foretells best, and what was tried.

    `right` are the digests of what was chosen. What judges has other right replies than what was
    fitted, so that no shape wins by telling one known reply from another by its length or words.
    """
    part = np.array([int(each, 16) % PARTS for each in right])
    losses = {}
    for shape in _SHAPES:
        found = []
        for number in range(PARTS):
            rest, own = np.flatnonzero(part != number), np.flatnonzero(part == number)
            if len(own) and len(rest):
                fitted = combiner.fit(slates.some(rest), _terms(*shape))
                held_out = slates.some(own)
                found.append(combiner.loss(fitted.scores(held_out.parts), held_out))
        losses[shape] = float(np.mean(found)) if found else 0.0
    best = min(losses, key=lambda each: losses[each])
    told = {_told(*shape): round(value, 4) for shape, value in losses.items()}
    return combiner.fit(slates, _terms(*best)), {"combiner": _told(*best), "losses": told}


def _terms(shape: Shape, evidence: float, rest: float) -> Terms:
    """Only evidence may bend: curves of lengths and words would learn known replies by heart."""
    return Terms(
        rising=RISING,
        curved=IS_EVIDENCE & (shape == "curves"),
        penalties=np.where(IS_EVIDENCE, evidence, rest),
    )


def _told(shape: Shape, evidence: float, rest: float) -> str:
    return f"{shape}, {evidence:g} and {rest:g}"
