"""Which equations a task asks for: the order of each variable, and what its left side is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from physix.engine.systems.task import StateVariable


@dataclass(frozen=True, slots=True)
class Target:
    """The derivative that one equation gives."""

    variable: str  # "y"
    order: int  # 1 or 2
    driven: str  # the column whose rate of change it is: "vy" for d2y/dt2, "x" for dx/dt
    left: str  # "d2y/dt2" or "dx/dt"


def targets(variables: Sequence[StateVariable]) -> tuple[Target, ...]:
    """Return the equations a hypothesis must hold, in task order: one for each variable that is no rate."""
    return _targets(tuple(variables))


@lru_cache(maxsize=256)
def _targets(variables: tuple[StateVariable, ...]) -> tuple[Target, ...]:
    rates = {v.rate_of: v.name for v in variables if v.rate_of is not None}
    orders = {v.name: 2 if v.name in rates else 1 for v in variables if v.rate_of is None}
    return tuple(
        Target(name, order, rates.get(name, name), left_side(name, order)) for name, order in orders.items()
    )


def left_side(variable: str, order: int) -> str:
    """Return how the grammar writes a derivative: `d2y/dt2` or `dx/dt`."""
    return f"d2{variable}/dt2" if order == 2 else f"d{variable}/dt"
