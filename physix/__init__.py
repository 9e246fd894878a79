"""PhysiX-Live: an RL environment and workbench in which agents discover equations of motion.

Public names resolve on first use: importing OpenEnv costs seconds, and `physix --version`
should not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from physix.version import __version__

if TYPE_CHECKING:
    from physix.api.found.discover import discover, fit
    from physix.api.found.result import Found, FoundLaw, Result
    from physix.api.openenv.client import (
        PhysiXAction,
        PhysixAction,
        PhysiXEnv,
        PhysixEnv,
        PhysiXObservation,
        PhysixObservation,
    )
    from physix.api.reading import read
    from physix.engine.systems.measured import Choice, choose, task_from_table
    from physix.engine.verifier.symbolic import same_law, simplify

__all__ = [
    "Choice",
    "Found",
    "FoundLaw",
    "PhysiXAction",
    "PhysiXEnv",
    "PhysiXObservation",
    "PhysixAction",
    "PhysixEnv",
    "PhysixObservation",
    "Result",
    "__version__",
    "choose",
    "discover",
    "fit",
    "read",
    "same_law",
    "simplify",
    "task_from_table",
]
_HOMES = {
    "read": "physix.api.reading",
    **dict.fromkeys(("discover", "fit"), "physix.api.found.discover"),
    **dict.fromkeys(("Found", "FoundLaw", "Result"), "physix.api.found.result"),
    **dict.fromkeys(("Choice", "choose", "task_from_table"), "physix.engine.systems.measured"),
    **dict.fromkeys(("same_law", "simplify"), "physix.engine.verifier.symbolic"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'physix' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "physix.api.openenv.client")), name)
