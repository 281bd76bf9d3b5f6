"""Words of a text, English and Chinese, as the full-text index and the grounding check see them."""

import re
import unicodedata
from functools import lru_cache

import rjieba
import snowballstemmer

_HAN = r"㐀-䶿一-鿿豈-﫿"
HAN = re.compile(f"[{_HAN}]")
_RUN = re.compile(rf"[{_HAN}]+|(?:(?![{_HAN}])[^\W_])+", re.UNICODE)
_ASCII_RUN = re.compile("[a-z0-9]+")  # the same in ASCII, three times as fast

# Words that carry no topic. Kept short on purpose: published lists also drop "order", "return" or
# "free", which are what customers ask about.
FUNCTION_WORDS = frozenset(
    """
    a about am an and any are as at be been but by can could d did do does doing done for from get
    got had has have having hello hey hi how i if im in into is it its ive just ll m may me might
    my no not of off on or our out please re s shall should so some t than thanks that the their
    them then there these they this those to too up us ve was we were what when where which while
    who whom why will with would you your yours
    的 了 吗 呢 吧 啊 呀 嘛 我 我们 你 你们 您 他 她 它 他们 是 在 有 没 没有 和 与 或 也 都
    就 还 很 要 想 请 请问 一下 这 那 这个 那个 这些 那些 什么 怎么 怎样 如何 哪 哪里 哪些
    哪个 多少 几 能 能不能 可以 可不可以 会 不 不会 被 把 给 对 从 到 为 为什么 上 下 里 个
    之 着 过 得 地 让 用 及 等 如果 但 但是 因为 所以 已经 一个 你好 您好 谢谢
    """.split()
)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; Chinese is segmented for search.

    Long Chinese words come with the shorter ones inside them, so that a search for either finds
    them.
    """
    if text.isascii():
        return _ASCII_RUN.findall(text.lower())
    normal = unicodedata.normalize("NFKC", text).lower().replace("’", "'").replace("'", " ")
    if normal.isascii():
        return _ASCII_RUN.findall(normal)
    found: list[str] = []
    for run in _RUN.findall(normal):
        found.extend(rjieba.cut_for_search(run) if HAN.match(run) else (run,))
    return found


def content_words(text: str) -> list[str]:
    """Return the words that carry a topic, in order, each once."""
    return list(dict.fromkeys(word for word in words(text) if word not in FUNCTION_WORDS))


def fts_text(text: str) -> str:
    """Return a text as the full-text index stores it: words with spaces between."""
    return " ".join(words(text))


def fts_query(text: str) -> str:
    """Return an FTS5 query that matches any content word of `text`; empty when it has none."""
    return " OR ".join(f'"{word}"' for word in content_words(text))


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return the stem of an English word; other words come back as they are."""
    if not word.isascii():
        return word
    stemmed: str = snowballstemmer.stemmer("porter").stemWord(word)
    return stemmed
