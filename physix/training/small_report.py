"""What small models are worth, measured on whole episodes through the verifier: resumable, with intervals.

Every episode is in a log, so a measurement that was cut short goes on where it stopped, and a table can be
made again from the log alone. Constants are fitted, the profile is strict, the budget is 8 turns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal

import anyio
from numpy.random import PCG64, Generator, SeedSequence
from pydantic import TypeAdapter, ValidationError

from physix.engine import Episode
from physix.engine.episode import observe
from physix.engine.events import Provenance
from physix.engine.ports import Observation, PastTurn, Policy, Proposal, TokenSink
from physix.engine.systems.splits import EVALUATION_SEEDS, HELD_OUT_SYSTEMS, TRAINING_SYSTEMS
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import Constants, Hypothesis
from physix.errors import BadInputError, PolicyError
from physix.policies import make_policy
from physix.policies.chat.reply import ParseFailure, parse_completion
from physix.policies.obedient import zero_law
from physix.settings import Settings
from physix.store import open_log
from physix.training.data.lessons import lesson_config, mended
from physix.training.data.synthetic import SYNTHETIC, draw
from physix.training.evaluate import (
    METRICS,
    AlteredHistory,
    Played,
    metric_interval,
    paired_difference,
    played,
)
from physix.training.rollout import RolloutOptions, TaskPlan, roll_out

PLANES = "synthetic planes"  # random laws of two equations
SUITES = {
    "tier 3": HELD_OUT_SYSTEMS,
    "tiers 1 and 2": TRAINING_SYSTEMS,
    SYNTHETIC: (SYNTHETIC,),
    PLANES: (SYNTHETIC,),
}
FIRST = 20_000  # seeds below are for looking at while a model is made; what is reported begins here
_HINTS = ("given", "removed", "misleading")  # a random law has no other system's to be misled by
_COMPARED = ("solved@1", "solved@2", "solved@8", "turns")
SHOWN = ("solved@1", "solved@2", "solved@4", "solved@8", "turns", "recovered", "format")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One row of a table: who plays what, and what it is told.

    Attributes:
        policy: a name of `physix policies`, `local:smollm2+<adapter.gguf>`, or "obedient".
        suite: a key of SUITES.
        hint: "given", "removed" or, but of random laws, "misleading".
        told: what the policy is told of a turn: "true", "shuffled" (of another task), "none" (nothing was
            found), each after the same first law, `= 0`; "own" lets it begin by itself.
        prompt: for language models in this process.
        constants: who finds the numbers, the verifier ("fitted") or the policy ("declared").
        first: number of the first task.

    Raises:
        BadInputError: one of these is none of its values.
    """

    policy: str
    suite: str
    hint: str = "given"
    told: str = "own"
    prompt: Literal["compact", "full"] = "compact"
    constants: Constants = "fitted"
    first: int = FIRST

    def __post_init__(self) -> None:
        allowed = {
            "suite": SUITES,
            "hint": _HINTS[:2] if self.suite in (SYNTHETIC, PLANES) else _HINTS,
            "told": ("own", "true", "shuffled", "none"),
            "prompt": ("compact", "full"),
            "constants": ("fitted", "declared"),
        }
        for name, values in allowed.items():
            if (given := getattr(self, name)) not in values:
                raise BadInputError(
                    f"An arm's {name} is {str(given)[:40]!r}: on {self.suite[:40]!r} use {', '.join(values)}."
                )

    @property
    def name(self) -> str:
        """What the arm is called in a log and in tables."""
        extra = [] if self.hint == "given" else [f"hint {self.hint}"]
        extra += [] if self.told == "own" else [f"mismatch {self.told}"]
        extra += [] if self.prompt == "compact" else ["full prompt"]
        extra += [] if self.constants == "fitted" else ["constants declared"]
        extra += [] if self.first == FIRST else [f"from {self.first}"]
        return " | ".join(
            [self.policy.rpartition("/")[2] if "+" in self.policy else self.policy, self.suite, *extra]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An arm with the number of its episodes, and the number of the arm that it is compared with."""

    arm: Arm
    episodes: int
    against: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticPlan:
    """Fresh random laws, as `TaskPlan` is of systems."""

    episodes: int
    hint: str = "given"
    first: int = FIRST
    planes: bool = False

    def tasks(self) -> Iterator[tuple[Task, Truth]]:
        """Yield the tasks."""
        mode = "given" if self.hint == "given" else "removed"
        drawn = (draw(EVALUATION_SEEDS.start + n, hint=mode) for n in count(self.first))
        wanted = (one for one in drawn if not self.planes or len(one.law.equations) == 2)
        for one in islice(wanted, self.episodes):
            yield one.task, one.truth


def plan_of(arm: Arm, episodes: int) -> TaskPlan | SyntheticPlan:
    """Return the same tasks for every arm of a suite, none of which any training drew."""
    if arm.suite in (SYNTHETIC, PLANES):
        return SyntheticPlan(episodes=episodes, hint=arm.hint, first=arm.first, planes=arm.suite == PLANES)
    return TaskPlan(
        systems=SUITES[arm.suite],
        episodes=episodes,
        first_seed=EVALUATION_SEEDS.start + arm.first,
        hint=arm.hint,
    )


class FirstZero:
    """A policy whose first law says that nothing changes its speed: the same for every arm."""

    name = "zero"

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        hypothesis = Hypothesis(equation=zero_law(observation.task))
        return Proposal(hypothesis=hypothesis, provenance=Provenance(policy=self.name))


class Obedient:
    """A policy that does what the compact prompt tells and nothing else: the yardstick of what is told."""

    name = "obedient"

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        task = observation.task
        equation = zero_law(task)
        if observation.history:
            law = mended(observation, [*(v.name for v in task.variables), *(i.name for i in task.inputs)])
            equation = law.text() if law else observation.history[-1].equation
        read = parse_completion(equation, task.variables, constants=observation.constants, inputs=task.inputs)
        if isinstance(read, ParseFailure):
            raise PolicyError(f"The law {equation[:80]!r} cannot be read: {read}.")
        return Proposal(hypothesis=read, provenance=Provenance(policy=self.name))


async def play_arm(db: str, arm: Arm, episodes: int, settings: Settings) -> list[Played]:
    """Play what the log does not hold yet of an arm, and return what its episodes came to, in order."""
    plan = plan_of(arm, episodes)
    if arm.prompt == "full":
        settings = settings.model_copy(update={"dialogue": "chat"})
    pool = await _pool(plan) if arm.told == "shuffled" else []
    options = RolloutOptions(
        run_id=arm.name,
        config=lesson_config(constants=arm.constants),
        labels={"split": "evaluation", "arm": arm.name},
        concurrency=4,
    )

    def policy_for(task: Task, _truth: Truth) -> Policy:
        policy: Policy = (
            Obedient()
            if arm.policy == "obedient"
            else make_policy(arm.policy, allow_files=True, settings=settings)
        )
        if arm.told == "own":
            return policy
        return AlteredHistory(policy, FirstZero(), _teller(arm, task, pool))

    async with open_log(db) as log:
        return [played(episode) async for episode in roll_out(log, plan, policy_for, options)]


_Donor = tuple[Task, PastTurn]


async def _pool(plan: TaskPlan | SyntheticPlan) -> list[_Donor]:
    """Return what was found about `= 0` on each task: what the shuffled arm is told, of another task."""
    options = RolloutOptions(run_id="pool", config=lesson_config(1))
    async with open_log("memory://") as log:
        found: list[Episode] = [e async for e in roll_out(log, plan, lambda _t, _s: FirstZero(), options)]
    return [(episode.task, observe(episode).history[0]) for episode in found if episode.turns]


def _teller(
    arm: Arm, task: Task, pool: Sequence[_Donor]
) -> Callable[[tuple[PastTurn, ...]], tuple[PastTurn, ...]]:
    if arm.told == "true":
        return lambda history: history
    if arm.told == "none":
        return lambda history: tuple(
            replace(p, findings=None, mismatch="It is not right yet.") for p in history
        )
    others = [donor for donor in pool if _differs(donor[0], task)]
    if not others:
        raise BadInputError(f"No other task has variables like those of {task.task_id}: nothing to shuffle.")
    rng = Generator(PCG64(SeedSequence([task.seed or 0, 5])))

    def shuffled(history: tuple[PastTurn, ...]) -> tuple[PastTurn, ...]:
        return tuple(_told_of(p, *others[int(rng.integers(len(others)))], task) for p in history)

    return shuffled


def _differs(other: Task, task: Task) -> bool:
    """Tell whether a task has another law, though as many variables of the same kinds."""
    if other.task_id == task.task_id or (other.system_id == task.system_id != SYNTHETIC):
        return False
    kinds = [[v.rate_of is None for v in one.variables] for one in (other, task)]
    return kinds[0] == kinds[1] and len(other.inputs) == len(task.inputs)


def _told_of(past: PastTurn, other: Task, donor: PastTurn, task: Task) -> PastTurn:
    """Return a turn with what was found about another task, in the names of this one."""
    theirs = [*(v.name for v in other.variables), *(i.name for i in other.inputs)]
    ours = [*(v.name for v in task.variables), *(i.name for i in task.inputs)]
    names = dict(zip(theirs, ours, strict=True))
    # The names inside `d2x/dt2` and `dx/dt` are theirs too.
    lefts = {f"d{n}{name}": f"d{n}{own}" for name, own in names.items() for n in ("", "2")}

    def ours_in(text: str) -> str:
        return re.sub(r"[A-Za-z_]\w*", lambda found: (names | lefts).get(found[0], found[0]), text)

    found = donor.findings
    if found is not None:
        said = [replace(f, target=ours_in(f.target), term=ours_in(f.term)) for f in found.findings]
        found = replace(found, findings=tuple(said))
    return replace(past, findings=found, mismatch=ours_in(donor.mismatch))


def table(outcomes: dict[str, list[Played]]) -> str:
    """Return a Markdown table of arms with 95 % intervals: shares by Wilson, means by bootstrap."""
    lines = [f"| arm | n | {' | '.join(SHOWN)} |", "|---|---|" + "---|" * len(SHOWN)]
    for name, episodes in outcomes.items():
        cells = [str(metric_interval(metric, episodes)) for metric in SHOWN if metric in METRICS]
        lines.append(f"| {name} | {len(episodes)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_system(outcomes: dict[str, list[Played]]) -> dict[str, list[Played]]:
    """Return the outcomes of each system apart."""
    split: dict[str, list[Played]] = {}
    for name, episodes in outcomes.items():
        for episode in episodes:
            split.setdefault(f"{name} | {episode.system_id}", []).append(episode)
    return split


def differences(pairs: Sequence[tuple[str, str]], outcomes: dict[str, list[Played]]) -> str:
    """Return a table of what changes from one arm to another on the same tasks, and over all pairs together.

    Args:
        pairs: names of arms, the one that is compared first.
    """
    lines = [f"| paired difference | n | {' | '.join(_COMPARED)} |", "|---|---|" + "---|" * len(_COMPARED)]
    sides: tuple[list[Played], list[Played]] = [], []
    for after, before in pairs:
        lines.append(_difference(f"{after} less {before}", outcomes[after], outcomes[before]))
        sides[0].extend(outcomes[after])
        sides[1].extend(outcomes[before])
    if len(pairs) > 1:
        lines.append(_difference("all together", *sides))
    return "\n".join(lines)


def _difference(name: str, after: Sequence[Played], before: Sequence[Played]) -> str:
    cells = [str(paired_difference(metric, after, before)) for metric in _COMPARED]
    return f"| {name} | {len(after)} | {' | '.join(cells)} |"


def measure_arms(db: str, arms: Sequence[Row], out: Path, settings: Settings) -> dict[str, list[Played]]:
    """Play the arms in order, writing the tables after each, and return their outcomes."""
    outcomes: dict[str, list[Played]] = {}
    pairs: list[tuple[str, str]] = []
    out.parent.mkdir(parents=True, exist_ok=True)
    for row in arms:
        outcomes[row.arm.name] = anyio.run(play_arm, db, row.arm, row.episodes, settings)
        pairs += [] if row.against is None else [(row.arm.name, arms[row.against].arm.name)]
        tables = [
            table(outcomes),
            table(by_system(outcomes)),
            *([differences(pairs, outcomes)] if pairs else []),
        ]
        out.write_text("\n\n".join(tables) + "\n", encoding="utf-8")
    return outcomes


_LINES: TypeAdapter[list[dict[str, Any]]] = TypeAdapter(list[dict[str, Any]])


def arms_from(path: Path) -> list[Row]:
    """Return the arms that a JSON file lists, `[{"policy": ..., "suite": ..., "episodes": 100}, ...]`.

    `"against": 0` compares an arm with the first of the list, task by task.

    Raises:
        BadInputError: it is no such list, or an arm cannot be played or is compared with one not before it.
    """
    try:
        lines = _LINES.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise BadInputError(f"{path} is no list of arms: {error}.") from error
    rows = []
    for number, given in enumerate(lines):
        against = given.pop("against", None)
        if against is not None and against not in range(number):
            raise BadInputError(
                f"Arm {number} is compared with arm {against}, which does not come before it."
            )
        try:
            rows.append(Row(episodes=int(given.pop("episodes")), against=against, arm=Arm(**given)))
        except (KeyError, TypeError, ValueError) as error:
            raise BadInputError(f"Arm {number} of {path} cannot be played: {error}.") from error
    return rows
