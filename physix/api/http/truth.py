"""The true law of an ended episode beside what was found."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from physix.api.access import Caller
from physix.api.http.services import Wired
from physix.engine import Turn
from physix.engine.systems.task import Task
from physix.engine.verifier.beside import Coefficient, constants_beside
from physix.engine.verifier.correctness import true_law
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.latex import latex
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import Correctness, VerifierConfig
from physix.errors import ConflictError
from physix.limits import MAX_TURNS

router = APIRouter()


class TruthBeside(BaseModel):
    """The true law, typeset, and its constants beside those of one turn."""

    equation: str
    latex: str
    params: dict[str, float]
    turn: int
    constants: list[Coefficient] = Field(description="what each term is multiplied by, in both laws")
    correctness: Correctness | None


@router.get("/api/episodes/{episode_id}/turns/{turn}/truth")
async def truth_beside(
    wired: Wired, caller: Caller, episode_id: str, turn: Annotated[int, Path(ge=1, le=MAX_TURNS)]
) -> TruthBeside | None:
    """Return the true law beside a turn's, once the episode has ended; null where nobody knows the law."""
    episode = await wired.engine.load(episode_id)
    caller.require_read(episode.started, episode_id)
    if not caller.told(episode.started, ended=episode.finished is not None).truth:
        raise ConflictError(
            f"The true law of episode {episode_id} is not told: it still runs, or its task is held back."
        )
    law = true_law(episode.task, episode.started.truth)
    if law is None or turn > len(episode.turns):
        return None
    played = episode.turns[turn - 1]
    return TruthBeside(
        equation=law.canonical,
        latex=latex(law),
        params=episode.started.truth.params,
        turn=turn,
        constants=list(constants_beside(_found(played, episode.task, episode.config.verifier), law)),
        correctness=played.rewarded.correctness,
    )


def _found(turn: Turn, task: Task, config: VerifierConfig) -> ParsedHypothesis | None:
    """Return the law of a turn with its constants as they were fitted; None if it did not parse."""
    params = {**turn.submitted.params, **turn.simulated.simulation.fitted}
    law = parse(
        turn.submitted.equation, params, task.variables, inputs=task.inputs, functions=config.functions
    )
    return law if isinstance(law, ParsedHypothesis) else None
