"""Graders for the local checks of OpenEnv's RFC 008 that `openenv` 0.10 names and does not implement.

Each plays real episodes of the environment in this process, on a log in memory, and says what it
measured. They are entry points of `openenv.validation.graders`, so any registry that loads those has them.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from openenv.core.env_server.serialization import serialize_observation
from openenv.validation import CapabilitiesSpec, CheckResult, CheckStatus, Level, NormalizedManifest, Subject
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from physix.api.openenv.client import PhysiXAction
from physix.api.openenv.environment import PhysiXEnvironment
from physix.engine import EpisodeEngine
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.splits import SPLITS, count, draw, split_task
from physix.engine.systems.targets import targets
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import VerifierConfig
from physix.errors import PhysixError
from physix.store import open_log

Options = dict[str, Any]
Finding = tuple[list[str], dict[str, Any]]  # what is wrong, what was measured
Played = list[dict[str, Any]]  # the wire form of every observation, the reset's first

_PER_SYSTEM = 3  # tasks of each system and split that the oracle plays
_ORACLE_SLACK = 0.01  # noise: even the truth does not match noisy samples to the last digit
_FLOOR_TASKS = 4  # of each system
_SECRET = ("token", "episode_id")  # drawn anew for every episode
_KEPT = frozenset({"truth", "hidden", "generalisation", "correctness"})


class Canary(BaseModel):
    """An exploit that somebody might try, and the most that it may earn in any turn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    why: str
    max_reward: float
    skip_first: bool = False
    reset: Options
    actions: list[Options]


@asynccontextmanager
async def _new_session() -> AsyncIterator[Callable[[], PhysiXEnvironment]]:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        yield lambda: PhysiXEnvironment(lambda: engine)


async def play(env: PhysiXEnvironment, options: Options, actions: Sequence[Options]) -> Played:
    """Play one episode until it ends or the actions do; return what an agent would read."""
    seen = [serialize_observation(await env.reset_async(**options))]
    for action in actions:
        if seen[-1]["done"]:
            break
        seen.append(serialize_observation(await env.step_async(PhysiXAction.model_validate(action))))
    return seen


def play_alone(options: Options, actions: Sequence[Options]) -> Played:
    """Play one episode on a log of its own."""

    async def run() -> Played:
        async with _new_session() as session:
            return await play(session(), options, actions)

    return anyio.run(run)


def without_secrets(played: Played) -> str:
    """Return a transcript that two episodes with the same inputs must share, byte for byte."""
    kept = [
        {**seen, "observation": {k: v for k, v in seen["observation"].items() if k not in _SECRET}}
        for seen in played
    ]
    return json.dumps(kept, sort_keys=True)


def oracle_action(truth: Truth) -> Options:
    """Return the true law with the true constants."""
    if truth.equation is None:
        raise PhysixError("A CSV has no known law.")
    named = {name: value for name, value in truth.params.items() if name in truth.equation}
    return {"equation": truth.equation, "params": named}


def ceiling(simplicity: float) -> float:
    """Return what a first turn with a perfect match earns with a law of this simplicity, in [0.8, 1]."""
    return 1.0 - VerifierConfig().weight_simplicity * (1.0 - simplicity)


def oracle_tasks() -> Iterator[tuple[str, Options, Task, Truth]]:
    """Yield a label, the reset's options, and the task, a few of each system and split.

    Under `classic`, whose ceiling is known: what `strict` pays the truth depends on the noise of the task.
    """
    for split, systems in SPLITS.items():
        for index in range(_PER_SYSTEM * len(systems)):
            task, truth = split_task(split, index)
            system_id = draw(split, index).system_id
            options: Options = {"split": split, "index": index, "profile": "classic"}
            yield f"{split}/{index} {system_id}", options, task, truth


