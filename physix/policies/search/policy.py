"""`search`: structure search over laws of motion, one refinement a turn. No model, no network.

It reads the observation alone. Structures come from weak-form sparse regression, constants
from a refit on the simulated trajectory, and the choice from the Bayesian information
criterion in units of the noise. It begins with the simplest linear law and moves on while the
residual stands above the noise.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from anyio import to_thread

from physix.engine.events import Provenance
from physix.engine.floats import FloatArray
from physix.engine.ports import Observation, Proposal, TokenSink
from physix.engine.systems.targets import Target, targets
from physix.engine.systems.task import Task, Trajectory, Truth
from physix.engine.verifier import ParsedHypothesis, parse, verify
from physix.engine.verifier.types import Hypothesis, Rejection, VerifierConfig
from physix.errors import PolicyError
from physix.policies.search.library import Candidate, candidates
from physix.policies.search.refit import Refit, refit
from physix.policies.search.weak_form import Samples, Structure, regress

_MAX_TERMS = 3
_REFITS = 10  # structures refitted per library
_REFIT_ROWS = 200
_REGRESSION_ROWS = 2_000
_FLOOR = 2.0  # chi² per sample below which a residual counts as noise
_QUIETEST = 1e-4  # share of the spread that even noise-free data is trusted to


@dataclass(frozen=True, slots=True)
class _Rung:
    """A law to propose, and how well it explains the data by this policy's own account."""

    hypothesis: Hypothesis
    chi2_per_sample: float
    bic: float
    linear: bool
    unrefined: bool = False


class SearchPolicy:
    """Implements `Policy`; keeps its computations for one task, and needs none of them to resume."""

    name = "search"

    def __init__(self) -> None:
        self._task: Task | None = None
        self._ladder: list[_Rung] = []
        self._widened = False

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        began = time.perf_counter()
        hypothesis = await to_thread.run_sync(self._next, observation)
        provenance = Provenance(policy=self.name, latency_s=round(time.perf_counter() - began, 4))
        return Proposal(hypothesis=hypothesis, provenance=provenance)

    def _next(self, observation: Observation) -> Hypothesis:
        if self._task is not observation.task and self._task != observation.task:
            self._task, self._widened = observation.task, False
            self._ladder = _climb(observation.task, wide=False)
        tried = {_key(past.equation, past.params) for past in observation.history}
        rung = self._untried(observation, tried)
        if rung is None and not self._widened:
            self._widened = True
            known = {_key(r.hypothesis.equation, r.hypothesis.params) for r in self._ladder}
            self._ladder += [
                r
                for r in _climb(observation.task, wide=True)
                if _key(r.hypothesis.equation, r.hypothesis.params) not in known
            ]
            rung = self._untried(observation, tried)
        if rung is None:
            best = min(self._ladder, key=lambda r: r.bic, default=None)
            if best is None:
                raise PolicyError("No candidate law could be simulated on these data.")
            return replace(best.hypothesis, rationale="Nothing untried explains more; back to the best law.")
        return replace(rung.hypothesis, rationale=_rationale(rung, observation))

    def _untried(self, observation: Observation, tried: set[str]) -> _Rung | None:
        """Return the next rung: the plain linear law first, then by explanatory worth.

        A law that would pass the threshold with a residual well above the noise is left out while
        a better one is known: passing ends the episode, and such a law seldom holds elsewhere.
        """
        open_rungs = [
            r for r in self._ladder if _key(r.hypothesis.equation, r.hypothesis.params) not in tried
        ]
        if not open_rungs:
            return None
        best = min(open_rungs, key=lambda r: r.bic)
        if not observation.history:
            for plain in (r for r in open_rungs if r.unrefined):
                if _match(observation.task, plain) <= observation.solved_threshold:
                    return plain
                if _terms(plain) == _terms(best):
                    return best
        return best


def _climb(task: Task, *, wide: bool) -> list[_Rung]:
    """Return the laws worth proposing: the plainest first, the others by information criterion."""
    wanted = targets(task.variables)
    samples = [_samples(task, trajectory, _REGRESSION_ROWS) for trajectory in task.shown]
    shown = [_thinned(trajectory, _REFIT_ROWS) for trajectory in task.shown]
    sigma = _noise_of(task)
    libraries = [candidates(task, target, wide=wide) for target in wanted]
    per_target = [
        regress(samples, target.driven, library, max_terms=_MAX_TERMS)
        for target, library in zip(wanted, libraries, strict=True)
    ]
    rungs = []
    for choice in _combinations(per_target, _REFITS):
        law = _law(task, wanted, libraries, choice)
        if law is not None:
            rungs.append(_rung(refit(law, shown, sigma), libraries, choice))
    rungs.sort(key=lambda rung: rung.bic)
    return rungs if wide else [*_plainest(task, wanted, libraries, per_target), *rungs]


def _plainest(
    task: Task,
    wanted: tuple[Target, ...],
    libraries: list[list[Candidate]],
    per_target: list[list[Structure]],
) -> list[_Rung]:
    """Return the linear laws of one term an equation, the best first, constants as regression gave them."""
    singles = []
    for library, structures in zip(libraries, per_target, strict=True):
        linear = [s for s in structures if len(s.chosen) == 1 and library[s.chosen[0]].linear]
        singles.append(sorted(linear, key=lambda s: s.score)[:3])
    laws = [_law(task, wanted, libraries, choice) for choice in zip(*singles, strict=False)]
    return [_Rung(_hypothesis(law), np.inf, np.inf, linear=True, unrefined=True) for law in laws if law]


