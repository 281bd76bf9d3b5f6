"""The company's own rules for replies, in a YAML file beside the articles or at FRONTDESK_RULES.

    never_say:                      # words that no reply may have, or patterns between slashes
      - Acme Outdoor
      - /guarantee[sd]?/
    never_above:                    # no amount over the limit in a sentence with one of the words
      - words: [refund, 退款]
        limit: 100
        currency: EUR               # left out: of any currency
    always_person:                  # questions with one of these words go to a person
      - lawyer
      - 律师
    tell_the_model: |               # also said to the model, as it stands
      Be modest about delivery times.
    intents:                        # what the intent classifier tells
      damage:
        hand_off: true              # a person answers
        priority: high              # and what is handed off comes first on the team's list
      order_status:
        tools: [order_status]       # of the tools, only these

Only what can be checked mechanically is a rule. Each is also put into the model's prompt, but what
counts is the check: a draft that breaks a rule is never shown.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.errors import ArticlesError
from bot.grounding import quantities, sentences
from bot.knowledge.words import stem, words
from bot.messages import Language
from prompts import Prompts

RULES_FILE = "rules.yaml"
LARGEST_FILE = 100_000  # bytes
LONGEST_RULE = 200  # characters
LONGEST_NAME = 200


def _phrase(text: str) -> str:
    if not text.strip(" /"):
        raise ValueError("a rule must not be empty")
    if len(text) > LONGEST_RULE:
        raise ValueError(f"a rule must have at most {LONGEST_RULE} characters")
    if _is_pattern(text):
        try:
            re.compile(text[1:-1])
        except re.error as err:
            raise ValueError(f"{text} is no regular expression: {err}") from None
    return text


Phrase = Annotated[str, AfterValidator(_phrase)]


class Limit(BaseModel):
    """No amount over `limit` may stand in a sentence with one of `words`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: tuple[Phrase, ...] = Field(min_length=1)
    limit: float = Field(ge=0)
    currency: str | None = Field(None, pattern=r"^[A-Za-z]{3}$")


class IntentRule(BaseModel):
    """What is done with messages of an intent; `tools` is None where all may be used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hand_off: bool = False
    priority: Literal["high"] | None = None
    tools: tuple[str, ...] | None = None


IntentName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    never_say: tuple[Phrase, ...] = ()
    never_above: tuple[Limit, ...] = ()
    always_person: tuple[Phrase, ...] = ()
    tell_the_model: str = ""
    intents: dict[IntentName, IntentRule] = {}


@dataclass(frozen=True)
class Rules:
    """The company's rules; without a file there are none."""

    never_say: tuple[str, ...] = ()
    never_above: tuple[Limit, ...] = ()
    always_person: tuple[str, ...] = ()
    tell_the_model: str = field(default="")
    intents: Mapping[str, IntentRule] = field(default_factory=dict)

    def broken_by(self, reply: str) -> str | None:
        """Return the rule that a reply breaks, as the team may read it, or None."""
        for phrase, pattern in self._forbidden:
            if pattern.search(_normal(reply)):
                return f"never say {phrase}"
        for limit, pattern in self._limits:
            for sentence in sentences(reply):
                if pattern.search(_normal(sentence)) and (amount := _above(sentence, limit)):
                    return f"never above {limit.limit:g}: {amount}"
        return None

    def wants_person(self, question: str) -> str | None:
        """Return the word of a question for which a person must answer, or None."""
        said = _normal(question)
        return next((phrase for phrase, found in self._topics if found.search(said)), None)

    def hands_off(self, intents: Iterable[str]) -> bool:
        """Return whether a person must answer a message with these intents."""
        return any(rule.hand_off for rule in self._rules(intents))

    def is_urgent(self, intents: Iterable[str]) -> bool:
        """Return whether such a message, once handed off, comes first on the team's list."""
        return any(rule.priority == "high" for rule in self._rules(intents))

    def tools(self, intents: Sequence[str]) -> frozenset[str] | None:
        """Return the tools that may be used for such a message, None where all may.

        A message of several intents may use the tools of each.
        """
        rules = self._rules(intents)
        if not rules or len(rules) < len(intents) or any(rule.tools is None for rule in rules):
            return None
        return frozenset(tool for rule in rules for tool in rule.tools or ())

    def _rules(self, intents: Iterable[str]) -> list[IntentRule]:
        return [self.intents[name] for name in intents if name in self.intents]

    @cached_property
    def _forbidden(self) -> list[tuple[str, re.Pattern[str]]]:
        return [(phrase, _pattern(phrase)) for phrase in self.never_say]

    @cached_property
    def _limits(self) -> list[tuple[Limit, re.Pattern[str]]]:
        return [(limit, _any_of(limit.words)) for limit in self.never_above]

    @cached_property
    def _topics(self) -> list[tuple[str, re.Pattern[str]]]:
        return [(phrase, _pattern(phrase)) for phrase in self.always_person]


