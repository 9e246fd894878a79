"""What a verification costs, stage by stage, beside the SymPy recipe on the same texts.

The recipe is `parse_expr` + `lambdify` + `odeint` with the same tolerances and R²: no units, no
words, no hidden trajectories. No text is ever repeated: "new" has forgotten every form and compiled
structure, "const" has seen the structure with other numbers. SymPy keeps whatever it caches.
"wrong" is a law that needs sentences, each right side times 1.3.
Columns take turns in blocks, so that a busy machine hits all alike; the table is CPU time, and the ratios
are printed for CPU and for wall time.
"""

from __future__ import annotations

import math
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import count, islice

import numpy as np
from scipy.integrate import odeint

from physix.cli.tables import lines
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier import check_units, correctness, parse, verify
from physix.engine.verifier.compile import program
from physix.engine.verifier.mismatch import find_mismatch
from physix.engine.verifier.prepared import prepare
from physix.engine.verifier.reading import forget_read
from physix.engine.verifier.score import fit_variables
from physix.engine.verifier.simulate import run_program
from physix.engine.verifier.tree import ParsedHypothesis, show
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.engine.verifier.words import describe

CONFIG = VerifierConfig()
SEED = 7
_ROUNDS = 4
_COLUMNS = (
    "parse",
    "p+s+R2 new",
    "p+s+R2 const",
    "verify new",
    "verify const",
    "+ 2 hidden",
    "wrong new",
    "wrong const",
    "SymPy recipe",
    "units",
    "words",
    "correctness",
)


def main(repeats: int) -> None:
    """Print CPU milliseconds per stage, median and p95, ratios to the recipe, and throughput."""
    out = sys.stdout
    measured = {system_id: _measure(system_id, repeats) for system_id in SYSTEMS}
    cells = [
        (
            system_id,
            *(f"{statistics.median(x):.3f} / {_p95(x):.3f}" for x in (_cpu(column) for column in row)),
        )
        for system_id, row in measured.items()
    ]
    cpu, wall = (
        [
            statistics.mean(statistics.median(part(row[i])) for row in measured.values())
            for i in range(len(_COLUMNS))
        ]
        for part in (_cpu, _wall)
    )
    lines(("CPU ms, median / p95", *_COLUMNS), [*cells, ("mean of medians", *cpu)], numbers=_COLUMNS)
    for name, means in (("CPU", cpu), ("wall", wall)):
        ms = dict(zip(_COLUMNS, means, strict=True))
        times = {column: f"{ms['SymPy recipe'] / each:.1f}x" for column, each in ms.items()}
        out.write(
            f"{name} time, recipe / parse+simulate+R2: {times['p+s+R2 new']} new structure, "
            f"{times['p+s+R2 const']} other constants\n"
            f"{name} time, recipe / full verification (units, words, diagnostics, correctness): "
            f"{times['verify new']} new structure, {times['verify const']} other constants, "
            f"{times['+ 2 hidden']} with the runs over 2 hidden trajectories; of a wrong law, its sentences "
            f"included: {times['wrong new']} new structure, {times['wrong const']} other constants\n"
        )
    out.write(f"repeated text: {1e3 * _cached():.1f} us\n")
    for processes in (1, 2):
        out.write(f"{processes} process(es): {_throughput(processes, repeats):.0f} verifications/s\n")


_Spent = tuple[float, float]  # CPU and wall milliseconds


def _cpu(spent: Sequence[_Spent]) -> list[float]:
    return [cpu for cpu, _ in spent]


def _wall(spent: Sequence[_Spent]) -> list[float]:
    return [wall for _, wall in spent]


def _measure(system_id: str, repeats: int) -> list[list[_Spent]]:
    task, truth = sample_task(system_id, SEED)
    texts = _texts(truth)
    law = _parsed(task, next(texts))
    prepared = prepare(task)
    # A right law needs no words: what they cost shows on a wrong one.
    wrong = _parsed(task, _times(1.3, law))
    wrong_run = run_program(program(wrong), task, CONFIG)
    wrong_fits = fit_variables(prepared, wrong_run)

    def score(text: str) -> object:
        return fit_variables(prepared, run_program(program(_parsed(task, text)), task, CONFIG))

    def words() -> str:
        found = find_mismatch(task, wrong, prepared, wrong_run, wrong_fits, CONFIG.max_evaluations)
        return describe(found, task.variables, None)

    shown_only = replace(truth, hidden=())

    def whole(text: str) -> object:
        return verify(task, shown_only, Hypothesis(equation=text), best_match=0.0, config=CONFIG)

    def with_hidden(text: str) -> object:
        return verify(task, truth, Hypothesis(equation=text), best_match=0.0, config=CONFIG)

    work: list[tuple[Callable[[str], object], bool]] = [
        (lambda text: _parsed(task, text), False),
        (score, True),
        (score, False),
        (whole, True),
        (whole, False),
        (with_hidden, False),
        (whole, True),
        (whole, False),
        (lambda text: recipe(task, text), False),
        (lambda _: check_units(law, task.time_unit), False),
        (lambda _: words(), False),
        (lambda _: correctness(law, task, truth), False),
    ]
    spent: list[list[_Spent]] = [[] for _ in work]
    wrong_texts = (_times(1.3, _parsed(task, text)) for text in texts)
    for _ in range(_ROUNDS):
        for column, (one, forget) in enumerate(work):
            asked = wrong_texts if _COLUMNS[column].startswith("wrong") else texts
            one(next(asked))
            for _ in range(math.ceil(repeats / _ROUNDS)):
                text = next(asked)
                if forget:
                    forget_read()
                began, busy = time.perf_counter(), time.thread_time()
                one(text)
                busy, wall = time.thread_time() - busy, time.perf_counter() - began
                spent[column].append((1e3 * busy, 1e3 * wall))
    return spent


def _texts(truth: Truth, first: int = 1) -> Iterator[str]:
    """Yield the true law with its numbers written in, each time a billionth apart."""
    for i in count(first):
        text = truth.equation or ""
        for name, value in truth.params.items():
            text = re.sub(rf"\b{name}\b", repr(value * (1 + i * 1e-9)), text)
        yield text


def _times(factor: float, law: ParsedHypothesis) -> str:
    return "; ".join(f"{e.target} = {factor}*({show(e.expression)})" for e in law.equations)


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
        lambda y, t: function(*y.tolist()),
        states[0],
        task.shown[0].t,
        rtol=CONFIG.rtol,
        atol=CONFIG.atol * states.std(axis=0),
    )
    return 1 - ((states - predicted) ** 2).sum(0) / ((states - states.mean(0)) ** 2).sum(0)


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
        for text in islice(_texts(truth, 1_000_000 * (worker + 1)), repeats):
            verify(task, truth, Hypothesis(equation=text), best_match=0.0, config=CONFIG)
            done += 1
    return done
