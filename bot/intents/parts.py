"""Messages by language, with the vectors that tell best what each of them means.

multilingual-e5 reads all languages; for English bge is added where its package is installed, since
it groups English much better (docs/quality.md). A language's vectors are taken less their mean,
which says little but the language.
"""

from collections.abc import Sequence

import numpy as np

from bot.intents.encodings import Encodings
from bot.intents.language import is_english
from bot.intents.neighbours import Part, Rows, centred, unit
from bot.intents.weights import has_bge
from bot.knowledge.words import HAN

# Of fewer messages the mean says nothing; they are taken with those of the most frequent language.
# Of 12 to 36 messages, half English and half Chinese, it groups far better than 20 would (NMI .84
# for .40, .77 for .16 on tests/intents/small_set.py), and as well where all are of one language.
_FEWEST = 6
_SMALLEST_SHARE = 0.03
# e5's weight beside bge: 0.4 groups Banking77 best (ACC 76, with equal weights 69); on the mean of
# five sets the two are alike.
_OF_E5 = 0.4


def parts_of(texts: Sequence[str], encodings: Encodings) -> list[Part]:
    """Return messages in parts, one for each language: English, Chinese and all others."""
    general = encodings.vectors("e5", texts)
    parts = []
    for language, rows in _by_language(texts).items():
        shared = centred(general[rows]) if len(rows) >= _FEWEST else general[rows]
        own = shared
        if language == "en" and has_bge():
            english = encodings.vectors("bge", [texts[row] for row in rows])
            own = np.hstack(
                [_OF_E5 * shared, centred(english) if len(rows) >= _FEWEST else english]
            )
        parts.append(Part(rows=rows, own=unit(own), shared=shared))
    return parts


def _by_language(texts: Sequence[str]) -> dict[str, Rows]:
    languages = np.array([_language(text) for text in texts])
    names, sizes = np.unique(languages, return_counts=True)
    most = names[sizes.argmax()]
    for name, size in zip(names, sizes, strict=True):
        if size < max(_FEWEST, _SMALLEST_SHARE * len(texts)):
            languages[languages == name] = most
    return {str(name): np.flatnonzero(languages == name) for name in np.unique(languages)}


def _language(text: str) -> str:
    letters = sum(character.isalpha() for character in text)
    # A quarter: product names in Latin letters are long.
    if letters and 4 * len(HAN.findall(text)) >= letters:
        return "zh"
    return "en" if is_english(text) or (text.isascii() and not letters) else "other"
