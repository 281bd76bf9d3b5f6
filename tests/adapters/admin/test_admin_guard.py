"""Nobody gets in without a session, and nobody acts in an admin's name."""

from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from adapters.admin.guard import PUBLIC_FOLDERS, PUBLIC_PATHS, safe_next
from bot.log.store import Store
from tests.adapters.admin.conftest import PASSWORD, Connect
from tests.adapters.web.dialogues import ANSWER, Clock, message, write_exchange

# What anyone may have: the form itself and its style sheet. Everything else needs a session.
PUBLIC = {"/admin/login", "/admin/static/{path:path}"}
SECRET = "The customer's secret question"


def routes(found: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield every path below the admin pages with every method it answers."""
    for route in found:
        if isinstance(route, Mount):
            inner = route.routes or [Route("/{path:path}", lambda _: None)]
            yield from routes(list(inner), prefix + route.path)
        elif isinstance(route, Route):
            for method in sorted(route.methods or ()):
                yield method, prefix + route.path


def admin_routes(app: Starlette) -> list[tuple[str, str]]:
    mounts: list[BaseRoute] = [
        route for route in app.routes if getattr(route, "path", "").startswith("/admin")
    ]
    return list(routes(mounts))


@pytest.fixture
async def conversation(store: Store) -> str:
    reply = await store.write(lambda db: write_exchange(db, message(SECRET)))
    return str(reply.conversation)


def fill_in(path: str, conversation: str) -> str:
    return path.replace("{id}", conversation).replace("{path:path}", "admin.css")


def test_that_the_walk_below_sees_the_routes(app: Starlette) -> None:
    found = admin_routes(app)
    assert ("GET", "/admin/conversations/{id}") in found
    assert ("POST", "/admin/logout") in found
    assert len(found) > 8


async def test_that_no_route_answers_without_a_session(
    app: Starlette, stranger: httpx.AsyncClient, conversation: str
) -> None:
    for method, path in admin_routes(app):
        if path in PUBLIC:
            continue
        response = await stranger.request(method, fill_in(path, conversation))
        assert response.status_code == 303, (method, path)
        assert response.headers["location"].startswith("/admin/login"), (method, path)
        assert response.text == "", (method, path)


async def test_that_the_public_routes_give_no_data(
    stranger: httpx.AsyncClient, conversation: str
) -> None:
    for path in PUBLIC:
        response = await stranger.get(fill_in(path, conversation))
        assert response.status_code == 200
        assert SECRET not in response.text
    assert len(PUBLIC_PATHS) + len(PUBLIC_FOLDERS) == len(PUBLIC)


@pytest.mark.parametrize(
    "path",
    [
        "/admin//",
        "/admin/conversations/",
        "/admin/login/",
        "/admin/login/../",
        "/admin/static/../",
        "/admin/static/%2e%2e/conversations/x",
        "/admin/LOGIN",
        "/admin/nothing",
    ],
)
async def test_that_no_odd_path_goes_around_the_guard(
    stranger: httpx.AsyncClient, conversation: str, path: str
) -> None:
    response = await stranger.get(path.replace("x", conversation))
    assert response.status_code in (303, 404)
    assert SECRET not in response.text


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "' OR 1=1 --", "A" * 4000])
async def test_that_a_made_up_cookie_opens_nothing(
    connect: Connect, conversation: str, cookie: str
) -> None:
    async with connect() as client:
        client.cookies.set("frontdesk", cookie)
        response = await client.get(f"/admin/conversations/{conversation}")
    assert response.status_code == 303


async def test_that_a_session_opens_the_pages(admin: httpx.AsyncClient, conversation: str) -> None:
    assert (await admin.get("/admin/")).status_code == 200
    response = await admin.get(f"/admin/conversations/{conversation}")
    assert response.status_code == 200
    assert ANSWER.text in response.text


async def test_that_a_session_ends_with_log_out_idleness_and_age(
    admin: httpx.AsyncClient, clock: Clock
) -> None:
    clock.forward(minutes=29)
    assert (await admin.get("/admin/")).status_code == 200
    clock.forward(minutes=30)
    assert (await admin.get("/admin/")).status_code == 303


async def test_that_a_token_is_dead_after_log_out(
    admin: httpx.AsyncClient, connect: Connect
) -> None:
    token = admin.cookies["frontdesk"]
    response = await admin.post("/admin/logout")
    assert response.headers["location"] == "/admin/login"
    assert "frontdesk" not in admin.cookies
    async with connect() as thief:
        thief.cookies.set("frontdesk", token)
        assert (await thief.get("/admin/")).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": ""}, id="no origin"),
        pytest.param({"Origin": "null"}, id="null"),
        pytest.param({"Origin": "https://evil.example"}, id="another site"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="cross-site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="same-site"),
        pytest.param({"Sec-Fetch-Site": "none"}, id="typed"),
    ],
)
async def test_that_no_other_site_can_change_anything(
    app: Starlette, admin: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    changing = [(m, p) for m, p in admin_routes(app) if m not in ("GET", "HEAD")]
    assert changing
    for method, path in changing:
        response = await admin.request(method, path, headers=headers, data={"password": PASSWORD})
        assert response.status_code == 403, path
        assert response.json()["error"]["code"] == "cross_site"
        assert "set-cookie" not in response.headers
    assert (await admin.get("/admin/")).status_code == 200


async def test_that_nothing_is_changed_by_get(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/admin/logout")).status_code == 404
    await admin.get("/admin/login", params={"password": PASSWORD})
    assert (await admin.get("/admin/")).status_code == 200


async def test_that_the_cookie_is_guarded_over_http(stranger: httpx.AsyncClient) -> None:
    response = await stranger.post("/admin/login", data={"password": PASSWORD})
    name, _, rest = response.headers["set-cookie"].partition("=")
    assert name == "frontdesk"
    assert "httponly" in rest.lower()
    assert "samesite=lax" in rest.lower()
    assert "domain" not in rest.lower()


async def test_that_the_cookie_is_bound_to_the_host_over_https(connect: Connect) -> None:
    async with connect(base_url="https://testserver") as client:
        response = await client.post("/admin/login", data={"password": PASSWORD})
        cookie = response.headers["set-cookie"]
        assert cookie.startswith("__Host-frontdesk=")
        assert "; Secure" in cookie
        assert "Path=/;" in cookie
        assert (await client.get("/admin/")).status_code == 200


async def test_that_a_login_makes_a_new_session_and_ends_the_old(
    admin: httpx.AsyncClient, connect: Connect
) -> None:
    old = admin.cookies["frontdesk"]
    await admin.post("/admin/login", data={"password": PASSWORD})
    assert admin.cookies["frontdesk"] != old
    async with connect() as thief:
        thief.cookies.set("frontdesk", old)
        assert (await thief.get("/admin/")).status_code == 303


async def test_that_a_planted_token_is_not_taken_up(stranger: httpx.AsyncClient) -> None:
    stranger.cookies.set("frontdesk", "planted")
    response = await stranger.post("/admin/login", data={"password": PASSWORD})
    assert "planted" not in response.headers["set-cookie"]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        pytest.param("/admin/conversations/c1?before=9", None, id="a page of ours"),
        pytest.param("", "/admin/", id="nothing"),
        pytest.param("https://evil.example/", "/admin/", id="another site"),
        pytest.param("//evil.example/admin/", "/admin/", id="another host"),
        pytest.param("/admin/\\evil.example", "/admin/", id="backslash"),
        pytest.param("/admin/\r\nSet-Cookie: a=b", "/admin/", id="header injection"),
        pytest.param("javascript:alert(1)", "/admin/", id="script"),
        pytest.param("/admin/login", "/admin/", id="the login itself"),
        pytest.param("/administrator", "/admin/", id="a longer name"),
    ],
)
async def test_that_a_login_goes_on_to_our_own_pages_alone(
    stranger: httpx.AsyncClient, asked: str, given: str | None
) -> None:
    response = await stranger.post("/admin/login", data={"password": PASSWORD, "next": asked})
    assert response.headers["location"] == (given or asked)
    assert safe_next(asked) == (given or asked)


async def test_that_the_login_leads_back_to_the_page_that_was_asked_for(
    stranger: httpx.AsyncClient,
) -> None:
    refused = await stranger.get("/admin/?q=tent&language=zh")
    form = await stranger.get(refused.headers["location"])
    assert 'name="next" value="/admin/?q=tent&amp;language=zh"' in form.text


async def test_that_websockets_are_not_answered(app: Starlette) -> None:
    sent: list[object] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: object) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/admin/", "headers": [], "query_string": b""}
    await app({**scope, "root_path": "", "scheme": "ws"}, receive, send)
    assert {"type": "websocket.accept"} not in sent
