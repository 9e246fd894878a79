"""A policy that plays given hypotheses: for tests, examples and teaching."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from physix.engine.events import Provenance
from physix.engine.ports import Observation, Proposal, TokenSink
from physix.engine.verifier.types import Hypothesis
from physix.errors import BadInputError, PolicyError


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")
    equation: str
    params: dict[str, float] = {}
    rationale: str = ""


class ScriptedPolicy:
    """Plays hypothesis n at turn n; fails when the script is over."""

    def __init__(self, name: str, hypotheses: Sequence[Hypothesis]) -> None:
        self.name = name
        self._hypotheses = tuple(hypotheses)

    @classmethod
    def from_file(cls, path: Path) -> ScriptedPolicy:
        """Read a JSON list of {equation, params, rationale}.

        Raises:
            BadInputError: the file cannot be read or is no such list.
        """
        try:
            lines = TypeAdapter(list[_Line]).validate_json(path.read_bytes())
        except OSError as error:
            raise BadInputError(f"Cannot read the script {path}: {error.strerror}.") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = json.dumps(first["loc"])
            raise BadInputError(f"The script {path} is wrong at {where}: {first['msg']}.") from error
        return cls(f"scripted:{path}", [Hypothesis(**line.model_dump()) for line in lines])

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        if observation.turn > len(self._hypotheses):
            raise PolicyError(f"The script holds {len(self._hypotheses)} turns; none is left.")
        return Proposal(
            hypothesis=self._hypotheses[observation.turn - 1], provenance=Provenance(policy=self.name)
        )
