"""Playing and showing one episode in the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import typer
from rich.live import Live
from rich.table import Table

from physix.cli.exits import POLICY_FAILED
from physix.cli.measured import TableOptions, task_of_file
from physix.cli.tables import add, console, show, table
from physix.engine import Episode, EpisodeConfig, EpisodeEngine, Turn
from physix.engine.events import PolicyFailed
from physix.engine.ports import EventLog
from physix.engine.systems import sample_task
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.functions import default_functions
from physix.engine.verifier.types import Constants, Hypothesis, Profile, VerifierConfig
from physix.engine.verifier.whole import refit_on_all
from physix.errors import BadInputError
from physix.policies import constants_for, open_policy
from physix.settings import Settings
from physix.store import open_log

_Recorded = tuple[Episode, tuple[PolicyFailed, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """The options of `physix run`."""

    system_id: str | None
    seed: int
    policy: str
    csv: Path | None
    csv_options: TableOptions
    hint: str
    noise: float | None
    max_turns: int
    profile: Profile
    constants: Constants | None = None


def run_episode(request: RunRequest, *, db: str | None, as_json: bool) -> None:
    """Play one episode to its end, showing every turn as it is committed.

    Raises:
        Exit: with code 3 if the policy failed; what it did stands in the log and on stderr.
    """
    task, truth = task_of(request)
    episode, failures = anyio.run(_play, request, task, truth, _log_url(db), as_json)
    if as_json:
        sys.stdout.write(json.dumps(summary(episode, failures)) + "\n")
    else:
        _say_constants(episode)
    if episode.outcome.reason == "policy_failed":
        told = " ".join(dict.fromkeys(failure.reason for failure in failures))
        sys.stderr.write(f"physix: policy {request.policy} failed: {told}\n")
        raise typer.Exit(POLICY_FAILED)


def show_episode(episode_id: str, *, db: str | None, as_json: bool) -> None:
    """Print a recorded episode."""
    episode, failures = anyio.run(_load, episode_id, _log_url(db))
    if as_json:
        sys.stdout.write(json.dumps(summary(episode, failures)) + "\n")
        return
    show(_table(episode, failures))
    _say_constants(episode)


def _say_constants(episode: Episode) -> None:
    if told := _by_all_rows(episode):
        console().print(f"\n{told}", highlight=False)


def _by_all_rows(episode: Episode) -> str | None:
    """Return the constants of the law that ended an episode on measured data, from all of its rows.

    The verdict stays the one on the held-back rows, which these constants have seen.
    """
    if not episode.outcome.passed or not episode.task.measured:
        return None
    submitted = episode.turns[-1].submitted
    hypothesis = Hypothesis(equation=submitted.equation, params=submitted.params)
    fit = refit_on_all(episode.task, episode.started.truth, hypothesis, episode.config.verifier)
    if fit is None or fit.outcome == "failed":
        return None
    constants = [
        f"{name} = {value:.5g} ± {fit.errors[name]:.2g}" if name in fit.errors else f"{name} = {value:.5g}"
        for name, value in fit.values.items()
    ]
    apart = "".join(f" These data cannot tell {' and '.join(names)} apart." for names in fit.undetermined)
    return f"From all rows, with standard errors: {', '.join(constants)}.{apart}"


def summary(episode: Episode, failures: Sequence[PolicyFailed] = ()) -> dict[str, object]:
    """Return the episode as the object that `--json` prints."""
    finished = episode.finished
    return {
        "episode_id": episode.episode_id,
        "system_id": episode.task.system_id,
        "seed": episode.task.seed,
        "policy": episode.started.policy,
        "outcome": finished.reason if finished else "running",
        "best_r_match": episode.best_match,
        "turns": [_turn_summary(turn) for turn in episode.turns],
        "failures": [{"turn": one.turn, "attempt": one.attempt, "reason": one.reason} for one in failures],
    }


def _turn_summary(turn: Turn) -> dict[str, object]:
    reward = turn.rewarded.reward
    return {
        "turn": turn.number,
        "equation": turn.submitted.equation,
        "params": turn.submitted.params,
        "rationale": turn.submitted.rationale,
        "outcome": turn.simulated.simulation.outcome,
        "reward": {
            "total": reward.total,
            "match": reward.match,
            "progress": reward.progress,
            "simplicity": reward.simplicity,
            "format": reward.format,
        },
        "r2": {name: fit.r2 for name, fit in turn.rewarded.fits.items()},
        "generalisation": turn.rewarded.generalisation,
        "mismatch": turn.rewarded.mismatch,
    }


def task_of(request: RunRequest) -> tuple[Task, Truth]:
    """Return the problem to play.

    Raises:
        BadInputError: neither or both of a system and a CSV, or one of them is wrong.
    """
    if (request.system_id is None) == (request.csv is None):
        raise BadInputError("Give either --system ID or --csv FILE. `physix systems` lists the systems.")
    if request.csv is not None:
        return task_of_file(request.csv, request.csv_options, request.hint, request.noise)
    if request.hint:
        raise BadInputError("--hint describes a CSV; a system brings its own.")
    return sample_task(request.system_id or "", request.seed, noise=request.noise)


def _log_url(db: str | None) -> str:
    return db or Settings().db


async def _load(episode_id: str, url: str) -> _Recorded:
    async with open_log(url, read_only=True) as log:
        return await EpisodeEngine(log).load(episode_id), await _failures(log, episode_id)


async def _failures(log: EventLog, episode_id: str) -> tuple[PolicyFailed, ...]:
    events = [recorded.event for recorded in await log.read(episode_id)]
    return tuple(event for event in events if isinstance(event, PolicyFailed))


async def _play(request: RunRequest, task: Task, truth: Truth, url: str, as_json: bool) -> _Recorded:
    verifier = VerifierConfig(
        profile=request.profile,
        functions=default_functions(measured=task.measured),
        constants=constants_for([request.policy], request.constants),
    )
    config = EpisodeConfig(verifier=verifier, max_turns=request.max_turns)
    async with open_log(url) as log:
        engine = EpisodeEngine(log)
        policy = await open_policy(request.policy, log, allow_files=True)
        episode = await engine.start(task, truth, config=config, policy=policy.name, door="cli")

        async def play_on(tell: Callable[[Episode], None]) -> Episode:
            current = episode
            while current.finished is None:
                current = await engine.play_turn(current.episode_id, policy)
                tell(current)
            return current

        if as_json:
            return await play_on(lambda _: None), await _failures(log, episode.episode_id)
        with Live(_table(episode), console=console(), auto_refresh=False) as live:
            ended = await play_on(lambda current: live.update(_table(current), refresh=True))
            failures = await _failures(log, episode.episode_id)
            live.update(_table(ended, failures), refresh=True)
        return ended, failures


def _table(episode: Episode, failures: Sequence[PolicyFailed] = ()) -> Table:
    """Draw the episode: one row a turn, worst news last."""
    task = episode.task
    drawn = f"seed {task.seed} · " if task.seed is not None else ""
    rows = table(
        "turn",
        "equation and params",
        "match",
        "general.",
        "reward",
        "what the verifier says",
        numbers=("turn", "match", "general.", "reward"),
        title=f"{task.title} · {drawn}{episode.started.policy}\n{task.hint}",
        caption="\n".join([_caption(episode), *map(_failure, failures)]),
    )
    for turn in episode.turns:
        rewarded = turn.rewarded
        add(
            rows,
            turn.number,
            _hypothesis_text(turn),
            rewarded.reward.match,
            rewarded.generalisation,
            rewarded.reward.total,
            rewarded.mismatch,
        )
    return rows


def _hypothesis_text(turn: Turn) -> str:
    fitted = turn.simulated.simulation.fitted
    params = ", ".join(_param_text(name, value, fitted) for name, value in turn.submitted.params.items())
    return f"{turn.submitted.equation}\n{params}" if params else turn.submitted.equation


def _param_text(name: str, value: float | None, fitted: Mapping[str, float]) -> str:
    """Return `k = 2`; a param that was left open has the fitted value, or none if nothing could be fitted."""
    if value is not None:
        return f"{name} = {value:.4g}"
    return f"{name} = {fitted[name]:.4g} (fitted)" if name in fitted else f"{name} left open"


def _failure(failed: PolicyFailed) -> str:
    return (
        f"turn {failed.turn}, attempt {failed.attempt} of {failed.attempts_allowed} failed: {failed.reason}"
    )


def _caption(episode: Episode) -> str:
    if episode.finished is None:
        return f"turn {len(episode.turns) + 1} of {episode.config.max_turns} …"
    outcome = episode.finished.reason.replace("_", " ")
    return f"{outcome} after {episode.finished.turns} turns · episode {episode.episode_id}"
