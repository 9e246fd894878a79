"""Bodies in a uniform gravity field: free fall, with and without drag, and projectiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from numpy.random import Generator

from physix.engine.systems.base import System, log_uniform, random_sign, second_order

# From below Mars to Jupiter: were it always 9.81, there would be nothing to discover.
_GRAVITY = (3.5, 25.0)
_HEIGHT = second_order("y", "m", "y", "height above the ground", rate="vy", rate_symbol="v_y")
_DISTANCE = second_order("x", "m", "x", "horizontal distance", rate="vx", rate_symbol="v_x")


def _other_angle(rng: Generator, shown: float) -> float:
    """Return an angle of 0 to 1.2 rad that is at least 0.4 away from the shown one."""
    free_below = max(0.0, shown - 0.4)
    angle = rng.uniform(0.0, free_below + max(0.0, 0.8 - shown))
    return angle if angle < free_below else angle - free_below + shown + 0.4


class FreeFall(System):
    """A body under gravity alone, let go or thrown."""

    id = "free_fall"
    title = "Free fall"
    tier = 1
    description = "A body moving vertically under gravity alone."
    hard = "Little is there to find, so little must be added: noise suggests terms that are not in the law."
    variables = _HEIGHT
    equation = "d2y/dt2 = -g"
    hints = (
        "A steel ball falls past a measuring tape on some planet.",
        "A stone moves straight up or down; nobody touches it any more.",
        "A heavy ball in an evacuated shaft, filmed from the side.",
        "Something heavy was let go or tossed, and gravity does the rest.",
    )

    def sample_experiment(self, rng: Generator) -> tuple[dict[str, float], float]:
        """Return gravity and one to three seconds."""
        return {"g": rng.uniform(*_GRAVITY)}, rng.uniform(1.0, 3.0)

    def sample_initial(
        self, rng: Generator, params: Mapping[str, float], duration_s: float
    ) -> tuple[float, ...]:
        """Return a start high enough that the ground is never reached."""
        gained = params["g"] * duration_s
        vy = rng.uniform(-0.3, 0.6) * gained
        drop = 0.5 * gained * duration_s + max(0.0, -vy) * duration_s
        return drop * rng.uniform(1.05, 1.6), vy

    def sample_hidden_initials(
        self,
        rng: Generator,
        params: Mapping[str, float],
        duration_s: float,
        shown: tuple[float, ...],
    ) -> tuple[tuple[float, ...], ...]:
        """Return a throw downwards and one upwards, from elsewhere than the shown one.

        Height tells nothing of speed then: the downward throw starts up to three times as high.
        """
        gained = params["g"] * duration_s
        down = -rng.uniform(0.5, 1.2) * gained
        up = rng.uniform(0.7, 1.2) * gained
        lowest = 0.5 * gained * duration_s - down * duration_s
        return (lowest * rng.uniform(1.6, 3.0), down), (gained * duration_s * rng.uniform(0.6, 0.9), up)

    def rhs(self, state: Sequence[float], t: float, params: Mapping[str, float]) -> list[float]:
        """Return (vy, -g)."""
        return [state[1], -params["g"]]


class FreeFallDrag(System):
    """A falling body that approaches its terminal speed.

    `+k*vy**2` points up whatever the sign of vy, so the law only holds while the body falls:
    every start is at rest or downwards.
    """

    id = "free_fall_drag"
    title = "Free fall with air drag"
    tier = 1
    description = "A body falling through air, with drag growing as the square of its speed."
    hard = "Drag hides until the fall is fast, and in one fall time and speed rise together."
    variables = _HEIGHT
    equation = "d2y/dt2 = -g + k*vy**2"
    hints = (
        "A light ball falls through thick air.",
        "A coffee filter dropped from a stairwell; it stops gaining speed after a while.",
        "Something falls a long way and the air pushes back.",
        "A parachutist before the parachute opens, falling straight down.",
    )

    def sample_experiment(self, rng: Generator) -> tuple[dict[str, float], float]:
        """Return gravity, drag and a time in which 0.83 to 0.99 of the terminal speed is reached."""
        g = rng.uniform(*_GRAVITY)
        terminal_speed = log_uniform(rng, 3.0, 50.0)
        duration_s = rng.uniform(1.2, 2.6) * terminal_speed / g
        return {"g": g, "k": g / terminal_speed**2}, duration_s

    def sample_initial(
        self, rng: Generator, params: Mapping[str, float], duration_s: float
    ) -> tuple[float, ...]:
        """Return a start at rest (half of the time) or falling at up to 0.45 of terminal speed."""
        terminal_speed = math.sqrt(params["g"] / params["k"])
        vy = -max(0.0, rng.uniform(-0.45, 0.45)) * terminal_speed
        return terminal_speed * duration_s * rng.uniform(1.05, 1.5), vy

    def sample_hidden_initials(
        self,
        rng: Generator,
        params: Mapping[str, float],
        duration_s: float,
        shown: tuple[float, ...],
    ) -> tuple[tuple[float, ...], ...]:
        """Return a fast throw downwards and a drop from rest or nearly so, both from higher up.

        The throw starts at 1.15 to 1.5 terminal speeds, so the body slows down from the beginning: on
        the shown motion speed, time and the way fallen grow together, and no speed exceeds the
        terminal one. Slower throws would leave linear drag, refitted, at the noise on one fall in
        four. Never upwards: see the class.
        """
        terminal_speed = math.sqrt(params["g"] / params["k"])
        fast = rng.uniform(1.15, 1.5)
        slow = rng.uniform(0.0, 0.3)
        reach = terminal_speed * duration_s
        return (
            (reach * rng.uniform(1.8, 3.0), -fast * terminal_speed),
            (reach * rng.uniform(3.5, 5.0), -slow * terminal_speed),
        )

    def rhs(self, state: Sequence[float], t: float, params: Mapping[str, float]) -> list[float]:
        """Return (vy, -g + k vy²)."""
        vy = state[1]
        return [vy, -params["g"] + params["k"] * vy * vy]


class ProjectileDrag(System):
    """A throw from a height, with drag against the direction of motion."""

    id = "projectile_drag"
    title = "Projectile with air drag"
    tier = 3
    held_out = True
    description = "A thrown body with drag that grows as the square of its speed, in two dimensions."
    hard = "Both directions share one drag, and it couples them through the speed."
    variables = (_DISTANCE[0], _HEIGHT[0], _DISTANCE[1], _HEIGHT[1])
    equation = "d2x/dt2 = -k*vx*sqrt(vx**2 + vy**2); d2y/dt2 = -g - k*vy*sqrt(vx**2 + vy**2)"
    hints = (
        "A light ball thrown off a cliff; the air slows it down.",
        "A shuttlecock struck from the top of a tower, seen from the side.",
        "A ball hit far out over a valley, and the air is not thin.",
        "Something fluffy is thrown forwards from a balcony; it falls more steeply than it rose.",
    )

    def sample_experiment(self, rng: Generator) -> tuple[dict[str, float], float]:
        """Return gravity, drag and a time in which the drag turns the path over."""
        g = rng.uniform(*_GRAVITY)
        terminal_speed = log_uniform(rng, 5.0, 50.0)
        duration_s = rng.uniform(1.3, 2.3) * terminal_speed / g
        return {"g": g, "k": g / terminal_speed**2}, duration_s

    def sample_initial(
        self, rng: Generator, params: Mapping[str, float], duration_s: float
    ) -> tuple[float, ...]:
        """Return a throw between 0.5 and 1.5 of terminal speed, to either side, level to steep."""
        terminal_speed = math.sqrt(params["g"] / params["k"])
        speed = rng.uniform(0.5, 1.5) * terminal_speed
        angle = rng.uniform(0.0, 1.2)
        height = terminal_speed * duration_s * rng.uniform(0.9, 1.3)
        vx = random_sign(rng) * speed * math.cos(angle)
        return 0.0, height, vx, speed * math.sin(angle)

    def sample_hidden_initials(
        self,
        rng: Generator,
        params: Mapping[str, float],
        duration_s: float,
        shown: tuple[float, ...],
    ) -> tuple[tuple[float, ...], ...]:
        """Return a throw downwards to the other side, and one at another angle, both from elsewhere."""
        terminal_speed = math.sqrt(params["g"] / params["k"])
        side, drawn = math.copysign(1.0, shown[2]), math.hypot(shown[2], shown[3]) / terminal_speed
        # Away from the shown speed, on whichever side of it there is more room.
        other = rng.uniform(0.5, 0.8) if drawn > 1.0 else rng.uniform(1.2, 1.5)
        reach = terminal_speed * duration_s
        throws = (
            (-side, rng.uniform(-0.9, -0.4), other, rng.uniform(1.8, 2.6)),
            (side, _other_angle(rng, math.atan2(shown[3], abs(shown[2]))), rng.uniform(0.5, 1.5), 1.4),
        )
        return tuple(
            (
                rng.uniform(-1.0, 1.0) * reach,
                reach * height,
                sign * speed * terminal_speed * math.cos(angle),
                speed * terminal_speed * math.sin(angle),
            )
            for sign, angle, speed, height in throws
        )

    def rhs(self, state: Sequence[float], t: float, params: Mapping[str, float]) -> list[float]:
        """Return (vx, vy, -k vx |v|, -g - k vy |v|)."""
        _, _, vx, vy = state
        drag = params["k"] * math.hypot(vx, vy)
        return [vx, vy, -drag * vx, -params["g"] - drag * vy]
