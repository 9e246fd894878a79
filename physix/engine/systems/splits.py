"""The task splits: `train` (tiers 1 and 2), `validation` (the same systems), `test` (tier 3, held out).

Every split is enumerable and stable across releases; `manifest_row` is what the tests pin. What
changes a task changes `DATASET_VERSION`: version 2 has hidden trajectories that separate what the
shown ones confound; what is shown, and every law, is as in version 1. The
training split is open: index to seed is plain arithmetic. The seeds of the two evaluation splits are
HMACs of a salt, so that nobody finds a task's law by trying small seeds. The default salt is public,
which keeps published numbers comparable; where the agent can run code of its own, set a private one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, replace

from physix.engine.systems.registry import SYSTEMS, sample_task
from physix.engine.systems.task import Task, Truth
from physix.errors import BadInputError, TaskIndexError
from physix.limits import PUBLIC_SALT

DATASET_VERSION = "physix-public-2"  # as `openenv.yaml` declares it
_PER_SYSTEM: dict[str, int] = {"train": 1_000, "validation": 40, "test": 100}
# Named here, not read from the registry: a system that somebody adds must not move anybody's tasks.
TRAINING_SYSTEMS = (
    "free_fall",
    "free_fall_drag",
    "simple_pendulum",
    "damped_pendulum",
    "spring_mass",
    "damped_spring",
)
HELD_OUT_SYSTEMS = ("projectile_drag", "charged_b_field")
SPLITS: dict[str, tuple[str, ...]] = {
    "train": TRAINING_SYSTEMS,
    "validation": TRAINING_SYSTEMS,
    "test": HELD_OUT_SYSTEMS,
}
# Sampled tasks outside the splits say by their seed what they may be used for; the ranges do not overlap.
DEMONSTRATION_SEEDS = range(500_000_000)
REINFORCEMENT_SEEDS = range(500_000_000, 1_000_000_000)
EVALUATION_SEEDS = range(2_000_000_000, 3_000_000_000)
EVALUATION_SPLITS = frozenset({"validation", "test", "evaluation"})  # as labels of episodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Where a task of a split comes from. For an evaluation split this is a secret of the server."""

    split: str
    index: int
    system_id: str
    seed: int

    @property
    def task_id(self) -> str:
        """`test/12`."""
        return f"{self.split}/{self.index}"


def count(split: str) -> int:
    """Return how many tasks a split has.

    Raises:
        BadInputError: there is no such split.
    """
    return len(_systems(split)) * _PER_SYSTEM[split]


def draw(split: str, index: int, *, salt: str = PUBLIC_SALT) -> Draw:
    """Return system and seed of one task; neighbouring indexes are different systems.

    Raises:
        BadInputError: no such split or index; the message names what there is.
    """
    systems = _systems(split)
    total = count(split)
    if isinstance(index, bool) or not 0 <= index < total:
        raise TaskIndexError(
            f"Index {str(index)[:24]} is not in split {split}: it has tasks 0 to {total - 1}."
        )
    system_id = systems[index % len(systems)]
    if split == "train":
        return Draw(split=split, index=index, system_id=system_id, seed=index // len(systems))
    digest = hmac.digest(salt.encode(), f"{split}/{index}".encode(), "sha256")
    return Draw(split=split, index=index, system_id=system_id, seed=int.from_bytes(digest[:8], "big") >> 11)


def split_task(split: str, index: int, *, salt: str = PUBLIC_SALT) -> tuple[Task, Truth]:
    """Return one task. Of an evaluation task neither id nor seed says what it was drawn from.

    Raises:
        BadInputError: no such split or index.
    """
    drawn = draw(split, index, salt=salt)
    task, truth = sample_task(drawn.system_id, drawn.seed)
    task = replace(task, task_id=drawn.task_id)
    # The title names the system, and a title is shown wherever an episode is.
    return (task if split == "train" else replace(task, seed=None, title=f"Task {drawn.task_id}")), truth


def is_for_evaluation(task: Task, split: str | None = None) -> bool:
    """Tell whether nothing may be learned from a task; `split` is the label of its episode.

    A task of a system that names no seed is of an evaluation split, however it came to be played.
    """
    if split in EVALUATION_SPLITS:
        return True
    return task.system_id in SYSTEMS if task.seed is None else task.seed in EVALUATION_SEEDS


def task_row(split: str, index: int) -> dict[str, str | int]:
    """Return what anyone may list of a task.

    Raises:
        BadInputError: no such split or index.
    """
    drawn = draw(split, index)
    row: dict[str, str | int] = {"id": drawn.task_id, "split": split, "index": index}
    if split == "train":
        row |= {"system_id": drawn.system_id, "seed": drawn.seed}
    return row


def salt_fingerprint(salt: str) -> str:
    """Return what two servers compare to know that they serve the same evaluation tasks."""
    return hashlib.sha256(f"{DATASET_VERSION}:physix-salt:{salt}".encode()).hexdigest()[:12]


def manifest_row(split: str, *, salt: str = PUBLIC_SALT, sampled: int = 12) -> dict[str, str | int]:
    """Return count and hash of a split: over every draw, and over the content of its first tasks.

    Trajectories are left out: their last bits differ between machines. Their starts, to six digits,
    and the parameters do not.
    """
    total = count(split)
    digest = hashlib.sha256(f"{DATASET_VERSION}\n".encode())
    for index in range(total):
        drawn = draw(split, index, salt=salt)
        digest.update(f"{drawn.task_id} {drawn.system_id} {drawn.seed}\n".encode())
    for index in range(sampled):
        task, truth = split_task(split, index, salt=salt)
        content = [task.task_id, task.hint, task.noise, truth.equation, truth.params]
        content += [[v.name, v.unit] for v in task.variables]
        content += [[f"{value:.6g}" for value in one.states[0]] for one in (*task.shown, *truth.hidden)]
        digest.update(json.dumps(content, sort_keys=True).encode())
    return {"version": DATASET_VERSION, "tasks": total, "sha256": digest.hexdigest()}


def _systems(split: str) -> tuple[str, ...]:
    found = SPLITS.get(split)
    if found is None:
        raise BadInputError(f"Unknown split {split[:40]!r}. Splits: {', '.join(SPLITS)}.")
    missing = [system for system in found if system not in SYSTEMS]
    if missing:
        raise BadInputError(f"Split {split} needs systems that are not registered: {', '.join(missing)}.")
    return found
