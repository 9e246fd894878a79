"""`physix compare`: many tasks under several policies, with intervals. Restartable: the log is the state."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from physix.cli.executors import CpusOption, RayOption, WorkersOption, episodes_bar, executor_for
from physix.cli.exits import POLICY_FAILED
from physix.cli.rules import ConstantsOption
from physix.errors import BadInputError, InfrastructureError

if TYPE_CHECKING:
    from physix.engine import EpisodeConfig
    from physix.engine.comparison import Member
    from physix.engine.ports import EventLog
    from physix.engine.verifier.types import Constants
    from physix.settings import Settings
    from physix.training.executor import Executor
    from physix.training.intervals import Interval

_TOLD_FAILURES = 10  # different reasons that stderr has room for


def compare(
    policies: Annotated[str, typer.Option(help="Who plays, separated by commas; see `physix policies`.")],
    system: Annotated[
        str, typer.Option("--system", metavar="ID[,ID]", help="Systems; see `physix systems`.")
    ],
    seeds: Annotated[str, typer.Option(metavar="FROM:TO", help="Seeds, the last one excluded.")] = "0:20",
    noise: Annotated[float | None, typer.Option(help="As for `physix run`.")] = None,
    max_turns: Annotated[int, typer.Option(help="Turn budget.")] = 8,
    strict: Annotated[bool, typer.Option("--strict", help="As for `physix run`.")] = False,
    constants: ConstantsOption = None,
    workers: WorkersOption = 1,
    ray: RayOption = None,
    cpus: CpusOption = None,
    name: Annotated[str, typer.Option(help="Another name plays afresh what the log has already.")] = "",
    db: Annotated[str | None, typer.Option("--db", metavar="URL", help="The event log.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Let policies play the same tasks, append to the log, and compare them.

    Stopped and started again with the same options, it goes on where it stopped. Intervals are
    95 % over tasks: Wilson's for the share solved, bootstrap for means.
    """
    from physix.settings import Settings

    plan = Plan(
        policies=tuple(part.strip() for part in policies.split(",") if part.strip()),
        systems=tuple(part.strip() for part in system.split(",") if part.strip()),
        seeds=_seeds(seeds),
        noise=noise,
        max_turns=max_turns,
        strict=strict,
        constants=constants,
        name=name,
    )
    url = db or Settings().db
    members = anyio.run(_play, plan, url, executor_for(workers, ray, cpus, url))
    rows = [summarise_policy(policy, [m for m in members if m.policy == policy]) for policy in plan.policies]
    if as_json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows]) + "\n")
    else:
        _print(rows)
    _exit_if_a_policy_failed(members)


