"""Is the verdict true? How often the true law is accepted, and which wrong laws are.

    python -m bench.verdict                       # both tables, about three minutes on two cores
    python -m bench.verdict --only reach --points 512 150
    python -m bench.verdict --exploits --jobs 2   # who pays whom: every family of wrong laws
    python -m bench.verdict --json verdict.json

**Reach**: the true law with its true constants on a measured task, on which every row is noisy, the
last quarter is held back, and the noise is known or estimated from the data. The eight systems, fresh
seeds, and the 63 laws of ODEBench (512 points on [0, 10]). Of `classic` only those count whose own
clean trajectory matches the noisy one with R² above the threshold: nothing better can be asked for.

**Wrong laws**: linear laws, springs, constants, polynomials in time and sines that memorise, their
constants fitted to the shown data alone, on sampled tasks. How many does `strict` call solved?
Families that can be the true law of a system are marked `=` and not counted.

**Exploits**: what the first turn of every family earns on average, beside what the truth earns.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import Pool
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import numpy as np
from numpy.random import PCG64, Generator

from bench.rivals import FAMILIES, fit, holds
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.noise import estimate_noise
from physix.engine.systems.task import MEASURED, Noise, StateVariable, Task, Trajectory, Truth
from physix.engine.verifier import verify
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.simulate import integrate
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import Hypothesis, Profile, Verification, VerifierConfig
from physix.training.suites import odebench

LEVELS: tuple[tuple[str, float, float], ...] = (
    ("clean", 0.0, 0.0),
    ("additive 2 %", 0.02, 0.0),
    ("additive 5 %", 0.05, 0.0),
    ("multiplicative 1 %", 0.0, 0.01),
    ("multiplicative 5 %", 0.0, 0.05),
)
PROFILES: tuple[Profile, ...] = ("strict", "classic")
COUNTED = ("constant", "time", "spring", "linear", "memory")  # kinds that `strict` must refuse
_FRESH = 5_000  # seeds that nothing in the repository was tuned on start here
_HELD_BACK = 0.25

Job = TypeVar("Job")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Motion:
    """A clean trajectory and the law that made it."""

    name: str
    suite: str
    variables: tuple[StateVariable, ...]
    law: Hypothesis
    t: tuple[float, ...]
    states: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """The verdict on the true law of one noisy measurement."""

    suite: str
    case: str
    level: str
    noise_seed: int
    noise_from: str  # "known" or "estimated"
    profile: str
    solved: bool
    eligible: bool  # the clean trajectory itself matches what was measured
    clean_r2: float
    match: float
    generalisation: float | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Earned:
    """What one family earns on the tasks of one system."""

    system_id: str
    family: str
    kind: str
    holds_truth: bool
    profile: str
    total: float  # mean of the first turn's reward
    truth_total: float
    solved: int
    tasks: int
    solved_seeds: tuple[int, ...]
    r2: float
    generalisation: float


def system_motion(system_id: str, seed: int) -> Motion:
    """Return a clean trajectory of a system, and its law."""
    task, truth = sample_task(system_id, seed, noise=0.0)
    shown = task.shown[0]
    return Motion(f"{system_id}/{seed}", "systems", task.variables, true_law(truth), shown.t, shown.states)


def true_law(truth: Truth) -> Hypothesis:
    """Return the law of a sampled task as its own hypothesis."""
    return Hypothesis(equation=truth.equation or "", params=dict(truth.params))


def odebench_motions(points: int) -> list[Motion]:
    """Return the first trajectory of every ODEBench law, `points` samples on [0, 10]."""
    motions = []
    for case in odebench().cases:
        parsed = parse(case.equation, dict(case.parameters), case.state_variables)
        if not isinstance(parsed, ParsedHypothesis):
            raise SystemExit(f"{case.id}: {parsed.message}")
        t = np.linspace(0.0, case.t_end, points)
        run = integrate(parsed, t, case.starts[0], max_evaluations=500_000, rtol=1e-10, atol=1e-12)
        if run.outcome != "ok":
            raise SystemExit(f"{case.id} cannot be simulated: {run.outcome}")
        law = Hypothesis(equation=case.equation, params=dict(case.parameters))
        motions.append(
            Motion(
                case.id,
                f"odebench, {points} points",
                case.state_variables,
                law,
                tuple(t.tolist()),
                tuple(map(tuple, run.states.tolist())),
            )
        )
    return motions


def measured(
    motion: Motion, additive: float, relative: float, noise_seed: int, noise_from: str
) -> tuple[Task, Truth]:
    """Return the motion as somebody would have measured it: every row noisy, the last quarter held back."""
    clean = np.array(motion.states)
    absolute = additive * clean.std(axis=0)
    blur = Generator(PCG64(noise_seed)).standard_normal(clean.shape)
    noisy = clean + np.hypot(absolute, relative * np.abs(clean)) * blur
    rows = tuple(map(tuple, noisy.tolist()))
    cut = len(rows) - round(_HELD_BACK * len(rows))
    shown = Trajectory(t=motion.t[:cut], states=rows[:cut])
    if noise_from == "known":
        noises = tuple(Noise(absolute=size, relative=relative) for size in absolute.tolist())
    else:
        noises = estimate_noise((shown,))
    task = Task(
        task_id=f"{motion.name}+{noise_seed}",
        system_id=MEASURED,
        title="Measured",
        tier=None,
        seed=None,
        variables=motion.variables,
        time_unit=None,
        shown=(shown,),
        noise=_share_of(noises, shown),
        hint="",
        measured=True,
        noises=noises,
    )
    return task, Truth(equation=None, params={}, hidden=(Trajectory(t=motion.t[cut:], states=rows[cut:]),))


def _share_of(noises: Sequence[Noise], shown: Trajectory) -> float:
    """Return the noise as one share of the variables' spreads, in root mean square."""
    states = np.array(shown.states)
    spread = states.std(axis=0)
    size = np.hypot(
        [n.absolute for n in noises], [n.relative for n in noises] * np.sqrt((states**2).mean(axis=0))
    )
    shares = np.divide(size, spread, out=np.zeros_like(size), where=spread > 0.0)
    return min(1.0, float(np.sqrt(np.mean(shares**2))))


