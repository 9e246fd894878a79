"""ms per verification on each system, beside the SymPy recipe on the same texts.

`python bench/verifier.py [--repeats 40]`; the SymPy column needs the `bench` extra. Every repeat uses
fresh constants written into the text, so that neither side answers from a cache of whole texts.
The recipe is parse_expr + lambdify + odeint with the same tolerances, and no units, words or
hidden trajectories; ours is the whole verification.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Callable

import numpy as np
import sympy
from scipy.integrate import odeint

from physix.systems import SYSTEMS, sample_task
from physix.systems.task import Task
from physix.verifier import parse, simulate, verify
from physix.verifier.tree import ParsedHypothesis
from physix.verifier.types import Hypothesis, VerifierConfig

CONFIG = VerifierConfig()


def recipe(task: Task, equation: str) -> None:
    names = [v.name for v in task.variables]
    symbols = sympy.symbols(names)
    local = dict(zip(names, symbols, strict=True))
    right = {}
    for line in equation.split(";"):
        left, _, text = line.partition("=")
        match = re.search(r"d2?(\w+?)/dt", left)
        assert match is not None
        right[match[1]] = sympy.parse_expr(text, local_dict=local)
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
    1 - ((states - predicted) ** 2).sum(0) / ((states - states.mean(0)) ** 2).sum(0)


def timed(work: Callable[[int], object], repeats: int) -> list[float]:
    work(0)
    spent = []
    for i in range(1, repeats + 1):
        began = time.perf_counter()
        work(i)
        spent.append(1e3 * (time.perf_counter() - began))
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=40)
    repeats = parser.parse_args().repeats
    print(f"{'system':16} {'parse':>7} {'parse+sim':>10} {'verify':>8} {'p95':>7} {'SymPy':>8} {'ratio':>6}")
    for system_id in SYSTEMS:
        task, truth = sample_task(system_id, 7)

        def text(i: int) -> str:
            written = truth.equation or ""
            for name, value in truth.params.items():
                written = re.sub(rf"\b{name}\b", repr(value * (1 + i * 1e-9)), written)
            return written

        def only_parse(i: int) -> ParsedHypothesis:
            parsed = parse(text(i), {}, task.variables)
            assert isinstance(parsed, ParsedHypothesis)
            return parsed

        def whole(i: int) -> object:
            return verify(task, truth, Hypothesis(equation=text(i)), best_match=0.0, config=CONFIG)

        parsing = statistics.median(timed(only_parse, repeats))
        simulating = statistics.median(timed(lambda i: simulate(only_parse(i), task.shown, CONFIG), repeats))
        full = timed(whole, repeats)
        sympy_ms = statistics.median(timed(lambda i: recipe(task, text(i)), repeats))
        middle = statistics.median(full)
        p95 = sorted(full)[int(0.95 * len(full))]
        print(
            f"{system_id:16} {parsing:7.3f} {simulating:10.3f} {middle:8.3f} {p95:7.3f} {sympy_ms:8.3f} "
            f"{sympy_ms / simulating:6.1f}"
        )
    print("ms; ratio = SymPy recipe / our parse + simulate; verify adds hidden runs, units, words")


if __name__ == "__main__":
    main()
