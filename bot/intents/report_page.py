"""The report as CSV for a spreadsheet, and as one HTML page that needs nothing from elsewhere."""

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from html import escape

from bot.intents.report import DIMENSIONS, Cohort, Dimension, Line, Report, RiseOf, Step

# What a spreadsheet would take for a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLOUR = "#2f5d8a"
_MOST_LINES = 40
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 2rem }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left; max-width: 22rem }
th { font-weight: 600 }
"""


def as_csv(report: Report, dimensions: Sequence[Dimension] = DIMENSIONS) -> str:
    """Return a row for each intent, language and channel; no cell can run as a formula."""
    out = io.StringIO()
    names = [each.name for each in fields(Line) if each.name not in ("weeks", "steps")]
    weeks = [f"week_{number + 1}" for number in range(len(report.whole.weeks))]
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["by", *names, *weeks])
    for dimension in dimensions:
        for line in report.lines[dimension]:
            values = [getattr(line, name) for name in names]
            writer.writerow([harmless(each) for each in (dimension, *values, *line.weeks)])
    return out.getvalue()


def steps_as_csv(report: Report, line: Line) -> str:
    """Return a row for each day of a line, or each week of a long period."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    names = [each.name for each in fields(Step)]
    writer.writerow(["begins", *names])
    for start, step in zip(report.starts, line.steps, strict=True):
        writer.writerow([start.date().isoformat(), *(getattr(step, name) for name in names)])
    return out.getvalue()


def harmless(value: object) -> object:
    """Return a cell that a spreadsheet shows as it is; a number stays one."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def told(of: RiseOf, intent: str) -> str:
    """Return what rose in words."""
    return {"handoffs": "hand-offs", "complaints": "complaints and risks"}.get(of, intent)


def as_html(report: Report) -> str:
    """Return the report as a page; whatever customers or admins wrote is escaped."""
    span = f"{report.since:%Y-%m-%d} – {report.until:%Y-%m-%d}"
    rises = "".join(
        f"<li><b>{escape(told(each.of, each.intent))}</b>: {each.number} in the last seven days, "
        f"expected {each.expected:.1f} (p = {each.p_value:.2g})</li>"
        for each in report.rises
    )
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Intents {span}</title>',
        f"<style>{_STYLE}</style><h1>What customers wanted, {span}</h1>",
        _table("All messages", [report.whole]),
        "<h2>Rose this week</h2>",
        f"<ul>{rises}</ul>" if rises else "<p>Nothing beyond chance.</p>",
        bars([(each.name, each.messages) for each in report.lines["intent"][:_MOST_LINES]]),
        *(_table(f"By {name}", report.lines[name]) for name in DIMENSIONS),
        _reasons(report.reasons),
        f"<h2>Customers who came back</h2><p>{report.returning:.0%} wrote on several days.</p>",
        _cohorts(report.cohorts),
        "</html>",
    ]
    return "\n".join(parts)


def bars(values: Sequence[tuple[str, int]]) -> str:
    """Return a bar for each name, drawn as SVG."""
    most = max((value for _, value in values), default=1)
    rows = []
    for number, (name, value) in enumerate(values):
        top, width = 22 * number, 480 * value / most
        rows.append(
            f'<text x="250" y="{top + 15}" text-anchor="end">{escape(name[:36])}</text>'
            f'<rect x="258" y="{top + 3}" width="{width:.1f}" height="15" fill="{_COLOUR}"/>'
            f'<text x="{264 + width:.1f}" y="{top + 15}">{value}</text>'
        )
    return (
        f'<svg role="img" aria-label="Messages by intent" width="800" height="{22 * len(values)}"'
        f' font-size="13">{"".join(rows)}</svg>'
    )


def trend(weeks: Sequence[int]) -> str:
    """Return a small line over the weeks, drawn as SVG."""
    most, steps = max(*weeks, 1) if weeks else 1, max(1, len(weeks) - 1)
    points = " ".join(
        f"{2 + 76 * number / steps:.1f},{18 - 16 * value / most:.1f}"
        for number, value in enumerate(weeks)
    )
    return (
        f'<svg role="img" aria-label="{", ".join(map(str, weeks))}" width="80" height="20">'
        f'<polyline points="{points}" fill="none" stroke="{_COLOUR}" stroke-width="2"/></svg>'
    )


def _table(title: str, lines: Sequence[Line]) -> str:
    head = (
        "<tr><th></th><th>messages</th><th>weeks</th><th>customers</th><th>solved without a person"
        "</th><th>thumbs up / down</th><th>handed on</th><th>most for</th><th>reply, s</th>"
        "<th>person, min</th><th>annoyed</th><th>complaints and risks</th></tr>"
    )
    rows = "".join(
        f"<tr><td>{escape(line.name)}</td><td>{line.messages}</td><td>{trend(line.weeks)}</td>"
        f"<td>{line.customers}</td><td>{line.solved:.0%}</td>"
        f"<td>{line.thumbs_up} / {line.thumbs_down}</td><td>{line.handed_on:.0%}</td>"
        f"<td>{escape(line.top_reason)}</td><td>{_number(line.reply_ms, 1000)}</td>"
        f"<td>{_number(line.wait_minutes)}</td><td>{line.annoyed:.0%}</td>"
        f"<td>{line.complaints}</td></tr>"
        for line in lines
    )
    return f"<h2>{title}</h2><table>{head}{rows}</table>"


def _number(value: float | None, by: float = 1) -> str:
    return "–" if value is None else f"{value / by:.1f}"


def _reasons(reasons: Sequence[tuple[str, int]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(reason)}</td><td>{count}</td></tr>" for reason, count in reasons
    )
    return f"<h2>Why people were asked</h2><table>{rows}</table>" if rows else ""


def _cohorts(cohorts: Sequence[Cohort]) -> str:
    rows = "".join(
        f"<tr><td>first wrote in the week of {each.week}</td><td>{each.customers}</td>"
        + "".join(
            f'<td style="background: rgba(47, 93, 138, {share / 2:.2f})">{share:.0%}</td>'
            for share in each.returned
        )
        + "</tr>"
        for each in cohorts
    )
    return f"<table><tr><th></th><th>customers</th><th>weeks after</th></tr>{rows}</table>"