def read_rules(path: Path) -> Rules:
    """Read a file of rules. Raises ArticlesError with what is wrong in it and where."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ArticlesError(f"The rules {path} are larger than {LARGEST_FILE // 1000} kB.")
        found = yaml.safe_load(path.read_text(encoding="utf-8-sig")) or {}
        return Rules(**dict(_File.model_validate(found)))
    except OSError as err:
        raise ArticlesError(f"The rules {path} can't be read ({err.strerror}).") from err
    except UnicodeDecodeError as err:
        raise ArticlesError(f"The rules {path} are not UTF-8 text.") from err
    except ValidationError as err:
        problem = err.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "file"
        message = problem["msg"].removeprefix("Value error, ")
        raise ArticlesError(f"The rules {path} have a wrong {where}: {message}.") from err
    except (yaml.YAMLError, ValueError, RecursionError) as err:
        raise ArticlesError(f"The rules {path} are not valid YAML.") from err


def as_instructions(rules: Rules, prompts: Prompts, language: Language) -> str:
    """Return the rules as lines of the prompt, each ended; empty without rules.

    Patterns are left out: a model makes nothing of them.
    """
    said = prompts.labels("rules", language)
    lines = [f"{said['never_say']} {p}" for p in rules.never_say if not _is_pattern(p)]
    for limit in rules.never_above:
        amount = f"{said['never_above']} {limit.limit:g} {limit.currency or ''}".rstrip()
        lines.append(f"{amount} {said['near']} {', '.join(limit.words)}")
    lines += rules.tell_the_model.strip().splitlines()
    return "".join(f"- {line}\n" for line in lines)


def _above(sentence: str, limit: Limit) -> str | None:
    for number, unit in quantities(sentence):
        is_money = unit in ("eur", "usd", "gbp", "cny", *((limit.currency or "").lower(),))
        is_meant = unit == limit.currency.lower() if limit.currency else is_money
        if is_meant and _value(number) > limit.limit:
            return f"{number} {unit}"
    return None


def _value(number: str) -> float:
    try:
        return float(number)
    except ValueError:
        return 0.0


def _is_pattern(phrase: str) -> bool:
    return len(phrase) > 2 and phrase.startswith("/") and phrase.endswith("/")


def _any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{_pattern(phrase).pattern})" for phrase in phrases), re.I)


def _pattern(phrase: str) -> re.Pattern[str]:
    """Return what finds a phrase: an English one by the stems of its words, others as they are."""
    if _is_pattern(phrase):
        return re.compile(phrase[1:-1], re.IGNORECASE)
    normal = _normal(phrase)
    if not normal.isascii():
        return re.compile(re.escape(normal), re.IGNORECASE)
    stems = [re.escape(_stem(word)) + r"\w{0,4}" for word in words(normal)]
    return re.compile(r"\b" + r"\W+".join(stems) + r"\b", re.IGNORECASE)


def _stem(word: str) -> str:
    found = stem(word)
    return found if word.startswith(found) else found[:-1]


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()
