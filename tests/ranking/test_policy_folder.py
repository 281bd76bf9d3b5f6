"""The folder of trained policies: what is stored, what is in force, and what is refused."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bot.errors import RankingError
from bot.ranking import features
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.folder import CHANGES, PolicyFolder
from bot.ranking.linear import LinearModel
from bot.ranking.trained import KINDS, Kind, TrainedPolicy

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIZE = len(features.NAMES)


def trained(version: str = "softmax/1", kind: Kind = "softmax") -> TrainedPolicy:
    model = LinearModel(np.arange(SIZE) / SIZE, np.eye(SIZE))
    return TrainedPolicy(version=version, kind=kind, model=model, trained_on={"decisions": 100})


@pytest.mark.parametrize("kind", KINDS)
def test_that_a_stored_policy_comes_back_as_it_was(kind: Kind, tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path / "policies")
    folder.save(trained(f"{kind}/1", kind))
    again = folder.read(f"{kind}/1")
    assert again.as_json() == trained(f"{kind}/1", kind).as_json()
    assert again.policy().version == f"{kind}/1"
    assert folder.versions() == [f"{kind}/1"]


def test_that_the_fixed_order_is_in_force_until_something_else_is(tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path / "policies")
    assert folder.in_force() == FixedOrder.version
    folder.save(trained())
    assert folder.in_force() == FixedOrder.version
    folder.put_in_force("softmax/1", "promoted", "Better by 0.1.", NOW)
    assert folder.in_force() == "softmax/1"
    assert folder.before() == FixedOrder.version


def test_that_every_change_is_kept_with_its_reason(tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path)
    folder.save(trained())
    folder.put_in_force("softmax/1", "promoted", "Better.", NOW)
    folder.put_in_force(FixedOrder.version, "watch", "It got worse.", NOW)
    assert [(each.policy, each.reason) for each in folder.changes()] == [
        ("softmax/1", "promoted"),
        (FixedOrder.version, "watch"),
    ]


def test_that_what_was_taken_back_is_never_gone_back_to(tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path)
    for version in ("softmax/1", "softmax/2"):
        folder.save(trained(version))
        folder.put_in_force(version, "promoted", "Better.", NOW)
    assert folder.before() == "softmax/1"
    folder.put_in_force("softmax/1", "watch", "It got worse.", NOW)
    assert folder.before() == FixedOrder.version
    folder.put_in_force(FixedOrder.version, "rolled_back", "Asked for.", NOW)
    assert folder.before() == FixedOrder.version


def test_that_a_policy_that_is_not_there_never_comes_into_force(tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path)
    with pytest.raises(RankingError, match=r"There is no policy softmax/9"):
        folder.put_in_force("softmax/9", "promoted", "", NOW)
    assert folder.changes() == []


@pytest.mark.parametrize(
    "damage", ["", "[]", "{}", '{"version": "softmax/1"}', '{"version": 1, "kind": "softmax"}']
)
def test_that_a_damaged_file_is_refused_in_one_sentence(damage: str, tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path)
    folder.save(trained()).write_text(damage)
    with pytest.raises(RankingError, match="damaged"):
        folder.put_in_force("softmax/1", "promoted", "", NOW)


def test_that_a_policy_of_other_features_is_refused(tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path)
    file = folder.save(trained())
    written = file.read_text().replace(f'"features": {features.VERSION}', '"features": 0')
    file.write_text(written)
    with pytest.raises(RankingError, match="train it anew"):
        folder.read("softmax/1")


@pytest.mark.parametrize("damage", ["", "[1]", '{"a": 1}', '[{"policy": "softmax/1"}]'])
def test_that_a_damaged_list_of_changes_is_told_with_its_file(damage: str, tmp_path: Path) -> None:
    (tmp_path / CHANGES).write_text(damage)
    with pytest.raises(RankingError, match=CHANGES):
        PolicyFolder(tmp_path).in_force()


def test_that_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "policies").write_text("")
    with pytest.raises(RankingError, match="can't be written"):
        PolicyFolder(tmp_path / "policies").save(trained())
