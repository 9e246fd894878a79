"""One episode of a board, played by whoever has the time: a worker process, a machine of a cluster."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Literal

import anyio

from physix.engine import Episode, EpisodeConfig, EpisodeEngine, RecordedEvent
from physix.engine.answer import answer
from physix.engine.events import FinishReason
from physix.engine.ports import EventLog
from physix.engine.verifier.functions import default_functions
from physix.engine.verifier.types import VerifierConfig
from physix.policies import constants_for, open_policy
from physix.policies.registry import cannot_be_asked
from physix.settings import Settings
from physix.store import open_log
from physix.training.board.odebench import judge
from physix.training.board.plan import Job
from physix.training.board.suites import Posed, pose

MEMORY = "memory://"
Status = Literal["played", "not_asked", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one job came to. The fields from `generalisation` on tell of the truth.

    Attributes:
        status: "not_asked": the policy has no way to read such a task, a failure as good as any;
            "error": the worker or a server broke, which says nothing of the policy and is tried again.
        cpu_s: of the process that played, policy and verifier together; None: played earlier.
        generalisation: of the law that the episode came to (`answer`); the others as in `Judged`; None:
            nobody knows the truth.
    """

    episode_id: str
    policy: str
    suite: str
    case: str
    seed: int
    noise: float | None
    repetition: int
    status: Status = "played"
    reason: FinishReason | None = None
    note: str = ""
    solved: bool = False
    passed: bool = False
    turns: int = 0
    cpu_s: float | None = None
    match: float = 0.0
    parse_failures: int = 0
    policy_failures: int = 0
    equation: str = ""
    params: dict[str, float] | None = None
    generalisation: float | None = None
    reconstructed: bool | None = None
    generalised: bool | None = None
    recovered: bool | None = None
    form: bool | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """A result, and the events of its episode where the worker could not write them to the log."""

    result: Result
    events: tuple[RecordedEvent, ...] = ()


def play(jobs: tuple[Job, ...], *, db: str, settings: Settings, allow_files: bool = False) -> list[Played]:
    """Play some jobs and return their results in order: the work that an `Executor` is given.

    What the log holds of an episode is taken from it, so that a job given out twice counts once.

    Args:
        db: the log; with `memory://` the events come back with the results.
        allow_files: as `make_policy`.
    """

    async def run() -> list[Played]:
        async with open_log(db) as log:
            return [await _play(log, job, settings, allow_files, back=db == MEMORY) for job in jobs]

    return anyio.run(run)


async def _play(log: EventLog, job: Job, settings: Settings, allow_files: bool, *, back: bool) -> Played:
    posed = pose(job.problem, salt=settings.eval_salt)
    if reason := cannot_be_asked(job.policy, posed.task):
        return Played(replace(blank(job, posed), status="not_asked", note=reason))
    began = time.process_time()
    engine = EpisodeEngine(log)
    episode, cpu_s = await _taken_up(engine, job, posed), None
    if episode.finished is None:
        policy = await open_policy(job.policy, log, settings, allow_files=allow_files)
        episode = await engine.run(job.episode_id, policy)
        cpu_s = time.process_time() - began
    events = await log.read(job.episode_id)
    result = replace(result_of(job, posed, episode), cpu_s=cpu_s)
    failures = [one.event.reason for one in events if one.event.type == "PolicyFailed"]
    if failures and episode.outcome.reason == "policy_failed":
        result = replace(result, note=failures[-1][:300])
    return Played(result, tuple(events) if back else ())


async def _taken_up(engine: EpisodeEngine, job: Job, posed: Posed) -> Episode:
    functions = default_functions(measured=posed.task.measured)
    verifier = VerifierConfig(profile=job.profile, functions=functions, constants=constants_for([job.policy]))
    return await engine.take_up(
        posed.task,
        posed.truth,
        config=EpisodeConfig(verifier=verifier, max_turns=job.max_turns, reward_mode="gain"),
        policy=job.policy,
        door="training",
        episode_id=job.episode_id,
        # Nothing may be learned from what a board plays.
        labels={"run": label(job.run), "split": "evaluation", "suite": job.problem.suite},
    )


def label(run: str) -> str:
    """Return the label by which the log finds the episodes of a board."""
    return f"board/{run}"


def blank(job: Job, posed: Posed | None = None) -> Result:
    """Return the result of a job that was not played; where there is a truth, it was missed."""
    problem = job.problem
    missed = False if posed is not None and posed.judged is not None else None
    return Result(
        episode_id=job.episode_id,
        policy=job.policy,
        suite=problem.suite,
        case=problem.case,
        seed=problem.seed,
        noise=problem.noise,
        repetition=job.repetition,
        generalisation=0.0 if posed is not None and posed.truth.hidden else None,
        reconstructed=missed,
        generalised=missed,
        recovered=missed,
        form=missed,
    )


def result_of(job: Job, posed: Posed, episode: Episode) -> Result:
    """Return what a finished episode is worth, with its answer judged against the truth."""
    outcome = episode.outcome
    empty = replace(
        blank(job, posed),
        reason=outcome.reason,
        solved=outcome.solved,
        passed=outcome.passed,
        turns=outcome.turns,
        match=outcome.best_match,
        parse_failures=outcome.parse_failures,
        policy_failures=outcome.policy_failures,
    )
    came_to = answer(episode)
    if came_to is None:
        return empty
    law, turn = came_to.law, came_to.turn
    params = {name: value for name, value in law.params.items() if value is not None}
    found = replace(empty, equation=law.equation, params=params)
    if posed.truth.hidden:
        held_back = outcome.generalisation if turn is None else turn.rewarded.generalisation
        found = replace(found, generalisation=held_back or 0.0)
    if posed.judged is None:
        return found
    worth = judge(law, posed.task, posed.judged)
    return replace(
        found,
        reconstructed=worth.reconstructed,
        generalised=worth.generalised,
        recovered=worth.recovered,
        form=worth.form,
    )
