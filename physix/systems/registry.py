"""Every system there is. Adding one is one line here."""

from __future__ import annotations

from physix.errors import UnknownSystemError
from physix.systems.base import System
from physix.systems.falling import FreeFall, FreeFallDrag, ProjectileDrag
from physix.systems.magnetic import ChargedBField
from physix.systems.pendulums import DampedPendulum, SimplePendulum
from physix.systems.sampling import sample
from physix.systems.springs import DampedSpring, SpringMass
from physix.systems.task import Task, Truth

SYSTEMS: dict[str, System] = {
    "free_fall": FreeFall(),
    "free_fall_drag": FreeFallDrag(),
    "simple_pendulum": SimplePendulum(),
    "damped_pendulum": DampedPendulum(),
    "spring_mass": SpringMass(),
    "damped_spring": DampedSpring(),
    "projectile_drag": ProjectileDrag(),
    "charged_b_field": ChargedBField(),
}


def sample_task(
    system_id: str, seed: int, *, noise: float | None = None, trajectories: int = 1
) -> tuple[Task, Truth]:
    """Return the task that `seed` draws from a registered system; see `sampling.sample`.

    Raises:
        UnknownSystemError: no system has this id.
        BadInputError: seed, noise or trajectories is out of range; the message says what is allowed.
    """
    system = SYSTEMS.get(system_id)
    if system is None:
        raise UnknownSystemError(system_id, tuple(SYSTEMS))
    return sample(system, seed, noise=noise, trajectories=trajectories)
