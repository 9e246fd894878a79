"""How often do `search` and PySINDy find the law? One table per method, a row per system.

    python bench/baselines.py --seeds 50

Every method gets the same tasks and is judged by the same verifier. PySINDy (the `bench` extra)
is fitted once per task, so it always takes one turn:

- `pysindy`: its defaults (STLSQ with threshold 0.1, finite differences), second-degree polynomials in
  the state, and sines and cosines of every variable measured in rad.
- `pysindy-smooth`: the same with its SmoothedFiniteDifference.

The state is taken as given: positions move at the observed velocities, and only the fitted
accelerations enter the hypothesis. `solved` is r_match above the classic threshold on the shown
trajectory; `general.` the share of tasks whose hidden trajectories are met with R² > 0.9.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

import anyio
import numpy as np

from physix.cli.tables import lines, number
from physix.engine.systems import DEFAULT_NOISE, SYSTEMS, Task, Truth, sample_task
from physix.engine.systems.targets import targets
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig

GENERAL = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one method made of one task."""

    system_id: str
    seed: int
    solved: bool
    generalisation: float  # of the last turn, 0 if nothing could be simulated
    turns: int
    cpu_s: float
    equation: str


Method = Callable[[Task, Truth], tuple[Hypothesis, int]]


def search(task: Task, truth: Truth) -> tuple[Hypothesis, int]:
    """Play an episode with the embedded policy; return its last hypothesis and the turns it took."""
    from physix.engine import EpisodeConfig, EpisodeEngine
    from physix.policies import make_policy
    from physix.store import open_log

    async def play() -> tuple[Hypothesis, int]:
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            episode = await engine.start(task, truth, config=EpisodeConfig(), policy="search", door="cli")
            episode = await engine.run(episode.episode_id, make_policy("search"))
        if not episode.turns:
            return Hypothesis(equation=""), 0
        last = episode.turns[-1].submitted
        return Hypothesis(equation=last.equation, params=last.params), len(episode.turns)

    return anyio.run(play)


def pysindy(task: Task, truth: Truth) -> tuple[Hypothesis, int]:
    """Fit PySINDy with its default derivative."""
    import pysindy as ps

    return _fit_pysindy(task, ps.FiniteDifference()), 1


def pysindy_smooth(task: Task, truth: Truth) -> tuple[Hypothesis, int]:
    """Fit PySINDy with its smoothed derivative."""
    import pysindy as ps

    return _fit_pysindy(task, ps.SmoothedFiniteDifference()), 1


def _fit_pysindy(task: Task, derivative: object) -> Hypothesis:
    import pysindy as ps

    names = [variable.name for variable in task.variables]
    angles = [i for i, variable in enumerate(task.variables) if variable.unit == "rad"]
    library = ps.PolynomialLibrary(degree=2)
    if angles:
        library = ps.GeneralizedLibrary(
            [library, ps.FourierLibrary(n_frequencies=1)],
            inputs_per_library=[list(range(len(names))), angles],
        )
    model = ps.SINDy(feature_library=library, differentiation_method=derivative)
    states = [np.array(trajectory.states) for trajectory in task.shown]
    times = [np.array(trajectory.t) for trajectory in task.shown]
    model.fit(states, t=times, feature_names=names)
    features = [_feature_text(name) for name in model.get_feature_names()]
    coefficients = dict(zip(names, model.coefficients().tolist(), strict=True))
    return Hypothesis(equation="; ".join(_equations(task, features, coefficients)))


def _feature_text(name: str) -> str:
    """Return PySINDy's `theta^2`, `x vy` or `sin(1 theta)` in the verifier's grammar."""
    name = re.sub(r"\((\d+) ", r"(\1*", name).replace("(1*", "(")
    return name.replace("^", "**").replace(" ", "*")


def _equations(task: Task, features: Sequence[str], coefficients: dict[str, list[float]]) -> list[str]:
    equations = []
    for target in targets(task.variables):
        fitted = coefficients[target.driven]
        terms = [f"({c:.10g})*{f}" for f, c in zip(features, fitted, strict=True) if c]
        equations.append(f"{target.left} = {' + '.join(terms) or '0'}")
    return equations


METHODS: dict[str, Method] = {
    "search": search,
    "pysindy": pysindy,
    "pysindy-smooth": pysindy_smooth,
}


def attempt(method: Method, system_id: str, seed: int, noise: float) -> Attempt:
    """Let a method work on one task and judge what it ends with."""
    task, truth = sample_task(system_id, seed, noise=noise)
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PySINDy says so when a fit is empty; the score says it too
        hypothesis, turns = method(task, truth)
    cpu_s = time.process_time() - started
    verdict = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig())
    return Attempt(
        system_id=system_id,
        seed=seed,
        solved=verdict.solved,
        generalisation=verdict.generalisation or 0.0,
        turns=turns,
        cpu_s=cpu_s,
        equation=hypothesis.equation,
    )


def print_table(name: str, attempts: Sequence[Attempt]) -> None:
    """Print one row per system and one for all of them."""
    columns = ("system", "solved", "general.", "turns", "CPU s")
    rows = []
    for system_id in [*dict.fromkeys(one.system_id for one in attempts), "all"]:
        mine = [one for one in attempts if system_id in ("all", one.system_id)]
        solved = fmean(one.solved for one in mine)
        general = fmean(one.generalisation > GENERAL for one in mine)
        turns, cpu_s = fmean(one.turns for one in mine), fmean(one.cpu_s for one in mine)
        rows.append((system_id, number(solved, 2), number(general, 2), number(turns, 1), number(cpu_s, 2)))
    print(f"\n{name}")
    lines(columns, rows, numbers=columns[1:])


def main() -> None:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description="Compare search with PySINDy on the same seeds.")
    parser.add_argument("--seeds", type=int, default=50, help="tasks per system (default 50)")
    parser.add_argument("--first-seed", type=int, default=10_000, help="first seed (default 10000)")
    parser.add_argument("--noise", type=float, default=DEFAULT_NOISE, help="0 to 0.05 (default 0.02)")
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--json", metavar="FILE", help="also write every attempt, one object a line")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    print(f"{options.seeds} seeds from {options.first_seed}, noise {options.noise}")
    records = []
    for name in options.methods:
        # The first call pays for imports, which are no part of the method.
        METHODS[name](*sample_task(options.systems[0], 0))
        attempts = [
            attempt(METHODS[name], system_id, seed, options.noise)
            for system_id in options.systems
            for seed in seeds
        ]
        print_table(name, attempts)
        records += [{"method": name, **asdict(one)} for one in attempts]
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)


if __name__ == "__main__":
    sys.exit(main())
