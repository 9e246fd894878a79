"""A charge circling in a magnetic field."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from numpy.random import Generator

from physix.engine.systems.base import System, log_uniform, random_sign, second_order

_X = second_order("x", "m", "x", "position along the first axis", rate="vx", rate_symbol="v_x")
_Y = second_order("y", "m", "y", "position along the second axis", rate="vy", rate_symbol="v_y")


class ChargedBField(System):
    """A charged body in a uniform field that points out of the plane."""

    id = "charged_b_field"
    title = "Charge in a magnetic field"
    tier = 3
    held_out = True
    description = "A charged body in a uniform magnetic field perpendicular to its plane of motion."
    hard = "The force stands at right angles to the velocity: each equation needs the other's rate."
    variables = (_X[0], _Y[0], _X[1], _Y[1])
    equation = "d2x/dt2 = (q*B/m)*vy; d2y/dt2 = -(q*B/m)*vx"
    hints = (
        "A charged bead slides without friction on a table between the poles of a big magnet.",
        "A charged particle moves in a plane; a steady magnet sits below it.",
        "Something electrically charged goes round in a magnetic field and never gets faster.",
        "A charged puck on an air table, with a strong even magnetic field through the table.",
    )

    def sample_experiment(self, rng: Generator) -> tuple[dict[str, float], float]:
        """Return charge of either sign, field, mass and one and a quarter to three turns."""
        charge = random_sign(rng) * log_uniform(rng, 0.1, 2.0)
        mass = log_uniform(rng, 0.1, 2.0)
        angular_speed = log_uniform(rng, 0.8, 8.0)
        duration_s = rng.uniform(1.25, 3.0) * 2.0 * math.pi / angular_speed
        return {"q": charge, "B": angular_speed * mass / abs(charge), "m": mass}, duration_s

    def sample_initial(
        self, rng: Generator, params: Mapping[str, float], duration_s: float
    ) -> tuple[float, ...]:
        """Return a place within 2 m of the origin and a velocity in any direction."""
        x, y = rng.uniform(-2.0, 2.0, size=2).tolist()
        speed = log_uniform(rng, 0.5, 5.0)
        heading = rng.uniform(0.0, 2.0 * math.pi)
        return x, y, speed * math.cos(heading), speed * math.sin(heading)

    def sample_hidden_initials(
        self,
        rng: Generator,
        params: Mapping[str, float],
        duration_s: float,
        shown: tuple[float, ...],
    ) -> tuple[tuple[float, ...], ...]:
        """Return a slower and a faster charge elsewhere, each turned by 60 to 300 degrees."""
        speed, heading = math.hypot(shown[2], shown[3]), math.atan2(shown[3], shown[2])
        return tuple(
            (
                *rng.uniform(-2.0, 2.0, size=2).tolist(),
                factor * speed * math.cos(turned),
                factor * speed * math.sin(turned),
            )
            for factor, turned in (
                (factor, heading + rng.uniform(math.pi / 3.0, 5.0 * math.pi / 3.0))
                for factor in (rng.uniform(0.3, 0.6), rng.uniform(1.6, 2.5))
            )
        )

    def rhs(self, state: Sequence[float], t: float, params: Mapping[str, float]) -> list[float]:
        """Return (vx, vy, w vy, -w vx) with w = q B / m."""
        _, _, vx, vy = state
        w = params["q"] * params["B"] / params["m"]
        return [vx, vy, w * vy, -w * vx]
