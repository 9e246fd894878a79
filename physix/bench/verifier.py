"""What a verification costs, stage by stage, beside the SymPy recipe on the same texts.

The recipe is `parse_expr` + `lambdify` + `odeint` with the same tolerances and R²: no units, no
words, no hidden trajectories. Every timed text is fresh, so that nobody answers from a cache of
whole texts: "new" changes the structure each time (a factor written another way), "constants"
changes the numbers only. Needs the `bench` extra for SymPy.
"""

from __future__ import annotations

import math
import re
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
from scipy.integrate import odeint

from physix.errors import BadInputError
from physix.systems import SYSTEMS, sample_task
from physix.systems.task import Task, Truth
from physix.verifier import check_units, correctness, parse, simulate, verify
from physix.verifier.mismatch import describe
from physix.verifier.score import fit_variables
from physix.verifier.tree import ParsedHypothesis
from physix.verifier.types import Hypothesis, VerifierConfig

CONFIG = VerifierConfig()
SEED = 7
_COLUMNS = (
    "parse",
    "p+s+R2 new",
    "p+s+R2 const",
    "verify new",
    "verify const",
    "SymPy new",
    "SymPy const",
    "units",
    "words",
    "correct.",
)


def main(repeats: int) -> None:
    """Print milliseconds per stage, median and p95, ratios to the recipe, and throughput."""
    try:
        import sympy  # noqa: F401  # fail before measuring for half a minute
    except ImportError as error:
        raise BadInputError("The recipe needs SymPy: pip install 'physix-live[bench]'.") from error
    out = sys.stdout
    out.write(f"{'ms, median / p95':18}" + "".join(f"{name:>16}" for name in _COLUMNS) + "\n")
    rows = {}
    for system_id in SYSTEMS:
        rows[system_id] = row = _measure(system_id, repeats)
        cells = [f"{statistics.median(x):.3f} / {_p95(x):.3f}" for x in row]
        out.write(f"{system_id:18}" + "".join(f"{cell:>16}" for cell in cells) + "\n")
    means = [
        statistics.mean(statistics.median(row[i]) for row in rows.values()) for i in range(len(_COLUMNS))
    ]
    out.write(f"{'mean of medians':18}" + "".join(f"{mean:>16.3f}" for mean in means) + "\n")
    _, new, const, whole_new, whole_const, sympy_new, sympy_const, *_ = means
    out.write(
        f"recipe / parse+simulate+R2: {sympy_new / new:.1f}x new structure, "
        f"{sympy_const / const:.1f}x other constants\n"
        f"recipe / full verification (hidden runs, units, words, correctness): "
        f"{sympy_new / whole_new:.1f}x new structure, {sympy_const / whole_const:.1f}x other constants\n"
        f"repeated text: {1e3 * _cached():.1f} us\n"
    )
    for processes in (1, 2):
        out.write(f"{processes} process(es): {_throughput(processes, repeats):.0f} verifications/s\n")


def _measure(system_id: str, repeats: int) -> list[list[float]]:
    task, truth = sample_task(system_id, SEED)
    variants = _Variants(truth)
    law = _parsed(task, variants.constants(0))
    simulation = simulate(law, task.shown, CONFIG)
    fits = fit_variables(task, simulation)

    def score(text: str) -> object:
        return fit_variables(task, simulate(_parsed(task, text), task.shown, CONFIG))

    def whole(text: str) -> object:
        return verify(task, truth, Hypothesis(equation=text), best_match=0.0, config=CONFIG)

    work: list[Callable[[int], object]] = [
        lambda i: _parsed(task, variants.structure(i)),
        lambda i: score(variants.structure(repeats + i)),
        lambda i: score(variants.constants(i)),
        lambda i: whole(variants.structure(2 * repeats + i)),
        lambda i: whole(variants.constants(repeats + i)),
        lambda i: recipe(task, variants.structure(i)),
        lambda i: recipe(task, variants.constants(i)),
        lambda _: check_units(law, task.time_unit),
        lambda _: describe(task, None, simulation, fits),
        lambda _: correctness(law, task, truth),
    ]
    return _interleaved(work, repeats)


