"""Going on with a run that is in a folder already: as the run it was, from its newest whole checkpoint."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from physix.errors import BadInputError
from physix.training.folders import check_folder, writable_folder
from physix.training.runs import RunManifest, RunWriter, read_manifest

# What may change on the way: how far a run goes, where its files and episodes lie, what is told of it.
_FREE = {"num_steps", "steps", "save_every", "report_to", "stop_after", "stop_at", "output_dir", "datasets"}
_FREE |= {"db", "threads", "vllm_mode", "vllm_memory", "vllm_length"}
_OWN_FIELDS = {"profile", "model", "seed"}  # of the manifest, and of the options once more


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """What can be gone on from.

    Attributes:
        newest: the folder of the newest whole checkpoint, None if there is none; it was written after `step`.
        broken: names of newer ones that were cut short, a full disk's for instance.
    """

    newest: Path | None
    step: int
    broken: tuple[str, ...]


def already_trained(folder: Path, manifest: RunManifest, num_steps: int) -> bool:
    """Tell whether the run in a folder has ended after that many steps; says so on stderr if it has.

    Raises:
        BadInputError: another run is in the folder, or it cannot be written to.
    """
    check_folder(folder)
    before = _recorded(folder, manifest)
    step = checkpoints(folder / "checkpoints").step
    ended = before is not None and before.status in ("finished", "stopped_early")
    if not ended or step < num_steps or not (folder / "model").is_dir():
        return False
    sys.stderr.write(f"physix: {folder} holds this run after {step} steps already: nothing was trained.\n")
    return True


def begin_run(folder: Path, manifest: RunManifest) -> RunWriter:
    """Begin the run that a manifest describes, or go on with it: when it began and its notes are kept.

    Raises:
        BadInputError: another run is in the folder, or it cannot be written to.
    """
    before = _recorded(folder, manifest)
    if before is not None:
        manifest = replace(
            manifest,
            started_at=before.started_at,
            notes=(*before.notes, f"taken up again at {manifest.started_at:%Y-%m-%d %H:%M} UTC"),
        )
    return RunWriter(writable_folder(folder), manifest)


def train_from_last(trainer: Any, run: RunWriter) -> None:
    """Train from the newest whole checkpoint, if any; one that is at the last step already is only loaded."""
    found = checkpoints(Path(str(trainer.args.output_dir)))
    if found.broken:
        run.note(f"passed over, not whole: {', '.join(found.broken)}")
    if found.newest is None:
        trainer.train()
        return
    run.note(f"went on from step {found.step}")
    if found.step >= trainer.args.max_steps:
        # `train` would take one step more. The only public way to a checkpoint's weights is `train`.
        trainer._load_from_checkpoint(str(found.newest))
        return
    trainer.train(resume_from_checkpoint=str(found.newest))


def checkpoints(folder: Path) -> Checkpoints:
    """Return the newest checkpoint of a Transformers trainer's folder that is whole."""
    broken: list[str] = []
    for step, path in sorted(_numbered(folder), reverse=True):
        if _whole(path):
            return Checkpoints(newest=path, step=step, broken=tuple(broken))
        broken.append(path.name)
    return Checkpoints(newest=None, step=0, broken=tuple(broken))


def _numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.glob("checkpoint-*"):
        number = path.name.removeprefix("checkpoint-")
        if number.isdecimal() and path.is_dir():
            yield int(number), path


def _whole(path: Path) -> bool:
    # The state is written last of all: what has it was written to its end, unless the disk lied.
    needed = [path / name for name in ("trainer_state.json", "optimizer.pt", "scheduler.pt")]
    if not all(file.is_file() for file in needed):
        return False
    weights = list(path.glob("*.safetensors"))
    packed = [file for end in ("pt", "pth", "bin") for file in path.glob(f"*.{end}")]
    told = list(path.glob("*.json"))
    return (
        bool(weights)
        and all(map(weights_whole, weights))
        and all(map(zipfile.is_zipfile, packed))
        and all(map(_json_whole, told))
    )


def weights_whole(path: Path) -> bool:
    """Tell whether a safetensors file is as long as its own header says.

    Source: the format's description, https://huggingface.co/docs/safetensors: eight bytes of the header's
    length, the header, and the tensors at offsets from its end.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = path.stat().st_size
            if not 0 < length <= size - 8:
                return False
            header = json.loads(file.read(length))
        ends = [int(one["data_offsets"][1]) for name, one in header.items() if name != "__metadata__"]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError):
        return False
    return size == 8 + length + max(ends, default=0)


def _json_whole(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def _recorded(folder: Path, wanted: RunManifest) -> RunManifest | None:
    """Return the run that is in the folder, None if there is none.

    Raises:
        BadInputError: it is not the one that is wanted, or nothing says what it is.
    """
    if not (folder / "run.json").exists():
        if any(_numbered(folder / "checkpoints")):
            raise BadInputError(
                f"{folder} holds checkpoints of a run that no run.json describes: give another --output-dir."
            )
        return None
    before = read_manifest(folder / "run.json")
    if before is None:
        raise BadInputError(f"{folder / 'run.json'} cannot be read: give another --output-dir.")
    differing = differences(before, wanted)
    if differing:
        raise BadInputError(
            f"{folder} holds a run with other settings: {'; '.join(differing)}. To go on with it, ask "
            "for what it has; for another run give another --output-dir."
        )
    return before


def differences(before: RunManifest, wanted: RunManifest) -> list[str]:
    """Return in words what two runs differ in of all that decides how they come out."""
    pairs: list[tuple[str, object, object]] = [
        ("kind", before.kind, wanted.kind),
        ("profile", before.profile, wanted.profile),
        ("model", _place(before.model), _place(wanted.model)),
        ("seed", before.seed, wanted.seed),
        ("backend", before.backend, wanted.backend),
        ("dataset", _short(before.dataset_sha256), _short(wanted.dataset_sha256)),
    ]
    # A setting that only one version of this package knows cannot be compared.
    common = [name for name in wanted.config if name in before.config]
    pairs += [
        (name, before.config[name], wanted.config[name]) for name in common if name not in _FREE | _OWN_FIELDS
    ]
    return [f"{name} is {old} there and {new} here" for name, old, new in pairs if old != new]


def _place(model: str) -> str:
    return str(Path(model).resolve()) if Path(model).exists() else model


def _short(sha256: str | None) -> str | None:
    return sha256 and "+".join(one[:12] for one in sha256.split("+"))
