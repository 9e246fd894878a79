"""Are fitted constants right, and are their errors honest?

    python -m bench.fit                    # both tables, about two minutes on one core
    python -m bench.fit --only odebench --noise 0 0.01 0.05
    python -m bench.fit --only errors --seeds 15

**ODEBench**: the 63 true laws with all their constants open, every row noisy (512 points on [0, 10]). A fit
is good if chi² is at most 1.02 times that of the true constants (start fitted along); without noise if
its field is within 1e-2 of the true one around the motion.

**Errors**: the true form of every system on sampled tasks, constants open. A pull is (estimate - true) /
standard error; their standard deviation should be 1, and 95 % of the intervals should cover the truth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from bench.verdict import Motion, measured, odebench_motions
from physix.engine.systems import sample_task
from physix.engine.systems.task import Task, Trajectory, Truth
from physix.engine.verifier import correctness, fit_free_params, parse
from physix.engine.verifier.fit import LEAST_NOISE
from physix.engine.verifier.prepared import prepare
from physix.engine.verifier.tree import ParsedHypothesis

GOOD_RATIO, GOOD_FIELD = 1.02, 1e-2
_FRESH = 7_000  # seeds that nothing in the repository was tuned on start here

# The right form with constants that the data can tell, and their values from the system's own.
FORMS = {
    "free_fall": ("d2y/dt2 = -a", ("g",)),
    "free_fall_drag": ("d2y/dt2 = -a + b*vy**2", ("g", "k")),
    "simple_pendulum": ("d2theta/dt2 = -a*sin(theta)", ("g/L",)),
    "damped_pendulum": ("d2theta/dt2 = -a*sin(theta) - b*dtheta", ("g/L", "b")),
    "spring_mass": ("d2x/dt2 = -a*x", ("k/m",)),
    "damped_spring": ("d2x/dt2 = -a*x - b*vx", ("k/m", "b/m")),
    "projectile_drag": (
        "d2x/dt2 = -b*vx*sqrt(vx**2+vy**2); d2y/dt2 = -a - b*vy*sqrt(vx**2+vy**2)",
        ("g", "k"),
    ),
    "charged_b_field": ("d2x/dt2 = a*vy; d2y/dt2 = -a*vx", ("q*B/m",)),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One law of ODEBench with its constants open."""

    case: str
    outcome: str
    ratio: float | None  # chi² over that of the true constants
    field_error: float | None  # of the fitted law
    evaluations: int
    cpu_s: float

    def good(self, noise: float) -> bool:
        """Tell whether the fit is as good as it should be."""
        if noise == 0.0:
            return self.field_error is not None and self.field_error < GOOD_FIELD
        return self.ratio is not None and self.ratio <= GOOD_RATIO


def odebench_row(motion: Motion, noise: float, noise_seed: int) -> Row:
    """Fit one law to its noisy motion."""
    task, truth = measured(motion, noise, 0.0, noise_seed, "known")
    # Nothing is held back here: the constants are looked at, not the verdict.
    task = replace(task, shown=(_joined(task, truth),), measured=noise > 0.0)
    law = parse(motion.law.equation, dict(motion.law.params), task.variables)
    if not isinstance(law, ParsedHypothesis):
        raise SystemExit(f"{motion.name}: {law.message}")
    began = time.process_time()
    found = fit_free_params(replace(law, free=tuple(law.params)), task)
    spent = time.process_time() - began
    fitted = replace(law, params=law.params | found.values)
    field = correctness(fitted, task, Truth(equation=law.canonical, params=dict(law.params), hidden=()))
    return Row(
        motion.name,
        found.outcome,
        None if found.chi2 is None else found.chi2 / _true_chi2(law, task, motion),
        None if field is None else field.field_error,
        found.evaluations,
        spent,
    )


def _joined(task: Task, truth: Truth) -> Trajectory:
    parts = (*task.shown, *truth.hidden)
    return Trajectory(
        t=tuple(time for part in parts for time in part.t),
        states=tuple(row for part in parts for row in part.states),
    )


