from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.settings import Settings


def test_lists_are_told_the_best_law_of_each_episode_in_the_order_asked() -> None:
    with TestClient(create_app(Settings(db="memory://"), openenv=False)) as client:
        task = {"system_id": "spring_mass", "seed": 7}
        ids = [client.post("/interactive/sessions", json=task).json()["episode_id"] for _ in range(2)]
        for equation in ("d2x/dt2 = -4.0*x", "d2x/dt2 = 1.0", "d2x/dt2 = ("):
            client.post(f"/interactive/sessions/{ids[0]}/step", json={"equation": equation})
        query = "&".join(f"episode={one}" for one in (ids[1], "nobody", ids[0]))
        told = client.get(f"/api/episodes/told?{query}").json()
        assert [one["episode_id"] for one in told] == [ids[1], ids[0]]
        turns = client.get(f"/api/episodes/{ids[0]}").json()["turns"]
        best = max(turns[:2], key=lambda turn: (turn["reward"]["match"], turn["turn"]))
        assert told[1]["law"] == best["parse"]["canonical"]
        assert told[0] == {"episode_id": ids[1], "law": None, "tokens": None, "seconds": None}
        assert client.get("/api/episodes/told?" + "&".join(["episode=x"] * 51)).status_code == 422
