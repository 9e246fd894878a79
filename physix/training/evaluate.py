"""Policies measured on whole episodes: fresh seeds, paired tasks, confidence intervals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from physix.engine import Episode, EpisodeConfig
from physix.engine.episode import Turn, observe
from physix.engine.outcome import Outcome
from physix.engine.ports import EventLog, Observation, PastTurn, Policy, Proposal, TokenSink
from physix.engine.systems.splits import EVALUATION_SEEDS, HELD_OUT_SYSTEMS, TRAINING_SYSTEMS
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier import parse
from physix.engine.verifier.correctness import same_structure
from physix.engine.verifier.types import Profile, Rejection, VerifierConfig
from physix.limits import DEFAULT_TURNS
from physix.store import open_log
from physix.training.data.teacher import TeacherPolicy
from physix.training.intervals import (
    Interval,
    mean_difference,
    mean_interval,
    share_difference,
    share_interval,
)
from physix.training.rollout import PolicyFor, RolloutOptions, TaskPlan, roll_out

MakePolicy = Callable[[], Policy]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One task that a policy played, and what it came to."""

    system_id: str
    seed: int
    formats: tuple[float, ...]  # r_format per turn
    matches: tuple[float, ...]  # r_match per turn
    outcome: Outcome
    recovered: bool  # the best law has the true structure and constants within 10 %

    def solved_within(self, turns: int) -> bool:
        """Tell whether the episode was solved by this turn."""
        solved_at = self.outcome.turns_to_solve
        return solved_at is not None and solved_at <= turns


def played(episode: Episode) -> Played:
    """Return what an episode came to; a policy that failed counts as a turn that scored nothing."""
    turns, best = episode.turns, episode.outcome.best_turn
    return Played(
        system_id=episode.task.system_id,
        seed=episode.task.seed or 0,
        formats=tuple(t.rewarded.reward.format for t in turns) or (0.0,),
        matches=tuple(t.rewarded.reward.match for t in turns) or (0.0,),
        outcome=episode.outcome,
        recovered=best is not None and _recovered(episode, turns[best - 1]),
    )


