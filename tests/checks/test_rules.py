"""The company's own rules: what they forbid, what they pass to a person, and broken files."""

from pathlib import Path

import pytest

from bot.checks.rules import Rules, as_instructions, read_rules
from bot.errors import ArticlesError
from prompts import Prompts

FILE = """
never_say:
  - Acme Outdoor
  - 山野户外
  - /guarantee[sd]?/
never_above:
  - words: [refund, 退款]
    limit: 100
    currency: EUR
always_person:
  - lawyer
  - 律师
tell_the_model: |
  Be modest about delivery times.
"""


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    return read_rules(written(tmp_path, FILE))


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "rules.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "reply",
    [
        "Try ACME  outdoor instead.",
        "We guarantee it.",
        "可以去山野户外看看。",
        "We refund up to 100.01 EUR.",
        "Refunds of €250 are paid.",
        "Refunded: 1,000 EUR.",
        "退款最多 150 欧元。",
    ],
)
def test_that_a_reply_that_breaks_a_rule_is_told(rules: Rules, reply: str) -> None:
    assert rules.broken_by(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "We refund up to 100 EUR.",
        "A tent costs 250 EUR. We refund it.",
        "Refunds of 250 points are paid.",
        "Acmeoutdoors is nobody.",
        "退款最多 100 欧元。",
    ],
)
def test_that_other_replies_are_not(rules: Rules, reply: str) -> None:
    assert rules.broken_by(reply) is None


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("My lawyers will write to you", "lawyer"),
        ("我要找律师", "律师"),
        ("Is the layer warm?", None),
    ],
)
def test_that_topics_go_to_a_person(rules: Rules, question: str, word: str | None) -> None:
    assert rules.wants_person(question) == word


def test_that_the_model_is_told_the_rules_in_the_customers_language(rules: Rules) -> None:
    texts = Prompts.load()
    english, chinese = (as_instructions(rules, texts, language) for language in ("en", "zh"))

    assert english.splitlines() == [
        "- Never say: Acme Outdoor",
        "- Never say: 山野户外",
        "- Never promise more than 100 EUR together with: refund, 退款",
        "- Be modest about delivery times.",
    ]
    assert "不要说" in chinese
    assert as_instructions(Rules(), texts, "en") == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("never_say: [", "not valid YAML", id="yaml"),
        pytest.param("- a\n- b", "wrong file", id="list"),
        pytest.param("never_sya: [a]", "never_sya", id="unknown"),
        pytest.param("never_say: ['']", "must not be empty", id="empty"),
        pytest.param("never_say: ['/(/']", "no regular expression", id="pattern"),
        pytest.param("never_above: [{words: [], limit: 1}]", "words", id="no-words"),
        pytest.param("never_above: [{words: [a], limit: x}]", "limit", id="limit"),
        pytest.param("never_say: [" + "[" * 1500, "not valid YAML", id="deep"),
        pytest.param(b"never_say: [\xff]", "not UTF-8", id="encoding"),
        pytest.param("a: " + "b" * 200_000, "larger than", id="large"),
    ],
)
def test_that_a_broken_file_is_one_clear_sentence(
    tmp_path: Path, text: str | bytes, says: str
) -> None:
    with pytest.raises(ArticlesError, match=says) as told:
        read_rules(written(tmp_path, text))

    assert "rules.yaml" in str(told.value)
    assert "\n" not in str(told.value)


def test_that_an_empty_file_has_no_rules(tmp_path: Path) -> None:
    assert read_rules(written(tmp_path, "# none yet\n")) == Rules()


def test_that_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArticlesError, match="can't be read"):
        read_rules(tmp_path / "none.yaml")


def test_that_intents_have_rules(tmp_path: Path) -> None:
    text = "intents:\n  退货: {hand_off: true, priority: high}\n  status: {tools: [order_status]}"
    found = read_rules(written(tmp_path, text))

    assert (found.hands_off(["退货"]), found.is_urgent(["退货"])) == (True, True)
    assert (found.hands_off(["status"]), found.is_urgent(["status"])) == (False, False)
    assert (found.tools(["status"]), found.tools(["退货"])) == ({"order_status"}, None)


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        ("{hand_of: true}", r"intents\.a\.hand_of"),
        ("{priority: low}", r"intents\.a\.priority"),
        ("{tools: all}", r"intents\.a\.tools"),
    ],
)
def test_that_a_wrong_rule_of_an_intent_is_told(tmp_path: Path, rule: str, where: str) -> None:
    with pytest.raises(ArticlesError, match=where):
        read_rules(written(tmp_path, f"intents:\n  a: {rule}"))
