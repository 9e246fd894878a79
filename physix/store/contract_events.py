"""Events with plausible content, for tests of logs."""

from dataclasses import replace

from physix.engine.episode import start
from physix.engine.events import (
    EpisodeConfig,
    EpisodeFinished,
    EpisodeLabelled,
    EpisodeStarted,
    FinishReason,
    HypothesisSubmitted,
    Provenance,
    RewardComputed,
    SimulationRun,
)
from physix.engine.systems import sample_task
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig

_TASK, _TRUTH = sample_task("free_fall", 1)
_VERIFIED = verify(
    _TASK, _TRUTH, Hypothesis(equation="d2y/dt2 = -9.5"), best_match=0.0, config=VerifierConfig()
)


Turn = tuple[HypothesisSubmitted, SimulationRun, RewardComputed]


def started() -> EpisodeStarted:
    """Return the beginning of an episode."""
    return start(_TASK, _TRUTH, config=EpisodeConfig(), policy="test", door="test")


def turn(number: int, *, match: float = 0.5, equation: str = "d2y/dt2 = -9.5") -> Turn:
    """Return the three events of a turn."""
    return (
        HypothesisSubmitted(
            turn=number,
            equation=equation,
            params={},
            rationale="",
            raw_completion=None,
            provenance=Provenance(policy="test"),
            parse=_VERIFIED.parse,
        ),
        SimulationRun(turn=number, simulation=_VERIFIED.simulation),
        RewardComputed(
            turn=number,
            reward=replace(_VERIFIED.reward, match=match),
            emitted=0.5,
            fits=_VERIFIED.fits,
            generalisation=_VERIFIED.generalisation,
            mismatch=_VERIFIED.mismatch,
            solved=False,
        ),
    )


def labelled(**labels: str | None) -> EpisodeLabelled:
    """Return what puts labels on an episode, or takes them off."""
    return EpisodeLabelled(labels=labels)


def finished(reason: FinishReason = "abandoned") -> EpisodeFinished:
    """Return the end of an episode."""
    return EpisodeFinished(reason=reason, turns=1, best_match=0.5, best_total=0.5)