def _recovered(episode: Episode, turn: Turn) -> bool:
    """Tell whether the law has the true structure, and its field is within 10 % of the true one."""
    correctness = turn.rewarded.correctness
    if correctness is None or correctness.field_error is None or correctness.field_error > 0.1:
        return False
    submitted = turn.submitted
    params = {**submitted.params, **turn.simulated.simulation.fitted}
    task = episode.task
    parsed = parse(submitted.equation, params, task.variables, inputs=task.inputs, functions="extended")
    if isinstance(parsed, Rejection):
        return False
    return same_structure(parsed, episode.task, episode.started.truth) is True


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A set of tasks to measure on."""

    name: str
    systems: Sequence[str] = TRAINING_SYSTEMS
    noise: float = 0.02
    hint: str = "given"
    profile: Profile = "classic"
    first_seed: int = EVALUATION_SEEDS.start

    def plan(self, episodes_per_system: int) -> TaskPlan:
        """Return the same tasks every time; no training run draws from these seeds."""
        return TaskPlan(
            systems=self.systems,
            episodes=episodes_per_system * len(self.systems),
            first_seed=self.first_seed,
            noises=(self.noise,),
            hint=self.hint,
        )


CONDITIONS = (
    Condition(name="in distribution, noise 2 %"),
    Condition(name="noise 0 %", noise=0.0),
    Condition(name="noise 5 %", noise=0.05),
    Condition(name="hint removed", hint="removed"),
    Condition(name="hint misleading", hint="misleading"),
    Condition(name="held-out tier", systems=HELD_OUT_SYSTEMS),
    Condition(name="profile strict", profile="strict"),
)
# Seen while a model trains, so never counted in a report.
WATCHED = Condition(name="watched", first_seed=EVALUATION_SEEDS.start + 500_000)
WATCHED_HELD_OUT = replace(WATCHED, name="watched, held-out tier", systems=HELD_OUT_SYSTEMS)


async def measure(
    make: MakePolicy,
    condition: Condition,
    episodes_per_system: int,
    *,
    log: EventLog | None = None,
    run_id: str = "evaluation",
) -> list[Played]:
    """Play the condition's tasks and return one outcome each, in the plan's order.

    Without a log the episodes are thrown away.
    """
    options = RolloutOptions(
        run_id=f"{run_id}/{condition.name}",
        config=EpisodeConfig(verifier=VerifierConfig(profile=condition.profile)),
        labels={"split": "evaluation"},
    )
    plan = condition.plan(episodes_per_system)
    if log is not None:
        return [played(e) async for e in roll_out(log, plan, lambda _t, _s: make(), options)]
    async with open_log("memory://") as scratch:
        return [played(e) async for e in roll_out(scratch, plan, lambda _t, _s: make(), options)]


METRICS: dict[str, Callable[[Played], float]] = {
    "format": lambda p: sum(p.formats) / len(p.formats),
    "R² turn 1": lambda p: p.matches[0],
    "best R²": lambda p: p.outcome.best_match,
    "generalisation": lambda p: p.outcome.generalisation or 0.0,
    "recovered": lambda p: p.recovered,
    "solved@1": lambda p: p.solved_within(1),
    "solved@2": lambda p: p.solved_within(2),
    "solved@4": lambda p: p.solved_within(4),
    "solved@8": lambda p: p.solved_within(8),
    "turns": lambda p: p.outcome.turns_to_solve or DEFAULT_TURNS + 1,
}
SHARES = frozenset({"recovered", "solved@1", "solved@2", "solved@4", "solved@8"})


def summarise(episodes: Iterable[Played]) -> dict[str, Interval]:
    """Return every metric with its interval. An unsolved episode counts nine turns."""
    found = list(episodes)
    return {name: metric_interval(name, found) for name in METRICS}


def metric_interval(name: str, episodes: Sequence[Played]) -> Interval:
    """Return one metric with its interval."""
    values = [METRICS[name](p) for p in episodes]
    return share_interval([bool(v) for v in values]) if name in SHARES else mean_interval(values)


def paired_difference(name: str, after: Sequence[Played], before: Sequence[Played]) -> Interval:
    """Return the mean gain per task in a metric; both must hold the same tasks in the same order."""
    check_paired(after, before)
    values = [METRICS[name](p) for p in after], [METRICS[name](p) for p in before]
    if name in SHARES:
        return share_difference(*([bool(v) for v in side] for side in values))
    return mean_difference(*values)


def check_paired(after: Sequence[Played], before: Sequence[Played]) -> None:
    """Raise ValueError unless both sides hold the same tasks in the same order."""
    keys = [[(p.system_id, p.seed) for p in side] for side in (after, before)]
    if keys[0] != keys[1]:
        raise ValueError("The two sides played different tasks.")


class AlteredHistory:
    """Plays a policy that is shown something else in place of the turn before: a control.

    The first turn is another policy's, the same in every arm. `alter` maps the history
    that the policy would see to the one it does see.
    """

    def __init__(
        self,
        policy: Policy,
        first: Policy,
        alter: Callable[[tuple[PastTurn, ...]], tuple[PastTurn, ...]],
    ) -> None:
        self.name = policy.name
        self._policy, self._first, self._alter = policy, first, alter

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        if observation.turn == 1:
            return await self._first.propose(observation, on_token)
        altered = replace(observation, history=self._alter(observation.history))
        return await self._policy.propose(altered, on_token)


async def mismatch_ablation(
    make: MakePolicy,
    episodes_per_system: int,
    *,
    systems: Sequence[str] = TRAINING_SYSTEMS,
    own_mistakes: bool = False,
) -> dict[str, list[Played]]:
    """Return the outcomes of turn 2 after the same mistaken turn 1, by what the policy was told about it.

    Arms: "true" feedback, "shuffled" (that of a mistake on another task, of the same system where there is
    one), and "none" (the policy sees no history at all). Tasks whose turn 1 already solved them are left
    out of all. Turn 1 is the teacher's, or with `own_mistakes` the policy's own, under a misleading hint.
    """
    hint = "misleading" if own_mistakes else "given"
    plan = Condition(name="ablation", systems=systems, hint=hint).plan(episodes_per_system)
    plan = replace(plan, first_seed=plan.first_seed + 100_000)

    def begin(task: Task, truth: Truth) -> Policy:
        return make() if own_mistakes else TeacherPolicy(task, truth, begin="wrong")

    pool = await _mistakes(plan, begin)

    def shuffled(task: Task) -> Callable[[tuple[PastTurn, ...]], tuple[PastTurn, ...]]:
        rng = np.random.default_rng([task.seed or 0, 5])
        others = [past for key, past in pool.items() if key != (task.system_id, task.seed)]
        like = [past for key, past in pool.items() if key[0] == task.system_id and key[1] != task.seed]
        donors = like or others
        if not donors:
            return lambda history: history
        donor = donors[int(rng.integers(len(donors)))]

        def alter(history: tuple[PastTurn, ...]) -> tuple[PastTurn, ...]:
            told = [
                replace(
                    p,
                    fits=donor.fits,
                    mismatch=donor.mismatch,
                    findings=donor.findings,
                    outcome=donor.outcome,
                )
                for p in history
            ]
            return tuple(told)

        return alter

    arms: dict[str, Callable[[Task], Callable[[tuple[PastTurn, ...]], tuple[PastTurn, ...]]]] = {
        "true": lambda _task: lambda history: history,
        "shuffled": shuffled,
        "none": lambda _task: lambda _history: (),
    }
    found: dict[str, list[Played]] = {}
    for name, alter in arms.items():
        found[name] = await _second_turns(make, plan, begin, alter)
    unsolved = [i for i, o in enumerate(found["true"]) if o.outcome.turns_to_solve != 1]
    return {name: [outcomes[i] for i in unsolved] for name, outcomes in found.items()}


async def _mistakes(plan: TaskPlan, begin: PolicyFor) -> dict[tuple[str, int], PastTurn]:
    """Return what the plan's first turns came to, where they solved nothing."""
    options = RolloutOptions(run_id="ablation-pool", config=_turns(1))
    async with open_log("memory://") as log:
        episodes = [e async for e in roll_out(log, plan, begin, options)]
    return {
        (e.task.system_id, e.task.seed or 0): observe(e).history[0]
        for e in episodes
        if e.turns and not e.turns[0].rewarded.solved
    }


async def _second_turns(
    make: MakePolicy,
    plan: TaskPlan,
    begin: PolicyFor,
    alter: Callable[[Task], Callable[[tuple[PastTurn, ...]], tuple[PastTurn, ...]]],
) -> list[Played]:
    def policy_for(task: Task, truth: Truth) -> Policy:
        return AlteredHistory(make(), begin(task, truth), alter(task))

    options = RolloutOptions(run_id="ablation", config=_turns(2))
    async with open_log("memory://") as log:
        return [played(e) async for e in roll_out(log, plan, policy_for, options)]


def _turns(count: int) -> EpisodeConfig:
    return EpisodeConfig(max_turns=count)


def save_outcomes(path: Path, outcomes: dict[str, list[Played]]) -> None:
    """Write outcomes as JSON, so that tables and plots can be made again without playing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: [asdict(o) for o in some] for name, some in outcomes.items()}))
