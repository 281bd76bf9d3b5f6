"""The pages of the analysis: what is shown, where its numbers lead, and what is handed over."""

import asyncio
import csv
import io
import random
import re
from datetime import timedelta
from html import unescape

import httpx
import pytest

from bot.intents.report import Rise
from bot.log import alerts
from bot.log.store import Store
from tests.adapters.web.dialogues import Clock
from tests.log.busy_log import BusyLog, decide

HOSTILE = '"><script>alert("1")</script>{{ 7*7 }}'
BEING_MADE = re.compile("are being made|正在计算")
LINK = re.compile(r'<a href="(/admin/\?[^"]+)"[^>]*>(.*?)</a>', re.DOTALL)


async def fill(store: Store, clock: Clock, customers: int = 25, seed: int = 5) -> None:
    """Let customers write in the last three weeks; `rare` is what one of them is about."""
    rng = random.Random(seed)
    began = clock() - timedelta(days=20)
    await store.write(lambda db: BusyLog(db, rng).fill(customers, began, 18))
    await store.write(lambda db: decide(db, clock()))


async def opened(admin: httpx.AsyncClient, query: str = "") -> str:
    """Return the page once it has its figures."""
    async with asyncio.timeout(30):
        while BEING_MADE.search(page := (await admin.get(f"/admin/analysis{query}")).text):
            pass
    return page


async def table(admin: httpx.AsyncClient, query: str = "", part: str = "table") -> list[list[str]]:
    """Return the rows of a CSV."""
    await opened(admin, query)
    response = await admin.get(f"/admin/analysis/{part}.csv{query}")
    assert response.headers["content-type"].startswith("text/csv")
    text = response.content.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


async def listed(admin: httpx.AsyncClient, address: str) -> int:
    """Return how many conversations the list shows."""
    page = (await admin.get(unescape(address))).text
    return page.count('<a class="row"')


