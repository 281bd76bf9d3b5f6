"""Whether a draft says only what the passages say.

A small model invents freely, so each of these must hold or the draft is never shown:

- it is written in the customer's language, and is an answer at all;
- every number stands in a passage, before the same unit ("30 days" is not "30 working days");
- every link, mail address and phone number stands in a passage as it is;
- every sentence takes its words from one passage sentence or two neighbouring ones, with the same
  polarity: where the passage says "not", the draft does, and the other way round.

The rules are lexical: they catch inventions, not every true sentence about something else.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.knowledge.words import FUNCTION_WORDS, stem, words
from bot.messages import Language, Passage
from bot.understanding import language_of

NO_ANSWER = "NO ANSWER"
LEAST_SUPPORT = 0.75

_SENTENCE_END = re.compile(r"(?<=[。！？；])|(?<=[.!?])\s+|\n+")
_REFERENCE = re.compile(r"https?://[^\s)>\]]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\+?\d[\d ()-]{7,}\d")
_NEGATION = re.compile(
    r"\b(not|no|never|cannot|without|neither|nor|none|nothing|unable|except|excluded|excluding)\b"
    r"|n['’]t\b|不|没|無|无|未|勿|别|除外",
    re.IGNORECASE,
)
_DECIMAL = re.compile(r"(?<=\d)[.,](?=\d)")
_CURRENCY_BEFORE = re.compile(
    r"(eur|\$|usd|£|gbp|¥|cny|rmb)\s*(\d+(?:[.,]\d+)?)(?!\s*(?:eur|usd|gbp))", re.IGNORECASE
)
_NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90", "hundred": "100"}
_CHINESE_DIGITS = "零一二三四五六七八九"
# Only before a measure word: 一 and 十 also stand in ordinary words.
_CHINESE_NUMBER = re.compile(
    r"(?:[一二三四五六七八九]?十[一二三四五六七八九]?|[一二三四五六七八九])"
    r"(?=个?(?:天|工作日|小时|分钟|周|星期|月|年|欧元|元|次|件|张|折))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounding:
    """The outcome of the check: `refusal` is None when the draft may be shown.

    `support` is the share of the draft's own words that its passages have (0 to 1), of the
    weakest sentence.
    """

    refusal: str | None
    support: float


def check(draft: str, passages: Sequence[Passage], question: str, language: Language) -> Grounding:
    """Check a draft against the passages it was written from."""
    if not draft.strip() or NO_ANSWER in draft.upper():
        return Grounding(refusal="declined", support=0.0)
    if language_of(draft) != language:
        return Grounding(refusal="language", support=0.0)
    if unknown := _unknown_reference(draft, passages):
        return Grounding(refusal=f"reference:{unknown}", support=0.0)
    if unknown := unknown_quantity(draft, passages):
        return Grounding(refusal=f"number:{unknown}", support=0.0)
    return _check_sentences(draft, passages, question)


def unknown_quantity(text: str, passages: Sequence[Passage]) -> str | None:
    """Return the first number, with its unit, that no passage has, or None."""
    known = {pair for passage in passages for pair in _quantities(_whole(passage))}
    for number, unit in _quantities(text):
        if (number, unit) not in known:
            return f"{number} {unit}".strip()
    return None


def sentences(text: str) -> list[str]:
    """Return the sentences of a Markdown text, English or Chinese; list items are sentences."""
    return [piece.strip() for piece in _SENTENCE_END.split(text) if piece and words(piece)]


def _check_sentences(draft: str, passages: Sequence[Passage], question: str) -> Grounding:
    asked = _stems(question)
    windows = [window for passage in passages for window in _windows(passage)]
    weakest = 1.0
    for sentence in sentences(draft):
        own = _stems(sentence) - asked
        # The shortest of equals, so that a neighbour's "not" is not taken for the sentence's own.
        support, _, window = max(
            ((_share(own, _stems(window)), -len(window), window) for window in windows),
            default=(0.0, 0, ""),
        )
        weakest = min(weakest, support)
        if support < LEAST_SUPPORT:
            return Grounding(refusal="unsupported", support=weakest)
        if bool(_NEGATION.search(sentence)) != bool(_NEGATION.search(window)):
            return Grounding(refusal="negation", support=weakest)
    return Grounding(refusal=None, support=weakest)


def _windows(passage: Passage) -> Iterator[str]:
    """Yield each sentence and each pair of neighbours, under their heading."""
    found = sentences(passage.text)
    for first, second in zip(found, [*found[1:], ""], strict=True):
        yield first
        if second:
            yield f"{first} {second}"


def _share(own: set[str], source: set[str]) -> float:
    # A sentence that only repeats the question says nothing that could be supported.
    return len(own & source) / len(own) if own else 0.0


def _stems(text: str) -> set[str]:
    return {stem(word) for word in words(text) if word not in FUNCTION_WORDS}


def _whole(passage: Passage) -> str:
    return f"{passage.title}. {passage.heading}. {passage.text}"


def _unknown_reference(draft: str, passages: Sequence[Passage]) -> str | None:
    known = re.sub(r"[ ()-]", "", " ".join(map(_whole, passages)))
    for match in _REFERENCE.finditer(draft):
        if re.sub(r"[ ()-]", "", match[0].rstrip(".,;")) not in known:
            return match[0]
    return None


def _quantities(text: str) -> Iterator[tuple[str, str]]:
    """Yield each number with the word that follows it on its line, its unit."""
    for line in text.splitlines():
        yield from _quantities_in_line(line)


def _quantities_in_line(text: str) -> Iterator[tuple[str, str]]:
    text = text.replace("€", " eur ").replace("%", " percent ")
    text = _CHINESE_NUMBER.sub(lambda match: f" {_chinese_number(match[0])} ", text)
    # A decimal point would end the word; "d" holds its place. A currency comes after its number.
    found = words(_DECIMAL.sub("d", _CURRENCY_BEFORE.sub(r"\2 \1", text)))
    for position, word in enumerate(found):
        number = _as_number(word)
        if number is not None:
            unit = found[position + 1] if position + 1 < len(found) else ""
            yield number, "" if _as_number(unit) else stem(unit)


def _as_number(word: str) -> str | None:
    if word in _NUMBER_WORDS:
        return _NUMBER_WORDS[word]
    if not any(c.isdigit() for c in word):
        return None
    if re.fullmatch(r"\d+(d\d+)?", word):
        return f"{float(word.replace('d', '.')):g}"
    return word


def _chinese_number(text: str) -> int:
    """Return the value of a Chinese numeral below 100, e.g. 三十五."""
    tens, ten, ones = text.rpartition("十")
    value = _CHINESE_DIGITS.find(ones) if ones else 0
    return value + (10 * (_CHINESE_DIGITS.find(tens) if tens else 1) if ten else 0)
