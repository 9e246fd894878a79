from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.settings import Settings


def test_laws_are_simplified_and_compared_over_http() -> None:
    with TestClient(create_app(Settings(db="memory://"), openenv=False)) as client:
        simple = client.post("/api/laws/simplify", json={"law": "d2x/dt2 = -k*x - k*x"}).json()
        assert (simple["outcome"], simple["equation"]) == ("simplified", "d2x/dt2 = -2*k*x")
        same = client.post("/api/laws/same", json={"first": "dx/dt = x", "second": "dx/dt = x"}).json()
        assert same["verdict"] == "same"
        refused = client.post("/api/laws/simplify", json={"law": "nonsense"})
        assert refused.status_code == 422
        assert "is no law" in refused.json()["detail"]
        assert client.post("/api/laws/simplify", json={"law": "x" * 5_000}).status_code == 422
