"""Pendulums that swing far enough for the sine to matter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from numpy.random import Generator

from physix.engine.systems.base import System, random_sign, second_order

_ANGLE = second_order(
    "theta",
    "rad",
    r"\theta",
    "angle from hanging straight down",
    rate="dtheta",
    rate_symbol=r"\dot{\theta}",
)
_EARTH_GRAVITY = 9.81


def _small_swing_period(length: float) -> float:
    return 2.0 * math.pi * math.sqrt(length / _EARTH_GRAVITY)


def _sample_swing(rng: Generator, params: Mapping[str, float]) -> tuple[float, float]:
    """Return an angle of 0.5 to 2.1 rad on either side, with or without a push.

    The largest push on the largest angle still turns back before 2.3 rad: nearer the top the
    weight lingers for so long that the trajectory would show no second swing.
    """
    natural = math.sqrt(params["g"] / params["L"])
    theta = random_sign(rng) * rng.uniform(0.5, 2.1)
    push = rng.uniform(-0.5, 0.5) * natural
    return theta, push


def _sample_other_swings(rng: Generator, params: Mapping[str, float]) -> tuple[tuple[float, float], ...]:
    """Return a narrow and a wide swing, both begun in mid-swing, each in a direction of its own.

    The shown motion begins near a turning point. What depends on time, or knows one amplitude only,
    is wrong on both. At 2.4 rad a period is half as long again as a small one.
    """
    natural = math.sqrt(params["g"] / params["L"])
    return tuple(
        _begin_swing(random_sign(rng) * amplitude, random_sign(rng) * rng.uniform(1.0, 1.9), natural)
        for amplitude in (rng.uniform(0.65, 0.95), rng.uniform(2.0, 2.4))
    )


def _begin_swing(amplitude: float, phase: float, natural: float) -> tuple[float, float]:
    """Return angle and angular velocity at `phase` (0: at rest at `amplitude`) of an undamped swing."""
    theta = amplitude * math.cos(phase)
    speed = natural * math.sqrt(2.0 * (math.cos(theta) - math.cos(amplitude)))
    return theta, -math.copysign(speed, amplitude * phase)


class SimplePendulum(System):
    """A pendulum without friction."""

    id = "simple_pendulum"
    title = "Pendulum"
    tier = 1
    description = "A weight on a rigid rod, swinging without friction at any angle."
    hard = "The swing is wide: what fits a small one, theta for its sine, is wrong here."
    variables = _ANGLE
    equation = "d2theta/dt2 = -(g/L)*sin(theta)"
    hints = (
        "A weight on a light rod swings to and fro, and the swing does not die away.",
        "A pendulum on a very good bearing, pulled far to one side and let go.",
        "A clock's pendulum without the clock; it swings widely.",
        "A bob on a stiff wire, filmed for a few swings.",
    )

    def sample_experiment(self, rng: Generator) -> tuple[dict[str, float], float]:
        """Return gravity, length and three to four and a half periods of small swings."""
        length = rng.uniform(0.2, 2.5)
        return {"g": _EARTH_GRAVITY, "L": length}, rng.uniform(3.0, 4.5) * _small_swing_period(length)

    def sample_initial(
        self, rng: Generator, params: Mapping[str, float], duration_s: float
    ) -> tuple[float, ...]:
        """Return an angle and a push."""
        return _sample_swing(rng, params)

    def sample_hidden_initials(
        self,
        rng: Generator,
        params: Mapping[str, float],
        duration_s: float,
        shown: tuple[float, ...],
    ) -> tuple[tuple[float, ...], ...]:
        """Return a narrow and a wide swing, both begun in mid-swing."""
        return _sample_other_swings(rng, params)

    def rhs(self, state: Sequence[float], t: float, params: Mapping[str, float]) -> list[float]:
        """Return (dtheta, -(g/L) sin theta)."""
        return [state[1], -params["g"] / params["L"] * math.sin(state[0])]


class DampedPendulum(System):
    """A pendulum whose swing dies away."""

    id = "damped_pendulum"
    title = "Damped pendulum"
    tier = 2
    description = "A weight on a rigid rod, slowed in proportion to its angular velocity."
    hard = "Two things at once: the swing is wide, and it dies away."
    variables = _ANGLE
    equation = "d2theta/dt2 = -(g/L)*sin(theta) - b*dtheta"
    hints = (
        "A weight on a rod swings to and fro, a little less each time.",
        "A pendulum with a worn bearing, pulled far to one side and let go.",
        "A lamp on a rod is pushed and slowly comes to rest.",
        "A pendulum swinging in oil that is not very thick.",
    )

    def sample_experiment(self, rng: Generator) -> tuple[dict[str, float], float]:
        """Return gravity, length and a damping that leaves 0.15 to 0.5 of the swing at the end."""
        length = rng.uniform(0.2, 2.5)
        duration_s = rng.uniform(3.0, 4.5) * _small_swing_period(length)
        damping = 2.0 * rng.uniform(0.7, 1.9) / duration_s
        return {"g": _EARTH_GRAVITY, "L": length, "b": damping}, duration_s

    def sample_initial(
        self, rng: Generator, params: Mapping[str, float], duration_s: float
    ) -> tuple[float, ...]:
        """Return an angle and a push."""
        return _sample_swing(rng, params)

    def sample_hidden_initials(
        self,
        rng: Generator,
        params: Mapping[str, float],
        duration_s: float,
        shown: tuple[float, ...],
    ) -> tuple[tuple[float, ...], ...]:
        """Return a narrow and a wide swing, both begun in mid-swing."""
        return _sample_other_swings(rng, params)

    def rhs(self, state: Sequence[float], t: float, params: Mapping[str, float]) -> list[float]:
        """Return (dtheta, -(g/L) sin theta - b dtheta)."""
        theta, dtheta = state
        return [dtheta, -params["g"] / params["L"] * math.sin(theta) - params["b"] * dtheta]
