"""Whether a message sounds pleased or annoyed, by words: a trend over many messages, no verdict.

Short lists of clear words, with negation ("not good", 不好). What most customers write is neutral.
"""

import re

_GOOD = re.compile(
    r"\b(?:thank(?:s| you)|great|perfect|excellent|awesome|wonderful|love|amazing|helpful|brilliant"
    r"|fantastic|pleased|happy|works now|well done)\b"
    r"|谢谢|感谢|太好了|很好|不错|满意|喜欢|棒|赞|给力|解决了",
    re.IGNORECASE,
)
_BAD = re.compile(
    r"\b(?:terrible|awful|horrible|useless|worst|ridiculous|unacceptable|disappoint\w*|frustrat\w*"
    r"|annoy\w*|angry|furious|upset|unhappy|rubbish|disgusting|scam|rude|fed up|waste of time"
    r"|still (?:not|no|haven't|hasn't|waiting)|never again|ripped off|pathetic|nonsense)\b"
    r"|太差|很差|差劲|糟糕|垃圾|失望|生气|气死|愤怒|骗|坑人|没用|无语|恶心|受不了|太慢|烦死"
    r"|不满|什么破|再也不|还没(?:有)?(?:收到|到|解决|处理)",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:not|no|isn't|wasn't|don't|doesn't|didn't|aren't|never)\b(?:\s+\w+){0,2}\s+$|[不没](?:太|很|是)?$",
    re.IGNORECASE,
)


def sentiment_of(text: str) -> int:
    """Return 1 for pleased, -1 for annoyed, 0 for neither or both alike."""
    plain = text.replace("’", "'")
    balance = _balance(_GOOD, plain) - _balance(_BAD, plain)
    return (balance > 0) - (balance < 0)


def _balance(words: re.Pattern[str], text: str) -> int:
    """Return how many of `words` a text has, less twice those that are negated."""
    found = [bool(_NEGATED.search(text[: match.start()])) for match in words.finditer(text)]
    return sum(-1 if negated else 1 for negated in found)
