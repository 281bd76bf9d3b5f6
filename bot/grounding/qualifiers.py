"""What limits a statement: its conditions and bounds, "all" and "some", "must" and "may".

Each is one class, in whatever words it is said. A statement that leaves a limit of its source out
promises more, and so does one that says "all" for "some" or "will" for "might".
"""

import re
from collections.abc import Iterable, Mapping

_LIMITS = {
    "if": r"\b(?:if|when(?:ever)?|once|until|in case|provided|as long as|while)\b"
    r"|如果|若(?!干)|假如|一旦|当(?![天日月年地然前选])|的话|直到",
    "except": r"\b(?:except|unless|excluding|apart from|other than)\b"
    r"|除(?:非|外|了)|除.{1,12}外|不含|不包括",
    "only": r"\b(?:only|solely|exclusively)\b|只(?!要)|仅",
    "over": r"\b(?:over|above|exceed\w*|more than|greater than|higher than)\b"
    r"|满(?=\s*[¥￥€$£]?\s*[\d一二两三四五六七八九十百千])|以上|超过|超出",
    "under": r"\b(?:under|below|fewer than|less than|lower than)\b|以下|不足|少于|低于",
    "least": r"\b(?:at least|minimum|no less than)\b|至少|最少|最低|(?<=[元天件])起",
    "most": r"\b(?:at most|maximum|up to|no more than)\b|最多|至多|不超过|最高",
    "within": r"\bwithin\b|以内|之内|(?<=[天周月年时])内",
    "before": r"\b(?:before|prior to)\b|之前|以前|(?<=[天周月年时点])前",
    "after": r"\bafter\b|之后|以后|(?<=[天周月年时点])后",
}
_AMOUNTS = {
    "all": r"\b(?:all|every|each|always|everyone|everything|everywhere|anyone|anywhere)\b"
    r"|所有|全部|全都|每|一律|总是|任何|始终",
    "some": r"\b(?:some|several|certain|(?<!at )most(?! recent)|many|often|usually|sometimes"
    r"|generally|typically|mostly|partly|selected|few|majority|normally|occasionally)\b"
    r"|部分|一些|有些|有的(?!是)|某些|大多|多数|通常|一般|有时|往往|个别|若干",
}
_MODALS = {
    "must": r"\b(?:must|ha(?:ve|s) to|need(?:s|ed)?|requir(?:e|es|ed|ing|ement|ements)"
    r"|necessary|mandatory|obliged|obligatory|compulsory)\b|必须|务必|须|必需|一定要|应(?![用对该])",
    "need": r"需(?!求)要?",
    "should": r"\b(?:should|recommend(?:s|ed|ation)?|advis(?:e|es|ed|able)|ought to)\b"
    r"|建议|应该|最好|推荐",
    "may": r"\b(?:may|might|could|possibly|perhaps|maybe|probably|likely)\b|可能|也许|或许|大概率",
    "can": r"\b(?:can|able to|possible|allowed to|permitted to"
    r"|(?:allow|enable|permit|let)s? (?:you|users|customers|them|us|people)(?: to)?)\b"
    r"|可以|能够|(?<![功智性节职技只可])能(?![力源量耗够])|可(?![能以靠选见爱口是用乐观])",
    "will": r"\b(?:will|guarantee[sd]?|certainly|definitely|surely)\b|一定(?!要)|保证|肯定|必定",
}
_FOUND = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in (_LIMITS | {"all": _AMOUNTS["all"]}).items()
}
_MARKED = {name: re.compile(p, re.IGNORECASE) for name, p in (_AMOUNTS | _MODALS).items()}
# Compared by class, and not as words.
_MODALITY = re.compile("|".join((*_MODALS.values(), _LIMITS["only"])), re.IGNORECASE)
_MARK = re.compile(r"xq(\w+)qx")
_NUMBER = r"(\d[\d.]*)"
# What stands before or behind a number that is a limit.
_LIMIT = re.compile(
    r"\b(?:within|until|before|after|from|over|above|under|below|up to|than|least|most"
    rf"|maximum(?: of)?|minimum(?: of)?|limit of|max|min)\s+(?:[a-z]+\s+){{0,2}}?{_NUMBER}"
    rf"|满\s*{_NUMBER}|(?:最多|至少|最高|最低|超过|不足)\D{{0,3}}{_NUMBER}"
    rf"|{_NUMBER}\s*\w{{0,4}}?\s*(?:以内|之内|内|以上|以下|前|后|起)",
    re.IGNORECASE,
)
_NOT_ADDED = frozenset(_LIMITS) - {"if", "within", "before", "after"}


def qualifiers(text: str) -> frozenset[str]:
    """Return the classes of words in a clause that limit it."""
    return frozenset(name for name, pattern in _FOUND.items() if pattern.search(text))


def without_modality(text: str) -> str:
    """Return a text without "must", "may", "only" and their like."""
    return _MODALITY.sub(" ", text)


def marked(text: str) -> str:
    """Return a text with a mark for each "all", "some", "must", "may" and their like."""
    for name, pattern in _MARKED.items():
        text = pattern.sub(f" xq{name}qx ", text)
    return text


def governed(clauses: Iterable[Iterable[str]]) -> dict[str, set[str]]:
    """Return the classes of the marks before each word of marked clauses, or behind the last."""
    found: dict[str, set[str]] = {}
    for clause in clauses:
        open_marks: set[str] = set()
        last = ""
        for word in clause:
            if mark := _MARK.fullmatch(word):
                open_marks.add(mark[1])
            else:
                found.setdefault(word, set()).update(open_marks)
                open_marks, last = set(), word
        if last:
            found[last].update(open_marks)
    return found


def limits(text: str) -> set[str]:
    """Return the numbers in a text (its numbers in digits) that limit it: the 30 of "within 30"."""
    return {number for match in _LIMIT.finditer(text) for number in match.groups() if number}


def is_unlimited(
    said: frozenset[str], source: frozenset[str], beside: frozenset[str] = frozenset()
) -> bool:
    """Return whether a clause leaves a limit of its source out, or has another.

    What the clauses `beside` it say need not be said again.
    """
    lost = source.intersection(_LIMITS) - said - beside
    return bool(lost or (said - source) & _NOT_ADDED)


def misgoverned(said: Mapping[str, set[str]], source: Mapping[str, set[str]]) -> str | None:
    """Return what is said otherwise of a word: "quantity" or "modality"; None if nothing is."""
    for word, marks in said.items():
        if word in source:
            if _is_other_amount(marks, source[word]):
                return "quantity"
            if _is_other_modality(marks, source[word]):
                return "modality"
    return None


def _is_other_amount(said: set[str], source: set[str]) -> bool:
    return (
        ("all" in said and "all" not in source)
        or ("some" in source and "some" not in said)
        or ("some" in said and "all" in source)
    )


def _is_other_modality(said: set[str], source: set[str]) -> bool:
    duties = {"must", "need"}
    is_optional = bool(said & {"may", "can"})
    is_duty = bool(said & duties)
    if is_duty and not source & duties:
        return "must" in said or bool(source & {"can", "may"})
    if "should" in said and source & duties:
        return True
    if is_optional and source & duties and not source & {"may", "can"}:
        return True
    return "may" in source and not is_optional
