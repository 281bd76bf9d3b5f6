"""What customers ask, and a model that answers with what the passages say that it was given."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from bot.grounding import sentences
from bot.knowledge.articles import read_articles

ROOT = Path(__file__).parents[2]
ARTICLES = ROOT / "examples" / "shop" / "articles"
QUESTIONS = ROOT / "examples" / "shop" / "questions-tuning.jsonl"
TOKENS = 20
PASSAGES_IN_A_PROMPT = 6

Json = dict[str, Any]


@dataclass
class Shop:
    """A shop with its articles. `said` are the model's answers, by question.

    Its model answers with so many `sentences` of the prompt's first passage.
    """

    articles: Path
    questions: Sequence[str]
    sentences: int = 1
    said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found, _ = read_articles(self.articles)
        self._passages = [
            passage.text
            for article in found
            for passage in article.passages
            if passage.language == "en"
        ]
        self._answers: dict[str, str] = {}

    def reply(self, body: Json) -> list[str]:
        """Return the longest sentences of the prompt's first passage, once for each sample."""
        system, question = body["messages"][0]["content"], body["messages"][-1]["content"]
        if system not in self._answers:
            self._answers[system] = self._answer(system)
        self.said[question] = self._answers[system]
        return [self._answers[system]] * (body.get("n") or 1)

    def prompt(self) -> str:
        """Return a prompt as long as the real ones, for a program that searches nothing."""
        return "Answer from these articles:\n" + "\n\n".join(self._passages[:PASSAGES_IN_A_PROMPT])

    def _answer(self, system: str) -> str:
        places = [(system.find(text), text) for text in self._passages]
        _, first = min(((at, text) for at, text in places if at >= 0), default=(0, "NO ANSWER"))
        found = sentences(first)
        longest = sorted(found, key=len, reverse=True)[: self.sentences]
        return " ".join(sentence for sentence in found if sentence in longest)


def english_questions(path: Path) -> list[str]:
    """Return the English questions of a file of labelled ones.

    Only those with a mark at their end: a bot rightly waits for the rest of the others.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines if line]
    return [
        one["question"] for one in found if one["language"] == "en" and one["question"][-1] in ".?!"
    ]


def in_tokens(text: str) -> list[str]:
    """Return a text in `TOKENS` pieces of about the same length."""
    ends = [round(len(text) * number / TOKENS) for number in range(TOKENS + 1)]
    pieces = [text[start:end] for start, end in pairwise(ends)]
    return [piece for piece in pieces if piece]
