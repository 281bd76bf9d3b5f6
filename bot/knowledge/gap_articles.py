"""Articles for gaps, for the team to finish: nothing of them is shown to customers by itself.

What the team answered to such questions is the content. A model that can write puts it into an
article; without answers it would invent, so then, and without a model, it is an outline.
"""

import logging
import re
from collections.abc import Sequence

import yaml

from bot import grounding
from bot.errors import ModelError
from bot.knowledge.gaps import Gap
from bot.messages import Language, Passage, PassageId
from bot.model import ChatModel, Message, estimated_tokens
from prompts import Prompts

logger = logging.getLogger(__name__)

MOST_QUESTIONS = 12
MOST_ANSWERS = 12
LONGEST_ARTICLE = 3_000  # characters of the nearest article that the model reads
LONGEST_DRAFT = 2_048  # tokens, with a reasoning model's thoughts before it
DRAFT_SECONDS = 60.0


class GapWriter:
    """Drafts articles with a model; `languages` are those that it can write."""

    def __init__(self, model: ChatModel, prompts: Prompts, languages: Sequence[Language]) -> None:
        self._model = model
        self._prompts = prompts
        self._languages = frozenset(languages)

    async def draft(self, gap: Gap, nearest: str) -> str:
        """Return an article for a gap, in Markdown with front matter; `nearest` is one that exists.

        Where the team has answered nothing, or no model can write it, it is an outline.
        """
        if not gap.answers or gap.language not in self._languages or self._model.trouble():
            return outline(gap)
        try:
            sampled = await self._model.sample(
                self._messages(gap, nearest),
                n=1,
                temperature=0.0,
                max_tokens=self._longest_tokens,
                seconds=DRAFT_SECONDS,
            )
        except ModelError as err:
            logger.warning("No article was drafted: %s", err)
            return outline(gap)
        text = _unfenced(sampled.texts[0])
        return _article(gap, text, self._model.name, nearest) if text else outline(gap)

    @property
    def _longest_tokens(self) -> int:
        return min(LONGEST_DRAFT, self._model.context_tokens // 2)

    def _messages(self, gap: Gap, nearest: str) -> list[Message]:
        prompt = self._prompts.get("gap_article", gap.language)
        question = "\n".join(_asked(gap))
        answers, article = list(_answers(gap)), nearest[:LONGEST_ARTICLE]
        budget = self._model.context_tokens - self._longest_tokens - estimated_tokens(question)
        while True:
            system = prompt.render(answers=_quoted(answers), article=article)
            if estimated_tokens(system) <= budget or (not article and len(answers) == 1):
                return [("system", system), ("human", question)]
            if article:
                article = ""
            else:
                answers.pop()


def outline(gap: Gap) -> str:
    """Return an article to be written for a gap, in Markdown with front matter.

    What has to be filled in stands in brackets; the questions are as customers asked them, and what
    the team answered is quoted.
    """
    asked = _asked(gap)
    return f"{_front(asked[0], gap)}{_BODY[gap.language]}{_sources(gap)}"


def file_name(gap: Gap) -> str:
    """Return under which name an article is saved."""
    words = re.sub(r"[^\w]+", "-", gap.title.lower()).strip("-")[:50].rstrip("-")
    return f"{words or 'gap'}.md"


def _article(gap: Gap, text: str, model: str, nearest: str) -> str:
    """Put a model's draft between what marks it as one and what it was made from."""
    title, body = _split(text, gap)
    notice = _NOTICE[gap.language].format(model=model)
    if unknown := _unknown(body, gap, nearest):
        notice += _UNKNOWN[gap.language].format(unknown="; ".join(unknown))
    return f"{_front(title, gap)}> [{notice}]\n\n{body}\n{_sources(gap)}"


def _split(text: str, gap: Gap) -> tuple[str, str]:
    """Return the title that a draft begins with, else the most typical question, and the rest."""
    first, _, rest = text.partition("\n")
    if first.startswith("# ") and rest.strip():
        return first.removeprefix("# ").strip(), rest.strip()
    return _asked(gap)[0], text


def _unknown(body: str, gap: Gap, nearest: str) -> list[str]:
    """Return the sentences with a number or a link that neither answers nor article have."""
    sources = [*_answers(gap), nearest]
    passages = [
        Passage(
            id=PassageId(str(number)),
            article="",
            title="",
            heading="",
            text=text,
            language=gap.language,
            url="",
        )
        for number, text in enumerate(sources)
    ]
    checked = (
        (sentence, grounding.check(sentence, passages, "", gap.language).refusal or "")
        for sentence in grounding.sentences(body)
    )
    return [sentence for sentence, why in checked if why.startswith(("number", "reference"))]


def _front(title: str, gap: Gap) -> str:
    head = {
        "title": title[:80],
        "language": gap.language,
        "audience": "internal",
        "questions": _asked(gap),
    }
    front = yaml.safe_dump(head, allow_unicode=True, sort_keys=False, width=1000)
    return f"---\n{front}---\n\n"


def _asked(gap: Gap) -> list[str]:
    asked = [" ".join(each.text.split()) for each in gap.questions if each.language == gap.language]
    return list(dict.fromkeys(asked))[:MOST_QUESTIONS]


def _answers(gap: Gap) -> Sequence[str]:
    return gap.answers[:MOST_ANSWERS]


def _sources(gap: Gap) -> str:
    return f"\n## {_SOURCES[gap.language]}\n\n{_quoted(_answers(gap))}\n" if gap.answers else ""


def _quoted(answers: Sequence[str]) -> str:
    return "\n\n".join("\n".join(f"> {line}" for line in text.splitlines()) for text in answers)


def _unfenced(text: str) -> str:
    """Return a text without the fence of code that models like to put around Markdown."""
    found = re.fullmatch(r"```\w*\n(.*?)\n?```", text.strip(), re.DOTALL)
    return (found[1] if found else text).strip()


_BODY: dict[Language, str] = {
    "en": (
        "## [The short answer as a heading]\n\n[One or two sentences that answer the questions"
        " above, with numbers and periods.]\n\n## [Conditions and exceptions]\n\n[For whom, from"
        " when, what is excluded.]\n\n## [What to do]\n\n1. [First step]\n"
    ),
    "zh": (
        "## [用标题概括答案]\n\n[用一两句话回答上面的问题，写明数字和期限。]\n\n"
        "## [条件和例外]\n\n[适用于谁、从什么时候起、哪些情况除外。]\n\n"
        "## [怎么做]\n\n1. [第一步]\n"
    ),
}
_NOTICE: dict[Language, str] = {
    "en": "Draft by {model} from the answers below: check every fact, then delete this line.",
    "zh": "这是 {model} 根据下面的回答写的草稿：请核实每一处内容，然后删除这一行。",
}
_UNKNOWN: dict[Language, str] = {
    "en": " Numbers or links of these stand in no answer: {unknown}",
    "zh": "以下句子里的数字或链接在回答中找不到：{unknown}",
}
_SOURCES: dict[Language, str] = {
    "en": "[What the team answered: take out what concerns one customer, then delete this section]",
    "zh": "[客服人员的回答：请去掉只涉及某一位顾客的内容，用完后删除这一节]",
}
