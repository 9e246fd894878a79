"""What is measured: arms (who plays what, told what), and the file that lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from physix.engine.systems.splits import HELD_OUT_SYSTEMS, TRAINING_SYSTEMS
from physix.engine.verifier.types import Constants
from physix.errors import BadInputError
from physix.training.data.synthetic import SYNTHETIC

PLANES = "synthetic planes"  # random laws of two equations
SUITES = {
    "tier 3": HELD_OUT_SYSTEMS,
    "tiers 1 and 2": TRAINING_SYSTEMS,
    SYNTHETIC: (SYNTHETIC,),
    PLANES: (SYNTHETIC,),
}
FIRST = 20_000  # seeds below are for looking at while a model is made; what is reported begins here
_LAST_FIRST = 450_000  # from 500,000 on are tasks that trainings watch themselves by
MAX_EPISODES = 10_000  # of an arm
_HINTS = ("given", "removed", "misleading")  # a random law has no other system's to be misled by


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One row of a table: who plays what, and what it is told.

    Attributes:
        policy: a name of `physix policies`, `local:smollm2+<adapter.gguf>`, `hf:<folder>`, or "obedient".
        suite: a key of SUITES.
        hint: "given", "removed" or, but of random laws, "misleading".
        told: what the policy is told of a turn: "true", "shuffled" (of another task), "none" (nothing was
            found), each after the same first law, `= 0`; "own" lets it begin by itself.
        prompt: for language models in this process.
        constants: who finds the numbers, the verifier ("fitted") or the policy ("declared").
        first: number of the first task.

    Raises:
        BadInputError: one of these is none of its values.
    """

    policy: str
    suite: str
    hint: str = "given"
    told: str = "own"
    prompt: Literal["compact", "full"] = "compact"
    constants: Constants = "fitted"
    first: int = FIRST

    def __post_init__(self) -> None:
        allowed = {
            "suite": SUITES,
            "hint": _HINTS[:2] if self.suite in (SYNTHETIC, PLANES) else _HINTS,
            "told": ("own", "true", "shuffled", "none"),
            "prompt": ("compact", "full"),
            "constants": ("fitted", "declared"),
        }
        for name, values in allowed.items():
            if (given := getattr(self, name)) not in values:
                raise BadInputError(
                    f"An arm's {name} is {str(given)[:40]!r}: on {self.suite[:40]!r} use {', '.join(values)}."
                )
        if not 0 <= self.first <= _LAST_FIRST:
            raise BadInputError(f"An arm's first is {self.first}: use 0 to {_LAST_FIRST}.")

    @property
    def name(self) -> str:
        """What the arm is called where no other one has its name; see `labels`."""
        return self.called(1)

    @property
    def adapter(self) -> str:
        """The adapter's file, where the policy names one."""
        return self.policy.partition("+")[2] if self.policy.startswith("local:") else ""

    def called(self, parts: int) -> str:
        """Return the arm's name, with so many of the last parts of its adapter's path."""
        who = "/".join(PurePath(self.adapter).parts[-parts:]) if self.adapter else self.policy
        extra = [] if self.hint == "given" else [f"hint {self.hint}"]
        extra += [] if self.told == "own" else [f"mismatch {self.told}"]
        extra += [] if self.prompt == "compact" else ["full prompt"]
        extra += [] if self.constants == "fitted" else ["constants declared"]
        extra += [] if self.first == FIRST else [f"from {self.first}"]
        return ", ".join([who, self.suite, *extra])


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An arm with the number of its episodes, and the number of the arm that it is compared with.

    Raises:
        BadInputError: there are no episodes, or too many.
    """

    arm: Arm
    episodes: int
    against: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.episodes <= MAX_EPISODES:
            raise BadInputError(f"An arm's episodes are {self.episodes}: use 1 to {MAX_EPISODES}.")


def labels(rows: Sequence[Row]) -> list[str]:
    """Return what each arm is called in tables: its name, with as much of a path as tells it apart."""
    arms = [row.arm for row in rows]
    found = []
    for arm in arms:
        rivals = [other for other in arms if other != arm and other.name == arm.name]
        most = len(PurePath(arm.adapter).parts)
        apart = (n for n in range(1, most + 1) if all(other.called(n) != arm.called(n) for other in rivals))
        found.append(arm.called(next(apart, max(most, 1))))
    return found


def check_rows(rows: Sequence[Row]) -> None:
    """Refuse a list that would measure nothing, one thing twice, or a difference between different tasks.

    Raises:
        BadInputError: it is such a list; the message names the arms.
    """
    if not rows:
        raise BadInputError(
            'No arms are listed; write [{"policy": ..., "suite": ..., "episodes": 100}, ...].'
        )
    seen: dict[Arm, int] = {}
    for number, row in enumerate(rows):
        if row.arm in seen:
            raise BadInputError(f"Arms {seen[row.arm]} and {number} are the same one, {row.arm.name}.")
        seen[row.arm] = number
        if row.against is not None:
            _check_against(number, row, row.against, rows)


def _check_against(number: int, row: Row, against: int, rows: Sequence[Row]) -> None:
    if against not in range(number):
        raise BadInputError(
            f"Arm {number} is compared with arm {against}, which does not come before it (the first is 0)."
        )
    other = rows[against]
    tasks = {
        "suite": (row.arm.suite, other.arm.suite),
        "first": (row.arm.first, other.arm.first),
        "episodes": (row.episodes, other.episodes),
    }
    for what, (ours, theirs) in tasks.items():
        if ours != theirs:
            raise BadInputError(
                f"Arm {number} is compared with arm {against} task by task, but its {what} is {ours!r} and "
                f"theirs {theirs!r}: give both the same."
            )


class _Line(BaseModel):
    """One arm as the file has it; which words it may use, `Arm` says."""

    model_config = ConfigDict(extra="forbid", strict=True)
    policy: str
    suite: str
    episodes: int
    hint: str | None = None
    told: str | None = None
    prompt: str | None = None
    constants: str | None = None
    first: int | None = None
    against: int | None = None

    def row(self) -> Row:
        """Return the arm; raise BadInputError where it is none."""
        given = self.model_dump(exclude_none=True, exclude={"episodes", "against"})
        return Row(arm=Arm(**given), episodes=self.episodes, against=self.against)


_LINES = TypeAdapter(list[_Line])


def arms_from(path: Path) -> list[Row]:
    """Return the arms that a JSON file lists, `[{"policy": ..., "suite": ..., "episodes": 100}, ...]`.

    `"against": 0` compares an arm with the first of the list, task by task.

    Raises:
        BadInputError: it is no such list, or an arm cannot be played or is compared with one not before it.
    """
    try:
        lines = _LINES.validate_json(path.read_bytes())
    except OSError as error:
        raise BadInputError(f"{path} is no list of arms: {error.strerror}.") from error
    except ValidationError as error:
        raise BadInputError(_said(path, error)) from error
    rows = []
    for number, line in enumerate(lines):
        try:
            rows.append(line.row())
        except BadInputError as error:
            raise BadInputError(f"Arm {number} of {path} cannot be played. {error}") from error
    check_rows(rows)
    return rows


def _said(path: Path, error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    match first["loc"]:
        case (int(number), str(key), *_):
            given = "" if first["type"] == "missing" else f" (it is {repr(first['input'])[:40]})"
            return f"Arm {number} of {path} cannot be played. {key}: {first['msg']}{given}."
        case (int(number), *_):
            return f"Arm {number} of {path} is no arm: {first['msg']}."
        case _:
            return f"{path} is no list of arms: {first['msg']}."
