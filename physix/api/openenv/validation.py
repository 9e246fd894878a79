"""All checks over a package, as `physix validate` prints them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from openenv.validation import CheckStatus, Subject
from openenv.validation.parsers.openenv_yaml import OpenEnvYamlParser

from physix.api.openenv.graders import GRADERS
from physix.api.openenv.served import runtime_checks
from physix.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Checked:
    """What one grader found."""

    check: str
    status: str
    detail: str
    seconds: float
    passed: bool


def validate(root: Path) -> Iterator[Checked]:
    """Yield what OpenEnv's runtime graders, then each of ours, find in the package at `root`.

    Raises:
        BadInputError: there is no manifest.
        InfrastructureError: the server that is checked did not start.
    """
    if not (root / "openenv.yaml").is_file():
        raise BadInputError(f"{root} holds no openenv.yaml: name the folder of the repository.")
    manifest = OpenEnvYamlParser().parse(root)
    subject = Subject(root=root, manifest=manifest, image_ref=None, running=None, outputs_dir=root)
    own = (grader().run(subject) for grader in GRADERS)
    for result in chain(runtime_checks(subject), own):
        passed = result.status is CheckStatus.PASS
        measured = ", ".join(f"{name} {_short(value)}" for name, value in (result.measured or {}).items())
        yield Checked(
            check=result.check_id,
            status=result.status.value,
            detail=measured if passed else "; ".join(map(str, result.evidence[:3])),
            seconds=float(result.duration_s),
            passed=passed,
        )


def _short(value: object) -> str:
    """Return a measurement as a table has room for: tables in it are counted, not printed."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict | list | tuple):
        return f"of {len(value)}"
    return str(value)[:40]
