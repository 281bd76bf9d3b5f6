"""The article answer: the best passage, as it stands in the article."""

from collections.abc import Mapping, Sequence

from bot.knowledge.scoring import NEAR, Hit
from bot.messages import Candidate, Choice, Citation, PassageId


def shown_passages(hits: Sequence[Hit]) -> list[Hit]:
    """Return the passages that the article answer shows; none where no article is near enough.

    A second passage of the article follows when it is about as close to the question.
    """
    if not hits or not hits[0].is_answer:
        return []
    best = hits[0]
    return [
        hit
        for hit in hits
        if hit.passage.article == best.passage.article and best.closeness - hit.closeness <= NEAR
    ]


def as_answer(
    shown: Sequence[Hit],
    trimmed: Mapping[PassageId, str] | None = None,
    choices: Sequence[Choice] = (),
) -> Candidate:
    """Return passages of one article, best first, as a reply.

    `trimmed` has what is left of the long ones, `choices` stand below.
    """
    best = shown[0]
    texts = [(trimmed or {}).get(hit.passage.id, hit.passage.text) for hit in shown]
    return Candidate(
        source="article",
        text="\n\n".join(texts),
        citations=(citation(best),),
        choices=tuple(choices),
        features={
            "score": best.score,
            "closeness": best.closeness,
            "coverage": best.coverage,
            "passages": len(shown),
            "kept": sum(map(len, texts)) / sum(len(hit.passage.text) for hit in shown),
        },
    )


def citation(hit: Hit) -> Citation:
    """Return the reference to a hit's article."""
    return Citation(article=hit.passage.article, title=hit.passage.title, url=hit.passage.url)
