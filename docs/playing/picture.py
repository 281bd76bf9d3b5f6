"""A plain page of our own that shows dialogues side by side, to take a picture of."""

from collections.abc import Sequence
from html import escape

from markdown_it import MarkdownIt

from docs.playing.dialogue import Dialogue, Line, Rows

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True})
STYLE = """
* { box-sizing: border-box }
body { margin: 0; padding: 28px; background: #f5f4ef; color: #1d2422;
  font: 15px/1.45 system-ui, "Noto Sans CJK SC", sans-serif }
h1 { margin: 0; font-size: 20px }
header p { margin: 2px 0 20px; color: #5c6763 }
main { display: grid; grid-template-columns: 1fr 1fr; gap: 28px }
section { display: flex; flex-direction: column; gap: 8px }
.note { align-self: center; margin: 4px 0 0; color: #5c6763; font-size: 13px; text-align: center }
.customer { align-self: flex-end; max-width: 82%; padding: 9px 14px; border-radius: 14px 14px 3px;
  background: #17624c; color: #fff }
.assistant { align-self: flex-start; max-width: 92%; padding: 9px 14px; background: #fff;
  border: 1px solid #dedcd3; border-radius: 14px 14px 14px 3px }
.assistant p, .assistant ul { margin: 0 0 6px } .assistant p:last-of-type { margin: 0 }
.assistant a { color: #17624c }
.assistant ul { padding: 0; list-style: none }
.row { display: flex; gap: 6px; margin-top: 6px }
.row span { flex: 1; padding: 4px 10px; border: 1px solid #17624c; border-radius: 8px;
  color: #17624c; font-size: 14px; text-align: center }
"""


def as_html(name: str, dialogues: Sequence[Dialogue]) -> str:
    """Return a page that shows dialogues of one channel side by side."""
    chats = "".join(_chat(dialogue) for dialogue in dialogues)
    return (
        f'<!doctype html><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style>'
        f"<header><h1>Frontdesk · {name}</h1><p>Drawn from a transcript · 根据对话记录绘制</p>"
        f"</header><main>{chats}</main>"
    )


def _chat(dialogue: Dialogue) -> str:
    lines = "".join(map(_line, dialogue.lines))
    return f'<section lang="{dialogue.language}">{lines}</section>'


def _line(line: Line) -> str:
    if line.kind == "assistant":
        text = _MARKDOWN.render(line.text)
        return f'<div class="assistant">{text}{_rows(line.buttons)}</div>'
    return f'<div class="{line.kind}">{escape(line.text)}</div>'


def _rows(rows: Rows) -> str:
    buttons = ("".join(f"<span>{escape(label)}</span>" for label in row) for row in rows)
    return "".join(f'<div class="row">{row}</div>' for row in buttons)
