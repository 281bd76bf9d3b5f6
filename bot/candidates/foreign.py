"""An article answer in a language that the customer did not ask in: the reply says so."""

from dataclasses import replace

from bot.knowledge.scoring import Hit
from bot.messages import Candidate, Language
from prompts import Prompts


def introduced(answer: Candidate, shown: Hit, language: Language, prompts: Prompts) -> Candidate:
    """Return the answer, after a sentence in the customer's language where it is in another."""
    if shown.passage.language == language:
        return answer
    return replace(answer, text=f"{prompts.text('other_language', language)}\n\n{answer.text}")
