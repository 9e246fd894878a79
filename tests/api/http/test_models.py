"""Fetching a model over HTTP: who may, and how far it has come."""

import threading
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from physix.api.app import create_app
from physix.api.http import models as routes
from physix.errors import PhysixError
from physix.policies.local.models import LocalModel, Progress
from physix.settings import Settings
from tests.api.http.test_board import TOKEN

OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("PHYSIX_MODELS", str(tmp_path))
    return TestClient(create_app(Settings(db="memory://", operator_token=TOKEN), openenv=False))


def test_a_player_sees_the_models_and_may_fetch_none(client: TestClient) -> None:
    with client:
        (model,) = client.get("/api/models").json()
        assert (model["name"], model["state"], model["may_fetch"]) == ("smollm2", "absent", False)
        assert model["policies"] == ["local:smollm2", "local:smollm2-physix"]
        assert client.post("/api/models/smollm2/pull").status_code == 403


def test_an_unknown_model_is_named_with_the_known_ones(client: TestClient) -> None:
    with client:
        answer = client.post("/api/models/gpt-7/pull", headers=OPERATOR)
    assert answer.status_code == 400 or answer.status_code == 422
    assert "smollm2" in answer.text


def test_the_operator_has_it_fetched_once_and_sees_how_far_it_is(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go, calls = threading.Event(), threading.Event(), []

    def pull(model: LocalModel, progress: Progress) -> Path:
        calls.append(model.name)
        progress("downloading", 5, 10)
        began.set()
        go.wait(30)
        raise PhysixError("the line is down")

    monkeypatch.setattr(routes, "pull", pull)
    with client:
        assert client.post("/api/models/smollm2/pull", headers=OPERATOR).json()["state"] == "fetching"
        assert began.wait(30)
        assert client.post("/api/models/smollm2/pull", headers=OPERATOR).status_code == 202
        (model,) = client.get("/api/models", headers=OPERATOR).json()
        assert (model["state"], model["doing"], model["done_bytes"]) == ("fetching", "downloading", 5)
        go.set()
        while (model := client.get("/api/models").json()[0])["state"] == "fetching":
            pass
    assert (model["state"], model["reason"]) == ("failed", "the line is down")
    assert calls == ["smollm2"]