def reach_of(job: tuple[Motion, int]) -> list[Reach]:
    """Judge the true law at every noise level, with known and with estimated noise, in both profiles."""
    motion, noise_seed = job
    rows = []
    for level, additive, relative in LEVELS:
        for noise_from in ("known", "estimated"):
            task, truth = measured(motion, additive, relative, noise_seed, noise_from)
            clean_r2 = _clean_r2(motion, task)
            for profile in PROFILES:
                config = VerifierConfig(profile=profile)
                verdict = verify(task, truth, motion.law, best_match=0.0, config=config)
                rows.append(
                    Reach(
                        suite=motion.suite,
                        case=motion.name,
                        level=level,
                        noise_seed=noise_seed,
                        noise_from=noise_from,
                        profile=profile,
                        solved=verdict.solved,
                        eligible=profile == "strict" or clean_r2 > config.solved_threshold,
                        clean_r2=clean_r2,
                        match=verdict.reward.match,
                        generalisation=verdict.generalisation,
                        outcome=verdict.simulation.outcome,
                    )
                )
    return rows


def _clean_r2(motion: Motion, task: Task) -> float:
    """Return the mean over variables of the R² of the clean trajectory against what was measured.

    A variable that does not move beyond its noise has no R² and does not count.
    """
    seen = np.array(task.shown[0].states)
    off = seen - np.array(motion.states)[: len(seen)]
    left, total = off.var(axis=0), seen.var(axis=0)
    moving = total > 2.0 * left
    if not moving.any():
        return 0.0
    return float(np.mean(np.clip(1.0 - left[moving] / total[moving], 0.0, 1.0)))


