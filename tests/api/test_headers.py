"""What every answer says of itself to a browser."""

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.api.page import STATIC
from physix.settings import Settings


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings(db="memory://"))) as running:
        yield running


def policy_of(header: str) -> dict[str, set[str]]:
    """Return what each directive of a content security policy allows."""
    directives = (part.split() for part in header.split(";"))
    return {name: set(allowed) for name, *allowed in directives}


@pytest.mark.parametrize(
    "path", ["/", "/episodes/some-id", "/api/systems", "/api/episodes/nowhere", "/metadata"]
)
def test_scripts_come_from_files_of_this_server_alone(client: TestClient, path: str) -> None:
    policy = policy_of(client.get(path).headers["content-security-policy"])
    assert policy["script-src"] == policy["default-src"] == {"'self'"}
    assert policy["object-src"] == policy["base-uri"] == {"'none'"}
    assert policy["connect-src"] == policy["form-action"] == {"'self'"}
    everything = set().union(*policy.values())
    assert not everything & {"*", "'unsafe-eval'", "http:", "https:"}
    assert [name for name, allowed in policy.items() if "'unsafe-inline'" in allowed] == ["style-src"]


def test_the_page_has_no_script_that_its_policy_forbids(client: TestClient) -> None:
    page = client.get("/").text
    if (STATIC / "index.html").is_file():
        assert re.search(r"<script[^>]* src=", page)
    for script in re.findall(r"<script[^>]*>", page):
        assert " src=" in script
    assert not re.search(r"\son\w+=|javascript:", page)


@pytest.mark.parametrize("path", ["/", "/api/systems", "/api/episodes/nowhere"])
def test_no_answer_is_read_as_another_type_or_tells_where_it_was_asked(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
