"""Whether a message sounds pleased or annoyed, by words: a trend over many messages, no verdict.

Short lists of clear words, with negation ("not good", 不满意). What most customers write is
neutral. English words are looked up one by one, which takes microseconds: a report reads a million.
"""

import re

from bot.knowledge.words import HAN

_WORD = re.compile(r"[a-z']+")
_GOOD = frozenset(
    "thanks thank great perfect excellent awesome wonderful love amazing helpful brilliant"
    " fantastic pleased happy".split()
)
_BAD = frozenset(
    "terrible awful horrible useless worst ridiculous unacceptable disappointed disappointing"
    " disappointment frustrated frustrating annoyed annoying angry furious upset unhappy rubbish"
    " disgusting scam rude pathetic nonsense".split()
)
_NOT = frozenset("not no never isn't wasn't don't doesn't didn't aren't".split())
_NEAR = 3  # words after a negation that it may belong to
_GOOD_ZH = re.compile(r"谢谢|感谢|太好了|很好|不错|满意|喜欢|棒|给力|解决了")
_BAD_ZH = re.compile(
    r"太差|很差|差劲|糟糕|垃圾|失望|生气|气死|愤怒|骗|坑人|没用|无语|恶心|受不了|太慢|烦死|不满(?!意)"
    r"|什么破|再也不|还没(?:有)?(?:收到|到|解决|处理)"
)
_NOT_ZH = re.compile(r"[不没](?:太|很|是)?$")


def sentiment_of(text: str) -> int:
    """Return 1 for pleased, -1 for annoyed, 0 for neither or both alike."""
    balance = _english(_WORD.findall(text.lower().replace("’", "'")))
    if HAN.search(text):
        balance += _chinese(_GOOD_ZH, text) - _chinese(_BAD_ZH, text)
    return (balance > 0) - (balance < 0)


def _english(words: list[str]) -> int:
    if _GOOD.isdisjoint(words) and _BAD.isdisjoint(words):
        return 0
    balance = 0
    for place, word in enumerate(words):
        if word in _GOOD or word in _BAD:
            is_negated = not _NOT.isdisjoint(words[max(0, place - _NEAR) : place])
            balance += 1 if (word in _GOOD) != is_negated else -1
    return balance


def _chinese(words: re.Pattern[str], text: str) -> int:
    """Return how many of `words` a text has, less those that are negated."""
    found = (_NOT_ZH.search(text[: match.start()]) for match in words.finditer(text))
    return sum(-1 if negated else 1 for negated in found)