def _true_chi2(law: ParsedHypothesis, task: Task, motion: Motion) -> float:
    """Return chi² of the true constants, from the start that fits best or from the true one."""
    prepared = prepare(task)
    samples = prepared.shown[0]
    off = (samples.states - np.array(motion.states)) / np.hypot(samples.sigma, LEAST_NOISE * prepared.scale)
    start_fitted = fit_free_params(law, task).chi2
    return min(float(np.sum(off**2)), np.inf if start_fitted is None else start_fitted) or 1.0


def pulls(system_id: str, noise: float, seeds: int) -> list[float]:
    """Return (estimate - true) / standard error of every constant over sampled tasks of a system."""
    equation, values = FORMS[system_id]
    names = "ab"[: len(values)]
    collected = []
    for seed in range(seeds):
        task, truth = sample_task(system_id, _FRESH + seed, noise=noise)
        law = parse(equation, dict.fromkeys(names), task.variables, fit_nulls=True)
        if not isinstance(law, ParsedHypothesis):
            raise SystemExit(f"{system_id}: {law.message}")
        found = fit_free_params(law, task)
        for name, text in zip(names, values, strict=True):
            collected.append((found.values[name] - _value(text, truth.params)) / found.errors[name])
    return collected


def _value(text: str, params: Mapping[str, float]) -> float:
    """Return the value of a product or quotient of params, `q*B/m`."""
    above, _, below = text.partition("/")
    return prod(params[name] for name in above.split("*")) / (params[below] if below else 1.0)


def print_odebench(levels: Sequence[float], noise_seed: int) -> None:
    """Print how many of the 63 fits are good, and those that are not."""
    motions = odebench_motions(512)
    print("ODEBench, all constants open, 512 points, every row noisy")
    print(f"{'noise':>8}{'good':>8}{'converged':>12}{'evaluations':>14}{'CPU s':>8}")
    for noise in levels:
        rows = [odebench_row(motion, noise, noise_seed) for motion in motions]
        converged = sum(row.outcome == "converged" for row in rows)
        evaluations, cpu_s = (
            float(np.median([getattr(r, n) for r in rows])) for n in ("evaluations", "cpu_s")
        )
        good = sum(row.good(noise) for row in rows)
        print(f"{noise:8.3f}{good:5d}/{len(rows)}{converged:12d}{evaluations:14.0f}{cpu_s:8.3f}")
        for row in rows:
            if not row.good(noise):
                print(f"    {row.case}: {row.outcome}, chi2 ratio {row.ratio}, field error {row.field_error}")


def print_errors(levels: Sequence[float], seeds: int) -> None:
    """Print the spread of the pulls and how many 95 % intervals cover the truth."""
    print(f"\nStandard errors, {seeds} tasks a system")
    print(f"{'noise':>8}{'intervals':>12}{'sd of pulls':>14}{'covered':>10}")
    for noise in levels:
        by_system = {system_id: pulls(system_id, noise, seeds) for system_id in FORMS}
        values = np.array([pull for one in by_system.values() for pull in one])
        covered = float(np.mean(np.abs(values) <= 1.96))
        print(f"{noise:8.3f}{len(values):12d}{values.std():14.3f}{covered:10.3f}")
        for system_id, one in by_system.items():
            inside = float(np.mean(np.abs(one) <= 1.96))
            print(f"    {system_id:20}{len(one):4d}{float(np.std(one)):14.3f}{inside:10.3f}")


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=("odebench", "errors"))
    parser.add_argument("--noise", type=float, nargs="+", help="shares of the spread")
    parser.add_argument("--noise-seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=40, help="tasks a system")
    options = parser.parse_args()
    if options.only != "errors":
        print_odebench(options.noise or (0.0, 0.01, 0.05), options.noise_seed)
    if options.only != "odebench":
        print_errors(options.noise or (0.02, 0.05), options.seeds)


if __name__ == "__main__":
    main()
