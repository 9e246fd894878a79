"""Does the verifier name the error that was planted? Laws that are not ours, each broken one term at a time.

    python bench/planted.py --seeds 3

Every term of every law is scaled (by 0.5 and 1.6), sign-flipped and dropped, and one that does not
belong is added to each equation. An error counts where it shows: where the simulated motion's chi²
rises by at least 16; below that, silence is right. `right`: the blamed term is the planted one, and the
correction points the right way. `false`: anything else is blamed. Every row of the data is noisy, the
first included. The last lines are true laws, of which nothing may be blamed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import PCG64, Generator

from physix.engine.floats import FloatArray
from physix.engine.systems.targets import targets
from physix.engine.systems.task import StateVariable, Task, Trajectory, Truth
from physix.engine.verifier import evaluate, integrate, parse, verify
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import Hypothesis, Mismatch, VerifierConfig

NOISES = (0.0, 0.02, 0.05, 0.10)
SHOWS = 16.0  # rise of chi² from which an error counts
_LEAST_NOISE = 1e-3  # chi² of noise-free data is counted against this share of the spread
Law = dict[str, tuple[str, ...]]  # the terms of each equation, by its left side


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A law from a textbook, its terms apart, with ranges to draw an experiment from."""

    name: str
    law: Law
    params: dict[str, tuple[float, float]]
    initial: dict[str, tuple[float, float]]  # by variable, in order
    t_end: float
    extra: Law  # terms that do not belong, one or more an equation
    samples: int = 120
    rates: dict[str, str] = field(default_factory=dict)  # rate to position

    @property
    def variables(self) -> tuple[StateVariable, ...]:
        """The state, without units."""
        return tuple(
            StateVariable(name=n, unit=None, symbol=n, description=n, rate_of=self.rates.get(n))
            for n in self.initial
        )