class LocalGrader:
    """What the graders share: they need neither a container nor a provider."""

    check_id: str
    level: Level
    requires_capabilities: frozenset[str] = frozenset()
    requires_provider: frozenset[Any] = frozenset()
    depends_on: tuple[str, ...] = ()
    remediation: str

    def applies_to(self, manifest: NormalizedManifest) -> bool:
        """They play this environment, and no other."""
        return bool(manifest.name == "physix")

    def run(self, subject: Subject) -> CheckResult:
        """Return PASS, or FAIL with every finding."""
        began = time.monotonic()
        problems, measured = self.check(subject)
        return CheckResult(
            check_id=self.check_id,
            status=CheckStatus.FAIL if problems else CheckStatus.PASS,
            measured=measured,
            evidence=problems[:20] or ["the check holds on every episode played"],
            remediation=self.remediation if problems else None,
            duration_s=time.monotonic() - began,
        )

    def check(self, subject: Subject) -> Finding:
        """Return what is wrong, and what was measured."""
        raise NotImplementedError


class OracleMax(LocalGrader):
    """The true law earns the most that a law of its length can earn, but for the declared tolerance.

    The reward's range ends at 1, which only a law without any operator could earn: simplicity takes
    0.01 for each operator. So the maximum is stated for each task, as `ceiling` of the true law, and
    held to a hundredth, not to the tolerance that the manifest declares against the end of the range.
    """

    check_id = "semantic.oracle_max"
    level = Level.SEMANTIC
    remediation = "Find out why the verifier does not reproduce the law that drew the task."

    def check(self, subject: Subject) -> Finding:
        """Play the truth on tasks of every system and split."""
        if subject.manifest.capabilities.oracle is None:
            return ["no oracle is declared"], {}
        declared = subject.manifest.reward
        problems: list[str] = []
        lowest: dict[str, float] = {}
        reachable: dict[str, float] = {}
        for label, options, _task, truth in oracle_tasks():
            _, last = play_alone(options, [oracle_action(truth)])
            most = ceiling(last["observation"]["reward_breakdown"]["simplicity"])
            system_id = label.split()[1]
            lowest[system_id] = min(lowest.get(system_id, 1.0), last["reward"])
            reachable[system_id] = max(reachable.get(system_id, 0.0), most)
            if last["reward"] < most - min(_ORACLE_SLACK, declared.oracle_tolerance):
                problems.append(f"{label}: the truth earns {last['reward']:.3f} of {most:.3f}")
        near = declared.range[1] - declared.oracle_tolerance
        return problems, {
            "lowest_oracle_reward": lowest,
            "ceiling": reachable,
            "below_the_range_by_more_than_declared": sorted(s for s, x in lowest.items() if x < near),
        }


class FloorGap(LocalGrader):
    """What guessing earns stays the declared margin below the top of the range."""

    check_id = "semantic.floor_gap"
    level = Level.SEMANTIC
    remediation = "Pay less for laws that say nothing of the motion."

    def check(self, subject: Subject) -> Finding:
        """Play seeded guesses on every system: the floor is the mean of their rewards."""
        rewards = []
        for system_id in SYSTEMS:
            for seed in range(_FLOOR_TASKS):
                task, _ = sample_task(system_id, seed)
                rewards += [
                    seen["reward"]
                    for seen in play_alone({"system_id": system_id, "seed": seed}, list(guesses(task, seed)))[
                        1:
                    ]
                ]
        floor = math.fsum(rewards) / len(rewards)
        reward = subject.manifest.reward
        gap = reward.range[1] - floor
        problems = [] if gap >= reward.floor_margin else [f"the gap is {gap:.3f}, not {reward.floor_margin}"]
        return problems, {"floor": floor, "gap": gap, "turns": len(rewards), "best_guess": max(rewards)}


def guesses(task: Task, seed: int) -> Iterator[Options]:
    """Yield four laws with random terms and constants, drawn from the seed."""
    rng = random.Random(seed)  # noqa: S311  # guesses, not secrets
    names = [variable.name for variable in task.variables]
    for _ in range(4):
        lines = [
            f"{target.left} = {rng.uniform(-10, 10):.3f}*{rng.choice(names)}"
            for target in targets(task.variables)
        ]
        yield {"equation": "; ".join(lines)}


