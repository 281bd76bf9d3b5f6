"""Groups in `frontdesk run`: found by a process of its own, and confirmed on the admin page."""

from pathlib import Path

from tests.fakes.vllm_api import FakeVllm
from tests.scenarios.test_program import model_settings, started
from tests.small_shop import UNANSWERABLE, eventually

PASSWORD = "correct horse battery staple"
ZEPPELINS = ("Does your zeppelin sail to Patagonia?", "Can I fly in your zeppelin?")


async def test_that_an_admin_looks_for_groups_and_confirms_one(
    tmp_path: Path, articles: Path, unused_tcp_port: int
) -> None:
    async with FakeVllm() as model:
        settings = {**model_settings(model), "FRONTDESK_ADMIN_PASSWORD": PASSWORD}
        async with started(tmp_path / "data", articles, unused_tcp_port, **settings) as program:
            await program.until_ready()
            for text in (*ZEPPELINS, *UNANSWERABLE.values(), "热气球旅行团怎么报名？"):
                await program.ask(text)
            program.http.headers["Origin"] = str(program.http.base_url).rstrip("/")
            await program.http.post("/admin/login", data={"password": PASSWORD})
            await program.http.post("/admin/intents/groups/look")
            await eventually(lambda: program.read("SELECT 1 FROM intent_group_runs"))
            page = (await program.http.get("/admin/intents/groups")).text
            [[number, size]] = program.read(
                "SELECT intent_group, count(*) FROM intent_group_members GROUP BY 1"
                " ORDER BY 2 DESC LIMIT 1"
            )
            await program.http.post(
                f"/admin/intents/groups/{number}/confirm", data={"name": "air travel"}
            )
            assert await program.stop() == 0

        labelled = program.read("SELECT intent, source, count(*) FROM intent_labels")

    assert "zeppelin" in page
    assert labelled == [("air travel", "person", size)]
