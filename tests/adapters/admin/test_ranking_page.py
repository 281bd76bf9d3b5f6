"""The page of the ranking, and why a reply was shown in the transcript."""

import asyncio
import random
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest

from adapters.admin.ranking import group_name
from bot.log import policies
from bot.log.policies import InForce
from bot.log.store import Store
from bot.messages import Candidate
from bot.ranking import features
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.trained import TrainedPolicy
from prompts import Prompts
from tests.adapters.web.dialogues import Clock, message, write_exchange
from tests.ranking.shop_log import write_visits
from tests.ranking.slates import APPROVED, ASKED, KNOWING, SLATE

VISITS = 60
HOSTILE = '"><script>alert("1")</script>{{ 7*7 }}'
TOLD = {
    "learner": "q-learning",
    "decisions": 4321,
    "conversations": 2100,
    "until": "2026-11-20T08:00:00+00:00",
}
APART = " worse than everybody"
MADE = re.compile(r"As of|数据时间")


async def change(
    store: Store,
    at: Any,
    version: str = "softmax/1",
    reason: str = "promoted",
    note: str = "Gain +0.104 (+0.061 to +0.147) over fixed-order/2.",
) -> None:
    """Let a policy come into force, as the running program copies it into the log."""
    policy = TrainedPolicy(version=version, kind="softmax", model=KNOWING, trained_on=TOLD)
    trained = None if version == FixedOrder.version else policy.as_json()
    made = InForce(policy=version, reason=reason, note=note, at=at, trained=trained)
    await store.write(lambda db: policies.record(db, [made]))


async def visits(store: Store, clock: Clock, days: int = 1) -> None:
    """Let customers come, so many days ago."""
    began = clock() - timedelta(days=days)
    rng = random.Random(7)
    await store.write(lambda db: write_visits(db, FixedOrder(), rng, VISITS, began))


async def opened(admin: httpx.AsyncClient, query: str = "") -> str:
    """Return the page once it has its figures."""
    async with asyncio.timeout(30):
        while not MADE.search(page := (await admin.get(f"/admin/ranking{query}")).text):
            assert re.search("are being made|正在计算", page)
    return page


