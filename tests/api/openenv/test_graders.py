"""RFC 008: OpenEnv's own graders and ours, the manifest, the oracle."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest
from openenv.validation import (
    ENTRY_POINT_GROUP,
    CheckStatus,
    GraderRegistry,
    Level,
    Subject,
    Verdict,
    load_policy,
    run_validation,
)
from openenv.validation.manifest import NormalizedManifestV2
from openenv.validation.parsers.openenv_yaml import OpenEnvYamlParser
from openenv.validation.report import CheckResult
from openenv.validation.runner import default_grader_registry
from openenv.validation.runtime.collector import collect_runtime_evidence
from openenv.validation.runtime.contracts import load_runtime_plan
from openenv.validation.runtime.scheduler import execute_graders
from typer.testing import CliRunner

from physix.api.openenv.graders import GRADERS, LocalGrader, canaries, leaks
from physix.cli.app import app
from physix.engine.systems import sample_task
from physix.engine.systems.splits import SPLITS
from physix.errors import PhysixError
from tests.api.test_server import free_port, server

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def manifest() -> NormalizedManifestV2:
    parsed = OpenEnvYamlParser().parse(ROOT)
    assert isinstance(parsed, NormalizedManifestV2)
    return parsed


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    with server(tmp_path_factory.mktemp("server") / "log.db", port):
        yield f"http://127.0.0.1:{port}"


def subject(manifest: NormalizedManifestV2, **extra: Any) -> Subject:
    return Subject(root=ROOT, manifest=manifest, image_ref=None, running=None, outputs_dir=ROOT, **extra)


def test_the_package_passes_static_validation(tmp_path: Path) -> None:
    subprocess.run([ROOT / "deploy/space/stage", tmp_path], check=True)
    report = run_validation(tmp_path, max_level=Level.STATIC, skip_build=True)
    assert report.verdict is Verdict.PASS, report.results


def test_the_runtime_graders_pass_on_a_running_server(manifest: NormalizedManifestV2, url: str) -> None:
    plan = load_runtime_plan(ROOT, manifest.execution)
    evidence = collect_runtime_evidence(url, plan, episode_timeout_s=manifest.resources.episode_timeout_s)
    assert evidence.failure_reason is None
    started = CheckResult(check_id="runtime.startup", status=CheckStatus.PASS, duration_s=0)
    graders = [
        grader
        for grader in default_grader_registry(load_policy("v2")).select(manifest, Level.RUNTIME)
        if grader.level is Level.RUNTIME and not grader.requires_provider
    ]
    results = execute_graders(graders, subject(manifest, runtime_evidence=evidence), prior=[started])
    assert {result.check_id: result.status.value for result in results} == {
        "runtime.reward_well_formed": "pass",
        "runtime.observation_schema": "pass",
        "runtime.state_contract": "pass",
    }


@pytest.mark.parametrize("grader", GRADERS, ids=lambda grader: grader.check_id)
def test_a_local_check_holds(manifest: NormalizedManifestV2, grader: type[LocalGrader]) -> None:
    result = grader().run(subject(manifest))
    assert result.status is CheckStatus.PASS, result.evidence
    assert result.measured
    policy = {entry.check_id: entry for entry in load_policy("v2").entries}
    assert policy[result.check_id].level == grader.level


def test_the_graders_are_entry_points_that_a_registry_loads(
    manifest: NormalizedManifestV2, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As declared here: an installation keeps those of the day on which it was made.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["entry-points"][ENTRY_POINT_GROUP]
    points = EntryPoints(EntryPoint(name, value, ENTRY_POINT_GROUP) for name, value in declared.items())
    assert {point.load() for point in points} == set(GRADERS)
    monkeypatch.setattr("openenv.validation.graders.entry_points", lambda **_: points)
    registry = GraderRegistry()
    registry.load_entry_points()
    selected = {grader.check_id for grader in registry.select(manifest, Level.SEMANTIC)}
    assert {grader.check_id for grader in GRADERS} <= selected


def test_a_leak_is_found() -> None:
    task, truth = sample_task("damped_spring", 3)
    assert list(leaks([], task, truth)) == []
    assert len(list(leaks([truth.params["k"]], task, truth))) == 1
    assert len(list(leaks([truth.hidden[0].states[5][0]], task, truth))) == 1
    assert len(list(leaks([f"it is {truth.equation}", "truth"], task, truth))) == 2


def test_canaries_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "canaries.json").write_text('[{"name": "half"}]')
    with pytest.raises(PhysixError, match="canaries"):
        canaries(tmp_path / "canaries.json")


def test_the_oracle_script_reaches_the_maximum(url: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "validation/oracle.py", "test", "0"],
        env={**os.environ, "PHYSIX_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert json.loads(done.stdout)["done"] is True


def test_physix_validate_runs_every_grader_and_prints_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = tuple(one for one in GRADERS if one.check_id in ("runtime.task_declaration_accuracy",))
    monkeypatch.setattr("physix.api.openenv.validation.GRADERS", quick)
    done = CliRunner().invoke(app, ["validate", str(ROOT), "--json"])
    assert done.exit_code == 0, done.output
    found = {line["check"]: line["status"] for line in map(json.loads, done.stdout.splitlines())}
    # OpenEnv's own, of an episode over /ws with a server in a process of its own; then ours.
    assert found == dict.fromkeys(
        (
            "runtime.reward_well_formed",
            "runtime.observation_schema",
            "runtime.state_contract",
            "runtime.task_declaration_accuracy",
        ),
        "pass",
    )
    monkeypatch.setattr("physix.api.openenv.validation.runtime_checks", lambda _subject: iter(()))
    assert "task_declaration" in CliRunner().invoke(app, ["validate", str(ROOT)]).stdout
    monkeypatch.setattr("physix.api.openenv.graders.SPLITS", {"test": SPLITS["test"]})
    assert CliRunner().invoke(app, ["validate", str(ROOT)]).exit_code == 1
    nowhere = CliRunner().invoke(app, ["validate", str(ROOT / "docs")])
    assert "openenv.yaml" in str(nowhere.exception)
