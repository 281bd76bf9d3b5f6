"""Messages that a person must see, whatever the articles say: risks and complaints.

Lists of phrases, narrow on purpose: "how do I complain?" asks for an article, "I want to complain"
wants a person; "the lamp burns brightly" is no fire. Measured in docs/quality.md.
"""

import re
from typing import Literal

Concern = Literal["risk", "complaint"]

_RISK = re.compile(
    # Self-harm.
    r"\b(?:kill|hurt|harm|cut) (?:myself|themsel(?:f|ves)|himself|herself)\b|\bsuicid(?:e|al)\b"
    r"|\bend (?:my|it) (?:own )?life\b|\b(?:want|wish) to die\b|\bself[- ]harm"
    r"|自杀|自殘|自残|轻生|不想活|想死(?!心|机)|活不下去|结束(?:我的|自己的)?生命"
    # Injury, fire and shock.
    r"|\b(?:caught|catching|on) fire\b|\bexplod(?:ed|ing|es)\b|\belectric shock\b"
    r"|\belectrocuted\b|\bburn(?:ed|t|s)? (?:my|his|her|their|our|me|him|them|us)\b"
    r"|\b(?:injured|poisoned|allergic reaction|anaphyla\w+)\b|\bgas leak"
    r"|\bcarbon monoxide (?:alarm|poison)\w*|\bambulance\b"
    r"|(?<![不没])着火|起火|爆炸|触电|漏电|烧伤|烫伤|受伤|中毒|过敏反应|煤气泄漏|燃气泄漏|救护车"
    # Legal threats.
    r"|\b(?:sue|suing) (?:you|your|the (?:company|shop|store))\b"
    r"|\b(?:my|our) (?:lawyers?|attorneys?|solicitors?)\b|\blegal action\b|\btake you to court\b"
    r"|\bsmall claims court\b|\blawsuit\b"
    r"|起诉|打官司|律师函|(?:我的|找|请)律师|法院见|法律途径|走法律",
    re.IGNORECASE,
)
# Payments that the customer says were not theirs, or takes back through the bank.
_DISPUTE = re.compile(
    r"\bchargebacks?\b|\bdisput(?:e|ed|ing) (?:the|this|that|an?|my|your) (?:\w+ )?"
    r"(?:charge|payment|transaction)"
    r"|\b(?:unauthori[sz]ed|fraudulent) (?:charge|payment|transaction|purchase)s?\b"
    r"|\bidentity theft\b"
    r"|盗刷|拒付|(?:未经|没有)(?:我的?)?授权的?(?:扣款|付款|交易|消费)",
    re.IGNORECASE,
)
_COMPLAINT = re.compile(
    r"\b(?:make|making|file|filing|lodge|lodging|submit|submitting|raise|register)"
    r" (?:[\w']+ ){0,3}(?:complaint|reclamation)s?\b"
    r"|\b(?:complaint|reclamation|claim) against (?:you|ur)"
    r"|\bi (?:want|need|wish|would like|have) to complain\b|\bi'd like to complain\b"
    r"|^(?:formal )?complaint about\b|\bthis is (?:a|my|our) (?:formal |official )?complaint\b"
    r"|我[要想得必须]{1,2}(?:正式)?投诉|投诉(?:你们|贵公司)|^(?:要|想)?投诉(?:客服|快递员|商家)",
    re.IGNORECASE,
)
_ASKS_HOW = re.compile(
    r"(?:\b(?:how|where|what|which|whom?)|(?:^|[.,!?\n])\s*(?:can|could|may|is|are|do|does|would"
    r"|will))\b[^.!\n]*\b(?:complain|reclamation|claim|chargeback|disput|unauthori|fraudulent)"
    r"|(?:怎么|如何|怎样|哪里|在哪|能不能|可以|什么)[^。！\n]*(?:投诉|盗刷|拒付|授权)"
    r"|(?:投诉|盗刷|拒付)[^。！\n]*(?:怎么|如何|哪里|电话|渠道|入口|流程|多久)",
    re.IGNORECASE,
)


def concern_of(text: str) -> Concern | None:
    """Return why a message is a person's business, or None when it is an ordinary one."""
    plain = text.replace("’", "'")
    if _RISK.search(plain):
        return "risk"
    if _ASKS_HOW.search(plain):
        return None
    if _DISPUTE.search(plain):
        return "risk"
    return "complaint" if _COMPLAINT.search(plain) else None
