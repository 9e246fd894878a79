"""Episodes that teach the skill: a first law that lacks or holds too much, mended by what is found.

The teacher knows the law and uses it for its first turn alone. From then on it does what the findings
say, as anybody could who reads them; an episode in which that does not lead to the law teaches nothing.
Rows are mined from the log. Turn 1 is paired with the law to begin with: the whole of it along a line; in
a plane what holds things and what pulls evenly, because what is lacking there is found, while a wrong
coupling may fit what is shown as well as the right one. Each later turn is paired with what was found, done.
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
from physix.engine.systems.targets import Target, targets
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import Constants, Hypothesis, VerifierConfig
from physix.policies.chat import compact
from physix.policies.chat.reply import ParseFailure, parse_completion
from physix.training.data.law import Law, Term, law_of, obeyed, read_law, renamed, with_term, without_term
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
Begin = Literal["plain", "even"]
Start = Literal["modest", "nothing", "less", "more", "swapped", "unreadable", "habit"]
_STARTS: dict[Start, float] = {
    "modest": 0.3, "nothing": 0.14, "less": 0.22, "more": 0.14, "swapped": 0.12, "habit": 0.05,
    "unreadable": 0.03,
}  # fmt: skip


def lesson_config(max_turns: int = 8, constants: Constants = "fitted") -> EpisodeConfig:
    """Return the rules that small models learn by: structure alone, the strict profile, gains."""
    return EpisodeConfig(
        max_turns=max_turns,
        reward_mode="gain",
        verifier=VerifierConfig(profile="strict", constants=constants),
    )


def begun(law: Law, task: Task, begin: Begin) -> Law:
    """Return what of a law a first guess should hold: all of it along a line, of two axes what is plain.

    Args:
        begin: "plain": what holds a thing at its place, joins two places, or pulls evenly; "even": only what
            pulls evenly. What is said where nothing is known should do no harm, and a spring does.
    """
    wanted = targets(task.variables)
    if len(wanted) == 1:
        return law
    return renamed(
        Law(
            tuple(
                (left, tuple(term for term in terms if _plain(term, target, begin)))
                for (left, terms), target in zip(law.equations, wanted, strict=True)
            )
        ),
        _taken(task),
    )


def _plain(term: Term, target: Target, begin: Begin) -> bool:
    if begin == "even":
        return not term.rest
    place = target.variable
    joins = term.rest.startswith(("(", "sin(")) and " - " in term.rest and "/" not in term.rest
    return joins or term.rest in ("", place, f"sin({place})")


def _taken(task: Task) -> list[str]:
    return [*(v.name for v in task.variables), *(i.name for i in task.inputs)]


class LessonPolicy:
    """Implements `Policy` for one task whose law it was given as terms."""

    name = TEACHER

    def __init__(self, task: Task, law: Law) -> None:
        self._task, self._law = task, law
        self._taken = _taken(task)
        self._rng = Generator(PCG64(SeedSequence([task.seed or 0, len(task.system_id), 52])))
        self._meant = law

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        equation = self._begin() if observation.turn == 1 else self._mended(observation).text()
        read = parse_completion(
            equation, self._task.variables, constants=observation.constants, inputs=self._task.inputs
        )
        if isinstance(read, ParseFailure):
            read = Hypothesis(equation=equation)  # a mistake on purpose: the verifier says what is wrong
        return Proposal(hypothesis=read, provenance=Provenance(policy=self.name), raw_completion=equation)

    def _mended(self, observation: Observation) -> Law:
        return mended(observation, self._taken) or self._meant

    def _begin(self) -> str:
        kinds, chances = zip(*_STARTS.items(), strict=True)
        kind: Start = kinds[int(self._rng.choice(len(kinds), p=chances))]
        self._meant = renamed(self._draft(kind), self._taken)
        text = self._meant.text()
        return self._spoilt(text) if kind == "unreadable" else text

    def _draft(self, kind: Start) -> Law:
        plain = begun(self._law, self._task, "plain")
        match kind:
            case "nothing":
                return Law(tuple((left, ()) for left, _ in self._law.equations))
            case "less":
                return self._less(self._law, int(self._rng.integers(1, 4)))
            case "more":
                return self._more(plain)
            case "swapped":
                return self._more(self._less(self._law, 1))
            case "habit":
                return self._habit()
            case _:
                return self._less(plain, 1) if plain == self._law else plain

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


def mended(observation: Observation, taken: list[str]) -> Law | None:
    """Return the law that the prompt shows with what it says was found done, None if it cannot be read."""
    try:
        law = read_law(compact.shown(observation).equation)
    except ValueError:
        return None
    return obeyed(law, compact.told(observation), taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonPlan:
    """Which lessons to play. Lesson n depends on the plan's seeds and n alone.

    Attributes:
        synthetic: how many random laws.
        systems: how many tasks of tiers 1 and 2, which take turns.
        plane_firsts, line_firsts, system_firsts: shares of the first turns that are learnt: on random laws
            of two equations, of one, and on tiers 1 and 2. Their tables make them twice as long as a repair.
        lines: share of the repairs of one equation: those of two are harder, and the held-out tier has two.
        begin: what a first law of two equations is taught to hold; see `begun`.
    """

    synthetic: int
    systems: int
    first_seed: int = 10_000
    plane_firsts: float = 0.3
    line_firsts: float = 0.3
    system_firsts: float = 1.0
    lines: float = 1.0
    begin: Begin = "even"

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
        policy: Policy = LessonPolicy(task, law)
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
    generalisation: float


def lessons_of(episode: Episode, law: Law, begin: Begin = "even") -> Iterator[Lesson]:
    """Yield the rows of one episode on a task with this law: none if it was not solved."""
    solved_at = episode.outcome.turns_to_solve
    if solved_at is None:
        return
    for index in range(solved_at):
        turn = episode.turns[index]
        equation = begun(law, episode.task, begin).text() if index == 0 else turn.submitted.equation
        if index and equation in {past.submitted.equation for past in episode.turns[:index]}:
            continue  # nothing was found that could be done: to repeat oneself is no lesson
        yield Lesson(
            prompt=compact.render(
                observe(replace(episode, turns=episode.turns[:index], finished=None))
            ).as_chat(),
            completion=[{"role": "assistant", "content": compact.reply_of(equation)}],
            episode_id=episode.episode_id,
            task_id=episode.task.task_id,
            system_id=episode.task.system_id,
            policy=episode.started.policy,
            turn=index + 1,
            generalisation=turn.rewarded.generalisation or 0.0,
        )


def chosen(lesson: Lesson, plan: LessonPlan) -> bool:
    """Tell whether a row is kept: the same rows every time."""
    plane = "; " in lesson.completion[0]["content"]
    if lesson.turn > 1:
        share = 1.0 if plane else plan.lines
    elif lesson.system_id != SYNTHETIC:
        share = plan.system_firsts
    else:
        share = plan.plane_firsts if plane else plan.line_firsts
    number = int(lesson.task_id.rpartition("/")[2].partition(",")[0])
    return number % 100 < round(100 * share)


def lesson_json(lesson: Lesson) -> str:
    """Return a row as one line of JSON."""
    return json.dumps(asdict(lesson), ensure_ascii=False, sort_keys=True)
