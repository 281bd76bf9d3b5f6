"""What holds for every response: headers, one error shape, and no other site behind a request."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from starlette.applications import Starlette
from starlette.requests import Request

from adapters.web.api import Api
from adapters.web.channel import WebChannel
from adapters.web.errors import ApiError, ErrorPages
from adapters.web.health import Health
from adapters.web.security import LARGEST_BODY_BYTES, is_cross_site, is_same_origin
from prompts import Prompts
from tests.adapters.web.dialogues import ScriptedInbox

MESSAGES = "/api/v1/messages"
EVERY_KIND = [
    pytest.param("GET", "/", 200, id="page"),
    pytest.param("GET", "/static/chat.js", 200, id="script"),
    pytest.param("GET", "/static/chat.css", 200, id="style"),
    pytest.param("GET", "/static/none.js", 404, id="missing file"),
    pytest.param("GET", "/static/../app.py", 404, id="outside of static"),
    pytest.param("GET", "/api/v1/status", 200, id="status"),
    pytest.param("GET", f"/api/v1/conversations/{'A' * 32}", 404, id="unknown conversation"),
    pytest.param("POST", MESSAGES, 415, id="refused message"),
    pytest.param("GET", MESSAGES, 405, id="wrong method"),
    pytest.param("GET", "/nothing/here", 404, id="unknown path"),
    pytest.param("GET", "/healthz", 200, id="health"),
    pytest.param("GET", "/readyz", 200, id="readiness"),
    pytest.param("GET", "/metrics", 200, id="metrics"),
    pytest.param("GET", "/broken", 500, id="defect"),
]


@pytest.mark.parametrize(("method", "path", "status"), EVERY_KIND)
async def test_that_every_response_has_the_security_headers(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path)
    policy = response.headers["content-security-policy"]
    assert response.status_code == status
    assert "unsafe" not in policy
    for rule in ("default-src 'none'", "object-src 'none'", "base-uri 'none'"):
        assert rule in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "same-origin"
    assert response.headers["cache-control"] in ("no-store", "no-cache")


async def test_that_every_route_is_in_the_table_above(app: Starlette) -> None:
    tested = {"/", "/static", "/healthz", "/readyz", "/metrics", "/broken", MESSAGES}
    tested |= {"/api/v1/status", "/api/v1/conversations/{token}", "/api/v1/conversations"}
    assert {getattr(route, "path", "") for route in app.routes} == tested | {"/admin/{path:path}"}


async def test_that_https_is_pinned_only_where_it_is_used(
    connect: Callable[..., httpx.AsyncClient],
) -> None:
    async with connect("https://testserver") as secure, connect() as plain:
        assert "strict-transport-security" in (await secure.get("/healthz")).headers
        assert "strict-transport-security" not in (await plain.get("/healthz")).headers


async def test_that_a_defect_shows_nothing_of_itself(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        response = await client.get("/broken", headers={"Accept-Language": "zh"})
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert "secret detail" not in response.text
    assert "secret detail" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        pytest.param("GET", "/nothing", "not_found", id="unknown path"),
        pytest.param("DELETE", "/api/v1/status", "method_not_allowed", id="wrong method"),
        pytest.param("GET", "/broken", "internal", id="defect"),
        pytest.param("POST", MESSAGES, "not_json", id="no JSON"),
    ],
)
async def test_that_every_error_has_one_shape(
    client: httpx.AsyncClient, method: str, path: str, code: str
) -> None:
    body = (await client.request(method, path)).json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["code"] == code


def test_that_every_error_code_has_words_in_both_languages() -> None:
    prompts = Prompts.load()
    codes = set(prompts.labels("errors", "en"))
    for code in codes:
        assert ApiError(code).status >= 400  # type: ignore[arg-type]
        english = ApiError(code).body(prompts, "en")  # type: ignore[arg-type]
        assert english != ApiError(code).body(prompts, "zh")  # type: ignore[arg-type]


def test_that_an_unforeseen_error_is_an_internal_one() -> None:
    pages = ErrorPages(Prompts.load())
    assert pages.refused(request_with(), ValueError("detail")).status_code == 500


CROSS_SITE = [
    pytest.param({"Sec-Fetch-Site": "cross-site"}, id="another site"),
    pytest.param({"Sec-Fetch-Site": "same-site"}, id="a sister domain"),
    pytest.param({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, id="both"),
    pytest.param({"Origin": "https://evil.example"}, id="another origin"),
    pytest.param({"Origin": "null"}, id="no origin"),
    pytest.param({"Origin": ""}, id="empty origin"),
    pytest.param({"Origin": "http://["}, id="broken origin"),
    pytest.param({"Origin": "http://testserver.evil.example"}, id="a longer name"),
    pytest.param({"Origin": "http://testserver:81"}, id="another port"),
]


@pytest.mark.parametrize("path", [MESSAGES, "/api/v1/conversations"])
@pytest.mark.parametrize("headers", CROSS_SITE)
async def test_that_another_site_can_not_write(
    client: httpx.AsyncClient, inbox: ScriptedInbox, path: str, headers: dict[str, str]
) -> None:
    response = await client.post(path, json={"text": "?"}, headers=headers)
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "cross_site"
    assert inbox.history == []


@pytest.mark.parametrize(
    ("headers", "cross_site", "same_origin"),
    [
        pytest.param({}, False, False, id="no browser"),
        pytest.param({"sec-fetch-site": "same-origin"}, False, True, id="own page"),
        pytest.param({"sec-fetch-site": "none"}, False, False, id="typed"),
        pytest.param({"sec-fetch-site": "cross-site"}, True, False, id="another site"),
        pytest.param({"origin": "http://testserver"}, False, True, id="own origin"),
        pytest.param({"origin": "https://testserver"}, False, True, id="TLS ends in front"),
        pytest.param({"origin": "null"}, True, False, id="null"),
    ],
)
def test_that_the_origin_is_read_from_what_browsers_say(
    headers: dict[str, str], cross_site: bool, same_origin: bool
) -> None:
    request = request_with(**headers)
    assert is_cross_site(request) is cross_site
    assert is_same_origin(request) is same_origin


async def test_that_an_own_page_can_write(client: httpx.AsyncClient) -> None:
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}):
        response = await client.post(MESSAGES, json={"text": "?"}, headers=headers)
        assert response.status_code == 200


@pytest.mark.parametrize("path", [MESSAGES, "/healthz", "/nothing"])
async def test_that_a_declared_large_body_is_refused_unread(
    client: httpx.AsyncClient, path: str
) -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    response = await client.post(path, content=unread(), headers={"Content-Length": "10000000"})
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"
    assert response.headers["connection"] == "close"


async def test_that_an_undeclared_large_body_is_refused_at_the_limit(
    client: httpx.AsyncClient, inbox: ScriptedInbox
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"text": "'
        for _ in range(20):
            yield b"a" * 100_000

    response = await client.post(
        MESSAGES, content=chunks(), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"
    assert inbox.history == []


async def test_that_a_body_just_below_the_limit_is_taken(client: httpx.AsyncClient) -> None:
    content = b'{"text": "' + b"a" * (LARGEST_BODY_BYTES - 12) + b'"}'
    response = await client.post(
        MESSAGES, content=content, headers={"Content-Type": "application/json"}
    )
    assert len(content) == LARGEST_BODY_BYTES
    assert response.status_code == 200


async def test_that_a_wrong_content_length_is_no_defect(client: httpx.AsyncClient) -> None:
    response = await client.post(MESSAGES, content=b"", headers={"Content-Length": "many"})
    assert response.status_code == 415


async def test_that_a_body_that_never_ends_is_given_up(web: WebChannel) -> None:
    api = Api(web, dict, Prompts.load(), body_timeout_seconds=0.01)
    request = request_with(**{"content-type": "application/json"})

    async def never() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    with pytest.raises(ApiError, match="body_late"):
        await api.ask(Request(request.scope, never))


async def test_that_health_is_the_process_alone(
    client: httpx.AsyncClient, readiness: dict[str, str | None]
) -> None:
    readiness["database"] = "The disk is full."
    assert (await client.get("/healthz")).json() == {"status": "ok"}


async def test_that_readiness_names_what_is_wrong(
    client: httpx.AsyncClient, readiness: dict[str, str | None]
) -> None:
    assert (await client.get("/readyz")).status_code == 200
    readiness["model"] = "The model is still loading."
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"database": None, "model": "The model is still loading."}


async def test_that_requests_are_counted_by_route_and_not_by_path(
    client: httpx.AsyncClient,
) -> None:
    for token in ("A" * 32, "B" * 32):
        await client.get(f"/api/v1/conversations/{token}")
    await client.request("BREW", "/nothing")
    text = (await client.get("/metrics")).text
    template = "/api/v1/conversations/{token}"
    counted = f'frontdesk_http_requests_total{{method="GET",route="{template}",status="404"}} 2.0'
    assert counted in text
    assert 'method="other",route="none"' in text
    assert "AAAA" not in text


async def test_that_metrics_of_other_parts_are_shown_too() -> None:
    registry = CollectorRegistry()
    Counter("frontdesk_other_part", "of another part", registry=registry).inc()

    async def ready() -> dict[str, str | None]:
        return {}

    app = Starlette(routes=Health(ready, registry).routes())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://testserver"
    ) as client:
        assert "frontdesk_other_part_total 1.0" in (await client.get("/metrics")).text


def request_with(**headers: str) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"host", b"testserver"))
    return Request(
        {"type": "http", "method": "POST", "headers": raw, "path": "/", "query_string": b""}
    )
