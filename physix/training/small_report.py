"""What small models are worth, measured on whole episodes through the verifier: resumable, with intervals.

Every episode is in a log, so a measurement that was cut short goes on where it stopped, and a table can be
made again without playing for as long as the policies' files are the same. The profile is strict, the budget
8 turns, and constants are fitted unless an arm declares them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path

import anyio
from numpy.random import PCG64, Generator, SeedSequence

from physix.engine import Episode, EpisodeEngine
from physix.engine.episode import observe
from physix.engine.events import Provenance
from physix.engine.ports import EventLog, Observation, PastTurn, Policy, Proposal, TokenSink
from physix.engine.systems.splits import EVALUATION_SEEDS
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import Hypothesis
from physix.errors import BadInputError, EpisodeNotFoundError, InfrastructureError, first_error
from physix.limits import MAX_LABEL_VALUE
from physix.policies.obedient import zero_law
from physix.settings import Settings
from physix.store import open_log
from physix.training.arms import FIRST, PLANES, SUITES, Arm, Row, check_rows, labels
from physix.training.data.lessons import lesson_config
from physix.training.data.synthetic import SYNTHETIC, draw
from physix.training.evaluate import (
    METRICS,
    AlteredHistory,
    Played,
    metric_interval,
    paired_difference,
    played,
)
from physix.training.players import (
    Outage,
    Player,
    check_answers,
    check_different,
    check_here,
    heading,
    opening,
    played_by,
    policy_of,
    served,
    weights_of,
)
from physix.training.rollout import RolloutOptions, TaskPlan, roll_out, rollout_id

_COMPARED = ("solved@1", "solved@2", "solved@8", "turns")
SHOWN = ("solved@1", "solved@2", "solved@4", "solved@8", "turns", "recovered", "format")


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


async def play_arm(
    log: EventLog, player: Player, episodes: int, settings: Settings, outage: Outage
) -> list[Played]:
    """Play what the log does not hold yet of an arm, and return what its episodes came to, in order.

    Those that the policy's server broke off are left out and counted in `outage`; they stay unfinished in
    the log, and are gone on with the next time.
    """
    arm = player.arm
    plan = plan_of(arm, episodes)
    pool = await _pool(plan) if arm.told == "shuffled" else []
    options = RolloutOptions(
        run_id=player.run_id,
        config=lesson_config(constants=arm.constants),
        labels={"split": "evaluation", "arm": arm.name[:MAX_LABEL_VALUE]},
        concurrency=4,
        broke_off=outage.take,
    )

    def policy_for(task: Task, _truth: Truth) -> Policy:
        policy = served(policy_of(arm, settings), outage)
        if arm.told == "own":
            return policy
        return AlteredHistory(policy, FirstZero(), _teller(arm, task, pool))

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
    rng = Generator(PCG64(SeedSequence([task.seed or 0, 5])))

    def shuffled(history: tuple[PastTurn, ...]) -> tuple[PastTurn, ...]:
        return tuple(_told_of(p, *others[int(rng.integers(len(others)))], task) for p in history)

    return shuffled


def _check_shuffled(row: Row) -> None:
    """Refuse an arm that is told of other tasks where there are none; nothing is played for it."""
    if row.arm.told != "shuffled":
        return
    tasks = [task for task, _ in plan_of(row.arm, row.episodes).tasks()]
    for task in tasks:
        if not any(_differs(other, task) for other in tasks):
            raise BadInputError(
                f"{row.arm.name} cannot be played with {row.episodes} episodes: no other of its tasks has "
                f"variables like those of {task.task_id}, so there is nothing to shuffle. Give it more."
            )


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


def table(outcomes: Mapping[str, Sequence[Played]]) -> str:
    """Return a Markdown table of arms with 95 % intervals: shares by Wilson, means by bootstrap."""
    lines = _head("arm", SHOWN)
    for name, episodes in outcomes.items():
        cells = [str(metric_interval(metric, episodes)) for metric in SHOWN if metric in METRICS]
        lines.append(_line(name, len(episodes), cells))
    return "\n".join(lines)


def by_system(outcomes: Mapping[str, Sequence[Played]]) -> dict[str, list[Played]]:
    """Return the outcomes of each system apart."""
    split: dict[str, list[Played]] = {}
    for name, episodes in outcomes.items():
        for episode in episodes:
            split.setdefault(f"{name}, {episode.system_id}", []).append(episode)
    return split


def differences(pairs: Sequence[tuple[str, str]], outcomes: Mapping[str, Sequence[Played]]) -> str:
    """Return a table of what changes from one arm to another on the same tasks, and over all pairs together.

    A task that one side has no outcome of is left out of both.

    Args:
        pairs: names of arms, the one that is compared first.
    """
    lines = _head("paired difference", _COMPARED)
    sides: tuple[list[Played], list[Played]] = [], []
    for after, before in pairs:
        both = _common(outcomes[after], outcomes[before])
        lines.append(_difference(f"{after} less {before}", *both))
        sides[0].extend(both[0])
        sides[1].extend(both[1])
    if len(pairs) > 1:
        lines.append(_difference("all together", *sides))
    return "\n".join(lines)


def _common(after: Sequence[Played], before: Sequence[Played]) -> tuple[list[Played], list[Played]]:
    """Return the outcomes of the tasks that both have, in one order."""
    theirs = {(one.system_id, one.seed): one for one in before}
    ours = [one for one in after if (one.system_id, one.seed) in theirs]
    return ours, [theirs[one.system_id, one.seed] for one in ours]


def _difference(name: str, after: Sequence[Played], before: Sequence[Played]) -> str:
    return _line(name, len(after), [str(paired_difference(metric, after, before)) for metric in _COMPARED])


def _head(first: str, metrics: Sequence[str]) -> list[str]:
    return [f"| {first} | n | {' | '.join(metrics)} |", "|---|---|" + "---|" * len(metrics)]


def _line(name: str, count: int, cells: Sequence[str]) -> str:
    # A file may be called anything, and a bar would begin another cell.
    escaped = name.replace("|", "\\|").replace("\n", " ")
    return f"| {escaped} | {count} | {' | '.join(cells)} |"


def measure_arms(db: str, rows: Sequence[Row], out: Path, settings: Settings) -> dict[str, list[Played]]:
    """Play the arms in order, writing the tables after each, and return their outcomes.

    Raises:
        BadInputError: the list, a policy or `out` is wrong; nothing was played.
        PolicyError: a policy cannot play, and what helps; nothing was played.
        InfrastructureError: servers broke episodes off. These are in no table, and played by the next run.
    """
    check_rows(rows)
    _check_writable(out)
    try:
        return anyio.run(_measure, db, rows, out, settings)
    except ExceptionGroup as group:
        raise first_error(group) from group


async def _measure(db: str, rows: Sequence[Row], out: Path, settings: Settings) -> dict[str, list[Played]]:
    names = labels(rows)
    players = await _players(rows, settings)
    outcomes: dict[str, list[Played]] = {}
    pairs: list[tuple[str, str]] = []
    broken: list[str] = []
    async with open_log(db) as log:
        await _check_answers(log, rows, players, settings)
        for name, row, player in zip(names, rows, players, strict=True):
            outage = Outage()
            outcomes[name] = await play_arm(log, player, row.episodes, settings, outage)
            pairs += [] if row.against is None else [(name, names[row.against])]
            broken += [f"{outage.episodes} of {row.episodes} of {name} ({outage.reason})"] * bool(
                outage.reason
            )
            _write(out, heading(players), outcomes, pairs)
    if broken:
        raise InfrastructureError(
            f"Episodes that their policy's server broke off are not counted: {'; '.join(broken)}. "
            "Run the same command again: only these are played."
        )
    return outcomes


async def _players(rows: Sequence[Row], settings: Settings) -> list[Player]:
    """Return who plays each row, everything checked that can be without asking a server."""
    for name in dict.fromkeys(row.arm.policy for row in rows):
        check_here(name)
    weights = {name: weights_of(name) for name in dict.fromkeys(row.arm.policy for row in rows)}
    players = []
    for row in rows:
        _check_shuffled(row)
        first = await _opening(row)
        players.append(played_by(row.arm, settings, weights[row.arm.policy], first))
    check_different(players)
    return players


async def _opening(row: Row) -> Observation:
    task, truth = next(plan_of(row.arm, row.episodes).tasks())
    return await opening(task, truth, lesson_config(constants=row.arm.constants))


async def _check_answers(
    log: EventLog, rows: Sequence[Row], players: Sequence[Player], settings: Settings
) -> None:
    """Ask every language model once, but for what is all in the log: a table of it needs no server."""
    asked: set[tuple[str, str]] = set()
    for row, player in zip(rows, players, strict=True):
        what = (row.arm.policy, row.arm.prompt)
        if player.sampling is None or what in asked or await _all_played(log, player, row.episodes):
            continue
        asked.add(what)
        await check_answers(row.arm, settings, await _opening(row))


async def _all_played(log: EventLog, player: Player, episodes: int) -> bool:
    engine = EpisodeEngine(log)
    for task, _ in plan_of(player.arm, episodes).tasks():
        try:
            episode = await engine.load(rollout_id(player.run_id, player.arm.policy, task))
        except EpisodeNotFoundError:
            return False
        if episode.finished is None:
            return False
    return True


def _check_writable(out: Path) -> None:
    there = out.exists()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("a", encoding="utf-8"):
            pass
        if not there:
            out.unlink()
    except OSError as error:
        raise BadInputError(
            f"The tables cannot be written to {out} ({error.strerror}). Name a file in a folder that you "
            "may write to."
        ) from error


def _write(
    out: Path, head: str, outcomes: Mapping[str, Sequence[Played]], pairs: Sequence[tuple[str, str]]
) -> None:
    parts = [head, table(outcomes), table(by_system(outcomes))]
    parts += [differences(pairs, outcomes)] if pairs else []
    out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
