"""Training runs as files: `run.json` says what a run is, `metrics.jsonl` how it goes.

A trainer writes them, the API and the reports read them; nobody needs to be asked while it runs.
"""

from __future__ import annotations

import errno
import json
import math
import re
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from physix.errors import BadInputError, PhysixError, first_error
from physix.limits import FILE_NAME, MAX_CURVE_POINTS

_LEAST_FREE = 1 << 20  # bytes; no checkpoint is smaller

RunStatus = Literal["running", "finished", "failed", "stopped_early"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunManifest:
    """What a run is: enough to repeat it.

    Attributes:
        id: the name of its folder.
        kind: "sft" or "grpo".
        backend: "full", "peft" or "unsloth"; `backend_reason` says why, where it was chosen for the user.
        versions: of Python and the libraries that matter.
        dataset_sha256: of the mined dataset it learnt from, where there is one.
    """

    id: str
    kind: str
    profile: str
    model: str
    seed: int
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None = None
    backend: str = "full"
    backend_reason: str = ""
    git_revision: str | None = None
    dataset_sha256: str | None = None
    config: dict[str, float | int | str | bool | None] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


_MANIFEST: TypeAdapter[RunManifest] = TypeAdapter(RunManifest)
MetricLine = dict[str, float | None]


class RunWriter:
    """Writes one run's files; continuing a run appends to its metrics."""

    def __init__(self, folder: Path, manifest: RunManifest) -> None:
        self._folder = folder
        self.manifest = manifest
        folder.mkdir(parents=True, exist_ok=True)
        self._write()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append one line of metrics. Numbers that are not finite are written as null."""
        line: dict[str, float | int | None] = {"step": step}
        line |= {name: float(v) if math.isfinite(v) else None for name, v in values.items()}
        with (self._folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")

    def note(self, text: str) -> None:
        """Add a remark to the manifest: a fallback, an alarm, a stop."""
        self.manifest = replace(self.manifest, notes=(*self.manifest.notes, text))
        self._write()

    def finish(self, status: RunStatus) -> None:
        """Close the manifest."""
        self.manifest = replace(self.manifest, status=status, finished_at=datetime.now(UTC))
        self._write()

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Close the manifest as failed, and say why, if the block ends by an exception or is told to stop.

        A SIGTERM, which job systems send before they kill, becomes an exception meanwhile.

        Raises:
            OSError: the disk is full, in place of what a library made of that.
        """
        with _stoppable():
            try:
                yield
            except BaseException as error:
                reason = first_error(error)
                full = _full_disk(reason, self._folder)
                self._fail(full or reason)
                if full is not None:
                    raise full from error
                raise

    def _fail(self, error: BaseException) -> None:
        why = f"ended by {type(error).__name__}: {str(error)[:300]}".rstrip(": ")
        self.manifest = replace(self.manifest, notes=(*self.manifest.notes, why))
        try:
            self.finish("failed")
        except OSError as unwritten:
            # What ended the run matters more than that it could not be written down.
            error.add_note(f"run.json could not be written: {unwritten}")

    def _write(self) -> None:
        text = _MANIFEST.dump_json(self.manifest, indent=2)
        path, part = self._folder / "run.json", self._folder / "run.json.part"
        try:
            part.write_bytes(text)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            if not path.exists():
                raise
            # A full disk has no room for a second file, but the first one has its blocks already.
            with path.open("r+b") as file:
                file.write(text)
                file.truncate()


def _full_disk(error: BaseException, folder: Path) -> OSError | None:
    """Return the error of a full disk if that is what a library's own error comes from.

    torch speaks of a stream's position, safetensors of serializing.
    """
    if not isinstance(error, Exception) or isinstance(error, OSError | PhysixError):
        return None
    left = shutil.disk_usage(folder).free
    said = "No space left on device" in str(error)
    if not said and not (isinstance(error, RuntimeError) and left < _LEAST_FREE):
        return None
    return OSError(errno.ENOSPC, "No space left on device", str(folder))


class StoppedError(BaseException):
    """The process was told to stop. No `Exception`: nothing that retries may catch it."""


@contextmanager
def _stoppable() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is told of signals
        return

    def stop(number: int, _frame: object) -> None:
        raise StoppedError(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def shipped_runs() -> Path:
    """Return the folder of the runs that made the shipped models."""
    return Path(__file__).parent / "shipped"


def list_runs(roots: Sequence[Path]) -> list[RunManifest]:
    """Return the runs below the folders, newest first; files that are no manifest are passed over.

    Of two runs with one id the one in the earlier folder counts.
    """
    found: dict[str, RunManifest] = {}
    for path in (path for root in roots for path in sorted(root.glob("*/run.json"))):
        manifest = read_manifest(path)
        if manifest is not None and manifest.id == path.parent.name:
            found.setdefault(manifest.id, manifest)
    return sorted(found.values(), key=lambda m: m.started_at, reverse=True)


def read_run(roots: Sequence[Path], run_id: str) -> RunManifest | None:
    """Return one run, None if there is none of that name.

    Raises:
        BadInputError: the id could not be the name of a folder.
    """
    return read_manifest(_folder(roots, run_id) / "run.json")


def read_metrics(roots: Sequence[Path], run_id: str, *, limit: int = MAX_CURVE_POINTS) -> list[MetricLine]:
    """Return the run's metrics in the order of their steps, thinned evenly to at most `limit` lines.

    Lines of one step are joined. A line cut short by a crash is left out. After a resume from an older
    checkpoint, the later line of a step wins.

    Raises:
        BadInputError: the id could not be the name of a folder.
    """
    path = _folder(roots, run_id) / "metrics.jsonl"
    by_step: dict[int, MetricLine] = {}
    if path.exists():
        with path.open(encoding="utf-8") as file:
            for text in file:
                line = _line(text)
                if line is not None:
                    by_step.setdefault(int(line["step"] or 0), {}).update(line)
    lines = [by_step[step] for step in sorted(by_step)]
    if len(lines) <= limit:
        return lines
    return [lines[round(i * (len(lines) - 1) / (limit - 1))] for i in range(limit)]


def _line(text: str) -> MetricLine | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("step"), int):
        return None
    return {str(k): v for k, v in found.items() if v is None or isinstance(v, int | float)}


def _folder(roots: Sequence[Path], run_id: str) -> Path:
    if re.fullmatch(FILE_NAME, run_id) is None or ".." in run_id:
        raise BadInputError(f"Run id {run_id[:80]!r} is not allowed: use letters, digits, dots and dashes.")
    folders = [root / run_id for root in roots]
    return next((folder for folder in folders if (folder / "run.json").exists()), folders[0])


def read_manifest(path: Path) -> RunManifest | None:
    """Return what a `run.json` says; None if it is not there or no manifest."""
    try:
        return _MANIFEST.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
