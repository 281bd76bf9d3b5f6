"""A classifier from a few messages: trained, stored, read, told."""

import json
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bot.errors import IntentsError
from bot.intents import model_file
from bot.intents.benchmark import measure, with_shots
from bot.intents.card import model_card
from bot.intents.classifier import IntentClassifier
from bot.intents.encodings import Encodings
from bot.intents.lessons import lessons_of
from bot.intents.methods import methods_for
from bot.intents.methods.gan import GanBert
from bot.intents.methods.lstm import Lstm
from bot.intents.rows import Row
from bot.intents.training import Trained, train
from tests.intents.small_set import OUTSIDE, rows

NEW = {
    "When does my package come?": "delivery_time",
    "Please tell me how I can send this back": "return",
    "The login password is lost": "password",
    "Could you mail me the invoice again?": "invoice",
    "我的快递还要几天": "delivery_time",
    "买错了，想退货": "return",
    "密码想不起来了": "password",
    "公司报销要用发票": "invoice",
}


@pytest.fixture(scope="module")
def encodings() -> Encodings:
    return Encodings()


@pytest.fixture(scope="module")
def trained() -> Trained:
    outside = [Row(text, ("out_of_scope",)) for text in OUTSIDE]
    return train([*rows(), *outside], seed=1, clock=time.monotonic, methods=["linear"])


def right(classifier: IntentClassifier) -> list[str]:
    found = classifier.classify(list(NEW))
    return [
        text
        for (text, intent), each in zip(NEW.items(), found, strict=True)
        if each.likest[0].intent == intent
    ]


def test_that_english_messages_alone_are_encoded_for_english_only() -> None:
    english = [row for row in rows() if row.text.isascii()]
    pool = [Row(f"Where is order {number}?") for number in range(60)]
    encoded: list[int] = []

    def count(stage: str, done: int, total: int) -> None:
        if stage == "encoded" and done == total:
            encoded.append(total)

    train(
        [*english, *pool],
        seed=1,
        clock=time.monotonic,
        methods=["linear"],
        encodings=Encodings(count),
    )

    assert sorted(encoded) == [len(english), len(english) + len(pool)]


def test_that_new_messages_in_both_languages_are_told(trained: Trained) -> None:
    assert len(right(trained.classifier)) >= 7


def test_that_what_is_no_matter_of_the_company_is_out_of_scope(trained: Trained) -> None:
    asked = ["What is the tallest mountain on earth?", "给我讲个笑话吧"]
    [mountain, joke, parcel] = trained.classifier.classify([*asked, "How long is delivery?"])

    assert (mountain.is_out_of_scope, mountain.intents) == (True, ())
    assert joke.is_out_of_scope
    assert not parcel.is_out_of_scope


def test_that_two_matters_of_one_message_are_both_told(trained: Trained) -> None:
    [found] = trained.classifier.classify(
        ["I want to send the jacket back. Also, I forgot my password and need to reset it."]
    )

    assert {each.intent for each in found.intents} == {"return", "password"}


def test_that_probabilities_add_up_and_stand_in_order(trained: Trained) -> None:
    [found] = trained.classifier.classify(["Where is the invoice?"])
    shares = [each.probability for each in found.likest]

    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("😀", id="emoji"),
        pytest.param("\u200b\x00", id="invisible"),
        pytest.param("parcel " * 15_000, id="100,000-characters"),
        pytest.param("包裹" * 50_000, id="100,000-han"),
    ],
)
def test_that_any_text_gets_a_prediction(trained: Trained, text: str) -> None:
    [found] = trained.classifier.classify([text])

    assert found.is_out_of_scope or found.intents
    assert np.isfinite(found.strangeness)


def test_that_no_text_gets_no_prediction(trained: Trained) -> None:
    assert trained.classifier.classify([]) == []


