"""Training runs and their curves, read from the files that trainers write."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from physix.errors import RunNotFoundError
from physix.limits import MAX_CURVE_POINTS
from physix.training.runs import RunManifest, list_runs, read_metrics, read_run

router = APIRouter()


class RunSummary(BaseModel):
    """One run in the list."""

    id: str
    kind: str
    profile: str
    model: str
    status: Literal["running", "finished", "failed", "stopped_early"]
    backend: str
    seed: int
    started_at: datetime
    finished_at: datetime | None
    steps: int
    latest: dict[str, float | None]


class RunList(BaseModel):
    """The runs, newest first."""

    items: list[RunSummary]


class RunMetrics(BaseModel):
    """One run with its curves: columns of equal length, null where a step has no value."""

    run: RunSummary
    backend_reason: str
    git_revision: str | None
    dataset_sha256: str | None
    config: dict[str, float | int | str | bool | None]
    versions: dict[str, str]
    notes: list[str]
    steps: list[int]
    series: dict[str, list[float | None]]


def _roots(request: Request) -> tuple[Path, ...]:
    roots: tuple[Path, ...] = request.app.state.runs
    return roots


@router.get("/api/runs")
def runs(request: Request) -> RunList:
    """List the training runs below the server's runs folder (`PHYSIX_RUNS`), and the shipped ones."""
    roots = _roots(request)
    return RunList(items=[_summary(roots, manifest) for manifest in list_runs(roots)])


@router.get("/api/runs/{run_id}/metrics")
def run_metrics(
    request: Request,
    run_id: str,
    limit: Annotated[int, Query(ge=2, le=MAX_CURVE_POINTS)] = MAX_CURVE_POINTS,
) -> RunMetrics:
    """Return a run's manifest and its metrics over steps, thinned evenly to `limit` points."""
    roots = _roots(request)
    manifest = read_run(roots, run_id)
    if manifest is None:
        raise RunNotFoundError(run_id)
    lines = read_metrics(roots, run_id, limit=limit)
    names = sorted({name for line in lines for name in line} - {"step"})
    return RunMetrics(
        run=_summary(roots, manifest),
        backend_reason=manifest.backend_reason,
        git_revision=manifest.git_revision,
        dataset_sha256=manifest.dataset_sha256,
        config=manifest.config,
        versions=manifest.versions,
        notes=list(manifest.notes),
        steps=[int(line["step"] or 0) for line in lines],
        series={name: [line.get(name) for line in lines] for name in names},
    )


def _summary(roots: tuple[Path, ...], manifest: RunManifest) -> RunSummary:
    lines = read_metrics(roots, manifest.id, limit=MAX_CURVE_POINTS)
    last = lines[-1] if lines else {}
    return RunSummary(
        id=manifest.id,
        kind=manifest.kind,
        profile=manifest.profile,
        model=manifest.model,
        status=manifest.status,
        backend=manifest.backend,
        seed=manifest.seed,
        started_at=manifest.started_at,
        finished_at=manifest.finished_at,
        steps=int(last.get("step") or 0),
        latest={name: value for name, value in last.items() if name != "step"},
    )
