"""What a script that calls `physix` can rely on: one line on stderr, and a code for the kind of failure."""

import subprocess
import sys
from pathlib import Path

import pytest

from physix.cli import app as commands
from physix.errors import (
    BadInputError,
    ConflictError,
    EpisodeNotFoundError,
    InfrastructureError,
    PolicyError,
    StorageError,
    UnknownPolicyError,
    UnknownSystemError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInputError("it was wrong"), 2),
        (UnknownPolicyError("oracle", ["search"]), 2),
        (UnknownSystemError("moon", ["free_fall"]), 2),
        (EpisodeNotFoundError("nowhere"), 2),
        (StorageError("the disk is full"), 1),
        (ConflictError("another was first"), 1),
        (PolicyError("the model is silent"), 1),
        (InfrastructureError("no server"), 1),
        (OSError("the disk is full"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_expected_failure_is_one_line_and_its_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(commands, "app", fails)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == ("" if code == 130 else f"physix: {error}\n")


def test_what_is_not_expected_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(commands, "app", fails)
    with pytest.raises(ZeroDivisionError):
        commands.main()


def test_a_log_that_is_none_ends_with_1_and_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_text("no database " * 100)
    done = subprocess.run(
        [sys.executable, "-m", "physix.cli", "log", "list", "--db", "sqlite:///log.db"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("physix: ")
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "log.db").read_text() == "no database " * 100
