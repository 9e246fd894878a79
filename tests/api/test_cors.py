"""Pages of other origins: the development server's by default, others where the operator says so."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.settings import Settings

DEVELOPMENT = "http://localhost:5173"
ELSEWHERE = "https://evil.example"


@contextmanager
def serving(
    monkeypatch: pytest.MonkeyPatch, origins: str | None, token: str | None = None
) -> Iterator[TestClient]:
    if origins is None:
        monkeypatch.delenv("PHYSIX_CORS_ORIGINS", raising=False)
    else:
        monkeypatch.setenv("PHYSIX_CORS_ORIGINS", origins)
    with TestClient(create_app(Settings(db="memory://", token=token), openenv=False)) as client:
        yield client


def preflight(client: TestClient, origin: str) -> tuple[int, str | None]:
    answer = client.options(
        "/interactive/sessions",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,idempotency-key,authorization",
        },
    )
    return answer.status_code, answer.headers.get("access-control-allow-origin")


@pytest.mark.parametrize(
    ("origins", "allowed", "refused"),
    [
        (None, [DEVELOPMENT], [ELSEWHERE, "http://localhost:5174", "https://localhost:5173", "null"]),
        ("https://lab.example", ["https://lab.example"], [DEVELOPMENT, ELSEWHERE]),
        ("https://a.example, https://b.example/", ["https://a.example", "https://b.example"], [DEVELOPMENT]),
        (
            '["https://a.example", "https://b.example"]',
            ["https://a.example", "https://b.example"],
            [ELSEWHERE],
        ),
        ("", [], [DEVELOPMENT, ELSEWHERE]),
    ],
)
def test_a_preflight_is_granted_to_the_origins_that_are_named(
    monkeypatch: pytest.MonkeyPatch, origins: str | None, allowed: list[str], refused: list[str]
) -> None:
    with serving(monkeypatch, origins) as client:
        assert [preflight(client, origin) for origin in allowed] == [(200, origin) for origin in allowed]
        assert [preflight(client, origin) for origin in refused] == [(400, None) for _ in refused]


def test_a_star_allows_every_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, "*") as client:
        assert preflight(client, ELSEWHERE) == (200, "*")
        answer = client.get("/api/systems", headers={"Origin": ELSEWHERE})
        assert "access-control-allow-credentials" not in answer.headers


def test_answers_say_who_may_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, None) as client:
        named = client.get("/api/systems", headers={"Origin": DEVELOPMENT})
        other = client.get("/api/systems", headers={"Origin": ELSEWHERE})
        assert named.headers["access-control-allow-origin"] == DEVELOPMENT
        assert "access-control-allow-origin" not in other.headers
        assert "access-control-allow-origin" not in client.get("/api/systems").headers


def test_a_preflight_needs_no_token_and_the_refusal_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, None, token="secret") as client:  # noqa: S106  # a test's
        assert preflight(client, DEVELOPMENT) == (200, DEVELOPMENT)
        refused = client.get("/api/systems", headers={"Origin": DEVELOPMENT})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == DEVELOPMENT