def _exit_if_a_policy_failed(members: Sequence[Member]) -> None:
    gave_up = [m for m in members if m.outcome.reason == "policy_failed"]
    reasons = list(dict.fromkeys((m.policy, m.outcome.policy_failure) for m in gave_up))
    for policy, reason in reasons[:_TOLD_FAILURES]:
        sys.stderr.write(f"physix: policy {policy} failed: {reason}\n")
    if gave_up:
        sys.stderr.write(f"physix: {len(gave_up)} of {len(members)} episodes ended as their policy failed.\n")
        raise typer.Exit(POLICY_FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to play. The same plan names the same episodes."""

    policies: tuple[str, ...]
    systems: tuple[str, ...]
    seeds: range
    noise: float | None
    max_turns: int
    strict: bool
    constants: Constants | None
    name: str

    @property
    def config(self) -> EpisodeConfig:
        """The rules of its episodes."""
        from physix.engine import EpisodeConfig
        from physix.engine.verifier.types import VerifierConfig
        from physix.policies import constants_for

        verifier = VerifierConfig(
            profile="strict" if self.strict else "classic",
            constants=constants_for(self.policies, self.constants),
        )
        return EpisodeConfig(verifier=verifier, max_turns=self.max_turns)

    def comparison_id(self, system_id: str, seed: int) -> str:
        """Return the id of the comparison on one task."""
        constants = self.config.verifier.constants
        key = (self.policies, system_id, seed, self.noise, self.max_turns, self.strict, constants, self.name)
        return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One policy over all tasks."""

    policy: str
    episodes: int
    solved: Interval
    turns_to_solve: Interval  # of the solved episodes
    best_match: Interval
    generalisation: Interval  # of the turn with the best match; 0 where no turn was played
    total_reward: Interval
    parse_failures: int
    policy_failures: int


def summarise_policy(policy: str, members: Sequence[Member]) -> Row:
    """Return a policy's row."""
    from physix.training.intervals import mean_interval, share_interval

    solving = [float(t) for m in members if (t := m.outcome.turns_to_solve) is not None]
    return Row(
        policy=policy,
        episodes=len(members),
        solved=share_interval([m.outcome.solved for m in members]),
        turns_to_solve=mean_interval(solving),
        best_match=mean_interval([m.outcome.best_match for m in members]),
        generalisation=mean_interval([m.outcome.generalisation or 0.0 for m in members]),
        total_reward=mean_interval([m.outcome.total_reward for m in members]),
        parse_failures=sum(m.outcome.parse_failures for m in members),
        policy_failures=sum(m.outcome.policy_failures for m in members),
    )


def _seeds(text: str) -> range:
    first, colon, last = text.partition(":")
    if not (colon and first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise BadInputError(f"--seeds {text[:40]!r} is not understood; write FROM:TO, e.g. 0:50.")
    return range(int(first), int(last))


@dataclass(frozen=True, slots=True)
class Job:
    """One policy on one task."""

    system_id: str
    seed: int
    index: int  # of the policy


def play_members(jobs: tuple[Job, ...], *, plan: Plan, db: str, settings: Settings) -> list[Member]:
    """Play what the log does not hold yet of these jobs and return their members: an `Executor`'s work."""
    from physix.store import open_log

    async def run() -> list[Member]:
        async with open_log(db) as log:
            return [await _member(log, plan, job, settings) for job in jobs]

    return anyio.run(run)


async def _member(log: EventLog, plan: Plan, job: Job, settings: Settings) -> Member:
    from physix.engine import EpisodeEngine
    from physix.engine.comparison import member_id, summarise
    from physix.engine.systems import sample_task
    from physix.policies import open_policy

    engine, policy = EpisodeEngine(log), plan.policies[job.index]
    comparison_id = plan.comparison_id(job.system_id, job.seed)
    episode_id = member_id(comparison_id, job.index)
    task, truth = sample_task(job.system_id, job.seed, noise=plan.noise)
    episode = await engine.take_up(
        task,
        truth,
        config=plan.config,
        policy=policy,
        door="cli",
        episode_id=episode_id,
        comparison_id=comparison_id,
    )
    if episode.finished is None:
        await engine.run(episode_id, await open_policy(policy, log, settings, allow_files=True))
    return summarise(await log.read(episode_id))


async def _play(plan: Plan, url: str, executor: Executor) -> list[Member]:
    """Play what the log does not hold yet and return all members."""
    from physix.engine.episode import start
    from physix.engine.systems import sample_task
    from physix.policies import open_policy
    from physix.settings import Settings
    from physix.store import open_log
    from physix.training.executor import Done, in_batches

    if not plan.policies or not plan.systems or len(set(plan.policies)) != len(plan.policies):
        raise BadInputError("Give different policies and at least one system.")
    settings = Settings()
    jobs = [
        Job(system_id, seed, index)
        for system_id in plan.systems
        for seed in plan.seeds
        for index in range(len(plan.policies))
    ]
    members: dict[Job, Member] = {}
    broken: list[str] = []
    with episodes_bar(len(jobs)) as told:

        async def take(done: Done[Job, Member]) -> None:
            members.update(zip(done.jobs, done.results, strict=False))  # a batch that broke has none
            broken.extend([done.error] * len(done.jobs) if done.error is not None else [])
            told(len(members))

        async with open_log(url) as log:
            for policy_name in plan.policies:  # refuse what is wrong before playing
                await open_policy(policy_name, log, settings, allow_files=True)
            for system_id in plan.systems:
                task, truth = sample_task(system_id, plan.seeds.start, noise=plan.noise)
                start(task, truth, config=plan.config, policy=plan.policies[0], door="cli")
            work = partial(play_members, plan=plan, db=url, settings=settings)
            await executor.run(work, in_batches(jobs, 1), take)
    if broken:
        raise InfrastructureError(
            f"{len(broken)} of {len(jobs)} episodes broke off ({broken[0]}). Run the same command again: "
            "what the log holds is not played twice."
        )
    # In the order of the plan, whoever was first: intervals draw from it.
    return [members[job] for job in jobs]


def _print(rows: Sequence[Row]) -> None:
    from physix.cli.tables import lines

    headings = ("episodes", "solved", "turns to solve", "best match", "generalisation", "total reward")
    numbers = (*headings, "unparsed", "failed")
    lines(
        ("policy", *numbers),
        [
            (
                row.policy,
                row.episodes,
                row.solved,
                row.turns_to_solve,
                row.best_match,
                row.generalisation,
                row.total_reward,
                row.parse_failures,
                row.policy_failures,
            )
            for row in rows
        ],
        numbers=numbers,
    )
