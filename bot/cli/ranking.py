"""`frontdesk ranking`: policies trained from the log, judged by it, and put in force."""

import json
import sys
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from bot.cli.ranking_benchmark import benchmark
from bot.cli.ranking_export import export
from bot.cli.ranking_reports import (
    PARTS_SHOWN,
    judgement_as_json,
    print_candidate,
    print_judgement,
    served_row,
)
from bot.cli.tables import print_table
from bot.console import Console
from bot.encoding import encoder_of
from bot.errors import RankingError
from bot.log import preferences
from bot.log.decisions import MOST, decisions
from bot.log.store import open_read_only
from bot.ranking import preference, training
from bot.ranking.experience import LoggedDecision
from bot.ranking.explaining import explain
from bot.ranking.fairness import served
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.folder import PolicyFolder
from bot.ranking.gate import Judgement, judge
from bot.ranking.linear import LinearModel
from bot.ranking.rewards import reward, signals
from bot.ranking.trained import KINDS, Kind
from bot.ranking.training import LEARNERS, Learner, Reading
from bot.settings import Settings, load_settings

MOST_WITH_TEXTS = 20_000  # replies

json_option = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
days_option = click.option(
    "--days", type=click.IntRange(1), help="Only the replies of the last so many days."
)


@click.group()
def ranking() -> None:
    """Let the log teach which replies work."""


@ranking.command()
@json_option
@click.pass_obj
def status(console: Console, as_json: bool) -> None:
    """Tell which policy is in force and why, which others there are, and what the log has."""
    settings = load_settings()
    folder = PolicyFolder(settings.policies)
    log = _log(settings, None)
    known = [each for each in log if _reward(each, settings) is not None]
    found: dict[str, Any] = {
        "in_force": folder.in_force(),
        "history": [asdict(change) for change in reversed(folder.changes())],
        "trained": folder.versions(),
        "replies": len(log),
        "with_reward": len(known),
        "conversations": len({each.conversation for each in known}),
    }
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    console.say(f"In force: {found['in_force']}.")
    for change in found["history"]:
        console.say(
            f"  since {change['at']}: {change['policy']} ({change['reason']}) {change['note']}"
        )
    console.say(f"Trained: {', '.join(found['trained']) or 'none'}.")
    console.say(
        f"The log has {found['replies']} replies, {found['with_reward']} with a reward, in "
        f"{found['conversations']} conversations."
    )


@ranking.command()
@click.option("--kind", type=click.Choice(KINDS), default="softmax", show_default=True)
@click.option(
    "--learner",
    type=click.Choice(LEARNERS),
    default="q-learning",
    show_default=True,
    help="The reward of a reply by itself, or with all that follows it.",
)
@click.option(
    "--texts",
    is_flag=True,
    help="Learn from what the replies say, too, and from what people told apart.",
)
@days_option
@click.pass_obj
def train(console: Console, kind: Kind, learner: Learner, texts: bool, days: int | None) -> None:
    """Learn a policy from the older part of the log; the newer one is kept to judge it.

    With --texts a scorer learns first which replies people prefer, which takes about a minute for
    each 5,000 different texts, and costs some milliseconds a reply later.
    """
    settings = load_settings()
    log = _log(settings, days, console, with_texts=texts)
    trained, scorer = training.train(
        log,
        kind=kind,
        learner=learner,
        now=datetime.now(UTC),
        worth=settings.worths,
        reading=_reading(settings, console) if texts else None,
    )
    PolicyFolder(settings.policies).save(trained, scorer)
    if scorer:
        console.say(f"Scorer: {scorer.method}.")
    told = trained.trained_on
    console.say(
        f"Trained: {trained.version}, from {told['decisions']} replies in {told['conversations']} "
        f"conversations until {told['until']}."
    )
    for name, part in list(_weights(trained.model).items())[:PARTS_SHOWN]:
        console.say(f"  {name}: {part:+.2f}")
    console.say(f"Judge it with: frontdesk ranking evaluate {trained.version}")


@ranking.command()
@click.argument("version", required=False)
@json_option
@click.pass_obj
def evaluate(console: Console, version: str | None, as_json: bool) -> None:
    """Hold policy VERSION, else the newest, against the one in force, by what it wasn't trained on.

    Exits with 1 where it may not come into force.
    """
    settings = load_settings()
    judgement = _judge(settings, _version(settings, version), console)
    if as_json:
        click.echo(json.dumps(judgement_as_json(judgement), ensure_ascii=False, indent=1))
    else:
        print_judgement(judgement, console)
    sys.exit(0 if judgement.passes else 1)


@ranking.command()
@click.argument("version", required=False)
@click.pass_obj
def promote(console: Console, version: str | None) -> None:
    """Put policy VERSION, else the newest, in force, if the log shows that it is better.

    A running Frontdesk follows within seconds, watches it, and takes it back if it turns out worse.
    """
    settings = load_settings()
    chosen = _version(settings, version)
    judgement = _judge(settings, chosen, console)
    if not judgement.passes:
        raise RankingError(
            f"{chosen} does not come into force; {judgement.against} stays. "
            + " ".join(judgement.objections)
        )
    gain = judgement.gain
    note = f"Gain {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) over {judgement.against}."
    PolicyFolder(settings.policies).put_in_force(chosen, "promoted", note, datetime.now(UTC))
    console.say(f"In force: {chosen}. {note}")


