"""Mechanical changes that make a true sentence say something else; of none may a check pass.

Each takes a sentence copied from a passage and the sentences beside it, and returns what it made of
it, the sentence itself where it found nothing to change.
"""

import random
import re
from collections.abc import Callable, Sequence

from bot.grounding.terms import LIGHT
from bot.knowledge.words import HAN, content_words
from bot.synonyms import meaning_stem

LEAST_WORDS = 4
Change = Callable[[str, Sequence[str], random.Random], str]

_MONTHS = (
    "January February March April May June July August September October November December".split()
)
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_UNITS = (
    ("days", "weeks"),
    ("hours", "days"),
    ("minutes", "hours"),
    ("weeks", "months"),
    ("小时", "天"),
    ("分钟", "小时"),
)
_OPPOSITES = (
    *(("express", "standard"), ("free", "paid"), ("online", "in the shop"), ("before", "after")),
    *(("increase", "decrease"), ("minimum", "maximum"), ("first", "last"), ("higher", "lower")),
    *(("more", "less"), ("open", "closed"), ("always", "never"), ("new", "used")),
    *(("included", "excluded"), ("enable", "disable"), ("public", "private"), ("add", "remove")),
    *(("allowed", "forbidden"), ("early", "late"), ("large", "small"), ("up to", "at least")),
    *(("免费", "收费"), ("之前", "之后"), ("最多", "至少"), ("增加", "减少"), ("线上", "门店")),
    *(("标准", "快速"), ("打开", "关闭"), ("启用", "禁用"), ("添加", "删除"), ("新", "旧")),
    *(("以上", "以下"), ("包含", "不含"), ("允许", "禁止"), ("成人", "儿童"), ("大", "小")),
    *(("开始", "结束"), ("上午", "下午"), ("东", "西"), ("南", "北")),
)
_QUANTIFIERS = (
    *(("all", "some"), ("every", "some"), ("each", "only one"), ("some", "all")),
    *(("many", "all"), ("most", "all"), ("several", "all"), ("usually", "always")),
    *(("often", "always"), ("only", "also"), ("sometimes", "always")),
    *(("所有", "部分"), ("全部", "部分"), ("一些", "所有"), ("部分", "所有"), ("有些", "所有")),
    *(("通常", "总是"), ("一般", "一律"), ("只", "也"), ("仅", "也"), ("每", "有的")),
)
_MODALS = (
    *(("must", "may"), ("have to", "can"), ("need to", "can"), ("required to", "allowed to")),
    *(("may", "must"), ("can", "must"), ("might", "will"), ("could", "must"), ("should", "must")),
    *(("may", "will"), ("is required", "is possible"), ("recommended", "required")),
    *(("必须", "可以"), ("需要", "可以"), ("可以", "必须"), ("可能", "一定"), ("应", "可")),
    *(("建议", "必须"), ("能", "必须")),
)
_VERB = re.compile(
    r" (?=(?:is|are|was|were|has|have|can|will|must|may|does|costs?|takes?|allows?|provides?"
    r"|includes?|requires?|needs?|supports?|offers?|uses?)\b)|(?=是|可以|需要|位于|支持|提供|必须|用于)"
)
_LONGEST_SUBJECT = 40
_NO_SUBJECT = re.compile(r"\b(?:you|that|which|when|if|to|where|who|and|then|there)\b|[\[(]", re.I)


def number(said: str, _: Sequence[str], rng: random.Random) -> str:
    """Change the first number by a little."""
    return re.sub(r"(?<!^)\d+", lambda m: str(int(m[0]) + rng.randint(1, 9)), said, count=1)


def other_number(said: str, beside: Sequence[str], rng: random.Random) -> str:
    """Say a number of another sentence of the passage."""
    own = set(map(int, re.findall(r"\d+", said)))
    others = sorted({int(n) for text in beside for n in re.findall(r"\d+", text)} - own)
    return re.sub(r"(?<!^)\d+", str(rng.choice(others)), said, count=1) if others else said


