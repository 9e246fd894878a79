"""The episode as a fold over its events, and the decisions that cause new ones. Pure.

`evolve` says what a recorded event means; `start`, `play`, `fail_policy` and `abandon` say
which events a command causes. The server, the trainer and a replay all call these; `played` is
`play` for those who have a hypothesis verified elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from physix.engine.discovery import Discovery
from physix.engine.events import (
    Door,
    EpisodeConfig,
    EpisodeFinished,
    EpisodeLabelled,
    EpisodeStarted,
    Event,
    FinishReason,
    ForkPoint,
    HypothesisSubmitted,
    PolicyFailed,
    Provenance,
    RecordedEvent,
    RewardComputed,
    SimulationRun,
)
from physix.engine.fingerprint import environment_fingerprint
from physix.engine.labels import changes_of, check_labels, relabelled
from physix.engine.outcome import BEFORE_TURN_1, Outcome, take
from physix.engine.ports import Observation, PastTurn
from physix.engine.systems.task import Task, Truth
from physix.engine.texts import check_text, encodable
from physix.engine.verifier import verify
from physix.engine.verifier.types import RULES, Hypothesis, Verification
from physix.errors import BadInputError, EpisodeFinishedError
from physix.limits import (
    MAX_PARAM_NAME,
    MAX_RECORDED_COMPLETION,
    MAX_RECORDED_EQUATION,
    MAX_RECORDED_PARAMS,
    MAX_RECORDED_RATIONALE,
    MAX_TURNS,
    POLICY_ATTEMPTS,
)
from physix.version import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One complete turn."""

    submitted: HypothesisSubmitted
    simulated: SimulationRun
    rewarded: RewardComputed
    recorded_at: datetime

    @property
    def number(self) -> int:
        """1 for the first turn."""
        return self.rewarded.turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """The state of one episode after `version` events. Holds the truth: never show it whole."""

    episode_id: str
    version: int
    started: EpisodeStarted
    started_at: datetime
    updated_at: datetime
    labels: Mapping[str, str]  # those it started with, and what was put on it since
    settled: int  # version of the last event that is no label: nothing in play depends on later ones
    turns: tuple[Turn, ...] = ()
    outcome: Outcome = BEFORE_TURN_1
    finished: EpisodeFinished | None = None
    failed_attempts: int = 0  # of the policy, at the turn to play next
    submitted: HypothesisSubmitted | None = None  # of a turn whose other events follow
    simulated: SimulationRun | None = None

    @property
    def task(self) -> Task:
        """The problem as the agent sees it."""
        return self.started.task

    @property
    def config(self) -> EpisodeConfig:
        """The rules recorded at the start."""
        return self.started.config

    @property
    def owned(self) -> bool:
        """A client holds the token of this episode, and it has not ended."""
        return self.started.token_sha256 is not None and self.finished is None

    @property
    def discovery(self) -> Discovery | None:
        """What a search found, as it last said; None if none played."""
        told = (turn.submitted.discovery for turn in reversed(self.turns))
        return next((one for one in told if one is not None), None)

    @property
    def best_match(self) -> float:
        """The highest r_match so far; 0 before turn 1."""
        return self.outcome.best_match

    @property
    def best_total(self) -> float:
        """The highest turn total so far; 0 before turn 1."""
        return self.outcome.best_total


def evolve(episode: Episode | None, recorded: RecordedEvent) -> Episode:
    """Fold one recorded event into the episode; `None` is the episode before its first event."""
    event = recorded.event
    if isinstance(event, EpisodeStarted):
        return Episode(
            episode_id=recorded.episode_id,
            version=recorded.version,
            started=event,
            started_at=recorded.recorded_at,
            updated_at=recorded.recorded_at,
            labels=event.labels,
            settled=recorded.version,
        )
    if episode is None:
        raise ValueError(f"Episode {recorded.episode_id} does not begin with EpisodeStarted.")
    if isinstance(event, EpisodeLabelled):
        # Not `updated_at`: an episode takes no longer because somebody looks at it a day later.
        return replace(episode, version=recorded.version, labels=relabelled(episode.labels, event.labels))
    # One copy an event: a copy costs more than all that is decided here.
    changes: dict[str, Any] = {
        "version": recorded.version,
        "settled": recorded.version,
        "updated_at": recorded.recorded_at,
    }
    outcome = take(episode.outcome, event)
    if outcome is not episode.outcome:
        changes["outcome"] = outcome
    match event:
        case HypothesisSubmitted():
            changes |= {"submitted": event, "simulated": None}
        case SimulationRun():
            changes["simulated"] = event
        case RewardComputed():
            turn = _whole_turn(episode, event, recorded.recorded_at)
            changes |= {
                "turns": (*episode.turns, turn),
                "submitted": None,
                "simulated": None,
                "failed_attempts": 0,
            }
        case PolicyFailed():
            changes["failed_attempts"] = event.attempt
        case EpisodeFinished():
            changes["finished"] = event
        case _:
            assert_never(event)
    return replace(episode, **changes)


