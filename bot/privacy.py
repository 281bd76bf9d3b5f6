"""Sensitive data masked before anything is stored or shown to the model.

What is promised is exactly this list: e-mail addresses, payment cards, IBANs, Chinese identity
numbers and phone numbers. All but e-mail are checked by their checksum or numbering plan, so that
order numbers and prices stay readable.
"""

import re
import unicodedata
from collections.abc import Callable

import phonenumbers
from stdnum import iban, luhn
from stdnum.cn import ric

from bot.knowledge.words import HAN

# Chinese is written without spaces around an address, so its characters end one. The look-behind
# keeps a long run without "@" from being read again from each of its letters.
_EMAIL = re.compile(
    rf"(?:(?<![\w.+-])|(?<={HAN.pattern}))(?:(?!{HAN.pattern})[\w.+-])+@"
    rf"(?:(?!{HAN.pattern})[\w-])+(?:\.(?:(?!{HAN.pattern})[\w-])+)+"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}")
_CHINESE_IDENTITY = re.compile(r"(?<!\d)\d{17}[\dXxＸｘ](?![\dA-Za-z])")
# Written in one run, or in the groups printed on the card: not any digits that happen to follow
# each other, such as an order number and a date. Thirteen digits are an article's bar code.
_CARD = re.compile(
    r"(?<![\dA-Za-z-])(?:\d{14,19}|\d{4}([ .-])\d{4}\1\d{4}\1\d{1,7}(?:\1\d{1,3})?"
    r"|[3３]\d{3}([ .-])\d{6}\2\d{5})(?!\d)"
)
# What stands in front makes it an order number: LF-2024-000123, "order 20240001", 订单号20240001.
_ORDER_CODE = re.compile(
    r"(?<![A-Za-z])(?!TEL)[A-Z]{1,4}-$"
    r"|(?i:\border)\W{0,2}(?i:number|no|nr|id)?\W{0,3}$|(?:订单|单)号?\W{0,3}(?:是|为)?\W{0,2}$"
)
# In small letters "tel-" and its like stand there, too, so that a year must follow: lf-2026-000123.
_SMALL_CODE = re.compile(r"(?<![a-z])(?!tel|fax|mob|cell)[a-z]{1,4}-$")
_YEAR = re.compile(r"20\d\d-")
# Characters that look like these and are typed or pasted in their place.
_LOOK_ALIKES = str.maketrans(
    {"＠": "@"} | {chr(space): " " for space in (0xA0, *range(0x2000, 0x200B), 0x202F, 0x3000)}
)
# The search for phone numbers takes the square of a text's length, so it sees a piece at a time;
# pieces end with a letter where they can.
_PIECE = re.compile(r".{1,2000}(?:[^\W\d]|\Z)|.{1,2000}", re.DOTALL)
# Where a number without a country code is tried; a mobile number is written alike in all of China.
_PHONE_REGIONS = ("CN", "GB", "US", "DE")


def mask(text: str, public: str = "") -> str:
    """Return the text with each piece of sensitive data replaced by its kind, e.g. `[card]`.

    What `public` says as well, such as the company's own address in its articles, is kept.
    """

    def email(match: re.Match[str]) -> str:
        return match[0] if match[0] in public else "[email]"

    text = _EMAIL.sub(email, text.translate(_LOOK_ALIKES))
    text = _mask_valid(text, _IBAN, iban.is_valid, "[iban]", public)
    text = _mask_valid(text, _CHINESE_IDENTITY, ric.is_valid, "[identity number]", public)
    text = _mask_valid(text, _CARD, _is_card, "[card]", public)
    return _mask_phones(text, public)


def _mask_valid(
    text: str, pattern: re.Pattern[str], is_valid: Callable[[str], bool], label: str, public: str
) -> str:
    def masked(match: re.Match[str]) -> str:
        # What follows may look like its last group, so the longest valid beginning is masked.
        for end in _group_ends(match[0]):
            if is_valid(unicodedata.normalize("NFKC", match[0][:end])):
                is_public = match[0][:end] in public
                return match[0] if is_public else label + match[0][end:]
        return match[0]

    return pattern.sub(masked, text)


def _group_ends(text: str) -> list[int]:
    ends = [position for position, char in enumerate(text) if char in " .-"]
    return [len(text), *reversed(ends)]


def _is_card(number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    return digits[0] in "23456" and len(digits) >= 14 and bool(luhn.is_valid(digits))


def _mask_phones(text: str, public: str) -> str:
    return "".join(_mask_phones_of(piece, public) for piece in _PIECE.findall(text))


def _mask_phones_of(text: str, public: str) -> str:
    for region in _PHONE_REGIONS:
        matcher = phonenumbers.PhoneNumberMatcher(
            text, region, leniency=phonenumbers.Leniency.VALID, max_tries=64
        )
        for match in reversed([match for match in matcher if _is_written_out(match)]):
            if not _is_order_code(text, match) and match.raw_string not in public:
                text = f"{text[: match.start]}[phone]{text[match.end :]}"
    return text


def _is_order_code(text: str, match: phonenumbers.PhoneNumberMatch) -> bool:
    before = max(0, match.start - 24), match.start
    is_small = _SMALL_CODE.search(text, *before) and _YEAR.match(match.raw_string)
    return bool(is_small or _ORDER_CODE.search(text, *before))


def _is_written_out(match: phonenumbers.PhoneNumberMatch) -> bool:
    """Tell a phone number from an order number: at least ten digits, or a country code."""
    return match.raw_string.startswith("+") or len(re.sub(r"\D", "", match.raw_string)) >= 10
