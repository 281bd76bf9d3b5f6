"""Numbers of a text with their units, however they are written.

"thirty days", "30 days" and "30 天" are numbers with a unit; so are prices, shares, times of day.
"""

import re
import unicodedata
from collections.abc import Iterator

from bot.knowledge.words import FUNCTION_WORDS, stem, words

# A number has no unit beyond its clause.
_CLAUSE_END = re.compile(r"[;:!?()，。；：！？、（）\n]|[.,](?!\d)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DECIMAL = re.compile(r"(?<=\d)[.,](?=\d)")
# The month, which is else taken for the verb.
_MAY = re.compile(r"\bMay\b(?=,? \d)|(?<=\d )May\b")
_TIME_COLON = re.compile(r"(?<=\d)[:：](?=\d\d)")
_SYMBOLS = {"€": " eur ", "$": " usd ", "£": " gbp ", "¥": " cny ", "%": " percent "}
_CURRENCY_BEFORE = re.compile(
    r"(?<![a-z])(?<!\d )(eur|usd|gbp|cny|rmb)\s*+(\d++(?:[.,]\d++)?+)"
    r"(?!\s*(?:eur|usd|gbp|cny|rmb))",
    re.IGNORECASE,
)
UNITS = {
    **{"euro": "eur", "欧元": "eur", "dollar": "usd", "美元": "usd", "英镑": "gbp"},
    **{"元": "cny", "人民币": "cny", "rmb": "cny", "yuan": "cny"},
}
_CURRENCIES = frozenset({*UNITS, *UNITS.values()})
NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
} | {
    **{"dozen": "12", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60"},
    **{"seventy": "70", "eighty": "80", "ninety": "90", "hundred": "100", "thousand": "1000"},
}
_CHINESE_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")}
_CHINESE_DIGITS |= {"〇": 0, "两": 2}
_CHINESE_TENS = {"十": 10, "百": 100, "千": 1000}
_NUMERAL = "[零〇一二两三四五六七八九十百千万]+"
_MEASURE = (
    "工作日|自然日|小时|分钟|星期|欧元|美元|英镑|人民币|积分|公斤|厘米|天|日|周|月|年|元|次|件|张|折"
    "|倍|双|秒|克|米|人"
)
# Only before a measure word: 一 and 十 also stand in ordinary words.
_CHINESE_NUMBER = re.compile(rf"{_NUMERAL}(?=\s*个?\s*(?:{_MEASURE}))")
_CHINESE_PERCENT = re.compile(rf"百分之({_NUMERAL}|\d+(?:\.\d+)?)")
_MEASURED = re.compile(rf"(?<=\d)\s*个?\s*({_MEASURE})|(?<=\d)\s*个")


def quantities(text: str) -> Iterator[tuple[str, str]]:
    """Yield each number with the word that follows it, its unit."""
    # A decimal point or a colon would end the word; a letter holds its place.
    plain = _DECIMAL.sub("d", _TIME_COLON.sub("h", with_plain_numbers(text)))
    for clause in _CLAUSE_END.split(plain):
        found = words(clause)
        for position, word in enumerate(found):
            number = as_number(word)
            if number is not None:
                unit = found[position + 1] if position + 1 < len(found) else ""
                # "2 to 4 days": the 2 has no unit of its own; nor has a time of day.
                is_bare = unit in FUNCTION_WORDS or as_number(unit) or "h" in number
                yield number, "" if is_bare else UNITS.get(stem(unit), stem(unit))


def with_plain_numbers(text: str) -> str:
    """Return the text with each number in digits, and its currency or measure word behind it."""
    text = _MAY.sub("maymonth", _THOUSANDS.sub("", text)).replace("，", "， ")
    text = unicodedata.normalize("NFKC", text)
    for symbol, name in _SYMBOLS.items():
        text = text.replace(symbol, name)
    text = _CHINESE_PERCENT.sub(lambda match: f" {_chinese_number(match[1])} percent ", text)
    text = _CHINESE_NUMBER.sub(lambda match: f" {_chinese_number(match[0])} ", text)
    text = _MEASURED.sub(lambda match: f" {match[1] or ''} ", text)
    return _CURRENCY_BEFORE.sub(r"\2 \1", re.sub(r"[^\S\n]+", " ", text))


def as_number(word: str) -> str | None:
    """Return a number in digits as `quantities` yields it, None for a word that is none."""
    if word in NUMBER_WORDS:
        return NUMBER_WORDS[word]
    if not any(c.isdigit() for c in word):
        return None
    if match := re.fullmatch(r"0*(\d+?)(?:d(\d*?)0*)?", word):
        return f"{match[1]}.{match[2]}" if match[2] else match[1]
    return word


def is_quantity(word: str) -> bool:
    """Return whether a word is a number or a currency."""
    return word in _CURRENCIES or as_number(word) is not None


def _chinese_number(text: str) -> str:
    """Return a Chinese numeral in digits, e.g. 35 for 三十五; digits stay as they are."""
    if text[0].isascii():
        return text
    total = section = digit = 0
    for char in text:
        if char == "万":
            total, section, digit = (total + section + digit or 1) * 10_000, 0, 0
        elif ten := _CHINESE_TENS.get(char):
            section, digit = section + (digit or 1) * ten, 0
        else:
            digit = digit * 10 + _CHINESE_DIGITS[char]
    return str(total + section + digit)
