"""Episodes that teach the skill: a first law that is often wrong, repaired by what the findings say.

The teacher knows the law, yet it plays as a good student would: it does what the findings say as long as
that leads towards the law, and only where they mislead does it write the law itself. Rows are mined from
the log: turn 1 is paired with the law that solved the episode (its own first law may be a mistake on
purpose), each later turn with the teacher's repair. Episodes that were not solved teach nothing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal

from numpy.random import PCG64, Generator, SeedSequence

from physix.engine import Episode, EpisodeConfig, EpisodeEngine
from physix.engine.episode import observe
from physix.engine.events import Provenance
from physix.engine.ports import EventLog, Observation, Policy, Proposal, TokenSink
from physix.engine.systems.splits import TRAINING_SYSTEMS
from physix.engine.systems.targets import targets
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.policies.chat import compact
from physix.policies.chat.reply import ParseFailure, parse_completion
from physix.training.data.law import Law, law_of, obeyed, read_law, renamed, with_term, without_term
from physix.training.data.synthetic import KNOWN_STRUCTURES, SYNTHETIC, draw
from physix.training.rollout import RolloutOptions, TaskPlan, play_one

TEACHER = "lessons"
_STRUCTURES = {  # of KNOWN_STRUCTURES, each system's
    "free_fall": 0,
    "free_fall_drag": 1,
    "simple_pendulum": 3,
    "damped_pendulum": 4,
    "spring_mass": 5,
    "damped_spring": 6,
}
Start = Literal["right", "nothing", "less", "more", "swapped", "unreadable", "habit"]
Starts = Literal["mixed", "habits"]
_STARTS: dict[Starts, tuple[tuple[Start, float], ...]] = {
    "mixed": (
        ("right", 0.08), ("nothing", 0.2), ("less", 0.36), ("more", 0.1), ("swapped", 0.22),
        ("unreadable", 0.04),
    ),
    "habits": (("habit", 0.66), ("nothing", 0.08), ("less", 0.1), ("swapped", 0.14), ("unreadable", 0.02)),
}  # fmt: skip


def lesson_config(max_turns: int = 8) -> EpisodeConfig:
    """Return the rules that small models learn by: structure alone, the strict profile, gains."""
    return EpisodeConfig(
        max_turns=max_turns,
        reward_mode="gain",
        verifier=VerifierConfig(profile="strict", constants="fitted"),
    )


class LessonPolicy:
    """Implements `Policy` for one task whose law it was given as terms."""

    name = TEACHER

    def __init__(self, task: Task, law: Law, starts: Starts = "mixed") -> None:
        self._starts = _STARTS[starts]
        self._task, self._law = task, law
        self._taken = [*(v.name for v in task.variables), *(i.name for i in task.inputs)]
        self._rng = Generator(PCG64(SeedSequence([task.seed or 0, len(task.system_id), 52])))
        self._current = law

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        if observation.turn == 1:
            equation = self._begin()
        else:
            self._current = self._repaired(observation)
            equation = self._current.text()
        read = parse_completion(
            equation, self._task.variables, constants=observation.constants, inputs=self._task.inputs
        )
        if isinstance(read, ParseFailure):
            read = Hypothesis(equation=equation)  # a mistake on purpose: the verifier says what is wrong
        return Proposal(hypothesis=read, provenance=Provenance(policy=self.name), raw_completion=equation)

    def _begin(self) -> str:
        kinds, chances = zip(*self._starts, strict=True)
        kind: Start = kinds[int(self._rng.choice(len(kinds), p=chances))]
        self._current = self._started(kind)
        text = self._current.text()
        return self._spoilt(text) if kind == "unreadable" else text

    def _started(self, kind: Start) -> Law:
        return renamed(self._draft(kind), self._taken)

    def _draft(self, kind: Start) -> Law:
        match kind:
            case "nothing":
                return Law(tuple((left, ()) for left, _ in self._law.equations))
            case "less":
                return self._less(self._law, int(self._rng.integers(1, 4)))
            case "more":
                return self._more(self._law)
            case "swapped":
                return self._more(self._less(self._law, 1))
            case "habit":
                return self._habit()
            case _:
                return self._law

    def _less(self, law: Law, count: int) -> Law:
        for _ in range(count):
            pairs = [(left, term) for left, terms in law.equations for term in terms]
            if pairs:
                law = without_term(law, *pairs[int(self._rng.integers(len(pairs)))])
        return law

    def _more(self, law: Law) -> Law:
        wanted = targets(self._task.variables)
        target = wanted[int(self._rng.integers(len(wanted)))]
        q, v = target.variable, target.driven
        pool = [q, "", f"{q}**2"]
        if v != q:
            pool += [v, v, f"{v}*abs({v})", f"{v}*abs({v})", f"{q}**3", f"sin({q})"]
        pool += [one.driven for one in wanted if one is not target]
        rest = pool[int(self._rng.integers(len(pool)))]
        if rest in law.rests(target.left):
            return law
        return with_term(law, target.left, rest, negative=bool(self._rng.random() < 0.8), taken=self._taken)

    def _habit(self) -> Law:
        """Return what a small model says first of anything: springs, dampers and weights."""
        law = Law(tuple((left, ()) for left, _ in self._law.equations))
        wanted = targets(self._task.variables)
        for target, other in zip(wanted, reversed(wanted), strict=True):
            pool = [(target.variable, 0.65), (target.driven, 0.3), ("", 0.3), (other.driven, 0.12)]
            for rest, chance in pool:
                if self._rng.random() < chance and rest not in law.rests(target.left):
                    negative = bool(self._rng.random() < 0.8)
                    law = with_term(law, target.left, rest, negative=negative, taken=self._taken)
        return law

    def _spoilt(self, text: str) -> str:
        choices = (
            text.replace("*", " ", 1),
            text.replace("= ", "= k0*y0 + ", 1),
            text.split("=")[-1],
            text + " +",
        )
        return choices[int(self._rng.integers(len(choices)))].strip()

    def _repaired(self, observation: Observation) -> Law:
        last = observation.history[-1]
        findings = () if last.findings is None else last.findings.findings
        following = obeyed(self._current, findings, self._taken)
        if _distance(following, self._law) < _distance(self._current, self._law):
            return following
        return self._towards(self._current)

    def _towards(self, law: Law) -> Law:
        """Return the true law, written as a change of `law`: what is there keeps its name and place."""
        truth = dict(self._law.equations)
        for left, terms in law.equations:
            for term in terms:
                if term.rest not in self._law.rests(left):
                    law = without_term(law, left, term)
        for left, terms in truth.items():
            for term in terms:
                if term.rest not in law.rests(left):
                    law = with_term(law, left, term.rest, negative=term.negative, taken=self._taken)
        return renamed(law, self._taken)


def _distance(one: Law, other: Law) -> int:
    def terms(law: Law) -> set[tuple[str, str]]:
        return {(left, term.rest) for left, many in law.equations for term in many}

    return len(terms(one) ^ terms(other))


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonPlan:
    """Which lessons to play. Lesson n depends on the plan's seeds and n alone.

    Attributes:
        synthetic: how many random laws.
        systems: how many tasks of tiers 1 and 2, which take turns.
        starts: "mixed", or "habits": mostly what a small model says first of anything, so that terms are to
            be dropped as often as added.
        leaps: share of the later turns that no finding leads to: they are learnt from hints alone.
        lines: share of the repairs of one equation: those of two are harder, and the held-out tier has two.
        systems_firsts: share of the first turns on tiers 1 and 2, where the starts are mixed.
        firsts: share of the synthetic episodes whose first turn is learnt too. Its table makes it twice as
            long as a repair, and repairs are what carries over.
    """

    synthetic: int
    systems: int
    first_seed: int = 10_000
    firsts: float = 0.4
    starts: Starts = "mixed"
    leaps: float = 1.0
    systems_firsts: float = 1.0
    lines: float = 1.0

    def tasks(self) -> Iterator[tuple[Task, Truth, Law]]:
        """Yield the tasks with their laws as terms."""
        for n in range(self.synthetic):
            drawn = draw(self.first_seed + n)
            yield drawn.task, drawn.truth, drawn.law
        if not self.systems:
            return
        plan = TaskPlan(
            systems=TRAINING_SYSTEMS,
            episodes=self.systems,
            first_seed=self.first_seed,
            noises=(None,),
            hint="mostly",
        )
        misled = replace(plan, hint="misleading")
        for n in range(self.systems):
            task, truth = (misled if n % 10 == 9 else plan).draw(n)
            yield task, truth, _known_law(task)


def _known_law(task: Task) -> Law:
    (target,) = targets(task.variables)
    (shapes,) = KNOWN_STRUCTURES[_STRUCTURES[task.system_id]]
    rests = [(True, shape.format(q=target.variable, v=target.driven)) for shape in shapes]
    return law_of([(target.left, rests)], [v.name for v in task.variables])


async def play_lessons(log: EventLog, plan: LessonPlan, run_id: str) -> AsyncIterator[tuple[Episode, Law]]:
    """Play the plan's lessons into the log, in order; what it already holds is not played again."""
    engine = EpisodeEngine(log)
    options = RolloutOptions(run_id=run_id, config=lesson_config())
    for task, truth, law in plan.tasks():
        policy: Policy = LessonPolicy(task, law, plan.starts)
        yield await play_one(engine, task, truth, policy, options), law


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One prompt with the reply to learn."""

    prompt: list[dict[str, str]]
    completion: list[dict[str, str]]
    episode_id: str
    task_id: str
    system_id: str
    policy: str
    turn: int
    kind: Literal["first", "repair", "leap"]
    generalisation: float


def lessons_of(episode: Episode, law: Law) -> Iterator[Lesson]:
    """Yield the rows of one episode on a task with this law: none if it was not solved."""
    solved_at = episode.outcome.turns_to_solve
    if solved_at is None:
        return
    for index in range(solved_at):
        seen = replace(episode, turns=episode.turns[:index], finished=None)
        # A first law may be wrong on purpose: what is learnt in its place is the law itself.
        wanted = episode.turns[solved_at - 1 if index == 0 else index]
        equation = law.text() if index == 0 else wanted.submitted.equation
        yield Lesson(
            prompt=compact.render(observe(seen)).as_chat(),
            completion=[{"role": "assistant", "content": compact.reply_of(equation)}],
            episode_id=episode.episode_id,
            task_id=episode.task.task_id,
            system_id=episode.task.system_id,
            policy=episode.started.policy,
            turn=index + 1,
            kind="first" if index == 0 else _kind(episode, index),
            generalisation=wanted.rewarded.generalisation or 0.0,
        )


def _kind(episode: Episode, index: int) -> Literal["repair", "leap"]:
    """Return whether a turn does what was found about the one before, or leaps to what no finding names."""
    before, after = episode.turns[index - 1], episode.turns[index]
    findings = () if before.rewarded.findings is None else before.rewarded.findings.findings
    taken = [*(v.name for v in episode.task.variables), *(i.name for i in episode.task.inputs)]
    try:
        following = obeyed(read_law(before.submitted.equation), findings, taken)
    except ValueError:
        return "leap"
    return "repair" if following.text() == after.submitted.equation else "leap"


def chosen(lesson: Lesson, plan: LessonPlan) -> bool:
    """Tell whether a row is kept: the same rows every time."""
    if lesson.kind == "repair" and "; " in lesson.completion[0]["content"]:
        return True
    share = {"first": plan.firsts, "leap": plan.leaps, "repair": plan.lines}[lesson.kind]
    if lesson.system_id != SYNTHETIC and lesson.kind == "first" and plan.starts == "mixed":
        share = max(share, plan.systems_firsts)
    number = int(lesson.task_id.rpartition("/")[2].partition(",")[0])
    return number % 100 < round(100 * share)


def lesson_json(lesson: Lesson) -> str:
    """Return a row as one line of JSON."""
    return json.dumps(asdict(lesson), ensure_ascii=False, sort_keys=True)