@ranking.command()
@click.pass_obj
def rollback(console: Console) -> None:
    """Put the policy in force that came before this one."""
    folder = PolicyFolder(load_settings().policies)
    now, before = folder.in_force(), folder.before()
    if before == now:
        raise RankingError(f"{now} is in force, and nothing came before it.")
    folder.put_in_force(before, "rolled_back", f"Instead of {now}.", datetime.now(UTC))
    console.say(f"In force: {before}, instead of {now}.")


@ranking.command("explain")
@click.argument("turn")
@json_option
@click.pass_obj
def explain_reply(console: Console, turn: str, as_json: bool) -> None:
    """Tell why the reply TURN was shown, and what other policies would have shown.

    TURN is the reply's id, as the transcript page and the API give it.
    """
    settings = load_settings()
    with closing(open_read_only(settings.database)) as db:
        found = list(decisions(db, datetime.now(UTC), turn=turn, with_texts=True))
    if not found:
        raise RankingError(f"The log has no reply {turn!r} that was chosen among candidates.")
    [decision] = found
    folder = PolicyFolder(settings.policies)
    versions = {FixedOrder.version, folder.in_force(), folder.before()} - {decision.policy}
    explained = explain(
        decision,
        _model(folder, decision.policy),
        [folder.policy(version) for version in sorted(versions)],
    )
    what_followed = signals(decision.question, decision.source, decision.after)
    if as_json:
        told = {
            "turn": turn,
            "question": decision.question,
            "policy": decision.policy,
            "signals": what_followed,
            "reward": _reward(decision, settings),
            "candidates": [asdict(each) for each in explained],
        }
        click.echo(json.dumps(told, ensure_ascii=False, indent=1))
        return
    console.say(f"Question: {decision.question}")
    console.say(
        f"Policy: {decision.policy}. What followed: {', '.join(what_followed) or 'nothing'}."
    )
    for each in explained:
        print_candidate(each, console)


@ranking.command()
@days_option
@json_option
@click.pass_obj
def report(console: Console, days: int | None, as_json: bool) -> None:
    """Show how each language, channel and kind of customer is served, side by side."""
    settings = load_settings()
    rows = served(_log(settings, days, console), settings.worths)
    if not rows:
        raise RankingError("The log has no replies yet.")
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=1))
        return
    print_table([served_row(row) for row in rows])
    for row in rows:
        if row.is_apart:
            console.warn(f"{row.group} is served worse than everybody, beyond chance.")


def _log(
    settings: Settings,
    days: int | None,
    console: Console | None = None,
    *,
    with_texts: bool = False,
) -> list[LoggedDecision]:
    """Return the newest choices, telling how many were read."""
    now = datetime.now(UTC)
    since = now - timedelta(days=days) if days else None
    found = []
    with closing(open_read_only(settings.database)) as db:
        most = MOST_WITH_TEXTS if with_texts else MOST
        for each in decisions(db, now, since=since, most=most, with_texts=with_texts):
            found.append(each)
            if console and len(found) % 10_000 == 0:
                console.say(f"Read {len(found)} replies.")
    left_out = len(found) - len(training.usable(found))
    if console and left_out:
        console.warn(
            f"{left_out} of {len(found)} replies were logged with another version of the features; "
            "they teach and judge nothing."
        )
    return found


def _version(settings: Settings, given: str | None) -> str:
    if given:
        return given
    versions = PolicyFolder(settings.policies).versions()
    if not versions:
        raise RankingError("No policy is trained yet; run `frontdesk ranking train`.")
    return versions[-1]


def _judge(settings: Settings, version: str, console: Console) -> Judgement:
    folder = PolicyFolder(settings.policies)
    in_force = folder.in_force()
    if version == in_force:
        raise RankingError(f"{version} is in force already.")
    trained = folder.read(version)
    scorers = folder.scorer(version), folder.scorer(in_force)
    log = _log(settings, None, console, with_texts=any(scorers))
    fresh = training.unseen(log, trained)
    encoder = encoder_of(settings)
    seen, seen_in_force = (
        preference.seen_by(scorer, fresh, encoder, console.step) for scorer in scorers
    )
    return judge(
        seen,
        trained.policy(),
        folder.policy(in_force),
        settings.worths,
        seen_in_force=seen_in_force,
    )


def _reading(settings: Settings, console: Console) -> Reading:
    with closing(open_read_only(settings.database)) as db:
        found = list(preferences.pairs(db))
    console.say(f"{len(found)} pairs that people told apart.")
    return Reading(pairs=found, encoder=encoder_of(settings), progress=console.step)


def _model(folder: PolicyFolder, version: str) -> LinearModel | None:
    return None if version == FixedOrder.version else folder.read(version).model


def _reward(decision: LoggedDecision, settings: Settings) -> float | None:
    found = signals(decision.question, decision.source, decision.after)
    return reward(found, settings.worths)


def _weights(model: LinearModel) -> dict[str, float]:
    return model.contributions(model.weights * 0 + 1)


ranking.add_command(benchmark)
ranking.add_command(export)
