"""What may be wrong with articles that can all be read: told, never decided.

Two articles contradict each other mechanically where a sentence stands in both with nearly the
same words and with other numbers.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from bot.audiences import Audience
from bot.knowledge.passages import split
from bot.knowledge.sources.document import Document
from bot.knowledge.words import content_words, stem
from bot.messages import Language

ALIKE = 0.75  # share of the words of two sentences that both have
FEWEST_WORDS = 3
RAREST = 3  # words, of which two sentences must share one to be compared
MOST_COMPARED = 60  # sentences with one rare word; more are a table's rows or a site's footer
_SENTENCE_END = re.compile(r"(?<=[。！？；])|(?<=[.!?;])\s+|\n+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two sentences of two articles, alike but for their numbers."""

    article: str
    sentence: str
    other_article: str
    other_sentence: str


@dataclass(frozen=True, slots=True)
class _Sentence:
    article: str
    text: str
    language: Language
    words: frozenset[str]
    numbers: frozenset[str]


def same_titles(documents: Iterable[Document]) -> list[tuple[Document, ...]]:
    """Return the groups of articles of one language and audience that have the same title."""
    groups: dict[tuple[str, Audience, str], list[Document]] = defaultdict(list)
    for each in documents:
        groups[each.language, each.audience, each.title.strip().casefold()].append(each)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def single_lines(documents: Iterable[Document]) -> list[Document]:
    """Return the articles that say one line; an answer in a table of questions often does."""
    return [
        each
        for each in documents
        if "#" not in each.id and len([line for line in each.text.split("\n") if line.strip()]) == 1
    ]


def contradictions(documents: Iterable[Document]) -> list[Contradiction]:
    """Return the pairs of sentences of different articles that differ in their numbers alone."""
    sentences = [found for each in documents for found in _sentences(each)]
    pairs = sorted(_pairs(sentences))
    return [
        Contradiction(one.article, one.text, two.article, two.text)
        for one, two in ((sentences[first], sentences[second]) for first, second in pairs)
        if _contradict(one, two)
    ]


def _sentences(document: Document) -> Iterator[_Sentence]:
    for _, passage in split(document.text):
        for text in _SENTENCE_END.split(passage):
            numbers = frozenset(_NUMBER.findall(text))
            found = frozenset(
                stem(word) for word in content_words(text) if not any(c.isdigit() for c in word)
            )
            if numbers and len(found) >= FEWEST_WORDS:
                yield _Sentence(document.id, text.strip(), document.language, found, numbers)


def _pairs(sentences: Sequence[_Sentence]) -> set[tuple[int, int]]:
    """Return the pairs worth comparing: those that share a word which is rare in both."""
    often = Counter(word for sentence in sentences for word in sentence.words)
    by_word: dict[tuple[Language, str], list[int]] = defaultdict(list)
    for number, sentence in enumerate(sentences):
        rarest = sorted(sentence.words, key=lambda word: (often[word], word))[:RAREST]
        for word in rarest:
            by_word[sentence.language, word].append(number)
    groups = (group for group in by_word.values() if len(group) <= MOST_COMPARED)
    return {pair for group in groups for pair in combinations(group, 2)}


def _contradict(one: _Sentence, two: _Sentence) -> bool:
    if one.article == two.article or one.numbers == two.numbers:
        return False
    return len(one.words & two.words) >= ALIKE * len(one.words | two.words)
