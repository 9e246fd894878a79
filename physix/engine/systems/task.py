"""The words every other room uses for a problem: variables, trajectories, tasks.

A `Task` is what an agent may see. What it must not see before the episode has ended
(the law and the hidden trajectories) is a separate value, `Truth`, so that no
agent-facing code path ever holds both by accident.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class StateVariable:
    """One observed quantity.

    `rate_of` names the variable whose time derivative this one is: `vy.rate_of == "y"`
    makes `y` a second-order variable, written `d2y/dt2 = ...`. A variable that is neither
    a rate nor has one is first order, written `dx/dt = ...`.
    """

    name: str
    unit: str | None  # SI, e.g. "m", "m/s", "rad", "1"; None: undeclared (CSV)
    symbol: str  # LaTeX, e.g. r"\theta", r"\dot{\theta}"
    description: str
    rate_of: str | None = None
    estimated: bool = False  # computed from the data, not measured: a starting guess, never scored
    label: str | None = None  # the name as its file writes it, where that is no legal name


@dataclass(frozen=True, slots=True, kw_only=True)
class InputVariable:
    """A quantity that drives the motion and is given at every sample, `u` in `dv/dt = -k*v + u`.

    An equation may use its name; none is asked for it, and nothing predicts it. Between samples it
    is interpolated linearly.
    """

    name: str
    unit: str | None
    symbol: str
    description: str
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How far a sample of one variable is off: standard deviation hypot(absolute, relative * |x|)."""

    absolute: float  # in the variable's own unit
    relative: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """Samples of every state variable over time.

    Attributes:
        t: shape (T,), seconds unless the task says otherwise, strictly increasing.
        states: shape (T, D), one row per time, columns in the order of the task's variables.
        inputs: shape (T, I), columns in the order of the task's inputs; () without inputs.
        sigma: shape (T, D), standard deviation of each sample as its file gives it, or as estimated from
            this run alone where its noise is clearly another than that of all runs; () if neither.
        missing: (row, column) of states that were not measured; `states` holds a value interpolated
            there, for drawing, and nothing is judged by it.
    """

    t: tuple[float, ...]
    states: tuple[tuple[float, ...], ...]
    inputs: tuple[tuple[float, ...], ...] = ()
    sigma: tuple[tuple[float, ...], ...] = ()
    missing: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One sampled problem, as an agent may see it."""

    task_id: str
    system_id: str  # a registry id, or "csv"
    title: str
    tier: int | None  # 1..3; None for a CSV
    seed: int | None  # None for a CSV
    variables: tuple[StateVariable, ...]
    time_unit: str | None
    shown: tuple[Trajectory, ...]  # with noise; 1 to 4 of a sampled task, one per run of a file
    noise: float  # standard deviation of the noise as a share of each variable's own
    hint: str
    inputs: tuple[InputVariable, ...] = ()
    measured: bool = False  # the first row of a trajectory is as noisy as any other
    noises: tuple[Noise, ...] = ()  # one per variable; (): `noise` times its standard deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is kept from the agent until the episode has ended.

    A CSV task has no equation; its `hidden` may hold a held-back trajectory or be empty.
    """

    equation: str | None
    params: dict[str, float]
    hidden: tuple[Trajectory, ...]  # other initial states, same parameters, no noise


MEASURED = "csv"  # the system id of a task read from a file


def is_measured(system_id: str) -> bool:
    """Tell whether a task was read from a file: nobody knows its law."""
    return system_id == MEASURED


Carried = Literal["other starts", "held-back rows", "other runs", "second file"]


def carried_to(task: Task, truth: Truth) -> Carried | None:
    """Tell what `generalisation` is measured on; None where nothing is held back.

    Held-back rows of a single run come after those shown. Where several runs are shown, whole runs are
    held back; a run that begins anew beside a single shown one can only come from a second file.
    """
    if not truth.hidden:
        return None
    if not is_measured(task.system_id):
        return "other starts"
    if len(task.shown) > 1:
        return "other runs"
    later = all(one.t[0] >= task.shown[0].t[-1] for one in truth.hidden)
    return "held-back rows" if later else "second file"


def is_evaluation(system_id: str, seed: int | None) -> bool:
    """Tell whether a task is of an evaluation split: only those have a system and no seed."""
    return seed is None and not is_measured(system_id)
