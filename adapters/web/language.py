"""Which of the two languages a visitor reads."""

from starlette.requests import Request
from starlette.responses import Response

from bot.messages import LANGUAGES, Language

COOKIE = "frontdesk_language"
ONE_YEAR_SECONDS = 365 * 24 * 3600
_MOST_TAGS = 20


def accepted_language(header: str) -> Language | None:
    """Return the language that an Accept-Language header prefers, or None when it names neither."""
    best: Language | None = None
    best_weight = 0.0
    for part in header.split(",")[:_MOST_TAGS]:
        tag, _, weight_text = part.partition(";q=")
        language = _language(tag.strip().lower().partition("-")[0])
        weight = _weight(weight_text)
        if language and weight > best_weight:
            best, best_weight = language, weight
    return best


def api_language(request: Request) -> Language:
    """Return the language for an API answer: the header decides, English is the default."""
    return accepted_language(request.headers.get("accept-language", "")) or "en"


def page_language(request: Request) -> Language:
    """Return the language of a page: the switch, then what was chosen before, then the header."""
    chosen = chosen_language(request) or _language(request.cookies.get(COOKIE, ""))
    return chosen or api_language(request)


def chosen_language(request: Request) -> Language | None:
    """Return the language that the page's switch asks for (`?lang=zh`), or None."""
    return _language(request.query_params.get("lang", ""))


def remember_language(request: Request, response: Response) -> None:
    """Keep the switch's choice in a cookie, so that the next page comes in that language."""
    if language := chosen_language(request):
        response.set_cookie(
            COOKIE,
            language,
            max_age=ONE_YEAR_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )


def _language(code: str) -> Language | None:
    return next((language for language in LANGUAGES if language == code), None)


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
