"""`frontdesk ranking benchmark`: how well replies are ranked after learning from a file."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bot.cli.tables import print_table
from bot.console import Console
from bot.errors import RankingError
from bot.knowledge.encoder import E5Encoder
from bot.ranking.scorer import training
from bot.ranking.scorer.examples import Example
from bot.ranking.scorer.measures import rank, ranking
from bot.ranking.scorer.reading import read_examples
from bot.ranking.scorer.scorer import Scorer
from bot.ranking.scorer.space import TURNS
from bot.ranking.scorer.texts import encoded

RANKED_AT_ONCE = 500  # rows, whose texts are forgotten afterwards


@click.command("benchmark")
@click.option(
    "--train", type=click.Path(path_type=Path), required=True, help="JSON lines to learn from."
)
@click.option("--test", type=click.Path(path_type=Path), required=True, help="JSON lines to rank.")
@click.option("--seed", type=int, default=0, help="Another seed, other random starts.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.pass_obj
def benchmark(console: Console, train: Path, test: Path, seed: int, as_json: bool) -> None:
    """Learn which replies people choose from one file and rank those of another.

    A line is {"context": [turns], "candidates": [texts], "chosen": index, "reward": number}; the
    reward may be left out, and one below 0 says that the choice was wrong. Prints how often the
    chosen reply comes first (recall@1) or among the first five (recall@5), and the mean of 1 / its
    place (MRR). What scores the same as the chosen one counts as before it.
    """
    started = time.perf_counter()
    learned_from, ranked = read_examples(train, training.FEWEST), read_examples(test)
    right = [each for each in ranked if each.reward is None or each.reward > 0]
    if not right:
        raise RankingError(f"{test} has no row whose choice was right.")
    encoder = E5Encoder()
    scorer = training.fit(learned_from, encoder, seed, console.step)
    found = ranking(_ranks(scorer, right, encoder, console))
    figures: dict[str, Any] = {
        "rows": found.rows,
        "recall@1": found.recall_at_1,
        "recall@5": found.recall_at_5,
        "mrr": found.mrr,
        "left_out": len(ranked) - len(right),
        "seconds": round(time.perf_counter() - started, 1),
        "method": scorer.method,
    }
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False, indent=1))
    else:
        print_table([figures])


def _ranks(
    scorer: Scorer, rows: Sequence[Example], encoder: E5Encoder, console: Console
) -> list[int]:
    found = []
    for start in range(0, len(rows), RANKED_AT_ONCE):
        batch = rows[start : start + RANKED_AT_ONCE]
        wanted = (text for each in batch for text in (*each.context[-TURNS:], *each.candidates))
        texts = encoded(wanted, encoder)
        for each in batch:
            scores = scorer.scores(each.context, each.candidates, texts)
            found.append(rank(scores, each.chosen))
        console.step("Rows ranked", len(found), len(rows))
    return found