def _whole_turn(episode: Episode, rewarded: RewardComputed, recorded_at: datetime) -> Turn:
    if episode.submitted is None or episode.simulated is None:
        raise ValueError(f"Episode {episode.episode_id} has a reward without a simulated hypothesis.")
    return Turn(
        submitted=episode.submitted,
        simulated=episode.simulated,
        rewarded=rewarded,
        recorded_at=recorded_at,
    )


def fold(events: Iterable[RecordedEvent], episode: Episode | None = None) -> Episode | None:
    """Fold events onto `episode` (None: from the beginning); None if there are none at all."""
    for recorded in events:
        episode = evolve(episode, recorded)
    return episode


def observe(episode: Episode) -> Observation:
    """Return what the policy of this episode may see now: no truth, no generalisation."""
    return Observation(
        episode_id=episode.episode_id,
        task=episode.task,
        turn=len(episode.turns) + 1,
        turns_remaining=episode.config.max_turns - len(episode.turns),
        reward_mode=episode.config.reward_mode,
        constants=episode.config.verifier.constants,
        solved_threshold=episode.config.verifier.solved_threshold,
        functions=episode.config.verifier.functions,
        history=tuple(_past_turn(turn) for turn in episode.turns),
    )


def _past_turn(turn: Turn) -> PastTurn:
    return PastTurn(
        turn=turn.number,
        equation=turn.submitted.equation,
        params=turn.submitted.params,
        fitted=turn.simulated.simulation.fitted,
        rationale=turn.submitted.rationale,
        outcome=turn.simulated.simulation.outcome,
        reward=turn.rewarded.reward,
        fits=turn.rewarded.fits,
        mismatch=turn.rewarded.mismatch,
        findings=turn.rewarded.findings,
    )