def earned_by(job: tuple[str, int, int, float]) -> list[Earned]:
    """Fit one family to a number of tasks of one system and let both profiles judge it."""
    system_id, family_index, count, noise = job
    family = FAMILIES[family_index]
    drawn = [sample_task(system_id, _FRESH + seed, noise=noise) for seed in range(count)]
    true = all(holds(family, task, truth) for task, truth in drawn)
    laws = fit(family, system_id, [task for task, _ in drawn])
    rows = []
    for profile in PROFILES:
        config = VerifierConfig(profile=profile)
        verdicts = [
            verify(*one, law, best_match=0.0, config=config) for one, law in zip(drawn, laws, strict=True)
        ]
        truths = [verify(*one, true_law(one[1]), best_match=0.0, config=config) for one in drawn]
        solved = tuple(_FRESH + seed for seed, verdict in enumerate(verdicts) if verdict.solved)
        rows.append(
            Earned(
                system_id=system_id,
                family=family.name,
                kind=family.kind,
                holds_truth=true,
                profile=profile,
                total=fmean(verdict.reward.total for verdict in verdicts),
                truth_total=fmean(verdict.reward.total for verdict in truths),
                solved=len(solved),
                tasks=count,
                solved_seeds=solved,
                r2=fmean(_mean_r2(verdict) for verdict in verdicts),
                generalisation=fmean(verdict.generalisation or 0.0 for verdict in verdicts),
            )
        )
    return rows


def _mean_r2(verdict: Verification) -> float:
    return fmean(max(0.0, fit.r2 or 0.0) for fit in verdict.fits.values())


def reach(points: Sequence[int], seeds: int, jobs: int) -> list[Reach]:
    """Return the verdicts on the true laws."""
    motions = [system_motion(system_id, _FRESH + seed) for system_id in SYSTEMS for seed in range(seeds)]
    work = [(motion, 1) for motion in motions]
    for count in points:
        work += [(motion, noise_seed) for motion in odebench_motions(count) for noise_seed in (1, 2)]
    return _spread(reach_of, work, jobs)


def rivals(kinds: Sequence[str], count: int, noise: float, jobs: int) -> list[Earned]:
    """Return what the families of the given kinds ("all" for every one) earn on every system."""
    work = [
        (system_id, index, count, noise)
        for system_id in SYSTEMS
        for index, family in enumerate(FAMILIES)
        if "all" in kinds or family.kind in kinds
    ]
    return _spread(earned_by, work, jobs)


def _spread(work: Callable[[Job], list[Row]], jobs: Sequence[Job], processes: int) -> list[Row]:
    """Return all rows in the order of the jobs, worked off by several processes."""
    if processes == 1:
        return [row for job in jobs for row in work(job)]
    with Pool(processes) as pool:
        return [row for rows in pool.imap(work, jobs, chunksize=4) for row in rows]


def print_reach(rows: Sequence[Reach]) -> None:
    """Print the share of true laws that are accepted, and every case that is not."""
    print("True laws accepted: strict and classic, noise known / estimated")
    print(f"{'suite':24}{'noise':20}{'strict':>22}{'classic':>24}")
    groups: dict[tuple[str, str], list[Reach]] = defaultdict(list)
    for row in rows:
        groups[row.suite, row.level].append(row)
    for (suite, level), group in groups.items():
        cells = []
        for profile in PROFILES:
            shares = [_share(group, profile, source) for source in ("known", "estimated")]
            cells.append(f"{shares[0]} / {shares[1]}")
        print(f"{suite:24}{level:20}{cells[0]:>22}{cells[1]:>24}")
    refused: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row.eligible and not row.solved:
            refused[row.suite, row.level, row.profile, row.noise_from].append(_why(row))
    for key, cases in refused.items():
        print(f"\nrefused: {', '.join(key)}: {len(cases)}\n  " + "\n  ".join(cases))


def _share(rows: Sequence[Reach], profile: str, noise_from: str) -> str:
    counted = [row for row in rows if (row.profile, row.noise_from) == (profile, noise_from) and row.eligible]
    return f"{sum(row.solved for row in counted)}/{len(counted)}"


