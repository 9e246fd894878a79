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
    from physix.policies.chat.prompt import briefing, render
    from physix.policies.chat.reply import ParseFailure, parse_completion
    from physix.training.doors.words import Reply, opening, question, read_reply, verdict

__all__ = [
    "Choice",
    "Found",
    "FoundLaw",
    "ParseFailure",
    "PhysiXAction",
    "PhysiXEnv",
    "PhysiXObservation",
    "PhysixAction",
    "PhysixEnv",
    "PhysixObservation",
    "Reply",
    "Result",
    "__version__",
    "briefing",
    "choose",
    "discover",
    "fit",
    "opening",
    "parse_completion",
    "question",
    "read",
    "read_reply",
    "render",
    "same_law",
    "simplify",
    "task_from_table",
    "verdict",
]
_HOMES = {
    "read": "physix.api.reading",
    **dict.fromkeys(("discover", "fit"), "physix.api.found.discover"),
    **dict.fromkeys(("Found", "FoundLaw", "Result"), "physix.api.found.result"),
    **dict.fromkeys(("Choice", "choose", "task_from_table"), "physix.engine.systems.measured"),
    **dict.fromkeys(("briefing", "render"), "physix.policies.chat.prompt"),
    **dict.fromkeys(("ParseFailure", "parse_completion"), "physix.policies.chat.reply"),
    **dict.fromkeys(("Reply", "opening", "question", "read_reply", "verdict"), "physix.training.doors.words"),
    **dict.fromkeys(("same_law", "simplify"), "physix.engine.verifier.symbolic"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'physix' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "physix.api.openenv.client")), name)
