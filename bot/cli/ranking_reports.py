"""What `frontdesk ranking` prints of judgements, candidates and groups."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bot.cli.tables import print_table
from bot.console import Console
from bot.ranking.explaining import ExplainedCandidate
from bot.ranking.fairness import Served
from bot.ranking.gate import Judgement
from bot.ranking.off_policy import Estimate

PARTS_SHOWN = 5


def print_judgement(judgement: Judgement, console: Console) -> None:
    """Print what the log says about a policy, and what is against it."""
    rows: list[dict[str, Any]] = []
    for name, value in (
        (judgement.policy, judgement.value),
        (f"{judgement.against} (in force)", judgement.value_against),
    ):
        estimates = {str(key): _interval(each) for key, each in value.estimates.items()}
        known = {"conversations": value.conversations, "effective": f"{value.effective:.0f}"}
        rows.append({"policy": name, **estimates, **known, "untried": f"{value.unsupported:.1%}"})
    gain = {"policy": "gain", "dr": _interval(judgement.gain)}
    rows.append(dict.fromkeys(rows[0], "") | gain)
    print_table(rows)
    for guard in judgement.guards:
        change = _interval(guard.change) if guard.change else "too few conversations to say"
        console.say(f"{'ok  ' if guard.holds else 'NO  '}  {guard.name}: {change}")
    for objection in judgement.objections:
        console.say(f"Against it: {objection}")
    if judgement.passes:
        console.say(f"It may come into force: frontdesk ranking promote {judgement.policy}")


def print_candidate(each: ExplainedCandidate, console: Console) -> None:
    """Print a candidate with what counted for and against it."""
    mark = ">" if each.is_shown else " "
    score = "" if each.score is None else f", expected {each.score:+.2f}"
    state = "refused" if each.is_refused else f"{each.propensity:.0%}{score}"
    console.say(f"{mark} {each.source} ({state}): {each.text[:100]}")
    for name, part in list(each.parts.items())[:PARTS_SHOWN]:
        console.say(f"      {name} {part:+.2f}")
    for version, share in each.others.items():
        if share:
            console.say(f"      {version} would show it with {share:.0%}")


def served_row(row: Served) -> dict[str, Any]:
    """Return how a group is served, as cells of a table."""
    return {
        "group": row.group,
        "replies": row.replies,
        "conversations": row.conversations,
        "reward": _interval(row.reward),
        "liked": _share(row.liked),
        "handed_off": _share(row.handed_off),
        "complaints": _share(row.complaints),
        "tried": row.tried,
    }


def _interval(found: Estimate | None) -> str:
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})" if found else "–"


def _share(found: Estimate | None) -> str:
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})" if found else "–"


def judgement_as_json(judgement: Judgement) -> dict[str, Any]:
    """Return it as plain data."""
    guards: Sequence[dict[str, Any]] = [
        {**asdict(guard), "holds": guard.holds} for guard in judgement.guards
    ]
    return {**asdict(judgement), "guards": guards, "passes": judgement.passes}