class CanaryFloor(LocalGrader):
    """No shipped exploit earns more than it is known to be worth."""

    check_id = "semantic.canary_floor"
    level = Level.SEMANTIC
    requires_capabilities = frozenset({"canaries"})
    remediation = "Close the hole that the named canary went through."

    def check(self, subject: Subject) -> Finding:
        """Play every canary of the manifest's file."""
        problems, measured = [], {}
        for canary in canaries(subject.root / str(subject.manifest.capabilities.canaries)):
            turns = play_alone(canary.reset, canary.actions)[1:]
            best = max(seen["reward"] for seen in turns[canary.skip_first :])
            measured[canary.name] = best
            if best > canary.max_reward:
                problems.append(f"{canary.name} earns {best:.3f}, more than {canary.max_reward}")
        return problems, measured


def canaries(path: Path) -> list[Canary]:
    """Read canaries.

    Raises:
        PhysixError: the file is missing or is no list of canaries.
    """
    try:
        return TypeAdapter(list[Canary]).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise PhysixError(f"Cannot read the canaries in {path}: {error}") from error


class NoSolutionLeakage(LocalGrader):
    """Nothing an agent reads before the end holds the law, its constants or a hidden trajectory."""

    check_id = "semantic.no_solution_leakage"
    level = Level.SEMANTIC
    remediation = "Take the named value out of the observation, the state or the task row."

    def check(self, subject: Subject) -> Finding:
        """Walk observations, state, metadata and task rows of every system, drawn and from a split."""

        async def run() -> Finding:
            problems, read = [], 0
            async with _new_session() as session:
                for label, options, task, truth in [*oracle_tasks(), *_drawn_tasks()]:
                    env = session()
                    seen: list[Any] = list(await play(env, options, [{"equation": "nonsense"}]))
                    seen += [env.state.model_dump(), env.get_metadata().model_dump()]
                    if "split" in options:
                        seen.append(env.get_task(options["split"], options["index"]))
                    leaves = list(walk(seen))
                    read += len(leaves)
                    problems += [f"{label}: {found}" for found in leaks(leaves, task, truth)]
            return problems, {"values_read": read}

        return anyio.run(run)


def _drawn_tasks() -> Iterator[tuple[str, Options, Task, Truth]]:
    for system_id in SYSTEMS:
        yield (f"seed 3 {system_id}", {"system_id": system_id, "seed": 3}, *sample_task(system_id, 3))


