"""Intents in `frontdesk run`: a classifier that comes while it runs labels the log, and routes."""

from pathlib import Path

from tests.fakes.vllm_api import FakeVllm
from tests.intents.taught import put_in_force
from tests.scenarios.test_program import model_settings, started
from tests.small_shop import eventually

RULES = """
intents:
  return: {hand_off: true, priority: high}
  warranty: {tools: [repair]}
"""


async def test_that_a_new_classifier_labels_the_log_and_hands_on_without_a_restart(
    tmp_path: Path, articles: Path, unused_tcp_port: int
) -> None:
    rules, data = tmp_path / "rules.yaml", tmp_path / "data"
    rules.write_text(RULES, encoding="utf-8")
    put_in_force(tmp_path / "made")  # trained beforehand, so that the program's time isn't used up
    async with FakeVllm() as model:
        settings = {**model_settings(model), "FRONTDESK_RULES": str(rules)}
        async with started(data, articles, unused_tcp_port, **settings) as program:
            await program.until_ready()
            await program.ask("I want to send the jacket back")
            (tmp_path / "made").rename(data / "intents")
            await eventually(lambda: program.read("SELECT 1 FROM intent_labels"))
            await program.ask("买错了，我想退货")
            await program.stop()
            said = await program.output()

        told = program.read(
            "SELECT turns.text, intent FROM intent_labels JOIN turns ON turns.id = turn ORDER BY 1"
        )
        handed = program.read("SELECT reason, is_urgent FROM handoffs ORDER BY id")

    assert told == [("I want to send the jacket back", "return"), ("买错了，我想退货", "return")]
    assert handed[-1] == ("intent", 1)
    assert "no classifier is trained" in said
    assert "the classifier doesn't know: warranty." in said
    assert "tools that aren't declared: repair." in said
