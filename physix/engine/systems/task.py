"""The words every other room uses for a problem: variables, trajectories, tasks.

A `Task` is what an agent may see. What it must not see before the episode has ended
(the law and the hidden trajectories) is a separate value, `Truth`, so that no
agent-facing code path ever holds both by accident.
"""

from __future__ import annotations

from dataclasses import dataclass


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
    estimated: bool = False  # computed from the data, not measured (CSV velocities)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """Samples of every state variable over time.

    Attributes:
        t: shape (T,), seconds unless the task says otherwise, strictly increasing.
        states: shape (T, D), one row per time, columns in the order of the task's variables.
    """

    t: tuple[float, ...]
    states: tuple[tuple[float, ...], ...]


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
    shown: tuple[Trajectory, ...]  # 1 to 4, with noise
    noise: float  # standard deviation of the noise as a share of each variable's own
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is kept from the agent until the episode has ended.

    A CSV task has no equation; its `hidden` may hold a held-back trajectory or be empty.
    """

    equation: str | None
    params: dict[str, float]
    hidden: tuple[Trajectory, ...]  # other initial states, same parameters, no noise
