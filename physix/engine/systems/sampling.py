"""From a system and a seed to a task. Same arguments, same task, on every machine of one kind."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from scipy.integrate import odeint

from physix.engine.systems.base import HIDDEN_TRAJECTORIES, System
from physix.engine.systems.task import Task, Trajectory, Truth
from physix.errors import BadInputError, PhysixError
from physix.limits import MAX_NOISE, MAX_SEED, MAX_TRAJECTORIES

DEFAULT_NOISE = 0.02

_RTOL, _ATOL = 1e-10, 1e-12


def sample(
    system: System, seed: int, *, noise: float | None = None, trajectories: int = 1
) -> tuple[Task, Truth]:
    """Return the task that `seed` draws from `system`, and what is kept from the agent.

    Parameters, initial states, noise and the wording of the hint come from independent streams:
    the same seed has the same law, the same first trajectory and the same hidden ones at every noise
    level and for every number of trajectories. Noise is Gaussian on every sample but the first of a
    trajectory: whoever set up the experiment knows how it began.

    Args:
        seed: 0 to 2**53 - 1.
        noise: standard deviation of the noise as a share of each variable's own, 0 to 0.05;
            None for the default, 0.02.
        trajectories: how many are shown, 1 to 4.

    Raises:
        BadInputError: an argument is out of range.
    """
    _check_seed(seed)
    level = _checked_noise(noise)
    _check_trajectories(trajectories)
    experiment, initials, noises, wording, hidden_initials = SeedSequence(seed).spawn(5)
    params, duration_s = _sample_experiment(system, experiment)
    starts = [
        system.sample_initial(Generator(PCG64(start)), params, duration_s)
        for start in initials.spawn(trajectories)
    ]
    shown = tuple(
        _add_noise(_simulate(system, params, duration_s, start), level, blur)
        for start, blur in zip(starts, noises.spawn(trajectories), strict=True)
    )
    elsewhere = system.sample_hidden_initials(
        Generator(PCG64(hidden_initials)), params, duration_s, starts[0]
    )
    if len(elsewhere) != HIDDEN_TRAJECTORIES:
        raise PhysixError(
            f"System {system.id!r} drew {len(elsewhere)} hidden starts; {HIDDEN_TRAJECTORIES} are needed."
        )
    hidden = tuple(_simulate(system, params, duration_s, start) for start in elsewhere)
    task = Task(
        task_id=_task_id(system, seed, level, trajectories),
        system_id=system.id,
        title=system.title,
        tier=system.tier,
        seed=seed,
        variables=system.variables,
        time_unit="s",
        shown=shown,
        noise=level,
        hint=system.hints[int(Generator(PCG64(wording)).integers(len(system.hints)))],
    )
    return task, Truth(equation=system.equation, params=params, hidden=hidden)


def _check_seed(seed: int) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise BadInputError(f"Seed {str(seed)[:40]!r} is not allowed: use an integer from 0 to {MAX_SEED}.")


def _checked_noise(noise: float | None) -> float:
    if noise is None:
        return DEFAULT_NOISE
    if isinstance(noise, bool) or not isinstance(noise, (int, float)) or not 0.0 <= noise <= MAX_NOISE:
        raise BadInputError(f"Noise {str(noise)[:40]!r} is not allowed: use a number from 0 to {MAX_NOISE}.")
    return float(noise)


def _check_trajectories(trajectories: int) -> None:
    if (
        isinstance(trajectories, bool)
        or not isinstance(trajectories, int)
        or not 1 <= trajectories <= MAX_TRAJECTORIES
    ):
        raise BadInputError(
            f"{str(trajectories)[:40]!r} trajectories are not allowed: "
            f"use an integer from 1 to {MAX_TRAJECTORIES}."
        )


def _task_id(system: System, seed: int, noise: float, trajectories: int) -> str:
    options = ""
    if noise != DEFAULT_NOISE:
        options += f",noise={noise!r}"
    if trajectories != 1:
        options += f",trajectories={trajectories}"
    return f"{system.id}/{seed}{options}"


def _sample_experiment(system: System, stream: SeedSequence) -> tuple[dict[str, float], float]:
    params, duration_s = system.sample_experiment(Generator(PCG64(stream)))
    return {name: _round(value) for name, value in params.items()}, _round(duration_s)


def _round(value: float) -> float:
    # Four digits are as many as a person would quote, and as many as fit a small model's prompt.
    return float(f"{value:.4g}")


def _simulate(
    system: System, params: Mapping[str, float], duration_s: float, initial: tuple[float, ...]
) -> Trajectory:
    """Integrate `rhs` from an initial state."""
    if len(initial) != len(system.variables):
        raise PhysixError(
            f"System {system.id!r} has {len(system.variables)} variables "
            f"but drew an initial state of {len(initial)} numbers."
        )
    t = np.linspace(0.0, duration_s, system.samples)
    states, info = odeint(
        lambda state, time: system.rhs(state.tolist(), time, params),
        initial,
        t,
        rtol=_RTOL,
        atol=_ATOL,
        mxstep=10_000,
        full_output=True,
    )
    # odeint reports failure in words only; rows after one are uninitialised memory.
    if info["message"] != "Integration successful." or not np.isfinite(states).all():
        raise PhysixError(
            f"System {system.id!r} could not be simulated from {initial} with {dict(params)}: "
            f"{info['message']}"
        )
    return Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, states.tolist())))


def _add_noise(clean: Trajectory, level: float, stream: SeedSequence) -> Trajectory:
    if level == 0.0:
        return clean
    states = np.array(clean.states)
    blur = Generator(PCG64(stream)).standard_normal(states.shape)
    # Simulations start from the first sample. With noise on it, even the law itself misses where
    # small errors grow: over 200 pendulums at level 0.02, r_match fell to 0.88.
    blur[0] = 0.0
    noisy = states + level * states.std(axis=0) * blur
    return Trajectory(t=clean.t, states=tuple(map(tuple, noisy.tolist())))
