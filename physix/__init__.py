"""PhysiX-Live: an RL environment and workbench in which agents discover equations of motion.

Public names resolve on first use: importing OpenEnv costs seconds, and `physix --version`
should not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from physix.version import __version__

if TYPE_CHECKING:
    from physix.api.openenv.client import (
        PhysiXAction,
        PhysixAction,
        PhysiXEnv,
        PhysixEnv,
        PhysiXObservation,
        PhysixObservation,
    )
    from physix.engine.verifier.symbolic import same_law, simplify

__all__ = [
    "PhysiXAction",
    "PhysiXEnv",
    "PhysiXObservation",
    "PhysixAction",
    "PhysixEnv",
    "PhysixObservation",
    "__version__",
    "same_law",
    "simplify",
]
_ALGEBRA = frozenset({"same_law", "simplify"})


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'physix' has no attribute {name!r}")
    if name in _ALGEBRA:
        from physix.engine.verifier import symbolic

        return getattr(symbolic, name)
    from physix.api.openenv import client

    return getattr(client, name)
