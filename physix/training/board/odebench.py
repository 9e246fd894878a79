"""ODEBench's protocol: how its tasks are made and how a law is judged.

512 points on [0, 10], multiplicative noise x (1 + s N), a share of the points dropped; the policy sees the
noisy table alone, without units or a hint. *Reconstructed* is a variance-weighted R² > 0.9 on the clean
trajectory from its start, *generalised* the same from the second start.
Source: d'Ascoli et al., "ODEFormer", ICLR 2024, arXiv:2310.05573.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import PCG64, Generator

from physix.engine.floats import FloatArray
from physix.engine.systems.noise import estimate_noise
from physix.engine.systems.task import Task, Trajectory, Truth
from physix.engine.verifier import correctness, parse
from physix.engine.verifier.correctness import same_structure
from physix.engine.verifier.simulate import integrate
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import Hypothesis
from physix.errors import PhysixError
from physix.training.suites import OdeCase, odebench

POINTS = 512
GOOD = 0.9  # R² above which a motion counts as told
_EVALUATIONS = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a law is worth beside the truth.

    Attributes:
        recovered: its field is within 1 % of the true one over a box about all motions.
        form: some constants would turn it into the truth.
    """

    reconstructed: bool = False
    generalised: bool = False
    recovered: bool = False
    form: bool = False


def ode_task(case: OdeCase, noise: float, drop: float, seed: int) -> tuple[Task, Truth]:
    """Return a law as a noisy table, and its truth: the clean first and second motion.

    Args:
        noise: s above. drop: share of the points left out, 0 to below 1. seed: of both.
    """
    law = parse(case.equation, dict(case.parameters), case.state_variables)
    if not isinstance(law, ParsedHypothesis):
        raise PhysixError(f"{case.id}: {law.message}")
    t = np.linspace(0.0, case.t_end, POINTS)
    clean = [_motion(law, t, start) for start in case.starts]
    random = Generator(PCG64([seed, int(case.id[-2:])]))
    kept = np.sort(random.permutation(POINTS)[: round(POINTS * (1.0 - drop))])
    states = (clean[0] * (1.0 + noise * random.standard_normal(clean[0].shape)))[kept]
    shown = _trajectory(t[kept], states)
    task = Task(
        task_id=f"{case.id}/{noise}/{drop}/{seed}",
        system_id="csv",
        title=case.id,
        tier=None,
        seed=None,
        variables=case.state_variables,
        time_unit=None,
        shown=(shown,),
        noise=noise,
        hint="",
        measured=True,
        noises=estimate_noise((shown,)),
    )
    hidden = tuple(_trajectory(t, one) for one in clean)
    return task, Truth(equation=case.equation, params=dict(case.parameters), hidden=hidden)


def judge(law: Hypothesis, task: Task, truth: Truth) -> Judged:
    """Return what a law is worth; `truth.hidden` begins with the clean motion that was shown."""
    params = {name: value for name, value in law.params.items() if value is not None}
    parsed = parse(law.equation, params, task.variables, inputs=task.inputs, functions="extended")
    if not isinstance(parsed, ParsedHypothesis):
        return Judged()
    field = correctness(parsed, task, truth)
    return Judged(
        reconstructed=r2(parsed, truth.hidden[0]) > GOOD,
        generalised=all(r2(parsed, one) > GOOD for one in truth.hidden[1:]),
        recovered=field is not None and field.verdict != "different",
        form=bool(same_structure(parsed, task, truth)),
    )


def r2(law: ParsedHypothesis, motion: Trajectory) -> float:
    """Return the variance-weighted R² of a law from the motion's own start; -inf where it does not run."""
    t, states = np.array(motion.t), np.array(motion.states)
    run = integrate(law, t, motion.states[0], max_evaluations=_EVALUATIONS, rtol=1e-8, atol=1e-10)
    if run.outcome != "ok":
        return -np.inf
    total = float(((states - states.mean(axis=0)) ** 2).sum())
    left = float(((states - run.states) ** 2).sum())
    return 1.0 - left / total if total > 0.0 else (1.0 if left == 0.0 else -np.inf)


def ceiling() -> tuple[int, int, int]:
    """Return how many of the protocol's own truths reconstruct and generalise here, and of how many."""
    told = [
        judge(Hypothesis(equation=case.equation, params=dict(case.parameters)), *ode_task(case, 0.0, 0.0, 0))
        for case in odebench().cases
    ]
    return sum(one.reconstructed for one in told), sum(one.generalised for one in told), len(told)


def _motion(law: ParsedHypothesis, t: FloatArray, start: Sequence[float]) -> FloatArray:
    return integrate(law, t, start, max_evaluations=_EVALUATIONS, rtol=1e-10, atol=1e-12).states


def _trajectory(t: FloatArray, states: FloatArray) -> Trajectory:
    return Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, states.tolist())))
