"""What an OpenEnv agent reads of an episode. Built from `observe`, which holds no truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from physix.api.openenv.client import PhysiXObservation, PhysiXResetObservation
from physix.engine import Episode, observe
from physix.engine.ports import PastTurn
from physix.engine.systems.task import Task, Trajectory
from physix.engine.verifier.types import Reward, VariableFit
from physix.policies.chat.prompt import briefing, table_header, table_rows

_TABLE_ROWS = 20


def first_observation(episode: Episode, token: str | None) -> PhysiXResetObservation:
    """Return the problem and, of a resumed episode, what was played so far: paid then, not now."""
    task = episode.task
    return PhysiXResetObservation(
        **{**_common(episode), "reward": None},
        hint=task.hint,
        instructions=briefing(observe(episode), episode.config.verifier.profile),
        variables=[
            {"name": v.name, "unit": v.unit, "description": v.description, "rate_of": v.rate_of}
            for v in task.variables
        ],
        inputs=[{"name": v.name, "unit": v.unit, "description": v.description} for v in task.inputs],
        time_unit=task.time_unit,
        trajectories=[_trajectory(shown) for shown in task.shown],
        table=table(task),
        stats=stats(task),
        constants=episode.config.verifier.constants,
        token=token,
    )


def step_observation(episode: Episode, *, repeated: bool = False) -> PhysiXObservation:
    """Return what the last turn brought; a repeated command is answered, and paid nothing."""
    common = _common(episode)
    if repeated:
        # A trainer that adds rewards up would be paid for sending one command again and again.
        common = {**common, "reward": 0.0, "repeated": True}
    return PhysiXObservation(**common)


def table(task: Task) -> str:
    """Return at most 20 rows of each shown trajectory, four significant digits, one header line."""
    lines = [table_header(task)]
    for number, shown in enumerate(task.shown):
        if number:
            lines.append("")
        lines.extend(table_rows(shown, min(_TABLE_ROWS, len(shown.t))))
    return "\n".join(lines)


def stats(task: Task) -> dict[str, dict[str, float]]:
    """Return, per variable over all shown trajectories, where it moves."""
    pooled = np.concatenate([np.array(shown.states) for shown in task.shown])
    return {
        variable.name: {
            "min": float(column.min()),
            "max": float(column.max()),
            "mean": float(column.mean()),
            "std": float(column.std()),
            "first": float(column[0]),
            "last": float(column[-1]),
        }
        for variable, column in zip(task.variables, pooled.T, strict=True)
    }


def _trajectory(shown: Trajectory) -> dict[str, Any]:
    told: dict[str, Any] = {"t": list(shown.t), "states": [list(row) for row in shown.states]}
    return told | ({"inputs": [list(row) for row in shown.inputs]} if shown.inputs else {})


def _common(episode: Episode) -> dict[str, Any]:
    seen = observe(episode)
    last = seen.history[-1] if seen.history else None
    emitted = episode.turns[-1].rewarded.emitted if episode.turns else None
    return {
        "done": episode.finished is not None,
        "reward": emitted,
        "emitted": emitted,
        "episode_id": episode.episode_id,
        "turn": len(episode.turns),
        "turns_remaining": seen.turns_remaining,
        "history": [_past(turn) for turn in seen.history],
        "reward_breakdown": None if last is None else _flat(last.reward),
        "mismatch": "" if last is None else last.mismatch,
        "diagnostics": {} if last is None else _diagnostics(episode, last),
    }


def _flat(value: Reward | VariableFit) -> dict[str, float | None]:
    """Return a record of numbers by name; `asdict` copies each number with care that costs ten times this."""
    return {name: getattr(value, name) for name in value.__slots__}


def _past(turn: PastTurn) -> dict[str, Any]:
    return {
        "turn": turn.turn,
        "equation": turn.equation,
        "params": turn.params,
        "fitted": turn.fitted,
        "reward": turn.reward.total,
        "match": turn.reward.match,
        "mismatch": turn.mismatch,
    }


def _diagnostics(episode: Episode, last: PastTurn) -> dict[str, Any]:
    turn = episode.turns[-1]
    parse = turn.submitted.parse
    return {
        "outcome": last.outcome,
        "message": turn.simulated.simulation.message,
        "fits": {name: _flat(fit) for name, fit in last.fits.items()},
        "fitted": last.fitted,
        "operators": parse.operators,
        "canonical": parse.canonical,
        "units": parse.units,
        "units_message": parse.units_message,
        "match_dense": turn.rewarded.match_dense,
    }
