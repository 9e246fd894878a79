"""What can be checked of the Space without Docker."""

import fnmatch
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from openenv.validation import CheckStatus, Level
from openenv.validation.runner import run_validation

from physix.api.openenv.client import PhysiXAction, PhysiXResetObservation
from physix.settings import Settings

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("space")
    subprocess.run([ROOT / "deploy/space/stage", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def stages(staged: Path) -> list[str]:
    text = (staged / "Dockerfile").read_text().replace("\\\n", " ")
    return re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]


def test_every_copied_path_is_in_the_context(staged: Path, stages: list[str]) -> None:
    ignored = [
        line.rstrip("/")
        for line in (staged / ".dockerignore").read_text().splitlines()
        if line and line[0] not in "!*#"
    ]
    allowed = {
        line[1:] for line in (staged / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    for line in re.findall(r"^COPY (?!--from)(.*)$", "".join(stages), flags=re.MULTILINE):
        for source in line.split()[:-1]:
            assert (staged / source).exists(), source
            assert source.split("/")[0] in allowed, source
            assert not any(fnmatch.fnmatch(source, pattern) for pattern in ignored), source


def test_the_last_stage_runs_unprivileged_and_is_watched(stages: list[str]) -> None:
    assert len(stages) == 3
    last = stages[-1]
    assert re.search(r"^USER (?!0|root)", last, flags=re.MULTILINE)
    assert "/health" in re.findall(r"^HEALTHCHECK .*$", last, flags=re.MULTILINE)[0]
    assert "npm" not in last
    assert "COPY --from=page" in stages[1]
    scripts = (ROOT / "pyproject.toml").read_text().partition("[project.scripts]")[2]
    command = re.findall(r'^CMD \["(\w+)"\]$', last, flags=re.MULTILINE)
    assert command == ["server"]
    assert f"\n{command[0]} = " in scripts


def test_the_environment_is_one_that_the_settings_know(stages: list[str]) -> None:
    given = dict(re.findall(r"PHYSIX_([A-Z_]+)=(\S+)", stages[-1]))
    assert {name.lower() for name in given} <= Settings.model_fields.keys()
    settings = Settings.model_validate({name.lower(): value for name, value in given.items()})
    assert settings.public
    assert f"EXPOSE {settings.port}" in stages[-1]


def test_the_front_matter_is_a_docker_spaces(staged: Path) -> None:
    front = (staged / "README.md").read_text().split("---\n")[1]
    given = dict(re.findall(r"^(\w+): (.+)$", front, flags=re.MULTILINE))
    assert given["sdk"] == "docker"
    assert given["app_port"] == "8000"
    assert len(given["short_description"]) <= 60
    assert "- openenv" in front


def test_nothing_ignored_is_staged(staged: Path) -> None:
    names = {path.name for path in staged.rglob("*")}
    assert not names & {"node_modules", ".venv", "__pycache__", ".git"}
    assert not any(path.is_symlink() for path in staged.rglob("*"))


def test_the_card_is_one_that_openenvs_hub_reads_and_its_examples_compile(staged: Path) -> None:
    card = (staged / "README.md").read_text()
    _, front, text = card.split("---\n", 2)
    fields = yaml.safe_load(front)
    manifest = yaml.safe_load((staged / "openenv.yaml").read_text())
    assert (fields["sdk"], fields["app_port"]) == ("docker", manifest["port"])
    assert "openenv" in fields["tags"]
    assert len(fields["short_description"]) <= 60  # the hub refuses longer ones
    for told in ("Quick start", "### Action", "### Observation", "### Reward"):
        assert told in text
    examples = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        compile(example, "card", "exec")
    for name in PhysiXAction.model_fields.keys() - {"metadata"}:
        assert f"`{name}`" in text
    for name in PhysiXResetObservation.model_fields.keys() - {
        "metadata", "episode_id", "repeated", "emitted", "time_unit", "constants"
    }:  # fmt: skip
        assert f"`{name}`" in text, name
    for name, count in manifest["validation"]["capabilities"]["declared_task_count"].items():
        assert f"`{name}` ({count:,}" in text


def test_the_staged_space_passes_openenvs_static_checks(staged: Path) -> None:
    """What is built of it needs Docker; `make validate` prints all that can be said without."""
    report = run_validation(staged, max_level=Level.SEMANTIC, skip_build=True)
    found = {result.check_id: result.status for result in report.results}
    assert found["static.manifest"] is CheckStatus.PASS
    assert set(found.values()) <= {CheckStatus.PASS, CheckStatus.SKIP}
    assert report.verdict.value != "fail"
