"""The article answer: the best passage, as it stands in the article."""

from collections.abc import Sequence

from bot.knowledge.search import Hit
from bot.messages import Candidate, Citation


def article_answer(hits: Sequence[Hit]) -> Candidate | None:
    """Return the best passage as a reply, or None when none is near enough to the question."""
    if not hits or not hits[0].is_answer:
        return None
    best = hits[0]
    return Candidate(
        source="article",
        text=best.passage.text,
        citations=(citation(best),),
        features={"score": best.score, "coverage": best.coverage},
    )


def citation(hit: Hit) -> Citation:
    """Return the reference to a hit's article."""
    return Citation(article=hit.passage.article, title=hit.passage.title, url=hit.passage.url)
