"""Words of OpenEnv's protocol, for tests that speak it over HTTP and over a socket."""

import json
from typing import Any

from fastapi.testclient import TestClient

FALL = {"equation": "d2y/dt2 = -g", "params": {"g": 10.0}}


def say(socket: Any, kind: str, **data: Any) -> dict[str, Any]:
    socket.send_text(
        json.dumps({"type": kind, "data": data} if kind in ("reset", "step") else {"type": kind})
    )
    answer: dict[str, Any] = socket.receive_json()
    return answer


def reset(client: TestClient, **options: Any) -> dict[str, Any]:
    answer = client.post("/reset", json=options)
    assert answer.status_code == 200, answer.text
    observation: dict[str, Any] = answer.json()["observation"]
    return observation