def month(said: str, _: Sequence[str], rng: random.Random) -> str:
    """Name another month or day of the week."""
    for names in (_MONTHS, _DAYS):
        found = next((name for name in names if re.search(rf"\b{name}\b", said)), None)
        if found:
            return said.replace(found, rng.choice([name for name in names if name != found]))
    return re.sub(r"(\d+)月", lambda m: f"{int(m[1]) % 12 + 1}月", said, count=1)


def unit(said: str, _: Sequence[str], __: random.Random) -> str:
    """Say weeks for days, and the like."""
    return _first_of(_UNITS, said)


def price(said: str, _: Sequence[str], rng: random.Random) -> str:
    """Change an amount of money."""
    pattern = r"(?<=[$€£])\d[\d,.]*\d|\d+(?=\s?(?:GBP|EUR|USD|pounds?|元|欧元))"
    return re.sub(pattern, lambda _: str(rng.randint(501, 999)), said, count=1)


def negation_lost(said: str, _: Sequence[str], __: random.Random) -> str:
    """Say the opposite by leaving out "not"."""
    found = re.sub(r"\b(is|are|does|do|can|will|may|must|should) ?not\b", r"\1", said, count=1)
    return re.sub(r"不(?=可|能|需|接|提|支|收)", "", found, count=1)


def negated(said: str, _: Sequence[str], __: random.Random) -> str:
    """Say the opposite by putting in "not"."""
    found = re.sub(
        r"\b(is|are|can|will|may|must|should)\b(?! ?not|n?['’])", r"\1 not", said, count=1
    )
    return re.sub(r"(?<!不)(可以|需要|提供|支持|开放)", r"不\1", found, count=1)


def names_swapped(said: str, _: Sequence[str], __: random.Random) -> str:
    """Let the first two names around "to", "from", "than" or "by" change places."""
    pattern = r"\b([A-Z][a-z]+)\b(.{2,40}? (?:to|from|than|by) (?:the )?)\b([A-Z][a-z]+)\b"
    found = re.sub(pattern, r"\3\2\1", said, count=1)
    return re.sub(r"从(\w{2,4})到(\w{2,4})", r"从\2到\1", found, count=1)


def other_name(said: str, beside: Sequence[str], rng: random.Random) -> str:
    """Put a name of another sentence of the passage in the place of one."""
    pattern = r"(?<=[a-z] )[A-Z][a-z]+\b|[㐀-鿿]{2,8}(?=国|省|市|区|县|路|街|山|寺|园|馆|店|站)"
    others = sorted({n for text in beside for n in re.findall(pattern, text) if n not in said})
    return re.sub(pattern, rng.choice(others), said, count=1) if others else said


def other_word(said: str, beside: Sequence[str], rng: random.Random) -> str:
    """Put a word of another sentence of the passage in the place of one."""
    own = [word for word in content_words(said) if len(word) > 1 and word in said]
    known = set(content_words(said))
    others = [
        word
        for text in beside
        for word in content_words(text)
        if len(word) > 1 and word not in known and meaning_stem(word) not in LIGHT
    ]
    alike = [word for word in others if bool(HAN.search(word)) == bool(HAN.search(said))]
    if not own or not alike:
        return said
    return _replaced(said, rng.choice(own), rng.choice(alike))


def opposite(said: str, _: Sequence[str], __: random.Random) -> str:
    """Say "standard" for "express", "after" for "before", and the like."""
    return _first_of((*_OPPOSITES, *((b, a) for a, b in _OPPOSITES)), said)


def quantifier(said: str, _: Sequence[str], __: random.Random) -> str:
    """Say "all" for "some", and the like."""
    return _first_of(_QUANTIFIERS, said)


