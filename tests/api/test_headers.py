"""What every answer says of itself to a browser."""

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from physix.api import page
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
    text = client.get("/").text
    if (STATIC / "index.html").is_file():
        assert re.search(r"<script[^>]* src=", text)
    for script in re.findall(r"<script[^>]*>", text):
        assert " src=" in script
    assert not re.search(r"\son\w+=|javascript:", text)


@pytest.mark.parametrize("path", ["/", "/api/systems", "/api/episodes/nowhere"])
def test_no_answer_is_read_as_another_type_or_tells_where_it_was_asked(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0.001", True),
        ("br", False),
        ("identity", False),
    ],
)
def test_texts_of_the_page_are_packed_for_whoever_can_unpack_them(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, accepted: str, packed: bool
) -> None:
    monkeypatch.setattr(page, "STATIC", tmp_path)
    script = b"let found = 'the law';\n" * 1000
    for name, content in (("one.js", script), ("one.woff2", script)):
        (tmp_path / name).write_bytes(content)
    with client.stream("GET", "/one.js", headers={"accept-encoding": accepted}) as answer:
        raw = b"".join(answer.iter_raw())
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    assert answer.headers["vary"].startswith("Accept-Encoding")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert int(answer.headers["content-length"]) == len(raw)
    assert (gzip.decompress(raw) if packed else raw) == script
    assert len(raw) < 300 or not packed
    # What is packed already is sent as it is.
    assert "content-encoding" not in client.get("/one.woff2", headers={"accept-encoding": accepted}).headers


def test_a_file_of_the_page_that_changes_is_packed_anew(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(page, "STATIC", tmp_path)
    script = tmp_path / "one.js"
    for text, changed in (("first", 1), ("second", 2)):
        script.write_text(text)
        os.utime(script, ns=(changed, changed))
        assert client.get("/one.js", headers={"accept-encoding": "gzip"}).text == text
