"""What a run depended on: versions, revision, settings. Written beside its metrics."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from physix.training.runs import RunManifest
from physix.version import __version__

_LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "unsloth", "numpy", "scipy")


def versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of the libraries that are installed."""
    found = {"python": platform.python_version(), "physix": __version__}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_revision() -> str | None:
    """Return the commit of the source tree, with `+` if it was changed since; None outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        commit = _git(here, "rev-parse", "HEAD")
        return commit + ("+" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603  # fixed arguments
        ["git", "-C", str(folder), *arguments],  # noqa: S607  # wherever this machine has it
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def new_manifest(
    *,
    run_id: str,
    kind: str,
    profile: str,
    model: str,
    seed: int,
    config: dict[str, float | int | str | bool | None],
    backend: str = "full",
    backend_reason: str = "",
    dataset_sha256: str | None = None,
) -> RunManifest:
    """Return the manifest of a run that begins now."""
    return RunManifest(
        id=run_id,
        kind=kind,
        profile=profile,
        model=model,
        seed=seed,
        status="running",
        started_at=datetime.now(UTC),
        backend=backend,
        backend_reason=backend_reason,
        git_revision=git_revision(),
        dataset_sha256=dataset_sha256,
        config=config,
        versions=versions(),
    )
