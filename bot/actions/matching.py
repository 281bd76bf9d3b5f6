"""Finding the tool that a question asks for without a model: example questions and patterns."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.actions.declarations import Parameter, Tool
from bot.knowledge.words import FUNCTION_WORDS, HAN, stem
from bot.messages import Language, Turn

LEAST_SHARED = 0.8  # of an example's words that a sentence must have, and all that carry a topic
MOST_OTHERS = 5  # words beyond the example's: more of them ask something else, too
MOST_OTHER_TOPICS = 2  # of these, words that carry a topic
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[。！？；\n]")
_WORD = re.compile(rf"{HAN.pattern}|[a-z]+(?![a-z0-9])")  # codes and numbers are no words
# They make a question polite, or a sentence; which tool is meant they don't say.
_FILLERS = frozenset(
    "a an the please hi hello hey can could you tell me i d ll would like to know s just now for"
    " my our of"
    " 的 了 吗 呢 吧 啊 呀 请 问 您 你 我 好 一 下 帮 想 号".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A tool that is asked for, with the values that were found; `missing` has none."""

    name: str
    arguments: Mapping[str, str]
    missing: str | None = None


def match(
    text: str, language: Language, history: Sequence[Turn], tools: Mapping[str, Tool]
) -> Match | None:
    """Return the tool that a message asks for by one of its examples, or None.

    Where the bot just asked for a value, a message that has one goes on with that tool.
    """
    normal = unicodedata.normalize("NFKC", text)
    if name := asking(text, history, tools):
        return _filled(name, tools[name], normal, ())
    scores = {
        name: _likeness(normal, language, tool) for name, tool in tools.items() if tool.questions
    }
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is None or scores[best][0] < LEAST_SHARED:
        return None
    earlier = [turn.text for turn in history if turn.role == "customer"]
    return _filled(best, tools[best], normal, earlier)


def asking(text: str, history: Sequence[Turn], tools: Mapping[str, Tool]) -> str | None:
    """Return the tool that just asked for a value, where a message has one."""
    normal = unicodedata.normalize("NFKC", text)
    for name, tool in tools.items():
        is_reply = any(values(parameter, normal) for parameter in tool.parameters.values())
        if is_reply and _has_asked(tool, history):
            return name
    return None


def values(parameter: Parameter, text: str) -> list[str]:
    """Return the values of a parameter that stand in a text, each once."""
    if parameter.pattern is None:
        return []
    normal = unicodedata.normalize("NFKC", text)
    whole = rf"(?<![A-Za-z0-9_-])(?:{parameter.pattern})(?![A-Za-z0-9_]|-[A-Za-z0-9])"
    found = (match[0] for match in re.finditer(whole, normal, re.IGNORECASE))
    return list(dict.fromkeys(_cased(value, parameter) for value in found))


def _cased(value: str, parameter: Parameter) -> str:
    return {"upper": value.upper(), "lower": value.lower()}.get(parameter.case, value)


def _filled(name: str, tool: Tool, text: str, earlier: Sequence[str]) -> Match:
    """Return the match with each value that is written once in the message, else before it."""
    arguments: dict[str, str] = {}
    for parameter_name, parameter in tool.parameters.items():
        if parameter.pattern is None:
            continue
        found = values(parameter, text) or values(parameter, "\n".join(earlier))
        if len(found) != 1:
            return Match(name=name, arguments=arguments, missing=parameter_name)
        arguments[parameter_name] = found[0]
    return Match(name=name, arguments=arguments)


def _has_asked(tool: Tool, history: Sequence[Turn]) -> bool:
    said = next((turn.text for turn in reversed(history) if turn.role != "customer"), None)
    asked = (text for parameter in tool.parameters.values() for text in parameter.ask.values())
    return said is not None and said in asked


def _likeness(text: str, language: Language, tool: Tool) -> tuple[float, int]:
    """Return the share of the nearest example that a sentence of the message has, and its size."""
    for parameter in tool.parameters.values():
        for value in values(parameter, text):
            text = re.sub(re.escape(value), " ", text, flags=re.IGNORECASE)
    sentences = [_tokens(sentence) for sentence in _SENTENCE_END.split(text)]
    examples = [_tokens(question) for question in tool.questions.get(language, ())]
    return max(
        (_shared(example, sentence) for example in examples for sentence in sentences),
        default=(0.0, 0),
    )


def _shared(example: frozenset[str], sentence: frozenset[str]) -> tuple[float, int]:
    others = sentence - example
    if not _topics(example) <= sentence or len(others) > MOST_OTHERS:
        return 0.0, 0
    if not example or len(_topics(others)) > MOST_OTHER_TOPICS:
        return 0.0, 0
    shared = len(example & sentence)
    return shared / len(example), shared


def _topics(tokens: frozenset[str]) -> frozenset[str]:
    return frozenset(token for token in tokens if token not in FUNCTION_WORDS)


def _tokens(text: str) -> frozenset[str]:
    """Return the stems of the words, and each Chinese character; how politely, is left out."""
    found = _WORD.findall(unicodedata.normalize("NFKC", text).lower())
    return frozenset(stem(word) for word in found if word not in _FILLERS)
