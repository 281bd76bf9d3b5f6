"""What kind of thing a question asks for, and whether a reply has one: a price, a period, a place.

"How long does delivery take?" is not answered by a price, however alike the words are. The patterns
only look for the form of an answer; whether it is the right one is the grounding check's work.
"""

import re
from typing import Literal

Kind = Literal["price", "period", "moment", "place", "contact", "amount"]

_ASKED: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "price",
        re.compile(
            r"how much (?:is|are|does|do|will|would|money|for)|\b(?:price|cost|costs|fee|charge)\b"
            r"|多少钱|价格|价钱|票价|费用|收费|怎么卖|人均消费",
            re.IGNORECASE,
        ),
    ),
    (
        "period",
        re.compile(
            r"how long|how soon|how fast|how quickly|how many (?:days|hours|weeks|months|years)"
            r"|多久|多长时间|几天|几个月|几年|几个小时|多少天",
            re.IGNORECASE,
        ),
    ),
    (
        "moment",
        re.compile(
            r"\bwhen\b|what time|which day|opening (?:hours|times)|(?:open|close)s? at\b"
            r"|什么时候|几点|何时|哪天|营业时间|开放时间",
            re.IGNORECASE,
        ),
    ),
    ("place", re.compile(r"\bwhere\b|\baddress\b|哪里|哪儿|在哪|地址|什么地方", re.IGNORECASE)),
    (
        "contact",
        re.compile(r"phone|telephone|\be-?mail\b|contact|电话|号码|联系方式|邮箱", re.IGNORECASE),
    ),
    (
        "amount",
        re.compile(r"how many\b(?! (?:days|hours|weeks|months|years))|几个|多少(?!钱|天)", re.I),
    ),
)
_NUMBER = r"(?:\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|thirty)\b)"
_HAS: dict[Kind, re.Pattern[str]] = {
    "price": re.compile(
        r"[€$£¥%]|\d\s*(?:eur|usd|gbp|cny|rmb|euros?|dollars?|pounds?)\b"
        r"|\bfree\b|no (?:extra )?(?:charge|cost|fee)|extra|\bpaid\b|\bcosts?\b|\bfees?\b"
        r"|\d\s*(?:元|块|欧元|美元)|免费|无需门票|不收|收费|自费",
        re.IGNORECASE,
    ),
    "period": re.compile(
        rf"{_NUMBER}[\w\s-]{{0,16}}?\b(?:minute|hour|day|week|month|year|night)"
        r"|[\d一二两三四五六七八九十]\s*个?\s*(?:分钟|小时|工作日|天|日|周|星期|月|年)"
        r"|immediately|at once|same day|立即|马上|当天|全天|永久|长期",
        re.IGNORECASE,
    ),
    "moment": re.compile(
        r"\d\s*[:：]\s*\d\d|\d\s*(?:am|pm|a\.m|p\.m|o'clock)\b|\b(?:mon|tues|wednes|thurs|fri|satur"
        r"|sun)day|\b(?:january|february|march|april|may|june|july|august|september|october"
        r"|november|december|noon|midnight|daily|always|any time|24)\b"
        r"|\b(?:after|before|within|as soon as|once)\b|\d\s*[点时月日天周年]|星期"
        r"|周[一二三四五六日末]|全天|每天|随时|以后|之后|之前|内",
        re.IGNORECASE,
    ),
    "place": re.compile(
        r"\b(?:at|in|on|near|under|to|from|opposite|behind|street|road|page|website|account)\b"
        r"|[路街区号楼县市镇村道]|在|位于|页面|附近",
        re.IGNORECASE,
    ),
    "contact": re.compile(
        r"\d[\d ()-]{5,}\d|@|\b(?:call|e-?mail|write|phone|form|chat)\b"
        r"|电话|邮箱|邮件|拨打|致电|暂无",
        re.IGNORECASE,
    ),
    "amount": re.compile(
        rf"{_NUMBER}|\b(?:no|none|several|unlimited|any number)\b|[一二两三四五六七八九十百千]"
        r"|不限|无",
        re.IGNORECASE,
    ),
}


def kinds_asked(question: str) -> list[Kind]:
    """Return the kinds of thing that a question asks for; none for most."""
    return [kind for kind, pattern in _ASKED if pattern.search(question)]


def has_kind(reply: str, kind: Kind) -> bool:
    """Return whether a reply has something of that kind's form."""
    return bool(_HAS[kind].search(reply))