SYSTEMS = (
    Foreign(
        name="lotka_volterra",
        law={"dx/dt": ("a*x", "-b*x*y"), "dy/dt": ("-c*y", "d*x*y")},
        params={"a": (0.8, 1.2), "b": (0.3, 0.5), "c": (0.6, 1.0), "d": (0.2, 0.4)},
        initial={"x": (2.0, 4.0), "y": (0.8, 1.6)},
        t_end=16.0,
        extra={"dx/dt": ("-0.08*x**2",), "dy/dt": ("0.3",)},
    ),
    Foreign(
        name="van_der_pol",
        rates={"v": "x"},
        law={"d2x/dt2": ("-w*x", "m*v", "-m*x**2*v")},
        params={"w": (0.8, 1.4), "m": (0.6, 1.4)},
        initial={"x": (0.5, 2.0), "v": (-1.0, 1.0)},
        t_end=16.0,
        extra={"d2x/dt2": ("0.4", "-0.3*x**3")},
    ),
    Foreign(
        name="duffing",
        rates={"v": "x"},
        law={"d2x/dt2": ("-a*x", "-b*x**3", "-c*v")},
        params={"a": (0.6, 1.2), "b": (0.5, 1.5), "c": (0.05, 0.2)},
        initial={"x": (1.0, 1.8), "v": (-0.5, 0.5)},
        t_end=14.0,
        extra={"d2x/dt2": ("0.3", "-0.3*x**2")},
    ),
    Foreign(
        name="driven_oscillator",
        rates={"v": "x"},
        law={"d2x/dt2": ("-k*x", "-c*v", "F*cos(w*t)")},
        params={"k": (1.5, 3.0), "c": (0.1, 0.4), "F": (0.8, 1.5), "w": (0.6, 1.1)},
        initial={"x": (-1.0, 1.0), "v": (-1.0, 1.0)},
        t_end=20.0,
        extra={"d2x/dt2": ("-0.4*x**3", "0.4")},
    ),
    Foreign(
        name="coupled_springs",
        law={
            "d2x/dt2": ("-k*x", "c*y", "-b*vx"),
            "d2y/dt2": ("-m*y", "c*x", "-b*vy"),
        },
        params={"k": (1.5, 2.5), "m": (1.5, 3.0), "c": (0.4, 0.8), "b": (0.05, 0.15)},
        initial={"x": (0.5, 1.5), "y": (-1.0, 0.0), "vx": (-0.5, 0.5), "vy": (-0.5, 0.5)},
        rates={"vx": "x", "vy": "y"},
        t_end=14.0,
        extra={"d2x/dt2": ("0.3",), "d2y/dt2": ("-0.5*y**3",)},
    ),
    Foreign(
        name="cooling",
        law={"dT/dt": ("-k*T", "k*A")},
        params={"k": (0.3, 0.8), "A": (15.0, 25.0)},
        initial={"T": (70.0, 95.0)},
        t_end=8.0,
        samples=80,
        extra={"dT/dt": ("-0.004*T**2",)},
    ),
    Foreign(
        name="sir",
        law={"dS/dt": ("-b*S*I",), "dI/dt": ("b*S*I", "-g*I"), "dR/dt": ("g*I",)},
        params={"b": (0.8, 1.4), "g": (0.2, 0.4)},
        initial={"S": (0.95, 0.99), "I": (0.01, 0.05), "R": (0.0, 0.0)},
        t_end=20.0,
        extra={"dS/dt": ("0.03*R",), "dI/dt": ("-0.3*I**2",), "dR/dt": ("-0.05*R",)},
    ),
    Foreign(
        name="kepler",
        law={
            "d2x/dt2": ("-m*x/(x**2 + y**2)**1.5",),
            "d2y/dt2": ("-m*y/(x**2 + y**2)**1.5",),
        },
        params={"m": (0.8, 1.3)},
        initial={"x": (0.9, 1.1), "y": (-0.1, 0.1), "vx": (-0.1, 0.1), "vy": (0.8, 1.1)},
        rates={"vx": "x", "vy": "y"},
        t_end=8.0,
        extra={"d2x/dt2": ("-0.1*vx",), "d2y/dt2": ("-0.2",)},
    ),
    Foreign(
        name="lorenz",
        law={
            "dx/dt": ("-s*x", "s*y"),
            "dy/dt": ("r*x", "-x*z", "-y"),
            "dz/dt": ("x*y", "-b*z"),
        },
        params={"s": (9.0, 11.0), "r": (26.0, 30.0), "b": (2.4, 2.9)},
        initial={"x": (-8.0, 8.0), "y": (-8.0, 8.0), "z": (18.0, 30.0)},
        t_end=5.0,
        samples=250,
        extra={"dx/dt": ("6.0",), "dy/dt": ("0.3*z",), "dz/dt": ("-1.5*x",)},
    ),
    Foreign(
        name="fitzhugh_nagumo",
        law={"dv/dt": ("v", "-v**3/3", "-w", "J"), "dw/dt": ("e*v", "e*a", "-e*b*w")},
        params={"J": (0.4, 0.6), "e": (0.1, 0.2), "a": (0.6, 0.8), "b": (0.7, 0.9)},
        initial={"v": (-1.5, 1.5), "w": (-0.5, 1.0)},
        t_end=60.0,
        samples=240,
        extra={"dv/dt": ("0.2*v**2",), "dw/dt": ("-0.05*v**2",)},
    ),
    Foreign(
        name="logistic",
        law={"dn/dt": ("r*n", "-q*n**2")},
        params={"r": (0.7, 1.2), "q": (0.08, 0.15)},
        initial={"n": (0.3, 0.8)},
        t_end=10.0,
        samples=60,
        extra={"dn/dt": ("-0.4",)},
    ),
    Foreign(
        name="brusselator",
        law={"dx/dt": ("a", "-b*x", "x**2*y", "-x"), "dy/dt": ("b*x", "-x**2*y")},
        params={"a": (0.9, 1.1), "b": (2.1, 2.6)},
        initial={"x": (0.8, 1.6), "y": (1.5, 2.5)},
        t_end=18.0,
        samples=200,
        extra={"dx/dt": ("0.3*y",), "dy/dt": ("-0.2*y",)},
    ),
    Foreign(
        name="quadratic_drag_oscillator",
        rates={"v": "x"},
        law={"d2x/dt2": ("-k*x", "-c*v*abs(v)")},
        params={"k": (1.0, 2.0), "c": (0.15, 0.4)},
        initial={"x": (1.5, 2.5), "v": (-0.5, 0.5)},
        t_end=14.0,
        extra={"d2x/dt2": ("0.4", "0.15*v")},
    ),
    Foreign(
        name="pendulum_with_torque",
        rates={"v": "x"},
        law={"d2x/dt2": ("-g*sin(x)", "-b*v", "M")},
        params={"g": (2.0, 4.0), "b": (0.1, 0.3), "M": (0.4, 0.9)},
        initial={"x": (1.2, 2.2), "v": (-0.5, 0.5)},
        t_end=12.0,
        extra={"d2x/dt2": ("-0.3*x**3",)},
    ),
    Foreign(
        name="rossler",
        law={"dx/dt": ("-y", "-z"), "dy/dt": ("x", "a*y"), "dz/dt": ("b", "x*z", "-c*z")},
        params={"a": (0.15, 0.25), "b": (0.15, 0.25), "c": (4.5, 6.0)},
        initial={"x": (2.0, 5.0), "y": (-4.0, 0.0), "z": (0.2, 1.0)},
        t_end=30.0,
        samples=300,
        extra={"dx/dt": ("0.15*x",), "dy/dt": ("-0.4*z",), "dz/dt": ("0.3*y",)},
    ),
    Foreign(
        name="two_species_competition",
        law={"dx/dt": ("r*x", "-x**2", "-a*x*y"), "dy/dt": ("q*y", "-y**2", "-b*x*y")},
        params={"r": (1.0, 1.4), "a": (0.3, 0.6), "q": (0.8, 1.2), "b": (0.5, 0.9)},
        initial={"x": (0.1, 0.3), "y": (1.2, 2.0)},
        t_end=12.0,
        extra={"dx/dt": ("-0.1",), "dy/dt": ("-0.1",)},
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Planted:
    """One error: in `target`, the term number `at` of `law` was changed, or one was dropped."""

    system: Foreign
    seed: int
    noise: float
    kind: str
    target: str
    term: str
    factor: float  # what the term should be multiplied by; 1 for a dropped one
    law: Law


def equation_text(law: Law) -> str:
    """Return the hypothesis that a law's terms add up to."""
    return "; ".join(f"{target} = {' + '.join(terms) or '0'}" for target, terms in law.items())


def errors(system: Foreign, seed: int, noise: float) -> Iterator[Planted]:
    """Yield every way in which one term of the law can be wrong."""

    def broken(kind: str, target: str, term: str, factor: float, terms: Sequence[str]) -> Planted:
        law = system.law | {target: tuple(terms)}
        return Planted(
            system=system,
            seed=seed,
            noise=noise,
            kind=kind,
            target=target,
            term=term,
            factor=factor,
            law=law,
        )

    for target, terms in system.law.items():
        for i, term in enumerate(terms):
            others = (terms[:i], terms[i + 1 :])
            for kind, scale in (("scaled", 0.5), ("scaled", 1.6), ("flipped", -1.0)):
                wrong = f"({scale})*({term})"
                yield broken(kind, target, term, 1.0 / scale, (*others[0], wrong, *others[1]))
            yield broken("dropped", target, term, 1.0, (*others[0], *others[1]))
        for term in system.extra[target]:
            yield broken("extra", target, term, 0.0, (*terms, term))


def experiment(system: Foreign, seed: int, noise: float) -> tuple[Task, dict[str, float], FloatArray]:
    """Return a task with noise on every row, its params, and the noise's standard deviations, shape (D,)."""
    name_seed = int.from_bytes(system.name.encode()[:6], "big")
    rng = Generator(PCG64([name_seed, seed]))
    params = {name: float(f"{rng.uniform(*bounds):.4g}") for name, bounds in system.params.items()}
    start = [rng.uniform(*bounds) for bounds in system.initial.values()]
    t = np.linspace(0.0, system.t_end, system.samples)
    law = _parsed(system, system.law, params)
    clean = integrate(law, t, start, max_evaluations=200_000, rtol=1e-10, atol=1e-12).states
    sigma = noise * clean.std(axis=0)
    states = clean + sigma * rng.standard_normal(clean.shape)
    task = Task(
        task_id=f"{system.name}/{seed}",
        system_id="csv",
        title=system.name,
        tier=None,
        seed=None,
        variables=system.variables,
        time_unit=None,
        shown=(Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, states.tolist()))),),
        noise=noise,
        hint="",
        measured=True,
    )
    return task, params, np.maximum(sigma, _LEAST_NOISE * clean.std(axis=0))


