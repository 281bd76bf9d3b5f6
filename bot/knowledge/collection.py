"""The articles in memory: what a search picks its candidates from."""

import contextlib
from collections.abc import Collection as Sized
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from bot.knowledge.encoder import Vectors
from bot.knowledge.scoring import ENOUGH, stems
from bot.knowledge.vectors import (
    Likeness,
    PassageMatrix,
    Scales,
    Text,
    ordinary_questions,
    texts_of,
)
from bot.messages import Language, Passage, PassageId


class Collection:
    """The articles in use, with what was made of them; it never changes.

    A language is compared by meaning once all of it has vectors.
    """

    def __init__(
        self,
        passages: Sequence[Passage] = (),
        questions: Mapping[str, Sequence[str]] | None = None,
        vectors: Mapping[str, Vectors] | None = None,
    ) -> None:
        """`questions` are by article, `vectors` by the digest of their text."""
        self.passages: Mapping[PassageId, Passage] = {each.id: each for each in passages}
        self._questions = questions or {}
        urls = {passage.url for passage in passages}
        self.hosts = frozenset(host for url in urls if (host := urlsplit(url).hostname))
        self._articles: dict[str, list[Passage]] = {}
        for passage in passages:
            self._articles.setdefault(passage.article, []).append(passage)
        self._matrices: dict[Language, PassageMatrix] = {}
        for language in {passage.language for passage in passages}:
            own = [passage for passage in passages if passage.language == language]
            ordinary = ordinary_questions()[language]
            with contextlib.suppress(KeyError):
                self._matrices[language] = PassageMatrix(
                    own, self._questions, vectors or {}, ordinary
                )

    @property
    def articles(self) -> Sized[str]:
        """The ids of all articles."""
        return self._articles.keys()

    def is_compared(self, language: Language) -> bool:
        """Whether questions in a language can be compared by meaning with all that matters."""
        has_own = any(passages[0].language == language for passages in self._articles.values())
        return language in self._matrices if has_own else bool(self._matrices)

    @property
    def usual(self) -> Mapping[Language, Scales]:
        """How like all headings and listed questions of a language are to its texts."""
        return {language: each.usual for language, each in self._matrices.items()}

    def texts(self) -> list[Text]:
        """Return everything that is encoded, each text once."""
        found = [text for passage in self.passages.values() for text in texts_of(passage)]
        for questions in self._questions.values():
            found.extend(Text(question, is_question=True) for question in questions)
        for language in {passage.language for passage in self.passages.values()}:
            found.extend(ordinary_questions()[language])
        return list(dict.fromkeys(found))

    def passages_of(self, article: str) -> Sequence[Passage]:
        """Return an article's passages in their order; none of one that is not in use."""
        return self._articles.get(article, ())

    def named(self, name: str, language: Language) -> Sequence[Passage]:
        """Return the passages of the article with that id, or with that file name ("returns")."""
        for key, passages in self._articles.items():
            if key == name or (key.startswith(f"{language}/") and key.endswith(f"/{name}")):
                return passages
        return ()

    def asked_stems(self, article: str) -> frozenset[str]:
        """Return the stems of an article's listed questions."""
        return stems("\n".join(self._questions.get(article, ())))

    def scales(self, question: Vectors) -> dict[Language, Scales]:
        """Return how like all texts of a language are to the question."""
        return {language: each.scales(question) for language, each in self._matrices.items()}

    def likest(
        self, question: Vectors, number: int, matched: Iterable[PassageId]
    ) -> dict[PassageId, Likeness]:
        """Compare a question with so many passages that are most like it, and with the matched."""
        also = list(matched)
        found: dict[PassageId, Likeness] = {}
        for matrix in self._matrices.values():
            found |= matrix.likeness(question, [*matrix.nearest(question, number), *also])
        return found

    def likeness(self, question: Vectors, article: str) -> dict[PassageId, Likeness]:
        """Compare a question with all passages of an article; empty without vectors."""
        passages = self._articles[article]
        matrix = self._matrices.get(passages[0].language)
        return matrix.likeness(question, [each.id for each in passages]) if matrix else {}

    def by_article(
        self, found: Iterable[PassageId], language: Language
    ) -> dict[str, Sequence[Passage]]:
        """Return passages by article, without those whose counterpart is in the asked language."""
        other: Language = "zh" if language == "en" else "en"
        articles: dict[str, list[Passage]] = {}
        for key in dict.fromkeys(found):
            passage = self.passages[key]
            twin = counterpart(passage.article, other, language)
            if twin == passage.article or twin not in self._articles:
                articles.setdefault(passage.article, []).append(passage)
        return dict(articles)

    def in_order(self, scores: Mapping[str, float], language: Language) -> list[str]:
        """Return articles, likeliest first; those in another language after own ones that answer.

        `scores` are probabilities.
        """

        def place(name: str) -> tuple[bool, bool, float]:
            is_own = self._articles[name][0].language == language
            return scores[name] >= ENOUGH, is_own, scores[name]

        return sorted(scores, key=place, reverse=True)


def counterpart(article: str, written: Language, wanted: Language) -> str:
    """Return what an article would be called in another language."""
    folder, _, name = article.partition("/")
    return f"{wanted}/{name}" if name and folder == written else article