def test_that_a_stored_classifier_says_the_same(trained: Trained, tmp_path: Path) -> None:
    model_file.save(tmp_path, trained.classifier, {"method": "x"}, "# Card\n")
    stored = model_file.load(tmp_path)

    asked = [*NEW, *OUTSIDE]
    ours, theirs = (each.classify(asked) for each in (trained.classifier, stored.classifier))
    assert [each.intents[:1] == other.intents[:1] for each, other in zip(ours, theirs, strict=True)]
    assert [e.is_out_of_scope for e in ours] == [e.is_out_of_scope for e in theirs]
    assert stored.about == {"method": "x"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classifier.md", "classifier.zip"]


def test_that_a_missing_model_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(IntentsError, match="run `frontdesk intents train` first"):
        model_file.load(tmp_path)


def test_that_a_model_of_another_version_is_refused(trained: Trained, tmp_path: Path) -> None:
    path = model_file.save(tmp_path, trained.classifier, {}, "")
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    about = json.loads(parts["about.json"]) | {"version": 99}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in (parts | {"about.json": json.dumps(about).encode()}).items():
            file.writestr(name, data)

    with pytest.raises(IntentsError, match="has version 99, this Frontdesk reads version 1"):
        model_file.load(tmp_path)


@pytest.mark.parametrize("kept", [pytest.param(0, id="empty"), pytest.param(5000, id="broken-off")])
def test_that_a_damaged_model_is_refused(trained: Trained, tmp_path: Path, kept: int) -> None:
    path = model_file.save(tmp_path, trained.classifier, {}, "")
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(IntentsError, match="is damaged: train anew"):
        model_file.load(tmp_path)


def test_that_a_model_with_code_in_its_arrays_is_refused(trained: Trained, tmp_path: Path) -> None:
    path = model_file.save(tmp_path, trained.classifier, {}, "")
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    evil = tmp_path / "evil.npy"
    np.save(evil, np.array([object()]), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as file:
        for name, data in (parts | {"everything/head/bias.npy": evil.read_bytes()}).items():
            file.writestr(name, data)

    with pytest.raises(IntentsError, match="is damaged"):
        model_file.load(tmp_path)


def test_that_a_model_that_cannot_be_written_leaves_the_old_one(
    trained: Trained, tmp_path: Path
) -> None:
    path = model_file.save(tmp_path, trained.classifier, {"method": "old"}, "")
    (tmp_path / "classifier.zip.new").mkdir()  # stands in the new file's way

    with pytest.raises(IntentsError, match="can't be written"):
        model_file.save(tmp_path, trained.classifier, {"method": "new"}, "")
    assert path.is_file()
    assert model_file.load(tmp_path).about == {"method": "old"}


def test_that_the_card_says_data_figures_and_weaknesses(trained: Trained) -> None:
    card = model_card(trained, datetime(2026, 11, 30, tzinfo=UTC))

    assert "48 labels of 4 intents, 0 unlabelled messages, 6 known to be out of scope" in card
    assert "| delivery_time | 12 |" in card
    assert "| zh |" in card
    assert "## Known weaknesses" in card


def test_that_what_is_measured_is_what_was_told(trained: Trained) -> None:
    tests = [Row(text, (intent,)) for text, intent in NEW.items()]
    outside = [Row("How tall is the moon tower?", ("out_of_scope",))]
    found = measure(trained.classifier, [*tests, *outside, Row("no label")])

    assert found.accuracy == len(right(trained.classifier)) / 8
    assert (found.rows, found.out_of_scope_rows) == (8, 1)
    assert found.in_scope_accuracy <= found.accuracy
    assert found.out_of_scope_auroc is not None
    with pytest.raises(IntentsError, match="No test row has an intent"):
        measure(trained.classifier, outside)


def test_that_shots_hide_the_labels_of_the_others() -> None:
    found = with_shots([*rows(), Row("x", ("out_of_scope",))], 3, seed=5)

    assert sum(bool(row.intents) for row in found) == 4 * 3 + 1
    assert [row.text for row in found][:-1] == [row.text for row in rows()]
    assert found == with_shots([*rows(), Row("x", ("out_of_scope",))], 3, seed=5)
    assert found != with_shots([*rows(), Row("x", ("out_of_scope",))], 3, seed=6)


def test_that_an_intent_with_two_examples_and_one_with_one_are_learned() -> None:
    few = [row for row in rows() if row.intents != ("invoice",) and row.intents != ("password",)]
    few += [Row("I need an invoice", ("invoice",)), Row("我要发票", ("invoice",))]
    few += [Row("I forgot my password", ("password",))]
    said: list[str] = []
    found = train(few, seed=1, clock=time.monotonic, methods=["linear"], say=said.append)

    assert found.examples["invoice"] == 2
    assert "password (1)" in said[0]
    assert "not measured, no example was held out: password" in model_card(
        found, datetime(2026, 11, 30, tzinfo=UTC)
    )
    [told] = found.classifier.classify(["forgot password"])
    assert told.likest[0].intent == "password"


def test_that_several_intents_a_message_are_learned_and_told() -> None:
    both = [
        Row("I want to send the jacket back and need an invoice", ("return", "invoice")),
        Row("退货，另外要发票", ("return", "invoice")),
    ]
    found = train([*rows(), *both], seed=1, clock=time.monotonic, methods=["linear"])
    [told] = found.classifier.classify(["I want to send the coat back and need its invoice"])

    assert found.classifier.everything.several is not None
    assert {each.intent for each in told.intents} == {"return", "invoice"}


def test_that_methods_that_cannot_learn_from_the_rows_are_named() -> None:
    with pytest.raises(IntentsError, match="need 50 unlabelled ones"):
        train(rows(), seed=1, clock=time.monotonic, methods=["gan"])


@pytest.mark.parametrize(
    "name", ["linear", "propagation", "fine-tuning", "self-training", "self-training-tuned"]
)
def test_that_a_method_learns_from_a_few_messages(name: str, encodings: Encodings) -> None:
    lessons = lessons_of(rows()[::2], [row.text for row in rows()[1::2]] + list(NEW) * 5)
    [method] = methods_for("e5", encodings, lessons, [name])

    reader = method.fit(lessons, seed=1)
    vectors, logits = reader.read(list(NEW))
    found = [lessons.intents[place] for place in logits.argmax(axis=1)]

    assert sum(a == b for a, b in zip(found, NEW.values(), strict=True)) >= 6
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)


def test_that_a_tuned_encoder_says_live_what_it_said_in_training(encodings: Encodings) -> None:
    from bot.intents.live import LiveReader

    lessons = lessons_of(rows())
    [method] = methods_for("e5", encodings, lessons, ["fine-tuning"])
    reader = method.fit(lessons, seed=1)
    ours, theirs = reader.read(list(NEW))[0], LiveReader(reader.live()).read(list(NEW))[0]

    assert (ours * theirs).sum(axis=1).min() > 0.97


def test_that_the_adversaries_learn(encodings: Encodings) -> None:
    lessons = lessons_of(rows(), [*NEW, *OUTSIDE])
    reader = GanBert("e5", encodings, least_steps=25).fit(lessons, seed=1)

    _, logits = reader.read([row.text for row in rows()])
    assert logits.shape == (48, 4)
    assert (logits.argmax(axis=1) == lessons.labels).mean() > 0.8


def test_that_the_lstm_learns_and_runs_in_onnxruntime_as_in_torch(encodings: Encodings) -> None:
    lessons = lessons_of(rows())
    reader = Lstm(encodings, least_steps=80).fit(lessons, seed=1)

    _, logits = reader.read([row.text for row in rows()])
    assert (logits.argmax(axis=1) == lessons.labels).mean() > 0.8
