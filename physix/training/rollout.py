"""Bulk episodes into the log: tasks drawn by seed, policies by name, every one an ordinary episode."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import anyio
from numpy.random import PCG64, Generator, SeedSequence

from physix.engine import Episode, EpisodeConfig, EpisodeEngine
from physix.engine.ports import EventLog, Policy
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.splits import TRAINING_SYSTEMS
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import VerifierConfig
from physix.errors import BadInputError, InfrastructureError, first_error
from physix.policies import constants_for, make_policy
from physix.settings import Settings
from physix.store import open_log
from physix.training.data.teacher import TeacherPolicy
from physix.training.executor import Done, Executor, InProcess, in_batches


class Tasks(Protocol):
    """Tasks in an order that never changes."""

    def tasks(self) -> Iterator[tuple[Task, Truth]]:
        """Yield them."""
        ...


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
    """How the episodes are played and what they are labelled with.

    Attributes:
        broke_off: hears of an episode that a server's failure broke off, which is not yielded; None: it
            breaks off the rollout.
    """

    run_id: str
    config: EpisodeConfig = field(default_factory=EpisodeConfig)
    labels: dict[str, str] = field(default_factory=dict)
    concurrency: int = 8
    broke_off: Callable[[InfrastructureError], None] | None = None


async def roll_out(
    log: EventLog, plan: Tasks, policy_for: PolicyFor, options: RolloutOptions
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
            try:
                into[at] = await play_one(engine, task, truth, policy_for(task, truth), options)
            except InfrastructureError as error:
                if options.broke_off is None:
                    raise
                options.broke_off(error)

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
    await engine.take_up(
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


@dataclass(frozen=True, slots=True)
class Rolled:
    """What one episode of a rollout came to."""

    episode_id: str
    turns: int
    solved: bool


@dataclass(slots=True)
class Tally:
    """How far a rollout is. `error` is the first of those that said nothing of the policy."""

    total: int
    episodes: int = 0
    turns: int = 0
    solved: int = 0
    failed: int = 0
    error: str = ""

    def take(self, done: Done[int, Rolled]) -> None:
        """Count what came of a batch."""
        if done.error is not None:
            self.failed += len(done.jobs)
            self.error = self.error or done.error
        self.episodes += len(done.results)
        self.turns += sum(one.turns for one in done.results)
        self.solved += sum(one.solved for one in done.results)


def play_some(
    numbers: tuple[int, ...], *, db: str, plan: TaskPlan, policy: str, run_id: str, settings: Settings
) -> list[Rolled]:
    """Play some tasks of a plan, together, and return what they came to: the work of an `Executor`.

    Their ids are the same whoever plays them, so that what the log holds already is not played again.
    """

    async def run() -> list[Rolled]:
        async with open_log(db) as log:
            engine = EpisodeEngine(log)
            verifier = VerifierConfig(constants=constants_for([policy]))
            options = RolloutOptions(run_id=run_id, config=EpisodeConfig(verifier=verifier))
            found: dict[int, Rolled] = {}

            async def play(number: int) -> None:
                task, truth = plan.draw(number)
                player = _player(policy, task, truth, settings)
                episode = await play_one(engine, task, truth, player, options)
                found[number] = Rolled(episode.episode_id, len(episode.turns), episode.outcome.solved)

            async with anyio.create_task_group() as group:
                for number in numbers:
                    group.start_soon(play, number)
            return [found[number] for number in numbers]

    try:
        return anyio.run(run)
    except ExceptionGroup as group:
        # The executor waits for a log that is away, and knows it by its error.
        raise first_error(group) from group


def _player(policy: str, task: Task, truth: Truth, settings: Settings) -> Policy:
    return TeacherPolicy(task, truth) if policy == "teacher" else make_policy(policy, settings=settings)


async def roll_out_by_name(
    db: str,
    plan: TaskPlan,
    policy: str,
    run_id: str,
    *,
    executor: Executor | None = None,
    settings: Settings | None = None,
    batch: int = 8,
    tell: Callable[[Tally], None] = lambda _tally: None,
) -> Tally:
    """Play the plan with a named policy, or the teacher, and count what came of it.

    Args:
        executor: where the episodes are played; None: here.
        batch: episodes that are played together, by one worker.
        tell: hears how far it is, after every batch.

    Raises:
        UnknownPolicyError: there is no policy of that name.
        StorageError: the log cannot be used.
    """
    settings = settings or Settings()
    if policy != "teacher":
        make_policy(policy, settings=settings)
    tally = Tally(total=plan.episodes)

    async def take(done: Done[int, Rolled]) -> None:
        tally.take(done)
        tell(tally)

    async with open_log(db):
        # Open while it plays: whatever is wrong with it is said once, before any worker starts.
        work = partial(play_some, db=db, plan=plan, policy=policy, run_id=run_id, settings=settings)
        await (executor or InProcess()).run(work, in_batches(range(plan.episodes), batch), take)
    return tally
