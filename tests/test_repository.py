"""Promises that the repository makes about itself."""

import re
import subprocess
from pathlib import Path

import pytest

import physix

ROOT = Path(__file__).parents[1]


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_the_public_names_are_these() -> None:
    assert sorted(physix.__all__) == [
        "Choice",
        "Found",
        "FoundLaw",
        "ParseFailure",
        "PhysiXAction",
        "PhysiXEnv",
        "PhysiXObservation",
        "PhysixAction",
        "PhysixEnv",
        "PhysixObservation",
        "Reply",
        "Result",
        "__version__",
        "briefing",
        "choose",
        "discover",
        "fit",
        "opening",
        "parse_completion",
        "question",
        "read",
        "read_reply",
        "render",
        "same_law",
        "simplify",
        "task_from_table",
        "verdict",
    ]


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Perpetuum"):
        physix.Perpetuum  # noqa: B018  # the access itself is under test


def test_pins_and_lock_files_name_no_host() -> None:
    pins = [
        path for path in tracked_files() if path.name in {"constraints.txt", "package-lock.json", ".npmrc"}
    ]
    assert len(pins) >= 2
    for path in pins:
        assert not re.search(r'"resolved"|registry\.|@\s*(https?|git)', path.read_text()), path


def test_every_direct_dependency_is_pinned() -> None:
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().split()}
    declared = re.findall(r'^  "([a-z0-9-]+)[\[>=]', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert {"scipy", "openenv", "pytest"} <= set(declared)
    assert set(declared) <= pinned


def test_links_between_documents_lead_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