async def test_that_a_long_period_shows_its_newest_weeks(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await fill(store, clock)
    last = clock().date()
    page = await opened(admin, f"?from={last - timedelta(days=3000)}&to={last}")

    [cohorts] = re.findall(r'<table class="figures heat">.*?</table>', page, re.DOTALL)
    weeks = re.findall(r'<th scope="row">(.*?)</th>', cohorts)
    assert len(weeks) == 14
    assert weeks[-1] == str(last - timedelta(days=6))
    counts = re.findall(r'<td class="number"><a href="(.*?)">(\d+)</a>', cohorts)
    [(address, count)] = [each for each in counts if int(each[1]) > 3][:1]
    assert 0 < await listed(admin, address) <= 4 * int(count)


async def audit(store: Store) -> tuple[str, str]:
    found: tuple[str, str] = await store.read(
        lambda db: db.execute("SELECT action, object FROM audit ORDER BY id DESC").fetchone()
    )
    return found


async def test_that_a_log_without_messages_says_so(admin: httpx.AsyncClient) -> None:
    page = await opened(admin)

    assert "No messages in this period" in page
    assert "<svg" not in page


async def test_that_figures_stand_with_plots_and_a_table(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await fill(store, clock)

    page = await opened(admin)

    assert page.count('<figure class="plot">') == 4
    assert page.count('class="spark"') == 5  # gift, parcel, refund, tents, no intent
    for shown in ("Solved without a person", "(no intent)", "Why people were asked", "wrote on"):
        assert shown in page
    assert re.search(r'class="number heat-\d+"', page)


async def test_that_every_number_leads_to_its_conversations(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await fill(store, clock)
    page = await opened(admin)

    links = {address: " ".join(text.split()) for address, text in LINK.findall(page)}
    assert len(links) > 70
    empty = {"0", "0%", "0.0%"}
    for address, text in links.items():
        label = re.sub(r"<title>.*?: (.*?)</title>.*", r"\1", text)
        if label != "–":  # a median of nothing
            assert (await listed(admin, address) == 0) == (label in empty), (address, label)


async def test_that_a_line_is_shown_alone(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await fill(store, clock)

    page = await opened(admin, "?by=channel&name=web")
    shown = page.partition('id="shown"')[2].partition('id="lines"')[0]

    assert "Web" in shown
    [messages] = re.findall(r"<dt>Messages</dt><dd><a href=\"([^\"]+)\">(\d+)", shown)
    assert "channel=web" in messages[0]
    rows = await table(admin, "?by=channel")
    assert [row[2] for row in rows if row[1] == "web"] == [messages[1]]
    assert "No messages in this period" in await opened(admin, "?by=channel&name=pager")


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        pytest.param("", "2026-10-27", "2026-11-23", id="usual"),
        pytest.param("?days=7", "2026-11-17", "2026-11-23", id="days"),
        pytest.param("?days=8", "2026-10-27", "2026-11-23", id="unknown-days"),
        pytest.param("?from=2026-11-02&to=2026-11-05", "2026-11-02", "2026-11-05", id="dates"),
        pytest.param("?from=2026-11-05&to=2026-11-02", "2026-11-02", "2026-11-05", id="reversed"),
        pytest.param("?from=2026-13-40&to=2026-11-05", "2026-10-27", "2026-11-23", id="no-date"),
        pytest.param("?from=2026-11-05", "2026-10-27", "2026-11-23", id="one-end"),
        pytest.param("?from=2031-01-01&to=2031-02-01", "2031-01-01", "2031-02-01", id="future"),
        pytest.param("?from=1970-01-01&to=2026-11-05", "2016-10-29", "2026-11-05", id="very-long"),
        pytest.param("?by=pigeon&days=%00", "2026-10-27", "2026-11-23", id="unknown-dimension"),
    ],
)
async def test_that_any_period_can_be_asked_for(
    admin: httpx.AsyncClient, store: Store, clock: Clock, query: str, first: str, last: str
) -> None:
    await fill(store, clock, customers=20)

    page = await opened(admin, query)

    assert re.findall(r'type="date" name="\w+" value="([^"]+)"', page) == [first, last]
    assert ("No messages in this period" in page) == ("2031" in query)
    assert 'href="/admin/analysis' in page
    assert await audit(store) == ("view_analysis", f"{first}..{last} intent")


async def test_that_the_table_can_be_had_as_csv(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await fill(store, clock)
    formula = "=HYPERLINK(1)"
    sql = "UPDATE intent_labels SET intent = ? WHERE intent = 'tents'"
    await store.write(lambda db: db.execute(sql, [formula]))

    rows = await table(admin)
    assert rows[0][:3] == ["by", "name", "messages"]
    assert {row[1] for row in rows[1:]} == {"gift", "parcel", "refund", f"'{formula}", "?"}
    assert (await audit(store))[0] == "export_analysis"
    assert {row[0] for row in rows[1:]} == {"intent"}

    days = await table(admin, "?by=intent&name=parcel", "steps")
    [parcel] = [row for row in rows if row[1] == "parcel"]
    assert (len(days), days[0][:2]) == (29, ["begins", "messages"])
    assert sum(int(row[1]) for row in days[1:]) == int(parcel[2])


async def test_that_a_file_without_figures_leads_to_the_page(admin: httpx.AsyncClient) -> None:
    response = await admin.get("/admin/analysis/table.csv?days=7&by=channel")

    assert response.status_code == 303
    assert response.headers["location"] == "/admin/analysis?days=7&by=channel"


async def test_that_alerts_of_the_period_are_shown(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await fill(store, clock)
    rises = [
        Rise(intent=HOSTILE, number=30, expected=7.25, p_value=1e-6),
        Rise(of="handoffs", number=40, expected=11, p_value=1e-6),
    ]
    await store.write(lambda db: alerts.tell(db, rises, clock() - timedelta(days=2)))

    page = await opened(admin, "?days=7")
    told = page.partition("Told to the team")[2]
    assert "&lt;script&gt;" in told
    assert "Hand-offs" in told
    assert re.search(r"30</a> <span[^>]*>in seven days · expected: 7.2", told)
    assert "from=2026-11-14&amp;to=2026-11-21&amp;reason=any" in told
    assert "Told to the team" not in await opened(admin, "?from=2026-11-01&to=2026-11-10")


async def test_that_what_rose_leads_to_its_messages(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await fill(store, clock)
    newest = "SELECT id FROM turns WHERE role = 'customer' AND created_at >= '2026-11-17'"
    await store.write(
        lambda db: db.execute(
            "INSERT OR REPLACE INTO intent_labels"
            f" SELECT id, 'recall', 1, 'person', '', 'admin', '' FROM ({newest})"
        )
    )

    rose = (await opened(admin)).partition("More than usual")[2].partition("</section>")[0]
    [(address, number)] = [
        (address, text) for address, text in LINK.findall(rose) if "recall" in address
    ]
    assert "from=2026-11-17&amp;to=2026-11-23" in address
    assert int(number) >= await listed(admin, address) > 0


async def test_that_the_page_comes_in_chinese(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await fill(store, clock)

    page = await opened(admin, "?lang=zh&by=language")

    for shown in ("分析", "无需人工即解决", "转人工的原因", "再次光顾的顾客", "英文", "中文"):
        assert shown in page
    assert "More than usual" not in page


async def test_that_hostile_names_stay_text(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await fill(store, clock)
    await store.write(
        lambda db: db.execute("UPDATE OR IGNORE intent_labels SET intent = ?", [HOSTILE])
    )
    await store.write(lambda db: db.execute("UPDATE conversations SET channel = ?", [HOSTILE]))
    await store.write(lambda db: db.execute("UPDATE handoffs SET reason = ?", [HOSTILE]))

    for query in ("", "?by=channel", "?name=%3Cscript%3Ealert(1)%3C/script%3E"):
        page = await opened(admin, query)
        assert re.search(r"<script|<style|\sstyle=|\son[a-z]+=", page) is None


async def test_that_figures_that_could_not_be_made_are_told(
    admin: httpx.AsyncClient, store: Store
) -> None:
    await store.write(lambda db: db.execute("ALTER TABLE feedback RENAME TO away"))

    assert "The figures could not be made" in await opened(admin)


async def test_that_the_list_keeps_its_filters(
    admin: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await fill(store, clock, customers=80)
    query = "intent=parcel&from=2026-11-01&to=2026-11-30&outcome=unsolved&cohort=x"

    page = (await admin.get(f"/admin/?{query}")).text
    assert '<option value="parcel" selected>' in page
    assert '<option value="unsolved" selected>' in page
    assert re.search(r'<details class="closer" open>', page)
    for bad in ("from=x", "reason=pigeon", "verdict=sideways", "mood=blue", "cohort=1..2"):
        assert (await admin.get(f"/admin/?{bad}")).text.count('<a class="row"') == 50
