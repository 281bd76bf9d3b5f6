"""What a group of messages is about, in its own words, and messages that show it.

Terms are weighed by class-based TF-IDF (Grootendorst 2022, arXiv 2203.05794): how much of a group
says it, against how much of all do. A model may put a name into better words, but only into the
group's own: a name with another word is not taken.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bot.errors import ModelError
from bot.intents.neighbours import Rows
from bot.knowledge.encoder import Vectors
from bot.knowledge.words import FUNCTION_WORDS, HAN, stem, words
from bot.messages import Language
from bot.model import ChatModel
from prompts import Prompts

logger = logging.getLogger(__name__)

MOST_TERMS = 8
MOST_EXAMPLES = 5
_NAME_TERMS = 3
_LONGEST_NAME = 60
_SECONDS = 30.0
_MOST_READ = 2000  # messages of a group: its words are known long before
# A phrase of two words counts more than each of them, which it holds.
_PHRASE = 1.5
_FEWEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A group: its name, its terms, the best first, and the places of messages that show it."""

    name: str
    terms: tuple[str, ...]
    examples: tuple[int, ...]


def describe(texts: Sequence[str], groups: Rows, vectors: Vectors) -> list[Described]:
    """Return what each group is about, by its number. `vectors` (messages, width) place them."""
    members = [np.flatnonzero(groups == number) for number in range(int(groups.max()) + 1)]
    terms = key_terms([[texts[row] for row in rows] for rows in members])
    names = _distinct([named_by(each) for each in terms])
    return [
        Described(
            name=name or texts[rows[0]][:_LONGEST_NAME],
            terms=tuple(each[:MOST_TERMS]),
            examples=examples(vectors, rows),
        )
        for name, each, rows in zip(names, terms, members, strict=True)
    ]


def key_terms(groups: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the terms of each group of texts, those that tell it best from the others first."""
    counts, written = [], Counter[tuple[str, str]]()
    for texts in groups:
        found = Counter[str]()
        for text in texts[:_MOST_READ]:
            terms = dict(_terms(text))
            found.update(terms.keys())
            written.update(terms.items())
        counts.append(found)
    spelled = _spellings(written)
    overall: dict[str, float] = defaultdict(float)
    for each, texts in zip(counts, groups, strict=True):
        for term, count in each.items():
            overall[term] += count / len(texts[:_MOST_READ])
    return [
        [spelled[term] for term in _best(each, len(texts[:_MOST_READ]), overall, len(groups))]
        for each, texts in zip(counts, groups, strict=True)
    ]


def named_by(terms: Sequence[str]) -> str:
    """Return the name that key terms make, the best first; empty without any."""
    return ", ".join(terms[:_NAME_TERMS])[:_LONGEST_NAME]


def examples(vectors: Vectors, rows: Rows, number: int = MOST_EXAMPLES) -> tuple[int, ...]:
    """Return messages that show a group: near its centre, but each different from the others.

    Maximal marginal relevance (Carbonell and Goldstein 1998), both halves weighing the same.
    """
    own = vectors[rows]
    central = own @ own.mean(axis=0)
    chosen = [int(central.argmax())]
    while len(chosen) < min(number, len(rows)):
        worth = central - (own @ own[chosen].T).max(axis=1)
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
    return tuple(int(rows[place]) for place in chosen)


class ModelNamer:
    """Names groups with a model that writes `languages`."""

    def __init__(self, model: ChatModel, prompts: Prompts, languages: Sequence[Language]) -> None:
        self._model = model
        self._prompts = prompts
        self._languages = frozenset(languages)

    async def name(self, described: Described, texts: Sequence[str]) -> str:
        """Return the model's name for a group where it is made of the group's words, else its own.

        `texts` are the group's messages.
        """
        shown = texts[:MOST_EXAMPLES]
        language: Language = "zh" if _is_chinese(shown) else "en"
        if language not in self._languages or self._model.trouble():
            return described.name
        prompt = self._prompts.get("intent_name", language)
        system = prompt.render(terms=", ".join(described.terms))
        try:
            sampled = await self._model.sample(
                [("system", system), ("human", "\n".join(f"- {text[:300]}" for text in shown))],
                n=1,
                temperature=0.0,
                max_tokens=min(512, self._model.context_tokens // 4),
                seconds=_SECONDS,
            )
        except ModelError as err:
            logger.warning("A group keeps its key terms as a name: %s", err)
            return described.name
        return checked_name(sampled.texts[0], texts) or described.name


def checked_name(written: str, texts: Sequence[str]) -> str:
    """Return a model's name for some texts, or an empty text where it brings in other words."""
    name = written.strip().split("\n")[0].strip(" \t\"'“”‘’。.!*#-:：")
    said = {stem(word) for text in texts for word in words(text)}
    own = [stem(word) for word in words(name) if word not in FUNCTION_WORDS]
    is_good = 0 < len(name) <= _LONGEST_NAME and own and all(word in said for word in own)
    return name if is_good else ""


def _terms(text: str) -> Iterator[tuple[str, str]]:
    """Yield the terms of a text, by their stems, as they are written."""
    found = [(stem(word), word) for word in words(text)]
    for place, (root, word) in enumerate(found):
        if word in FUNCTION_WORDS or (len(word) == 1 and word.isascii()):
            continue
        yield root, word
        if place + 1 < len(found) and not HAN.search(word):
            next_root, next_word = found[place + 1]
            if next_word not in FUNCTION_WORDS:
                yield f"{root} {next_root}", f"{word} {next_word}"


def _spellings(written: Counter[tuple[str, str]]) -> dict[str, str]:
    """Return how each term is written most often."""
    spelled: dict[str, str] = {}
    for (term, spelling), _ in written.most_common():
        spelled.setdefault(term, spelling)
    return spelled


def _best(counts: Counter[str], size: int, overall: Mapping[str, float], groups: int) -> list[str]:
    def weight(term: str) -> float:
        share = counts[term] / size
        rare = np.log1p(groups / max(overall[term], share))
        return float(share * rare * (_PHRASE if " " in term else 1))

    frequent = [term for term, count in counts.items() if count >= min(_FEWEST, size)]
    chosen: list[str] = []
    for term in sorted(frequent or counts, key=lambda term: (-weight(term), term)):
        if not any(_holds(other, term) for other in chosen):
            chosen.append(term)
        if len(chosen) == MOST_TERMS:
            break
    return chosen


def _holds(one: str, other: str) -> bool:
    """Tell whether two terms say partly the same: a word in a phrase, 退货 in 退货政策."""
    if HAN.search(one) or HAN.search(other):
        return one in other or other in one
    return bool(set(one.split()) & set(other.split()))


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names that differ: the second of two that are alike gets a number."""
    seen = Counter[str]()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(f"{name} ({seen[name]})" if name and seen[name] > 1 else name)
    return distinct


def _is_chinese(texts: Sequence[str]) -> bool:
    return sum(HAN.search(text) is not None for text in texts) * 2 > len(texts)