class _Variants:
    """Endless fresh texts of the true law."""

    def __init__(self, truth: Truth) -> None:
        self._equation = truth.equation or ""
        self._params = truth.params

    def constants(self, i: int) -> str:
        """Return the law with its numbers written in, a billionth apart."""
        text = self._equation
        for name, value in self._params.items():
            text = re.sub(rf"\b{name}\b", repr(value * (1 + (i + 1) * 1e-9)), text)
        return text

    def structure(self, i: int) -> str:
        """Return the law times a product of ones that no other `i` has: a tree never seen before."""
        ones = "".join("*1" if i >> bit & 1 else "/1" for bit in range(12))
        return "; ".join(
            f"{left.strip()} = ({right.strip()}){ones}"
            for left, right in (part.split("=") for part in self.constants(i).split(";"))
        )


def _parsed(task: Task, text: str) -> ParsedHypothesis:
    parsed = parse(text, {}, task.variables)
    if not isinstance(parsed, ParsedHypothesis):
        raise TypeError(parsed.message)
    return parsed


def recipe(task: Task, equation: str) -> object:
    """Parse with SymPy, lambdify to `math`, integrate, and return R² per variable."""
    import sympy

    names = [v.name for v in task.variables]
    symbols = sympy.symbols(names)
    local = dict(zip(names, symbols, strict=True))
    right = {}
    for line in equation.split(";"):
        left, _, text = line.partition("=")
        match = re.search(r"d2?(\w+?)/dt", left)
        right[match[1] if match else ""] = sympy.parse_expr(text, local_dict=local)
    rates = {v.rate_of: v.name for v in task.variables if v.rate_of}
    system = [
        right[v.rate_of] if v.rate_of else local[rates[v.name]] if v.name in rates else right[v.name]
        for v in task.variables
    ]
    function = sympy.lambdify(symbols, system, "math")
    states = np.asarray(task.shown[0].states)
    predicted = odeint(
        lambda y, t: function(*y.tolist()), states[0], task.shown[0].t, rtol=CONFIG.rtol, atol=CONFIG.atol
    )
    return 1 - ((states - predicted) ** 2).sum(0) / ((states - states.mean(0)) ** 2).sum(0)


def _interleaved(work: list[Callable[[int], object]], repeats: int) -> list[list[float]]:
    """Return milliseconds per column; columns take turns, so that a busy machine hits all alike."""
    for one in work:
        one(0)
    spent: list[list[float]] = [[] for _ in work]
    for i in range(1, repeats + 1):
        for column, one in enumerate(work):
            began = time.perf_counter()
            one(i)
            spent[column].append(1e3 * (time.perf_counter() - began))
    return spent


def _p95(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _cached() -> float:
    """Return milliseconds for a text that was verified a moment ago."""
    task, truth = sample_task("damped_pendulum", SEED)
    hypothesis = Hypothesis(equation=truth.equation or "", params=dict(truth.params))
    verify(task, truth, hypothesis, best_match=0.0, config=CONFIG)
    spent = []
    for _ in range(200):
        began = time.perf_counter()
        verify(task, truth, hypothesis, best_match=0.0, config=CONFIG)
        spent.append(1e3 * (time.perf_counter() - began))
    return statistics.median(spent)


def _throughput(processes: int, repeats: int) -> float:
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(_batch, range(processes), [1] * processes))
        began = time.perf_counter()
        done = sum(pool.map(_batch, range(processes), [repeats] * processes))
        return done / (time.perf_counter() - began)


def _batch(worker: int, repeats: int) -> int:
    done = 0
    for system_id in SYSTEMS:
        task, truth = sample_task(system_id, SEED)
        variants = _Variants(truth)
        config = replace(CONFIG)
        for i in range(repeats):
            text = variants.constants(1_000_000 * (worker + 1) + i)
            verify(task, truth, Hypothesis(equation=text), best_match=0.0, config=config)
            done += 1
    return done