def rows_of(page: str, title: str) -> Iterator[list[str]]:
    """Yield the cells of the table below a title, each as one line of text."""
    table = page.partition(f">{title}</h2>")[2].partition("<table")[2].partition("</table>")[0]
    for row in table.split("<tr>")[1:]:
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        yield [" ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in cells]


async def test_that_a_new_log_shows_the_fixed_order_and_how_to_train(
    admin: httpx.AsyncClient,
) -> None:
    page = await opened(admin)

    assert FixedOrder.version in page
    assert "the beginning" in page
    assert "No replies in this period" in page
    for command in ("train", "evaluate", "promote", "rollback"):
        assert f"<code>frontdesk ranking {command}</code>" in page
    assert "What was in force" not in page


async def test_that_the_policy_in_force_and_its_history_are_told(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await change(store, clock() - timedelta(days=9))
    await change(store, clock() - timedelta(days=5), "softmax/2", note="Gain +0.050.")
    await change(store, clock() - timedelta(days=4), "softmax/1", "watch", "Complaints rose.")

    page = await opened(admin)
    in_force, _, history = page.partition("What was in force, newest first")

    for told in ("softmax/1", "2026-11-19 09:00", "Taken back by the watch", "Complaints rose."):
        assert told in in_force
    for told in ("Replies 4321", "Conversations 2100", "Rewards with all that follows"):
        assert told in in_force
    assert re.findall(r"softmax/\d", history)[:3] == ["softmax/1", "softmax/2", "softmax/1"]
    assert re.findall(r"Promoted|Taken back", history) == ["Taken back", "Promoted", "Promoted"]


async def test_that_groups_stand_side_by_side_in_plots_and_a_table(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await visits(store, clock)

    page = await opened(admin)
    head, everybody, *groups = rows_of(page, "Groups of customers")

    assert head == [
        *("Group", "Replies", "Reward", "Thumbs up", "Hand-offs", "Complaints", "Tries"),
    ]
    names = ["English", "Chinese", "Telegram", "Web", "New customers"]
    assert [everybody[0], *(row[0].removesuffix(APART) for row in groups)] == ["Everybody", *names]
    for row in (everybody, groups[0]):
        assert re.fullmatch(r"[+−]\d\.\d\d [+−]\d\.\d\d – [+−]\d\.\d\d", row[2])
        assert re.fullmatch(r"\d+% \d+% – \d+%", row[3])
    assert sum(int(row[1]) for row in groups[:2]) == int(everybody[1])
    assert page.count("<svg") == 4
    assert page.count('class="dot"') >= 4 * 4


async def test_that_each_policys_replies_and_tries_are_counted(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await visits(store, clock)
    sql = "UPDATE candidates SET propensity = 0.1 WHERE shown AND turn IN (SELECT turn FROM"
    await store.write(
        lambda db: db.execute(f"{sql} candidates WHERE shown AND source = 'draft' LIMIT 3)")
    )
    await store.write(
        lambda db: db.execute(
            "UPDATE candidates SET propensity = 0.9 WHERE NOT shown AND source = 'article'"
        )
    )

    head, row = rows_of(await opened(admin), "Replies of each policy")

    assert (head[0], head[-1], row[0]) == ("Policy", "Tries", FixedOrder.version)
    counts = [int(cell.split()[0]) for cell in row[1:]]
    assert counts[0] == sum(counts[1:-1])
    assert {"Model draft", "Clarifying question"} <= set(head)
    assert counts[-1] == 3


async def test_that_the_period_is_chosen_among_three(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await visits(store, clock, days=20)

    for query, chosen in (("", "30"), ("?days=7", "7"), ("?days=90", "90"), ("?days=x", "30")):
        page = await opened(admin, query)
        assert re.findall(r'href="\?days=(\d+)" aria-current="true"', page) == [chosen]
        assert ("No replies in this period" in page) == (chosen == "7")


async def test_that_figures_that_could_not_be_made_are_told(
    admin: httpx.AsyncClient, store: Store
) -> None:
    await store.write(lambda db: db.execute("ALTER TABLE feedback RENAME TO away"))

    async with asyncio.timeout(30):
        while "are being made" in (page := (await admin.get("/admin/ranking")).text):
            pass

    assert "The figures could not be made" in page
    assert "In force" in page


async def test_that_the_page_comes_in_chinese(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await change(store, clock() - timedelta(days=9))
    await visits(store, clock)

    page = await opened(admin, "?lang=zh")

    for shown in ("排序", "当前策略", "已启用", "顾客群体", "全部顾客", "新顾客", "英文", "中文"):
        assert shown in page
    assert [row[0] for row in rows_of(page, "顾客群体")][:2] == ["群体", "全部顾客"]


async def test_that_hostile_notes_and_versions_stay_text(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await change(store, clock() - timedelta(days=9), f"softmax/{HOSTILE}", note=HOSTILE)
    await visits(store, clock)
    await store.write(lambda db: db.execute("UPDATE turns SET policy = ?", [HOSTILE]))
    await store.write(lambda db: db.execute("UPDATE conversations SET channel = ?", [HOSTILE]))

    page = await opened(admin)

    assert "&lt;script&gt;" in page
    assert re.search(r"<script|<style|\sstyle=|\son[a-z]+=", page) is None
    assert "49" not in page.partition("alert")[2][:60]


async def test_that_looking_is_written_down(admin: httpx.AsyncClient, store: Store) -> None:
    await admin.get("/admin/ranking?days=90")

    found = await store.read(
        lambda db: db.execute("SELECT action, object FROM audit ORDER BY id DESC").fetchone()
    )
    assert found == ("view_ranking", "days=90")


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("everybody", "Everybody"),
        ("language zh", "Chinese"),
        ("channel slack", "Slack"),
        ("channel pager", "pager"),
        ("new customers", "New customers"),
        ("returning customers", "Returning customers"),
    ],
)
def test_that_groups_have_names(group: str, name: str, prompts: Prompts) -> None:
    assert group_name(group, prompts.labels("admin", "en")) == name


async def ask(store: Store, policy: str, slate: Sequence[Candidate], clock: Clock) -> str:
    """Let a customer ask, answered by that policy; return the transcript's address."""
    described = features.described(ASKED, slate)
    asked = message(ASKED.question)
    reply = await store.write(lambda db: write_exchange(db, asked, described, at=clock()))
    await store.write(
        lambda db: db.execute("UPDATE turns SET policy = ? WHERE id = ?", [policy, reply.turn])
    )
    return f"/admin/conversations/{reply.conversation}"


async def test_that_a_transcript_tells_why_a_learned_policy_chose(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await change(store, clock() - timedelta(days=2))
    await change(store, clock() - timedelta(days=1), "softmax/2")
    address = await ask(store, "softmax/2", SLATE, clock)

    english = (await admin.get(address)).text
    chinese = (await admin.get(f"{address}?lang=zh")).text

    assert "A learned policy decided" in english
    assert english.count("Expected reward") == 3  # not of what was refused
    assert re.search(r"answers the question \+1\.12", english)
    assert re.search(r"a hand-off −0\.90", english)
    assert english.count("The fixed order would have shown it") == 1
    assert re.search(r"The policy before would have shown it <code>softmax/1</code>", english)
    for shown in ("由学习得到的策略决定", "预期奖励", "回答了问题 +1.12", "固定顺序会显示它"):
        assert shown in chinese


@pytest.mark.parametrize(
    ("policy", "slate", "told"),
    [
        pytest.param(FixedOrder.version, SLATE, "The fixed order decided: ", id="order"),
        pytest.param("softmax/1", [APPROVED, *SLATE], "The fixed order decided, since", id="team"),
        pytest.param("softmax/7", SLATE, "can't be told", id="unknown"),
    ],
)
async def test_that_a_transcript_says_what_else_decided(
    admin: httpx.AsyncClient,
    store: Store,
    clock: Clock,
    policy: str,
    slate: Sequence[Candidate],
    told: str,
) -> None:
    await change(store, clock() - timedelta(days=2))

    page = unescape((await admin.get(await ask(store, policy, slate, clock))).text)

    assert told in page
    assert "Expected reward" not in page
