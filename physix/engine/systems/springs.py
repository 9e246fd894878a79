"""Weights on springs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from numpy.random import Generator

from physix.engine.systems.base import System, log_uniform, random_sign, second_order

_ELONGATION = second_order("x", "m", "x", "distance from the place of rest", rate="vx", rate_symbol="v_x")


def _sample_stretch(rng: Generator, params: Mapping[str, float]) -> tuple[float, float]:
    """Return a stretch of 5 cm to 1 m on either side, with or without a push."""
    stretch = random_sign(rng) * log_uniform(rng, 0.05, 1.0)
    push = rng.uniform(-0.8, 0.8) * abs(stretch) * math.sqrt(params["k"] / params["m"])
    return stretch, push


def _sample_other_stretches(
    rng: Generator, params: Mapping[str, float], shown: tuple[float, ...]
) -> tuple[tuple[float, float], ...]:
    """Return a smaller and a larger swing than the shown one, each at another phase.

    Phases differ from the shown one by 60 to 120 degrees, one ahead and one behind. The larger swing
    is 1.6 m or more, where x and sin(x) part.
    """
    natural = math.sqrt(params["k"] / params["m"])
    amplitude = math.hypot(shown[0], shown[1] / natural)
    phase = math.atan2(shown[1] / natural, shown[0])
    ahead = random_sign(rng)
    swings = (
        (rng.uniform(0.3, 0.6) * amplitude, phase + ahead * rng.uniform(1.05, 2.1)),
        (max(1.0, amplitude) * rng.uniform(1.6, 2.5), phase - ahead * rng.uniform(1.05, 2.1)),
    )
    return tuple((size * math.cos(turned), size * natural * math.sin(turned)) for size, turned in swings)


def _sample_spring(rng: Generator) -> tuple[float, float, float]:
    """Return the stiffness, the mass and the period they give: 0.4 to 4 s."""
    mass = log_uniform(rng, 0.1, 3.0)
    period_s = log_uniform(rng, 0.4, 4.0)
    return mass * (2.0 * math.pi / period_s) ** 2, mass, period_s


class SpringMass(System):
    """A weight on an ideal spring."""

    id = "spring_mass"
    title = "Weight on a spring"
    tier = 2
    description = "A mass on an ideal spring, oscillating without friction."
    hard = "Only the ratio of stiffness and mass shows in the motion; neither can be told alone."
    variables = _ELONGATION
    equation = "d2x/dt2 = -(k/m)*x"
    hints = (
        "A weight on a spring, bouncing evenly.",
        "A glider on an air track, held by a spring.",
        "A weight hangs from a spring and somebody gave it a tug.",
        "Something goes back and forth on a spring, as far each time as the last.",
    )

    def sample_experiment(self, rng: Generator) -> tuple[dict[str, float], float]:
        """Return stiffness, mass and three to five periods."""
        stiffness, mass, period_s = _sample_spring(rng)
        return {"k": stiffness, "m": mass}, rng.uniform(3.0, 5.0) * period_s

    def sample_initial(
        self, rng: Generator, params: Mapping[str, float], duration_s: float
    ) -> tuple[float, ...]:
        """Return a stretch and a push."""
        return _sample_stretch(rng, params)

    def sample_hidden_initials(
        self,
        rng: Generator,
        params: Mapping[str, float],
        duration_s: float,
        shown: tuple[float, ...],
    ) -> tuple[tuple[float, ...], ...]:
        """Return a smaller and a larger swing, each at another phase."""
        return _sample_other_stretches(rng, params, shown)

    def rhs(self, state: Sequence[float], t: float, params: Mapping[str, float]) -> list[float]:
        """Return (vx, -(k/m) x)."""
        return [state[1], -params["k"] / params["m"] * state[0]]


class DampedSpring(System):
    """A weight on a spring whose motion dies away."""

    id = "damped_spring"
    title = "Damped weight on a spring"
    tier = 2
    description = "A mass on a spring, slowed in proportion to its velocity."
    hard = "The damping is slight: it shows over many swings, and in no single one."
    variables = _ELONGATION
    equation = "d2x/dt2 = -(k/m)*x - (b/m)*vx"
    hints = (
        "A weight on a spring, slowing as it swings.",
        "A weight bobs on a spring in water.",
        "A car's wheel after a pothole, with a shock absorber past its best.",
        "Something goes back and forth on a spring, a little less far each time.",
    )

    def sample_experiment(self, rng: Generator) -> tuple[dict[str, float], float]:
        """Return stiffness, mass and a damping that leaves 0.12 to 0.5 of the motion at the end."""
        stiffness, mass, period_s = _sample_spring(rng)
        duration_s = rng.uniform(3.0, 4.5) * period_s
        damping = 2.0 * mass * rng.uniform(0.7, 2.1) / duration_s
        return {"k": stiffness, "m": mass, "b": damping}, duration_s

    def sample_initial(
        self, rng: Generator, params: Mapping[str, float], duration_s: float
    ) -> tuple[float, ...]:
        """Return a stretch and a push."""
        return _sample_stretch(rng, params)

    def sample_hidden_initials(
        self,
        rng: Generator,
        params: Mapping[str, float],
        duration_s: float,
        shown: tuple[float, ...],
    ) -> tuple[tuple[float, ...], ...]:
        """Return a smaller and a larger swing, each at another phase."""
        return _sample_other_stretches(rng, params, shown)

    def rhs(self, state: Sequence[float], t: float, params: Mapping[str, float]) -> list[float]:
        """Return (vx, -(k/m) x - (b/m) vx)."""
        x, vx = state
        return [vx, -(params["k"] * x + params["b"] * vx) / params["m"]]
