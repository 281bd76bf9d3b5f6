"""What a submitted form says."""

from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request

MOST_FIELDS = 20


async def form_fields(request: Request) -> Mapping[str, str]:
    """Return the fields of a form; anything else counts as an empty one."""
    return {name: values[0] for name, values in (await form_lists(request)).items()}


async def form_lists(request: Request, most: int = MOST_FIELDS) -> Mapping[str, list[str]]:
    """Return the fields of a form, each with all that was chosen for it, `most` in all."""
    try:
        return parse_qs((await request.body()).decode(), max_num_fields=most)
    except ValueError:
        return {}