def _parsed(system: Foreign, law: Law, params: dict[str, float]) -> ParsedHypothesis:
    parsed = parse(equation_text(law), params, system.variables)
    assert isinstance(parsed, ParsedHypothesis), parsed  # a bench of ours, not input
    return parsed


def chi2(task: Task, parsed: ParsedHypothesis, sigma: FloatArray, start: Sequence[float]) -> float:
    """Return the squared distance of the simulated motion from the data in units of the noise."""
    shown = task.shown[0]
    observed = np.asarray(shown.states)
    run = integrate(parsed, np.asarray(shown.t), start, max_evaluations=200_000)
    if run.outcome != "ok":
        return float("inf")
    return float((((run.states - observed) / sigma) ** 2).sum())


def mismatch_of(task: Task, equation: str, params: dict[str, float]) -> tuple[Mismatch, str]:
    """Return what the verifier finds wrong, and says."""
    told = verify(
        task,
        Truth(equation=None, params={}, hidden=()),
        Hypothesis(equation=equation, params=params),
        best_match=0.0,
        config=VerifierConfig(),
    )
    assert told.parse.rejection is None, told.parse.rejection
    assert told.findings is not None
    return told.findings, told.mismatch


def verdict_on(planted: Planted, task: Task, params: dict[str, float], found: Mismatch) -> str:
    """Return "right", "false" or "silent"."""
    if not found.findings:
        return "silent"
    right = [_is_right(planted, task, params, f.target, f.term, f.factor, f.kind) for f in found.findings]
    return "right" if all(right) else "false"