def walk(value: object) -> Iterator[object]:
    """Yield every key and every leaf of a JSON value."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield key
            yield from walk(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from walk(child)
    else:
        yield value


def leaks(leaves: Sequence[object], task: Task, truth: Truth) -> Iterator[str]:
    """Yield what of the truth is among the leaves."""
    shown = {x for trajectory in task.shown for row in trajectory.states for x in row}
    hidden = {x for trajectory in truth.hidden for row in trajectory.states for x in row} - shown
    numbers = {leaf for leaf in leaves if isinstance(leaf, float)}
    # A system's own standard value (9.81 m/s^2, a unit mass) may well be a round number elsewhere.
    constants = {value for value in truth.params.values() if not float(value).is_integer()}
    if numbers & constants:
        yield "a constant of the law can be read"
    if numbers & {x for x in hidden if x != 0.0}:
        yield "a sample of a hidden trajectory can be read"
    texts = [leaf for leaf in leaves if isinstance(leaf, str)]
    if truth.equation is not None and any(truth.equation in text for text in texts):
        yield "the law can be read"
    if _KEPT & set(texts):
        yield f"a field of the truth can be read: {sorted(_KEPT & set(texts))}"
    if task.seed is None and any(task.system_id in text for text in texts):
        yield "an evaluation task names its system"


class SeedControl(LocalGrader):
    """The same seed is the same task, another seed another one."""

    check_id = "runtime.seed_control"
    level = Level.RUNTIME
    remediation = "Draw everything in a task from its seed."

    def check(self, subject: Subject) -> Finding:
        """Reset every system with two seeds, one of them twice."""
        problems = []
        for system_id in SYSTEMS:
            first, again, other = (
                without_secrets(play_alone({"system_id": system_id, "seed": seed}, [])) for seed in (5, 5, 6)
            )
            if first != again:
                problems.append(f"{system_id}: the same seed gave another task")
            if first == other:
                problems.append(f"{system_id}: another seed gave the same task")
        return problems, {"systems": len(SYSTEMS)}


class EpisodeDeterminism(LocalGrader):
    """Two processes that play the same episodes read the same bytes."""

    check_id = "runtime.episode_determinism"
    level = Level.RUNTIME
    depends_on = ("runtime.seed_control",)
    remediation = "Find the draw or the order that depends on the process."

    def check(self, subject: Subject) -> Finding:
        """Play an episode of every system here and in a process with another hash seed."""
        other = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from physix.api.openenv.graders import transcripts; print(transcripts())",
            ],
            env={**os.environ, "PYTHONHASHSEED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        here = transcripts()
        there = other.communicate()[0].rstrip("\n")
        problems = [] if there == here else ["the other process read something else"]
        return problems, {"systems": len(SYSTEMS), "bytes": len(here)}


def transcripts() -> str:
    """Return what an agent reads in one episode of every system, for comparison."""
    return "\n".join(
        without_secrets(
            play_alone({"system_id": system_id, "seed": 11}, list(guesses(sample_task(system_id, 11)[0], 11)))
        )
        for system_id in SYSTEMS
    )


class EpisodeIsolation(LocalGrader):
    """Sessions that play at the same time read what each would read alone."""

    check_id = "runtime.episode_isolation"
    level = Level.RUNTIME
    depends_on = ("runtime.episode_determinism",)
    remediation = "Find the state that two sessions share."

    def check(self, subject: Subject) -> Finding:
        """Play every system at once on one server, and each alone."""
        scripts = [
            ({"system_id": system_id, "seed": 11}, list(guesses(sample_task(system_id, 11)[0], 11)))
            for system_id in SYSTEMS
        ]
        alone = [without_secrets(play_alone(*script)) for script in scripts]

        async def run() -> list[str]:
            together = [""] * len(scripts)

            async def one(number: int, script: Callable[[], Awaitable[Played]]) -> None:
                together[number] = without_secrets(await script())

            async with _new_session() as session, anyio.create_task_group() as tasks:
                for number, (options, actions) in enumerate(scripts):
                    env = session()
                    tasks.start_soon(one, number, lambda e=env, o=options, a=actions: play(e, o, a))
            return together

        together = anyio.run(run)
        problems = [
            f"{system_id}: another session changed what was read"
            for system_id, a, b in zip(SYSTEMS, alone, together, strict=True)
            if a != b
        ]
        return problems, {"sessions": len(scripts)}


class TaskDeclaration(LocalGrader):
    """The manifest's task counts are those of the Task API."""

    check_id = "runtime.task_declaration_accuracy"
    level = Level.RUNTIME
    requires_capabilities = frozenset({"task_api"})
    remediation = "Declare the counts that the Task API lists."

    def check(self, subject: Subject) -> Finding:
        """Compare the declared counts with those of the splits."""
        spec: CapabilitiesSpec = subject.manifest.capabilities
        listed = {split: count(split) for split in SPLITS}
        problems = [] if spec.declared_task_count == listed else [f"declared {spec.declared_task_count}"]
        return problems, {"listed": listed}


GRADERS: tuple[type[LocalGrader], ...] = (
    OracleMax,
    FloorGap,
    CanaryFloor,
    NoSolutionLeakage,
    SeedControl,
    EpisodeDeterminism,
    EpisodeIsolation,
    TaskDeclaration,
)