def limited(said: str, _: Sequence[str], __: random.Random) -> str:
    """Put in "only"."""
    if re.search(r"\bonly\b|只|仅", said):
        return said
    found = re.sub(r"\b(is|are|can|will|may|must)\b", r"\1 only", said, count=1)
    return re.sub(r"(可以|需要|提供|支持|开放)", r"只\1", found, count=1)


def modality(said: str, _: Sequence[str], __: random.Random) -> str:
    """Say "may" for "must", and the like."""
    return _first_of(_MODALS, said)


def condition_lost(said: str, _: Sequence[str], __: random.Random) -> str:
    """Leave out the part that limits."""
    pattern = r",? (?:if|unless|only|except|over|under|at least|within|before|after)\b[^,.;]*"
    found = re.sub(pattern, "", said, count=1)
    found = re.sub(r"(?:如果|若|除非|当|满)[^，。；]*[，,]?(?=.{4})", "", found, count=1)
    return found if len(content_words(found)) >= LEAST_WORDS else said


def other_subject(said: str, beside: Sequence[str], rng: random.Random) -> str:
    """Say of the subject of another sentence what this one says of its own."""
    own, other = _VERB.split(said, maxsplit=1), _subjects(beside)
    mine = set(content_words(own[0]))
    others = [subject for subject in other if not set(content_words(subject)) <= mine]
    if len(own) < 2 or not _is_subject(own[0]) or not others:
        return said
    gap = "" if HAN.search(said) else " "
    return f"{rng.choice(others)}{gap}{own[1]}"


def pronoun(said: str, beside: Sequence[str], rng: random.Random) -> str:
    """Say it of the subject of the sentence before, whose subject is another."""
    own = _VERB.split(said, maxsplit=1)
    others = [
        text
        for text in beside
        if (parts := _VERB.split(text, maxsplit=1))[1:]
        and _is_subject(parts[0])
        and not set(content_words(text)) & set(content_words(own[0]))
    ]
    if len(own) < 2 or not _is_subject(own[0]) or not others:
        return said
    is_chinese = bool(HAN.search(said))
    return f"{rng.choice(others)}{'它' if is_chinese else ' It '}{own[1]}"


def invented_link(said: str, _: Sequence[str], rng: random.Random) -> str:
    """Add a link."""
    return f"{said} https://help{rng.randint(1, 99)}.example/claim"


def invented_phone(said: str, _: Sequence[str], rng: random.Random) -> str:
    """Add a telephone number."""
    return f"{said} 020 7946 {rng.randint(1000, 9999)}"


CHANGES: dict[str, Change] = {
    "number": number,
    "number of another sentence": other_number,
    "month or day": month,
    "unit": unit,
    "price": price,
    "negation lost": negation_lost,
    "negated": negated,
    "names swapped": names_swapped,
    "name of another sentence": other_name,
    "word of another sentence": other_word,
    "opposite": opposite,
    "quantifier": quantifier,
    "only": limited,
    "modality": modality,
    "condition lost": condition_lost,
    "subject of another sentence": other_subject,
    "pronoun for another subject": pronoun,
    "link": invented_link,
    "phone": invented_phone,
}


def _subjects(beside: Sequence[str]) -> list[str]:
    parts = [_VERB.split(text, maxsplit=1) for text in beside]
    return [part[0] for part in parts if len(part) > 1 and _is_subject(part[0])]


def _is_subject(text: str) -> bool:
    is_short = 0 < len(text) <= _LONGEST_SUBJECT
    return is_short and bool(content_words(text)) and not _NO_SUBJECT.search(text)


def _first_of(replacements: Sequence[tuple[str, str]], said: str) -> str:
    for old, new in replacements:
        changed = _replaced(said, old, new)
        if changed != said:
            return changed
    return said


def _replaced(said: str, old: str, new: str) -> str:
    pattern = rf"\b{re.escape(old)}\b" if old.isascii() else re.escape(old)
    return re.sub(pattern, lambda _: new, said, count=1)
