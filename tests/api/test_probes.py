"""What watches a server: liveness, readiness, metrics."""

from collections.abc import Iterator

import httpx
import pytest

from physix.api.app import create_app
from physix.api.http.services import Services
from physix.settings import Settings
from tests.policies.chat.ollama_server import serving

PLAYER = "player-player-player"
TOKEN = "operator-operator"  # noqa: S105  # of the tests
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    app = create_app(
        Settings(db="memory://", token=PLAYER, operator_token=TOKEN),
        openenv=False,
    )
    with serving(app) as url, httpx.Client(base_url=url, timeout=60) as running:
        yield running


def figures(client: httpx.Client) -> dict[str, float]:
    text = client.get("/metrics", headers=OPERATOR).raise_for_status().text
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_probes_need_no_token_and_go_by_any_name(client: httpx.Client) -> None:
    for path in ("/livez", "/readyz"):
        answer = client.get(path, headers={"Host": "pod-7.example.org"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


def test_a_server_that_stops_or_has_no_log_is_alive_but_not_ready() -> None:
    app = create_app(Settings(db="memory://"), openenv=False)
    with serving(app) as url:
        services: Services = app.state.services
        app.state.services = None
        answer = httpx.get(f"{url}/readyz")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert httpx.get(f"{url}/livez").status_code == 200
        app.state.services = services
        assert httpx.get(f"{url}/readyz").status_code == 200
        for stage in ("arriving", "failed"):
            app.state.openenv.stage = stage
            assert stage in httpx.get(f"{url}/readyz").json()["detail"]


def test_metrics_are_the_operators_alone(client: httpx.Client) -> None:
    assert client.get("/metrics").status_code == 401
    player = client.get("/metrics", headers={"Authorization": f"Bearer {PLAYER}"})
    assert player.status_code == 403
    assert "physix_steps" not in player.text


def test_metrics_count_steps_requests_by_route_and_streams(client: httpx.Client) -> None:
    client.headers.update(OPERATOR)
    started = client.post("/interactive/sessions", json={"system_id": "spring_mass", "seed": 5}).json()
    path = f"/interactive/sessions/{started['episode_id']}/step"
    for key in ("a", "b", "b"):  # a repeated command is no step
        client.post(path, json={"equation": "d2x/dt2 = -x"}, headers={"Idempotency-Key": key})
    client.get("/no/such/page")
    with client.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()
        next(lines)
        seen = figures(client)
    step = 'method="POST",route="/interactive/sessions/{episode_id}/step",status="200"'
    assert seen["physix_steps_total"] == 2
    assert seen["physix_sse_clients"] == 1
    assert seen[f"physix_request_seconds_count{{{step}}}"] == 3
    assert seen["physix_append_seconds_count"] >= 3
    assert not any("/no/such" in name for name in seen)