def _why(row: Reach) -> str:
    general = "none" if row.generalisation is None else f"{row.generalisation:.4f}"
    return (
        f"{row.case} seed {row.noise_seed}: {row.outcome}, match {row.match:.4f} "
        f"(clean R2 {row.clean_r2:.4f}), generalisation {general}"
    )


def print_wrong(rows: Sequence[Earned]) -> None:
    """Print how many wrong laws `strict` calls solved: family by system."""
    strict = [row for row in rows if row.profile == "strict"]
    print("\nWrong laws that strict calls solved (= the family holds the true law)")
    _print_table(strict, lambda row: "=" if row.holds_truth else str(row.solved or "."))
    wrong = [row for row in strict if not row.holds_truth]
    for kind in dict.fromkeys(row.kind for row in wrong):
        mine = [row for row in wrong if row.kind == kind]
        print(f"{kind}: {sum(row.solved for row in mine)} of {sum(row.tasks for row in mine)}")
    for row in wrong:
        if row.solved:
            print(f"  {row.system_id}, {row.family}: seeds {', '.join(map(str, row.solved_seeds))}")


def print_exploits(rows: Sequence[Earned]) -> None:
    """Print mean rewards of a first turn by profile, family and system: who earns more than the truth?"""
    for profile in reversed(PROFILES):
        mine = [row for row in rows if row.profile == profile]
        print(
            f"\nMean reward of the first turn, {profile} (= holds the true law, ! earns more than the truth)"
        )
        _print_table(mine, _earns)
        truths = {row.system_id: f"{row.truth_total:.3f} " for row in mine}
        print(f"{'the true law':32}" + "".join(f"{truths[system_id]:>9}" for system_id in SYSTEMS))
        above = [row for row in mine if not row.holds_truth and row.total > row.truth_total]
        wrong = sum(not row.holds_truth for row in mine)
        print(f"pairs of a wrong family and a system that earn more than the truth: {len(above)} of {wrong}")


def _earns(row: Earned) -> str:
    mark = "=" if row.holds_truth else "!" if row.total > row.truth_total else " "
    return f"{row.total:.3f}{mark}"


def _print_table(rows: Sequence[Earned], cell: Callable[[Earned], str]) -> None:
    print(f"{'':32}" + "".join(f"{_short(system_id):>9}" for system_id in SYSTEMS))
    table = {(row.family, row.system_id): cell(row) for row in rows}
    for family in dict.fromkeys(row.family for row in rows):
        print(f"{family:32}" + "".join(f"{table[family, system_id]:>9}" for system_id in SYSTEMS))


def _short(system_id: str) -> str:
    return "".join(word[:4] for word in system_id.split("_"))[:8]


def main() -> None:
    """Measure what the options ask for and print it."""
    options = _options()
    began = time.perf_counter()
    found: dict[str, list[dict[str, object]]] = {}
    if options.only in (None, "reach") and not options.exploits:
        judged = reach(options.points, options.seeds, options.jobs)
        print_reach(judged)
        found["reach"] = [asdict(row) for row in judged]
    if options.only in (None, "wrong") or options.exploits:
        kinds = ("all",) if options.exploits else COUNTED
        earned = rivals(kinds, options.tasks, options.noise, options.jobs)
        print_wrong(earned)
        if options.exploits:
            print_exploits(earned)
        found["rivals"] = [asdict(row) for row in earned]
    print(f"\n{time.perf_counter() - began:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(found, allow_nan=False) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("reach", "wrong"))
    parser.add_argument("--exploits", action="store_true", help="all families, with what they earn")
    parser.add_argument("--points", type=int, nargs="+", default=[512], help="samples of an ODEBench case")
    parser.add_argument("--seeds", type=int, default=10, help="of each system, for the reach")
    parser.add_argument("--tasks", type=int, default=20, help="of each system, for the wrong laws")
    parser.add_argument("--noise", type=float, default=0.02, help="of the tasks for the wrong laws")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--json", type=Path, help="also write every row here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
