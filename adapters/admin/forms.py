"""What a submitted form says."""

from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request

MOST_FIELDS = 20


async def form_fields(request: Request) -> Mapping[str, str]:
    """Return the fields of a form; anything else counts as an empty one."""
    try:
        fields = parse_qs((await request.body()).decode(), max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}
