"""`replay:<episode>`: proposes again what a recorded episode proposed."""

from __future__ import annotations

from physix.engine.episode import fold
from physix.engine.events import Provenance
from physix.engine.ports import EventLog, Observation, Proposal, TokenSink
from physix.engine.verifier.types import Hypothesis
from physix.errors import EpisodeNotFoundError, PolicyError

PREFIX = "replay:"


class ReplayPolicy:
    """Implements `Policy`: turn n of the recording at turn n."""

    def __init__(self, name: str, turns: tuple[tuple[Hypothesis, str | None], ...]) -> None:
        self.name = name
        self._turns = turns

    @classmethod
    async def of(cls, name: str, log: EventLog) -> ReplayPolicy:
        """Read the recording.

        Raises:
            EpisodeNotFoundError: the log holds no such episode.
        """
        episode_id = name.removeprefix(PREFIX)
        episode = fold(await log.read(episode_id))
        if episode is None:
            raise EpisodeNotFoundError(episode_id)
        return cls(
            name,
            tuple(
                (
                    Hypothesis(
                        equation=turn.submitted.equation,
                        params=turn.submitted.params,
                        rationale=turn.submitted.rationale,
                    ),
                    turn.submitted.raw_completion,
                )
                for turn in episode.turns
            ),
        )

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        if observation.turn > len(self._turns):
            raise PolicyError(f"The recording holds {len(self._turns)} turns; none is left.")
        hypothesis, raw_completion = self._turns[observation.turn - 1]
        return Proposal(
            hypothesis=hypothesis, provenance=Provenance(policy=self.name), raw_completion=raw_completion
        )
