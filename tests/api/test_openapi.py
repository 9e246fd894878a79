from __future__ import annotations

from fastapi.testclient import TestClient

from physix.api.app import create_app
from physix.api.openapi import require_what_is_sent
from physix.settings import Settings


def test_every_field_of_an_answer_is_required_and_defaults_of_a_request_are_not() -> None:
    plain = create_app(Settings(), openenv=False).openapi()
    schemas = require_what_is_sent(plain)["components"]["schemas"]
    assert set(schemas["EpisodeConfig"]["required"]) == set(schemas["EpisodeConfig"]["properties"])
    assert "max_turns" not in schemas["NewSession"].get("required", [])
    assert "required" not in plain["components"]["schemas"]["EpisodeConfig"]  # the input is left alone


def test_what_an_address_says_it_takes_is_what_the_document_says() -> None:
    with TestClient(create_app(Settings(db="memory://"))) as client:
        for path, answers in client.get("/openapi.json").json()["paths"].items():
            methods = {method.upper() for method in answers} & {"GET", "POST", "PUT", "PATCH", "DELETE"}
            answer = client.options(path.replace("{", "").replace("}", ""))
            assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, methods), path