def _is_right(
    planted: Planted, task: Task, params: dict[str, float], target: str, term: str, factor: float, kind: str
) -> bool:
    if target != planted.target:
        return False
    named, planted_values = _along(task, term, params), _along(task, planted.term, params)
    correction = (factor if kind == "missing" else factor - 1.0) * named
    # What the broken law lacks: a dropped term whole, else the rest of one that is there `1/factor` times.
    lacks = {"dropped": 1.0, "extra": -1.0}.get(planted.kind)
    needed = (1.0 - 1.0 / planted.factor if lacks is None else lacks) * planted_values
    sizes = float(np.linalg.norm(correction)), float(np.linalg.norm(needed))
    cosine = float(correction @ needed) / (sizes[0] * sizes[1])
    # The frequency and the phase of a drive are found along with its strength.
    return cosine > (0.99 if "cos" in planted.term else 0.999) and 0.5 < sizes[0] / sizes[1] < 2.0


def _along(task: Task, term: str, params: dict[str, float]) -> FloatArray:
    """Return a term's values along the data, read off as the derivative of the first variable."""
    first, *others = targets(task.variables)
    text = "; ".join([f"{first.left} = {term}", *(f"{target.left} = 0" for target in others)])
    parsed = parse(text, params, task.variables)
    assert isinstance(parsed, ParsedHypothesis), parsed
    column = [v.name for v in task.variables].index(first.driven)
    shown = task.shown[0]
    return np.array(
        [evaluate(parsed, list(s), t)[column] for s, t in zip(shown.states, shown.t, strict=True)]
    )