def _combinations(per_target: list[list[Structure]], limit: int) -> list[tuple[Structure, ...]]:
    """Return joint choices of one structure an equation, the best sums of scores first.

    Every size keeps its best, as regression and simulation may disagree about how many terms.
    """
    keep = 6 if len(per_target) == 1 else 3
    shortlists = []
    for structures in per_target:
        by_size: dict[int, list[Structure]] = {}
        for structure in sorted(structures, key=lambda s: s.score):
            by_size.setdefault(len(structure.chosen), []).append(structure)
        heads = [s for group in by_size.values() for s in group[: 3 if len(per_target) == 1 else 1]]
        rest = sorted(structures, key=lambda s: s.score)[:keep]
        shortlists.append(list({s.chosen: s for s in [*rest, *heads]}.values())[: keep + 4])
    if len(per_target) > 3:
        # The product of many shortlists explodes; vary one equation at a time about the best.
        best = tuple(shortlist[0] for shortlist in shortlists)
        joint = [best] + [
            (*best[:i], other, *best[i + 1 :]) for i, s in enumerate(shortlists) for other in s[1:3]
        ]
    else:
        joint = list(product(*shortlists))
    joint.sort(key=lambda choice: sum(s.score for s in choice))
    count = limit if len(per_target) == 1 else limit + 4
    # Regression may rate a sparse law behind many rich ones: the sparsest always gets its trial.
    sparsest = sorted(joint, key=lambda choice: sum(len(s.chosen) for s in choice))[:3]
    return [*sparsest, *(choice for choice in joint[:count] if choice not in sparsest)]


def _law(
    task: Task,
    wanted: tuple[Target, ...],
    libraries: list[list[Candidate]],
    choice: tuple[Structure, ...],
) -> ParsedHypothesis | None:
    """Write the chosen terms in the grammar, one named param a coefficient, and parse it."""
    params: dict[str, float] = {}
    taken = {v.name for v in task.variables} | {"t", "pi"}
    equations = []
    for target, library, structure in zip(wanted, libraries, choice, strict=True):
        parts = []
        for index, coefficient in zip(structure.chosen, structure.coefficients, strict=True):
            name = _free_name(library[index].letter, taken)
            taken.add(name)
            params[name] = abs(coefficient)
            text = f"{name}*{library[index].text}" if library[index].text else name
            parts.append(f"{'-' if coefficient < 0 else '+'} {text}")
        right = " ".join(parts).removeprefix("+ ")
        equations.append(
            f"{target.left} = {right.replace('- ', '-', 1) if right.startswith('- ') else right}"
        )
    parsed = parse("; ".join(equations), params, task.variables)
    return None if isinstance(parsed, Rejection) else parsed


def _free_name(letter: str, taken: set[str]) -> str:
    if letter not in taken:
        return letter
    return next(f"{letter}{i}" for i in range(2, 99) if f"{letter}{i}" not in taken)


def _rung(fitted: Refit, libraries: list[list[Candidate]], choice: tuple[Structure, ...]) -> _Rung:
    linear = all(
        library[index].linear
        for library, structure in zip(libraries, choice, strict=True)
        for index in structure.chosen
    )
    return _Rung(_hypothesis(fitted.parsed), fitted.chi2_per_sample, fitted.bic, linear)


def _hypothesis(parsed: ParsedHypothesis) -> Hypothesis:
    params = {name: float(f"{value:.6g}") for name, value in parsed.params.items()}
    return Hypothesis(equation=parsed.canonical, params=params)


def _key(equation: str, params: Mapping[str, float | None]) -> str:
    return f"{equation} | {sorted(params.items())}"


def _terms(rung: _Rung) -> str:
    """Return the law without its constants' values, to tell a refined law from its plain twin."""
    return rung.hypothesis.equation


def _match(task: Task, rung: _Rung) -> float:
    """Return the r_match this law would earn: the verifier is public, so asking it is fair."""
    blind = Truth(equation=None, params={}, hidden=())
    return verify(task, blind, rung.hypothesis, best_match=0.0, config=VerifierConfig()).reward.match


def _noise_of(task: Task) -> FloatArray:
    """Return the standard deviation of the noise of each variable, shape (D,)."""
    pooled = np.concatenate([np.asarray(trajectory.states) for trajectory in task.shown])
    spread = pooled.std(axis=0)
    size = np.maximum(np.abs(pooled).max(axis=0), 1e-9)
    sigma: FloatArray = np.maximum(max(task.noise, _QUIETEST) * spread, 1e-9 * size)
    return sigma


def _samples(task: Task, trajectory: Trajectory, rows: int) -> Samples:
    thin = _thinned(trajectory, rows)
    states = np.asarray(thin.states)
    return Samples(np.asarray(thin.t), {v.name: states[:, i] for i, v in enumerate(task.variables)})


def _thinned(trajectory: Trajectory, rows: int) -> Trajectory:
    """Return at most `rows` samples, evenly by index, first and last kept."""
    total = len(trajectory.t)
    if total <= rows:
        return trajectory
    kept = np.unique(np.linspace(0, total - 1, rows).round().astype(int)).tolist()
    return Trajectory(
        t=tuple(trajectory.t[i] for i in kept), states=tuple(trajectory.states[i] for i in kept)
    )


def _rationale(rung: _Rung, observation: Observation) -> str:
    if not observation.history:
        if rung.linear:
            return "Begin with the plainest linear law the data allow."
        return "A linear law would pass but leave structure in the residual; begin with the term it lacks."
    last = observation.history[-1]
    reason = last.mismatch.rstrip(".").rpartition(". ")[2]
    if rung.chi2_per_sample <= _FLOOR:
        return f"{reason}; this law brings the residual down to the noise."
    return f"{reason}; this law explains more, at {rung.chi2_per_sample:.3g} times the noise variance."