def start(
    task: Task,
    truth: Truth,
    *,
    config: EpisodeConfig,
    policy: str,
    door: Door,
    forked_from: ForkPoint | None = None,
    comparison_id: str | None = None,
    token_sha256: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> EpisodeStarted:
    """Return the event that begins an episode.

    Raises:
        BadInputError: the turn budget is outside 1..MAX_TURNS, or there are too many or too long labels.
    """
    check_labels(labels or {})
    if not 1 <= config.max_turns <= MAX_TURNS:
        raise BadInputError(f"max_turns is {config.max_turns}; it must be from 1 to {MAX_TURNS}.")
    return EpisodeStarted(
        task=task,
        truth=truth,
        config=config,
        policy=policy,
        door=door,
        rules=RULES,
        engine_version=__version__,
        fingerprint=environment_fingerprint(),
        forked_from=forked_from,
        comparison_id=comparison_id,
        token_sha256=token_sha256,
        labels=dict(labels or {}),
    )


def play(
    episode: Episode,
    hypothesis: Hypothesis,
    *,
    provenance: Provenance,
    raw_completion: str | None = None,
    discovery: Discovery | None = None,
) -> tuple[Event, ...]:
    """Verify a hypothesis and return the three events of its turn, and the end if it is one.

    Raises:
        EpisodeFinishedError: the episode accepts no more turns.
        BadInputError: text or params that cannot be recorded (see `check_recordable`).
    """
    require_running(episode)
    check_recordable(hypothesis, raw_completion)
    verification = verify(
        episode.task,
        episode.started.truth,
        hypothesis,
        best_match=episode.best_match,
        config=episode.config.verifier,
    )
    return played(
        episode,
        hypothesis,
        verification,
        provenance=provenance,
        raw_completion=raw_completion,
        discovery=discovery,
    )


def played(
    episode: Episode,
    hypothesis: Hypothesis,
    verification: Verification,
    *,
    provenance: Provenance,
    raw_completion: str | None = None,
    discovery: Discovery | None = None,
) -> tuple[Event, ...]:
    """Return what `play` does, of a hypothesis that was checked and verified already."""
    number = len(episode.turns) + 1
    total = verification.reward.total
    emitted = total
    if episode.config.reward_mode == "gain":
        emitted = max(0.0, total - episode.best_total)
    events: tuple[Event, ...] = (
        HypothesisSubmitted(
            turn=number,
            equation=hypothesis.equation,
            params=recorded_params(hypothesis.params),
            rationale=hypothesis.rationale,
            raw_completion=raw_completion,
            provenance=provenance,
            parse=verification.parse,
            discovery=discovery,
        ),
        SimulationRun(turn=number, simulation=verification.simulation),
        RewardComputed(
            turn=number,
            reward=verification.reward,
            emitted=emitted,
            fits=verification.fits,
            generalisation=verification.generalisation,
            mismatch=verification.mismatch,
            solved=verification.solved,
            match_dense=verification.match_dense,
            correctness=verification.correctness,
            passed=verification.passed,
            findings=verification.findings,
        ),
    )
    reason = _end_after(episode, number, verification)
    if reason is None:
        return events
    finished = EpisodeFinished(
        reason=reason,
        turns=number,
        best_match=max(episode.best_match, verification.reward.match),
        best_total=max(episode.best_total, total),
    )
    return (*events, finished)


def _end_after(episode: Episode, turn: int, verification: Verification) -> FinishReason | None:
    if verification.solved:
        return "solved"
    if verification.passed:
        return "fits"
    return "budget_exhausted" if turn >= episode.config.max_turns else None


def fail_policy(
    episode: Episode, *, policy: str, reason: str, raw_completion: str | None = None
) -> tuple[Event, ...]:
    """Return the events of a policy that did not propose: the last allowed attempt ends the episode."""
    require_running(episode)
    attempt = episode.failed_attempts + 1
    failed = PolicyFailed(
        turn=len(episode.turns) + 1,
        policy=policy,
        reason=encodable(reason)[:MAX_RECORDED_RATIONALE],
        attempt=attempt,
        attempts_allowed=POLICY_ATTEMPTS,
        raw_completion=encodable(raw_completion)[:MAX_RECORDED_COMPLETION] if raw_completion else None,
    )
    if attempt < POLICY_ATTEMPTS:
        return (failed,)
    return (failed, _finish(episode, "policy_failed"))


def abandon(episode: Episode) -> tuple[Event, ...]:
    """Return the event of an episode that its agent gave up."""
    require_running(episode)
    return (_finish(episode, "abandoned"),)


def label(episode: Episode, wanted: Mapping[str, str | None]) -> tuple[Event, ...]:
    """Return the event that puts labels on an episode or takes them off; none if nothing changes.

    Raises:
        BadInputError: labels that cannot be recorded, or one that the episode started with.
    """
    changes = changes_of(episode.started.labels, episode.labels, wanted)
    return (EpisodeLabelled(labels=changes),) if changes else ()


def _finish(episode: Episode, reason: FinishReason) -> EpisodeFinished:
    return EpisodeFinished(
        reason=reason,
        turns=len(episode.turns),
        best_match=episode.best_match,
        best_total=episode.best_total,
    )


def require_running(episode: Episode) -> None:
    """Raise EpisodeFinishedError if the episode accepts no more turns."""
    if episode.finished is not None:
        raise EpisodeFinishedError(episode.episode_id, len(episode.turns), episode.finished.reason)


def check_recordable(hypothesis: Hypothesis, raw_completion: str | None = None) -> None:
    """Refuse what a log cannot hold; whether the text is an equation is the verifier's question.

    Raises:
        BadInputError: text too long or not valid Unicode, too many params, a param that is
            not a finite real number.
    """
    check_text("equation", hypothesis.equation, MAX_RECORDED_EQUATION)
    check_text("rationale", hypothesis.rationale, MAX_RECORDED_RATIONALE)
    if raw_completion is not None:
        check_text("raw completion", raw_completion, MAX_RECORDED_COMPLETION)
    _check_params(hypothesis.params)


def recorded_params(params: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return params as they are recorded: floats, and None where the verifier is asked to fit."""
    return {name: None if value is None else float(value) for name, value in params.items()}


def _check_params(params: Mapping[str, float | None]) -> None:
    if len(params) > MAX_RECORDED_PARAMS:
        raise BadInputError(f"{len(params)} params were given; at most {MAX_RECORDED_PARAMS} are recorded.")
    for name, value in params.items():
        check_text("name of a param", name, MAX_PARAM_NAME)
        if value is None:
            continue
        # bool is an int to Python, but `true` in a request is a mistake, not the number 1.
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise BadInputError(
                f"Param {name!r} is {str(value)[:40]}; every param must be a finite real number, "
                "or null to have it fitted."
            )


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
