"""The article answer: the best passage, as it stands in the article."""

from collections.abc import Sequence

from bot.knowledge.scoring import NEAR, Hit
from bot.messages import Candidate, Citation


def article_answer(hits: Sequence[Hit]) -> Candidate | None:
    """Return the best passage as a reply, or None when no article is near enough to the question.

    A second passage of the article follows when it is about as close to the question.
    """
    if not hits or not hits[0].is_answer:
        return None
    best = hits[0]
    return as_answer(
        [
            hit
            for hit in hits
            if hit.passage.article == best.passage.article
            and best.closeness - hit.closeness <= NEAR
        ]
    )


def as_answer(shown: Sequence[Hit]) -> Candidate:
    """Return passages of one article, best first, as a reply."""
    best = shown[0]
    return Candidate(
        source="article",
        text="\n\n".join(hit.passage.text for hit in shown),
        citations=(citation(best),),
        features={
            "score": best.score,
            "closeness": best.closeness,
            "coverage": best.coverage,
            "passages": len(shown),
        },
    )


def citation(hit: Hit) -> Citation:
    """Return the reference to a hit's article."""
    return Citation(article=hit.passage.article, title=hit.passage.title, url=hit.passage.url)
