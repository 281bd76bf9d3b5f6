"""Sensitive data masked before anything is stored or shown to the model.

What is promised is exactly this list: e-mail addresses, payment cards, IBANs, Chinese identity
numbers and phone numbers. All but e-mail are checked by their checksum or numbering plan, so that
order numbers and prices stay readable.
"""

import re
from collections.abc import Callable

import phonenumbers
from stdnum import iban, luhn
from stdnum.cn import ric

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{1,4}){3,8}(?![A-Za-z0-9])")
_CHINESE_IDENTITY = re.compile(r"(?<!\d)\d{17}[\dXx](?![\dA-Za-z])")
# Written in one run, or in the groups printed on the card: not any digits that happen to follow
# each other, such as an order number and a date.
_CARD = re.compile(
    r"(?<![\dA-Za-z-])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|3\d{3}([ -])\d{6}\2\d{5})(?!\d)"
)
# Where a number without a country code is tried; a mobile number is written alike in all of China.
_PHONE_REGIONS = ("CN", "GB", "US", "DE")


def mask(text: str) -> str:
    """Return the text with each piece of sensitive data replaced by its kind, e.g. `[card]`."""
    text = _EMAIL.sub("[email]", text)
    text = _mask_valid(text, _IBAN, iban.is_valid, "[iban]")
    text = _mask_valid(text, _CHINESE_IDENTITY, ric.is_valid, "[identity number]")
    text = _mask_valid(text, _CARD, _is_card, "[card]")
    return _mask_phones(text)


def _mask_valid(
    text: str, pattern: re.Pattern[str], is_valid: Callable[[str], bool], label: str
) -> str:
    return pattern.sub(lambda match: label if is_valid(match[0]) else match[0], text)


def _is_card(number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    return digits[0] in "23456" and bool(luhn.is_valid(digits))


def _mask_phones(text: str) -> str:
    for region in _PHONE_REGIONS:
        matcher = phonenumbers.PhoneNumberMatcher(
            text, region, leniency=phonenumbers.Leniency.VALID, max_tries=64
        )
        for match in reversed([match for match in matcher if _is_written_out(match)]):
            text = f"{text[: match.start]}[phone]{text[match.end :]}"
    return text


def _is_written_out(match: phonenumbers.PhoneNumberMatch) -> bool:
    """Tell a phone number from an order number: at least ten digits, or a country code."""
    return match.raw_string.startswith("+") or len(re.sub(r"\D", "", match.raw_string)) >= 10
