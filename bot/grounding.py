"""Whether a draft says only what the passages say.

A small model invents freely, so each of these must hold or the draft is never shown:

- it is written in the customer's language, and is an answer at all;
- every number stands in a passage, before the same unit ("30 days" is not "30 working days");
- every link, mail address and phone number stands in a passage as it is;
- every sentence takes its words from one sentence of a passage, where they stand close together and
  in the same order: words gathered from here and there say something new;
- it has no word that this one sentence, or the title and heading above it, has not: one is enough
  to be about something else ("express" for "standard");
- the numbers of a sentence stand in that same one in the same order, and so do its conditions
  ("over 50 EUR", "unless ..."); one that the customer's question names need not be said again;
- what stands behind "to", "from", "than" and their like stands behind it there too;
- each clause has as many negations as the clause it comes from;
- "yes" and "no" stand only before a statement that says so of what was asked.

Words that say the same (bot/synonyms.py) count as one word, and a sentence that is mere courtesy
needs no support, but is not enough for an answer.

The rules are lexical: they catch inventions, not every true sentence about something else.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.knowledge.words import FUNCTION_WORDS, stem, words
from bot.messages import Language, Passage
from bot.synonyms import meaning_stem
from bot.understanding import language_of

NO_ANSWER = "NO ANSWER"
LEAST_SUPPORT = 0.8
# Words of the question may be missing from the passage: "jacket" where it says "item".
ALLOWANCE_FOR_THE_QUESTION = 0.05
_NOT = "xnotx"  # stands for any negation
# The words of a sentence must stand within this many times their own number of words.
LARGEST_SPREAD = 2
PASSAGES_KEPT = 4096  # whose sentences and numbers are not worked out again
SHORTEST_STRETCH = 6

_SENTENCE_END = re.compile(r"(?<=[。！？；])|(?<=[.!?])\s+|\n+")
# A point that ends a growing text may still turn out to be a decimal one.
_FINISHED = re.compile(r"[。！？；]|[.!?]+(?=\s)|\n")
# A number has no unit beyond its clause.
_CLAUSE_END = re.compile(r"[;:!?()，。；：！？、（）\n]|[.,](?!\d)")
# Links with or without their scheme, mail addresses, phone numbers; ASCII, since Chinese is written
# without spaces around them.
_REFERENCE = re.compile(
    r"https?://[\w.~:/?#@!$&*+,;=%-]*"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?:[A-Za-z0-9-]+\.)+[a-z]{2,}(?:/[\w.~:/?#@!$&*+,;=%-]*)?"
    r"|\+?\d[\d ()-]{7,}\d",
    re.ASCII,
)
# 不同 (other), 特别 (special), 未来 (future) and their like say nothing about "not".
_NEGATION = re.compile(
    r"\b(not|no|non|never|cannot|without|neither|nor|none|nothing|unable|except|excluded|excluding)"
    r"\b|\w+n['’]t\b|不(?!同(?!意)|过(?!期)|但|仅|只|管|论|错)|没|無|无(?!论|线)|未(?!来)|勿"
    r"|(?<![特分区类性级个差辨识])别(?!人|的)|除外",
    re.IGNORECASE,
)
_CLAUSE_BREAK = re.compile(r"[,;，；。\n]|[.!?](?=\s|$)|\bbut\b|\bhowever\b|但是?|不过", re.I)
# Words that limit what is said; a draft that leaves one out promises more than the article.
_CONDITION = re.compile(
    r"\b(?:over|above|under|below|unless|only|except|if|minimum|least)\b"
    r"|满|以上|以下|超过|除非|只能|只有|仅|如果|至少",
    re.IGNORECASE,
)
_ENUMERATOR = re.compile(r"^[ \t]*\d{1,2}[.)、][ \t]+", re.MULTILINE)
# A clause that begins so limits the whole sentence.
_LEADING_CONDITION = re.compile(
    r"\s*(unless|except|if|only if|as long as|provided that)\b|\s*(除非|如果|若|除外|仅限)",
    re.IGNORECASE,
)
# What such a word's next words are decides who does what to whom.
_DIRECTIONS = frozenset("to from than before after by for 从 到 比 给 向 由 被".split())
_DIRECTED = 3  # words behind it
_VERDICT = re.compile(r"(?:(yes|是的?|可以的?|有的)|(no|不是|不行|不可以))[,，!！.。]\s*", re.I)
COVERED_BY_A_VERDICT = 0.8  # share of the question's words that "yes" and "no" are said of
_MANNERS = frozenset(
    "thank thanks welcome hope happy glad sorry sure course question questions further anything "
    "else hello dear kindly let know asking ask help assist "
    "感谢 谢谢 欢迎 希望 帮到 高兴 抱歉 愉快 您好 你好 "
    "其他 疑问 问题 提问 请 祝".split()
)
# Say nothing by themselves, so a draft may have them where its passage has not.
_GLUE = frozenset(
    "also please simply additionally furthermore moreover example note unfortunately instance "
    "另外 此外 同时 例如 比如 通常 一般 哦 呢 啊".split()
)
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
_UNITS = {
    **{"euro": "eur", "欧元": "eur", "dollar": "usd", "美元": "usd", "英镑": "gbp"},
    **{"元": "cny", "人民币": "cny", "rmb": "cny", "yuan": "cny"},
}
_NUMBER_WORDS = {
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


@dataclass(frozen=True, slots=True)
class _Place:
    """A sentence of a passage."""

    text: str
    stems: tuple[str, ...]
    about: frozenset[str]  # the stems of the passage's title and heading
    article: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounding:
    """The outcome of the check: `refusal` is None when the draft may be shown.

    `support` is the share of the draft's own words that its passages have (0 to 1), of the
    weakest sentence; `articles` are the ids of those that support it, in the draft's order.
    """

    refusal: str | None
    support: float
    articles: tuple[str, ...] = ()


def check(draft: str, passages: Sequence[Passage], question: str, language: Language) -> Grounding:
    """Check a draft against the passages it was written from."""
    draft = _ENUMERATOR.sub("- ", draft)
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
    known = {pair for passage in passages for pair in _quantities_of(passage)}
    for number, unit in quantities(text):
        if (number, unit) not in known:
            return f"{number} {unit}".strip()
    return None


def finished(text: str) -> str:
    """Return the part of a growing text that ends with its last finished sentence."""
    ends = [match.end() for match in _FINISHED.finditer(text)]
    return text[: ends[-1]].rstrip() if ends else ""


def sentences(text: str) -> list[str]:
    """Return the sentences of a Markdown text, English or Chinese; list items are sentences."""
    return [piece.strip() for piece in _SENTENCE_END.split(text) if piece and words(piece)]


def _check_sentences(draft: str, passages: Sequence[Passage], question: str) -> Grounding:
    asked = set(_stems(question))
    places = [place for passage in passages for place in _places_of(passage)]
    weakest, articles = 1.0, {}
    for whole in sentences(draft):
        sentence = _VERDICT.sub("", whole, count=1) if _VERDICT.match(whole) else whole
        if _is_courtesy(sentence):
            continue
        support, place = _best_place(sentence, places, asked)
        weakest = min(weakest, support)
        if place is None or support < LEAST_SUPPORT:
            return Grounding(refusal="unsupported", support=weakest)
        if refusal := _difference(sentence, place, asked):
            return Grounding(refusal=refusal, support=weakest)
        if sentence != whole and not _is_said_of(whole, sentence, place, asked):
            return Grounding(refusal="verdict", support=weakest)
        if _says_more(sentence, place):
            return Grounding(refusal="subject", support=weakest)
        articles[place.article] = True
    if not articles:
        return Grounding(refusal="unsupported", support=0.0)
    return Grounding(refusal=None, support=weakest, articles=tuple(articles))


def _best_place(
    sentence: str, places: Sequence[_Place], asked: set[str]
) -> tuple[float, _Place | None]:
    """Return the place that supports a sentence most, and how much; the shortest of equals."""
    said = [word for word in _stems(sentence) if word != _NOT and word not in _GLUE]
    own = [word for word in said if word not in asked]
    supports = [_support(said, own, place.stems) for place in places]
    if not supports:
        return 0.0, None
    best = max(range(len(places)), key=lambda i: (supports[i], -len(places[i].stems)))
    return supports[best], places[best]


def _says_more(sentence: str, place: _Place) -> bool:
    """Return whether a sentence has a word that its place, title and heading included, has not.

    One word is enough to be about something else: "express" where the article says "standard".
    """
    checked_already = {_NOT, *_UNITS, *_UNITS.values(), *_GLUE}  # numbers too, with their units
    return any(
        word not in place.stems
        and word not in place.about
        and word not in checked_already
        and _as_number(word) is None
        for word in _stems(sentence)
    )


def _is_courtesy(sentence: str) -> bool:
    said = [word for word in words(sentence) if word not in FUNCTION_WORDS]
    return bool(words(sentence)) and all(word in _MANNERS for word in said) and bool(said)


def _is_said_of(whole: str, sentence: str, place: _Place, asked: set[str]) -> bool:
    """Return whether "yes" or "no" before a sentence says of the question what its place says."""
    match = _VERDICT.match(whole)
    is_yes = bool(match and match[1])
    topic = asked - {_NOT}
    covered = sum(word in place.stems or word in place.about for word in topic)
    is_covered = bool(topic) and covered >= COVERED_BY_A_VERDICT * len(topic)
    return is_covered and is_yes == (_NOT not in _stems(sentence))


def _difference(sentence: str, place: _Place, asked: set[str]) -> str | None:
    """Return what a sentence says otherwise than the place that has its words, or None."""
    if wrong := _number_out_of_place(sentence, place):
        return f"number:{wrong}"
    if _is_turned_round(sentence, place, asked):
        return "order"
    sources = [(clause, _stems(clause)) for clause in _clauses(place.text)]
    for clause in _clauses(sentence):
        stems = _stems(clause)
        shared = [len(set(stems) & set(source) - {_NOT}) for _, source in sources]
        if not any(shared):
            continue
        likest = [sources[i] for i in range(len(sources)) if shared[i] == max(shared)]
        if all(stems.count(_NOT) != source.count(_NOT) for _, source in likest):
            return "negation"
        if all(not _conditions(source) <= _conditions(sentence) for source, _ in likest):
            return "condition"
    return "condition" if _leaves_condition_out(sentence, place, asked) else None


def _number_out_of_place(sentence: str, place: _Place) -> str | None:
    """Return the first number, with its unit, that the place has not, or not in this order."""
    there = quantities(place.text)
    for number, unit in quantities(sentence):
        if (number, unit) not in there:  # consumes what stands before it
            return f"{number} {unit}".rstrip()
    return None


def _is_turned_round(sentence: str, place: _Place, asked: set[str]) -> bool:
    """Return whether words stand in another order than there, or behind another "to" or "from"."""
    said = [word for word in _stems(sentence) if word != _NOT]
    own = [word for word in said if word not in asked and word in place.stems]
    if _in_order(own, place.stems) < len(own):
        return True
    there = _directed(place.text)
    return any(
        word not in there[direction]
        for direction, following in _directed(sentence).items()
        if direction in there
        for word in following[:1]
        if word in place.stems
    )


def _directed(text: str) -> dict[str, list[str]]:
    """Return the content words that stand behind each word of direction."""
    found: dict[str, list[str]] = {}
    said = words(text)
    for position, word in enumerate(said):
        if word in _DIRECTIONS:
            behind = (w for w in said[position + 1 :] if w not in FUNCTION_WORDS)
            following = [meaning_stem(w) for w, _ in zip(behind, range(_DIRECTED), strict=False)]
            found.setdefault(word, []).extend(following)
    return found


def _leaves_condition_out(sentence: str, place: _Place, asked: set[str]) -> bool:
    said = set(_stems(sentence)) | asked
    return any(
        2 * len(said.intersection(stems := _stems(clause))) < len(set(stems))
        for clause in _clauses(place.text)
        if _LEADING_CONDITION.match(clause)
    )


def _clauses(text: str) -> list[str]:
    return [clause for clause in _CLAUSE_BREAK.split(text) if words(clause)]


def _conditions(text: str) -> set[str]:
    return {match.lower() for match in _CONDITION.findall(text)}


# A draft is checked again with each sentence that it grows by, always against the same passages.
@lru_cache(maxsize=PASSAGES_KEPT)
def _places_of(passage: Passage) -> tuple[_Place, ...]:
    about = frozenset(_stems(f"{passage.title}. {passage.heading}"))
    return tuple(
        _Place(text, tuple(_stems(text)), about, passage.article)
        for text in sentences(passage.text)
    )


@lru_cache(maxsize=PASSAGES_KEPT)
def _quantities_of(passage: Passage) -> frozenset[tuple[str, str]]:
    return frozenset(quantities(_whole(passage)))


@lru_cache(maxsize=PASSAGES_KEPT)
def _references_of(passage: Passage) -> frozenset[str]:
    return frozenset(_references(_whole(passage)))


def _support(said: Sequence[str], own: Sequence[str], window: Sequence[str]) -> float:
    """Return how much of a sentence stands in `window` close together (0 to 1).

    The lesser of two shares: of all its words in any order, and of its `own` in the same order,
    which are those that the question does not have. A sentence that only repeats the question says
    nothing that could be supported, whatever "yes" or "no" stands before it.
    """
    if not own:
        return 0.0
    length = max(SHORTEST_STRETCH, LARGEST_SPREAD * len(said))
    stretches = [window[at : at + length] for at in range(max(len(window) - length, 0) + 1)]
    return max(
        min(
            sum(word in stretch for word in said) / len(said) + ALLOWANCE_FOR_THE_QUESTION,
            _in_order(own, stretch) / len(own),
        )
        for stretch in stretches
    )


def _in_order(own: Sequence[str], stretch: Sequence[str]) -> int:
    """Return how many words both have in the same order: their longest common subsequence."""
    longest = [0] * (len(stretch) + 1)
    for word in own:
        before = 0
        for position, other in enumerate(stretch, start=1):
            above = longest[position]
            longest[position] = before + 1 if word == other else max(above, longest[position - 1])
            before = above
    return longest[-1]


def _stems(text: str) -> list[str]:
    """Return the stems of the content words, with `_NOT` for each negation."""
    found = words(_with_plain_numbers(_NEGATION.sub(f" {_NOT} ", text)))
    return [
        _NUMBER_WORDS.get(word) or meaning_stem(word)
        for word in found
        if word not in FUNCTION_WORDS
    ]


def _whole(passage: Passage) -> str:
    return f"{passage.title}. {passage.heading}. {passage.text}"


def _unknown_reference(draft: str, passages: Sequence[Passage]) -> str | None:
    known = {name for passage in passages for name in _references_of(passage)}
    return next((name for name in _references(draft) if name not in known), None)


def _references(text: str) -> Iterator[str]:
    for match in _REFERENCE.finditer(text):
        name = match[0].rstrip(".,;:!?").removeprefix("https://").removeprefix("http://")
        is_phone = re.fullmatch(r"[+\d ()-]+", name)
        yield re.sub(r"[ ()-]", "", name) if is_phone else name.rstrip("/")


def quantities(text: str) -> Iterator[tuple[str, str]]:
    """Yield each number with the word that follows it, its unit."""
    for clause in _CLAUSE_END.split(_with_plain_numbers(text)):
        # A decimal point or a colon would end the word; a letter holds its place.
        found = words(_DECIMAL.sub("d", _TIME_COLON.sub("h", clause)))
        for position, word in enumerate(found):
            number = _as_number(word)
            if number is not None:
                unit = found[position + 1] if position + 1 < len(found) else ""
                # "2 to 4 days": the 2 has no unit of its own; nor has a time of day.
                is_bare = unit in FUNCTION_WORDS or _as_number(unit) or "h" in number
                yield number, "" if is_bare else _UNITS.get(stem(unit), stem(unit))


def _with_plain_numbers(text: str) -> str:
    """Return the text with each number in digits, and its currency or measure word behind it."""
    text = _MAY.sub("maymonth", _THOUSANDS.sub("", text)).replace("，", "， ")
    text = unicodedata.normalize("NFKC", text)
    for symbol, name in _SYMBOLS.items():
        text = text.replace(symbol, name)
    text = _CHINESE_PERCENT.sub(lambda match: f" {_chinese_number(match[1])} percent ", text)
    text = _CHINESE_NUMBER.sub(lambda match: f" {_chinese_number(match[0])} ", text)
    text = _MEASURED.sub(lambda match: f" {match[1] or ''} ", text)
    return _CURRENCY_BEFORE.sub(r"\2 \1", re.sub(r"[^\S\n]+", " ", text))


def _as_number(word: str) -> str | None:
    if word in _NUMBER_WORDS:
        return _NUMBER_WORDS[word]
    if not any(c.isdigit() for c in word):
        return None
    if match := re.fullmatch(r"0*(\d+?)(?:d(\d*?)0*)?", word):
        return f"{match[1]}.{match[2]}" if match[2] else match[1]
    return word


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
