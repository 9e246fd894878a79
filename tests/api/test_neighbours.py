"""Who may ask: by which name, from whose page, through which proxy; and who may frame the page."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from physix.api import app as app_module
from physix.api import page
from physix.api.app import create_app, serve
from physix.settings import Settings

ROOT = Path(__file__).parents[2]
BODY = {"system_id": "free_fall"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = Settings(db="memory://", host="lab.example", allowed_hosts=("physix.example",))
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8000", True),
        ("localhost", True),
        ("physix.localhost:8000", True),
        ("[::1]:8000", True),
        ("192.168.0.7:8000", True),  # an address cannot be rebound
        ("workstation:8000", True),  # nor can a name without a dot
        ("lab.example", True),
        ("LAB.example:8000", True),
        ("physix.example", True),
        ("evil.example", False),
        ("physix.example.evil.example", False),
        ("127.0.0.1.evil.example:8000", False),
        ("localhost.evil.example", False),
        ("user@localhost", False),
        ("localhost:99999999", False),
        ("localhost/evil.example", False),
    ],
)
def test_a_name_that_a_stranger_could_own_is_refused_on_every_route(
    client: TestClient, host: str, known: bool
) -> None:
    for path in ("/api/systems", "/", "/openapi.json"):
        answer = client.get(path, headers={"Host": host})
        assert (answer.status_code == 200) == known, path
    if not known:
        assert answer.status_code == 400
        assert "PHYSIX_ALLOWED_HOSTS" in answer.json()["detail"]
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/ws", headers={"Host": host}):
            pass


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://localhost:5173", "127.0.0.1:8000", True),  # the development server
        ("https://lab.example", "lab.example", True),  # behind a proxy that ended TLS
        ("https://physix.example", "127.0.0.1:8000", True),  # behind one that asks by another name
        ("http://127.0.0.1:3000", "127.0.0.1:8000", False),
        ("http://lab.example:3000", "lab.example", False),
        ("https://evil.example", "127.0.0.1:8000", False),
        ("null", "127.0.0.1:8000", False),
        ("http://[", "127.0.0.1:8000", False),
    ],
)
def test_a_page_of_another_origin_acts_through_no_door(
    client: TestClient, origin: str, host: str, own: bool
) -> None:
    headers = {"Origin": origin, "Host": host}
    answer = client.post("/interactive/sessions", json=BODY, headers=headers)
    assert answer.status_code == (201 if own else 403)
    assert client.post("/reset", json={}, headers=headers).status_code == (200 if own else 403)
    if own:
        with client.websocket_connect("/ws", headers=headers) as socket:
            socket.send_json({"type": "state"})
            assert socket.receive_json()["type"] == "state"
    else:
        assert "PHYSIX_CORS_ORIGINS" in answer.json()["detail"]
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/ws", headers=headers):
            pass


def test_a_public_server_answers_to_any_name_unless_it_names_its_own() -> None:
    for hosts, status in (((), 200), (("space.example",), 400)):
        settings = Settings(db="memory://", public=True, allowed_hosts=hosts)
        with TestClient(create_app(settings, openenv=False)) as client:
            assert client.get("/api/systems", headers={"Host": "evil.example"}).status_code == status
            assert client.get("/health", headers={"Host": "evil.example"}).status_code != 400


@pytest.mark.parametrize(
    ("address", "ancestors"),
    [
        ("/", "'self'"),
        ("/?embed=1", "'self'"),
        ("/manual?embed=1", "'self'"),
        ("/episodes/x", "'self'"),
        ("/episodes/x?embed=1", "*"),
        ("/compare/x?turn=2&embed=1", "*"),
        ("/demos/x?embed=11", "'self'"),
    ],
)
def test_only_an_embedded_replay_may_be_framed_by_anyone(
    client: TestClient, address: str, ancestors: str
) -> None:
    policy = client.get(address).headers["content-security-policy"]
    assert policy.endswith(f"frame-ancestors {ancestors}")


def test_a_forwarded_address_is_believed_from_named_proxies_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[uvicorn.Config] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda server: told.append(server.config))
    serve(Settings(db="memory://", proxies=("10.0.0.0/8",)))
    assert told[0].proxy_headers is False  # uvicorn's own believes whoever is on this machine
    monkeypatch.setenv("PHYSIX_DB", "memory://")
    monkeypatch.setenv("PHYSIX_PUBLIC", "1")
    monkeypatch.setenv("PHYSIX_PUBLIC_SESSIONS_PER_MINUTE", "1")
    for named, told_apart in (("", False), ("10.0.0.0/8,192.0.2.1", True)):
        monkeypatch.setenv("PHYSIX_PROXIES", named)
        served = app_module.app  # as `uvicorn physix.api.app:app` finds it
        for proxy, believed in (("10.1.2.3", told_apart), ("192.0.2.1", told_apart), ("127.0.0.1", False)):
            with TestClient(served, client=(proxy, 50_000)) as client:
                statuses = [
                    client.post(
                        "/interactive/sessions",
                        json={"system_id": "free_fall", "seed": 1},
                        headers={"X-Forwarded-For": f"203.0.113.{n}"},
                    ).status_code
                    for n in (len(proxy), 40 + len(proxy))
                ]
            assert statuses == [201, 201 if believed else 429], (named, proxy)


def test_an_address_that_only_another_method_knows_is_405_and_an_unknown_one_404(client: TestClient) -> None:
    for path, allowed in (("/reset", "POST"), ("/step", "POST"), ("/interactive/sessions", "POST")):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
        assert answer.headers["content-type"] == "application/problem+json"
    for path in ("/nowhere", "/run/a/b", "/episodes/a/b/c", "/robots.txt", "/api/nowhere", "/wp-login.php"):
        assert client.get(path).status_code == 404, path


def test_a_person_who_mistypes_an_address_gets_the_page_and_a_program_the_problem(client: TestClient) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    assert page.STATIC.joinpath("index.html").is_file(), "make page"
    for path in ("/nowhere", "/run/a/b"):
        told = client.get(path, headers=browser)
        assert (told.status_code, told.headers["content-type"][:9]) == (404, "text/html")
        assert client.get(path).headers["content-type"] == "application/problem+json"
    assert client.get("/reset", headers=browser).status_code == 405


def test_the_server_knows_the_addresses_of_the_page() -> None:
    routes = "".join((ROOT / "web/src/app" / file).read_text() for file in ("router.tsx", "workbench.tsx"))
    assert re.findall(r'^  path: "([^"]+)"', routes, re.MULTILINE) == list(page.ADDRESSES)


def test_docs_need_no_script_and_no_network(client: TestClient) -> None:
    text = client.get("/docs").text
    assert "<script" not in text
    links = set(re.findall(r"""(?:src|href)=["']?([^\s"'>]+)""", text))
    assert {link for link in links if not link.startswith("#")} == {"/openapi.json"}
    document = client.get("/openapi.json").json()
    for path, calls in document["paths"].items():
        for method in calls:
            assert f"<b>{method.upper()}</b> {path}" in text
    for name in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{name}"' in text
