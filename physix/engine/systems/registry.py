"""Every system there is. Adding one is one line here."""

from __future__ import annotations

from physix.engine.systems.base import System
from physix.engine.systems.falling import FreeFall, FreeFallDrag, ProjectileDrag
from physix.engine.systems.magnetic import ChargedBField
from physix.engine.systems.pendulums import DampedPendulum, SimplePendulum
from physix.engine.systems.sampling import sample
from physix.engine.systems.springs import DampedSpring, SpringMass
from physix.engine.systems.task import Task, Truth
from physix.errors import UnknownSystemError

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