@dataclass(slots=True)
class Count:
    """How many errors were named rightly, wrongly and not at all."""

    right: int = 0
    false: int = 0
    silent: int = 0

    @property
    def all(self) -> int:
        """Errors that count."""
        return self.right + self.false + self.silent

    def add(self, verdict: str) -> None:
        """Count one more."""
        self.right += verdict == "right"
        self.false += verdict == "false"
        self.silent += verdict == "silent"

    def __str__(self) -> str:
        whole = max(self.all, 1)
        return f"n {self.all:5}  right {self.right / whole:6.1%}  false {self.false / whole:6.1%}"


def judged(system: Foreign, seed: int, noise: float) -> Iterator[tuple[Planted, str, str]]:
    """Yield every error of one experiment that shows, the verdict on it, and what was said."""
    task, params, sigma = experiment(system, seed, noise)
    start = list(task.shown[0].states[0])
    floor = chi2(task, _parsed(system, system.law, params), sigma, start)
    for planted in errors(system, seed, noise):
        if chi2(task, _parsed(system, planted.law, params), sigma, start) - floor >= SHOWS:
            found, said = mismatch_of(task, equation_text(planted.law), params)
            yield planted, verdict_on(planted, task, params, found), said


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--systems", nargs="*", default=[s.name for s in SYSTEMS])
    arguments.add_argument("--true", type=int, default=8, help="true laws of each system and noise")
    arguments.add_argument("--noise", type=float, nargs="*", default=NOISES)
    arguments.add_argument(
        "--verbose", action="store_true", help="print what was said where it was not right"
    )
    options = arguments.parse_args()
    systems = [s for s in SYSTEMS if s.name in options.systems]
    for noise in options.noise:
        _print_level(systems, noise, options.seeds, verbose=options.verbose)
    _print_true_laws(systems, options.noise, options.true)


def _print_level(systems: Sequence[Foreign], noise: float, seeds: int, *, verbose: bool) -> None:
    out = sys.stdout
    everything, kinds = Count(), {kind: Count() for kind in ("scaled", "flipped", "dropped", "extra")}
    for system in systems:
        mine = Count()
        for seed in range(seeds):
            for planted, verdict, said in judged(system, seed, noise):
                for count in (everything, mine, kinds[planted.kind]):
                    count.add(verdict)
                if verbose and verdict != "right":
                    where = f"{system.name} {seed} {planted.kind} {planted.target} {planted.term}"
                    out.write(f"  {verdict} {where}: {said}\n")
        out.write(f"    {system.name:26} {mine}\n")
    for kind, count in kinds.items():
        out.write(f"    {kind:26} {count}\n")
    out.write(f"noise {noise:4.0%}  {everything}\n")
    out.flush()


def _print_true_laws(systems: Sequence[Foreign], noises: Sequence[float], seeds: int) -> None:
    out = sys.stdout
    total = blamed = 0
    for noise in noises:
        for system in systems:
            for seed in range(100, 100 + seeds):
                task, params, _ = experiment(system, seed, noise)
                found, said = mismatch_of(task, equation_text(system.law), params)
                total += 1
                if found.findings:
                    blamed += 1
                    out.write(f"  true law of {system.name} {seed} at {noise:.0%}: {said}\n")
    out.write(f"true laws: {total}, told of an error: {blamed}\n")


if __name__ == "__main__":
    main()
