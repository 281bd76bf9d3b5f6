"""Replies as text: what every channel shares between an Outgoing and the messages it posts.

The core writes Markdown. A channel that can show it takes it from `compose`, with only such links
as may be shown. One that shows plain text describes itself by a `Style`; `render` gives the
messages to post, in order.
"""

from adapters.rendering.links import Links, is_web_address
from adapters.rendering.markdown import open_fence, well_formed
from adapters.rendering.plain import plain_text
from adapters.rendering.replies import Style, compose, render, title_with_url, unchanged
from adapters.rendering.safe_markdown import safe_markdown
from adapters.rendering.splitting import is_boundary, split_text, utf16_length

__all__ = [
    "Links",
    "Style",
    "compose",
    "is_boundary",
    "is_web_address",
    "open_fence",
    "plain_text",
    "render",
    "safe_markdown",
    "split_text",
    "title_with_url",
    "unchanged",
    "utf16_length",
    "well_formed",
]
