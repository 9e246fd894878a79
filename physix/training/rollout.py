"""Bulk episodes into the log: tasks drawn by seed, policies by name, every one an ordinary episode."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import anyio
from numpy.random import PCG64, Generator, SeedSequence

from physix.engine import Episode, EpisodeConfig, EpisodeEngine
from physix.engine.ports import EventLog, Policy
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.splits import TRAINING_SYSTEMS
from physix.engine.systems.task import Task, Truth
from physix.errors import BadInputError
from physix.policies import make_policy
from physix.store import open_log
from physix.training.data.teacher import TeacherPolicy

PolicyFor = Callable[[Task, Truth], Policy]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """Which tasks to draw. Task n depends on the plan's seed and n alone.

    Attributes:
        noises: levels to choose from; None stands for a uniform draw from 0 to 5 %.
        hint: "given", "removed", "misleading" (that of another system), or "mostly": one in six removed.
    """

    systems: Sequence[str]
    episodes: int
    first_seed: int = 0
    noises: Sequence[float | None] = (0.02,)
    hint: str = "given"

    def __post_init__(self) -> None:
        if self.hint not in ("given", "removed", "misleading", "mostly"):
            raise BadInputError(f"Unknown hint mode {self.hint!r}: use given, removed, misleading or mostly.")
        if not self.systems or self.episodes < 1:
            raise BadInputError("A plan needs at least one system and one episode.")

    def tasks(self) -> Iterator[tuple[Task, Truth]]:
        """Yield the tasks, the systems in turn."""
        for n in range(self.episodes):
            yield self.draw(n)

    def draw(self, n: int) -> tuple[Task, Truth]:
        """Return task n of the plan."""
        system_id = self.systems[n % len(self.systems)]
        seed = self.first_seed + n // len(self.systems)
        rng = Generator(PCG64(SeedSequence([seed, self.systems.index(system_id), 77])))
        noise = self.noises[int(rng.integers(len(self.noises)))]
        level = round(float(rng.uniform(0.0, 0.05)), 4) if noise is None else noise
        task, truth = sample_task(system_id, seed, noise=level)
        return replace(task, hint=self._hint(task, rng)), truth

    def _hint(self, task: Task, rng: Generator) -> str:
        if self.hint == "removed" or (self.hint == "mostly" and rng.random() < 1 / 6):
            return ""
        if self.hint != "misleading":
            return task.hint
        # A hint of a motion with another law, from the training tier.
        others = [s for s in TRAINING_SYSTEMS if s != task.system_id]
        hints = SYSTEMS[others[int(rng.integers(len(others)))]].hints
        return hints[int(rng.integers(len(hints)))]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutOptions:
    """How the episodes are played and what they are labelled with."""

    run_id: str
    config: EpisodeConfig = field(default_factory=EpisodeConfig)
    labels: dict[str, str] = field(default_factory=dict)
    concurrency: int = 8


async def roll_out(
    log: EventLog, plan: TaskPlan, policy_for: PolicyFor, options: RolloutOptions
) -> AsyncIterator[Episode]:
    """Play the plan's episodes to their ends, a batch at a time, and yield them in the plan's order.

    An episode that the log already holds is not played again: a rollout that was cut short goes on
    where it stopped.
    """
    engine = EpisodeEngine(log)
    tasks = plan.tasks()
    while batch := [task for _, task in zip(range(options.concurrency), tasks, strict=False)]:
        finished: list[Episode | None] = [None] * len(batch)

        async def play(at: int, task: Task, truth: Truth, into: list[Episode | None] = finished) -> None:
            into[at] = await play_one(engine, task, truth, policy_for(task, truth), options)

        async with anyio.create_task_group() as group:
            for at, (task, truth) in enumerate(batch):
                group.start_soon(play, at, task, truth)
        for episode in finished:
            if episode is not None:
                yield episode


async def play_one(
    engine: EpisodeEngine, task: Task, truth: Truth, policy: Policy, options: RolloutOptions
) -> Episode:
    """Play one episode to its end, or return it if it was played before."""
    episode_id = rollout_id(options.run_id, policy.name, task)
    if not await engine.log.read(episode_id):
        await engine.start(
            task,
            truth,
            config=options.config,
            policy=policy.name,
            door="training",
            episode_id=episode_id,
            labels={"run": options.run_id, **options.labels},
        )
    return await engine.run(episode_id, policy)


def rollout_id(run_id: str, policy: str, task: Task) -> str:
    """Return an episode id that the same run, policy and task always get."""
    text = f"{run_id}|{policy}|{task.task_id}|{task.hint}"
    return "r" + hashlib.sha256(text.encode()).hexdigest()[:31]


async def roll_out_by_name(db: str, plan: TaskPlan, policy: str, run_id: str) -> dict[str, int]:
    """Play the plan with a named policy, or the teacher, and count what came of it.

    Raises:
        UnknownPolicyError: there is no policy of that name.
    """
    if policy != "teacher":
        make_policy(policy)
    counts = {"episodes": 0, "turns": 0, "solved": 0}

    def policy_for(task: Task, truth: Truth) -> Policy:
        return TeacherPolicy(task, truth) if policy == "teacher" else make_policy(policy)

    async with open_log(db) as log:
        async for episode in roll_out(log, plan, policy_for, RolloutOptions(run_id=run_id)):
            counts["episodes"] += 1
            counts["turns"] += len(episode.turns)
            counts["solved"] += episode.outcome.solved
    return counts
