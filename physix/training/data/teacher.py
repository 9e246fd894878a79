"""A teacher that knows the law but plays visible steps: wrong form, then better, then right.

Its episodes fill the log with what a finished law alone would not show: what to do after a
mismatch. It reads the truth, so it is no policy for the page and never in the registry.
"""

from __future__ import annotations

import math
import re
from typing import Literal

from numpy.random import PCG64, Generator, SeedSequence

from physix.engine.events import Provenance
from physix.engine.ports import Observation, Proposal, TokenSink
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import Hypothesis

# What somebody might take each law for at first. `{...}` are the truth's params.
_MISTAKEN = {
    "free_fall": ("d2y/dt2 = -g + k*vy**2", "d2y/dt2 = -g - b*vy", "d2y/dt2 = g"),
    "free_fall_drag": ("d2y/dt2 = -g", "d2y/dt2 = -g - b*vy"),
    "simple_pendulum": ("d2theta/dt2 = -(g/L)*theta", "d2theta/dt2 = -(g/L)*sin(theta) - b*dtheta"),
    "damped_pendulum": (
        "d2theta/dt2 = -(g/L)*sin(theta)",
        "d2theta/dt2 = -(g/L)*theta",
        "d2theta/dt2 = -(g/L)*theta - b*dtheta",
    ),
    "spring_mass": ("d2x/dt2 = -(k/m)*x - (b/m)*vx", "d2x/dt2 = -(k/m)*sin(x)", "d2x/dt2 = -g"),
    "damped_spring": ("d2x/dt2 = -(k/m)*x", "d2x/dt2 = -g", "d2x/dt2 = -(k/m)*x - c*vx*abs(vx)"),
}


Begin = Literal["any", "right", "wrong"]


class TeacherPolicy:
    """Implements `Policy` for one task whose truth it was given.

    Half of the episodes begin with the right law. The others begin with a mistaken form or
    with constants that are off, and close in. `begin` fixes which: "right" for taking over an
    episode that another policy began, "wrong" for one that starts with a mistake.
    """

    name = "teacher"

    def __init__(self, task: Task, truth: Truth, *, begin: Begin = "any") -> None:
        self._task, self._truth = task, truth
        entropy = [task.seed or 0, len(task.system_id), sum(map(ord, task.system_id))]
        self._rng = Generator(PCG64(SeedSequence(entropy)))
        self._plan = self._draw_plan(begin)

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        step = self._plan[min(observation.turn, len(self._plan)) - 1]
        return Proposal(hypothesis=step, provenance=Provenance(policy=self.name))

    def _draw_plan(self, begin: Begin) -> list[Hypothesis]:
        mistaken = _MISTAKEN.get(self._task.system_id, ())
        low, high = {"right": (0.0, 0.0), "wrong": (0.5, 1.0), "any": (0.0, 1.0)}[begin]
        chance = self._rng.uniform(low, high)
        if chance < 0.5:
            return [self._right(0.0)]
        rough = self._right(math.exp(self._rng.uniform(math.log(0.04), math.log(0.6))))
        if chance < 0.75 or not mistaken:
            return [rough, self._right(0.0)]
        first = self._mistaken(mistaken[int(self._rng.integers(len(mistaken)))])
        return [first, self._right(0.0)] if chance < 0.9 else [first, rough, self._right(0.0)]

    def _right(self, spread: float) -> Hypothesis:
        params = {n: v * self._off(spread) for n, v in self._truth.params.items()}
        rationale = "The right form, with constants to be refined." if spread else "Form and constants fit."
        return Hypothesis(equation=self._truth.equation or "", params=params, rationale=rationale)

    def _mistaken(self, equation: str) -> Hypothesis:
        known = dict(self._truth.params)
        duration = self._task.shown[0].t[-1]
        speeds = [abs(row[-1]) for row in self._task.shown[0].states]
        fastest = max(*speeds, 1e-9)
        # Constants that the truth does not have get a size that matters in this motion.
        known.setdefault("b", self._rng.uniform(0.5, 3.0) / duration * known.get("m", 1.0))
        known.setdefault("c", self._rng.uniform(0.5, 3.0) / duration / fastest)
        known.setdefault("k", self._rng.uniform(0.1, 1.0) / duration / fastest)
        known.setdefault("g", fastest / duration)
        left = {v.name for v in self._task.variables}
        used = {n: v * self._off(0.2) for n, v in known.items() if _mentions(equation, n) and n not in left}
        return Hypothesis(equation=equation, params=used, rationale="A first guess at the form.")

    def _off(self, spread: float) -> float:
        return math.exp(spread * float(self._rng.standard_normal())) if spread else 1.0


def _mentions(equation: str, name: str) -> bool:

    return re.search(rf"\b{name}\b", equation) is not None
