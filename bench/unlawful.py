"""Records whose law cannot be had from them: a variable was not measured, a delay, a switch.

    python -m bench.unlawful                       # every record at 1 % noise, some four minutes of a core
    python -m bench.unlawful --noise 0.01 0.03 --only prey bouncing_ball
    python -m bench.unlawful --write FOLDER        # as CSV files, nothing is played

What is counted is how many a policy ends as `solved`: none should. One quantity is measured at even times,
with noise of a share of its spread; the last quarter is held back, as for any file. Where a quantity alone
obeys a law that the grammar can say (the voltage of FitzHugh and Nagumo) solved would be true: none is such.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import PCG64, Generator
from scipy.integrate import solve_ivp

from bench.discovery import STRICT, play
from physix.engine.floats import FloatArray
from physix.engine.systems.measured import measured_task, read_table

Field = Callable[[float, FloatArray], Sequence[float]]
_STEPS = 400  # of a delay, and of a sample where something switches


@dataclass(frozen=True, slots=True)
class Record:
    """One quantity over time, without noise."""

    name: str
    quantity: str
    t: FloatArray
    values: FloatArray

    def csv(self, noise: float) -> str:
        """Return it as a file, with noise of a share of its spread."""
        random = Generator(PCG64(sum(map(ord, self.name))))
        seen = self.values + noise * self.values.std() * random.standard_normal(len(self.values))
        rows = (f"{t:.6g},{x:.6g}" for t, x in zip(self.t.tolist(), seen.tolist(), strict=True))
        return "\n".join([f"t,{self.quantity}", *rows, ""])


def records() -> list[Record]:
    """Return all records: what was hidden, delayed, switched."""
    return [*_hidden(), *_delayed(), *_switched()]


def _hidden() -> list[Record]:
    return [
        _seen(
            "infected", 1, 60, 121, [99, 1], lambda _, s: [-0.005 * s[0] * s[1], (0.005 * s[0] - 0.1) * s[1]]
        ),
        _seen("prey", 0, 40, 240, [3, 1], lambda _, s: [s[0] * (1 - 0.5 * s[1]), s[1] * (0.4 * s[0] - 0.8)]),
        _seen("drug", 0, 12, 90, [10, 0], lambda _, s: [-1.2 * s[0] + 0.3 * s[1], 0.9 * s[0] - 0.4 * s[1]]),
        _seen("convection", 0, 15, 600, [1, 2, 20], _lorenz),
        _seen("carriage", 0, 20, 300, [1, -0.4, 0, 0], _coupled_springs),
        _seen("theta", 0, 8, 400, [1.4, 0.6, 0, 0], _double_pendulum),
        _seen("poisoned", 0, 20, 160, [2, 0], _own_waste),
        _seen("cup", 0, 25, 120, [90, 25], lambda _, s: [-0.8 * (s[0] - s[1]), 0.25 * s[0] - 0.3 * s[1] + 1]),
        _seen("shaken", 0, 25, 400, [1, 0], _shaken),
        _seen("messenger", 0, 50, 300, [0.2, 0.5, 1.5], _goodwin),
    ]


def _lorenz(_: float, s: FloatArray) -> list[float]:
    return [10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]]


def _coupled_springs(_: float, s: FloatArray) -> list[float]:
    pull = 1.3 * (s[1] - s[0])
    return [s[2], s[3], pull - 4 * s[0] - 0.05 * s[2], -pull - 6 * s[1] - 0.05 * s[3]]


def _double_pendulum(_: float, s: FloatArray) -> list[float]:
    a, b, p, q = s
    off, below = a - b, 3 - np.cos(2 * (a - b))
    swing = -9.81 * (3 * np.sin(a) + np.sin(a - 2 * b)) - 2 * np.sin(off) * (q * q + p * p * np.cos(off))
    bob = 2 * np.sin(off) * (2 * p * p + 2 * 9.81 * np.cos(a) + q * q * np.cos(off))
    return [p, q, swing / below, bob / below]


def _own_waste(_: float, s: FloatArray) -> list[float]:
    return [2 * s[0] * (1 - s[0] / 50) - 0.05 * s[0] * s[1], 0.5 * s[0] - 0.4 * s[1]]


def _shaken(t: float, s: FloatArray) -> list[float]:
    return [s[1], -9 * s[0] - 0.2 * s[1] + 3 * math.sin(1.1 * t + 0.8 * math.sin(0.37 * t))]


def _goodwin(_: float, s: FloatArray) -> list[float]:
    return [8 / (1 + s[2] ** 8) - 0.6 * s[0], s[0] - 0.6 * s[1], s[1] - 0.6 * s[2]]


def _delayed() -> list[Record]:
    return [
        _late("cells", 17, 300, 400, 1.2, lambda x, past: 0.2 * past / (1 + past**10) - 0.1 * x),
        _late("lemmings", 1.8, 40, 300, 2.0, lambda x, past: x * (1 - past / 10)),
        _late("level", 1.2, 30, 300, 0.5, lambda x, past: -1.5 * math.tanh(2 * past) - 0.3 * x),
        _late("flies", 5, 80, 320, 0.5, lambda x, past: 3 * past * math.exp(-past / 2) - 0.6 * x),
    ]


def _switched() -> list[Record]:
    return [
        _stepped("temperature", 20, 300, [15, 1], _thermostat),
        _stepped("bouncing_ball", 4, 240, [2, 0], _bouncing),
        _stepped(
            "spring_changed", 12, 300, [1, 0], lambda t, s: [s[1], -(4 if t < 6 else 9) * s[0] - 0.1 * s[1]]
        ),
        _stepped(
            "drug_added", 14, 200, [3], lambda t, s: [(0.8 if t < 5 else 0.2) * s[0] * (1 - s[0] / 100)]
        ),
        _stepped("against_a_stop", 15, 400, [1, 0], _against_a_stop),
        _stepped("tank", 24, 300, [2], lambda t, s: [0.6 * (t % 6 < 2) - 0.5 * math.sqrt(max(s[0], 0))]),
    ]


def _thermostat(_: float, s: FloatArray) -> list[float]:
    if not 18 < s[0] < 22:
        s[1] = s[0] <= 18
    return [6 * s[1] - 0.2 * (s[0] - 10), 0]


def _bouncing(_: float, s: FloatArray) -> list[float]:
    if s[0] < 0 and s[1] < 0:
        s[:] = 0, -0.8 * s[1]
    return [s[1], -9.81]


def _against_a_stop(_: float, s: FloatArray) -> list[float]:
    return [s[1], -4 * s[0] - 12 * min(0, s[0] + 0.3) - 0.05 * s[1]]


def _seen(name: str, column: int, until: float, rows: int, start: Sequence[float], field: Field) -> Record:
    t = np.linspace(0.0, until, rows)
    states = solve_ivp(field, (0.0, until), start, t_eval=t, rtol=1e-9, atol=1e-11).y
    return Record(name, name, t, states[column])


def _late(
    name: str, delay: float, until: float, rows: int, before: float, rate: Callable[[float, float], float]
) -> Record:
    """Return x' = rate(x, x a delay ago), by Heun's rule."""
    step = delay / _STEPS
    count = round(until / step)
    x = np.full(count + 1 + _STEPS, before)
    for i in range(_STEPS, count + _STEPS):
        first = rate(x[i], x[i - _STEPS])
        x[i + 1] = x[i] + step * (first + rate(x[i] + step * first, x[i - _STEPS + 1])) / 2
    t = np.linspace(0.0, until, rows)
    return Record(name, name, t, np.interp(t, np.arange(count + 1) * step, x[_STEPS:]))


def _stepped(name: str, until: float, rows: int, start: Sequence[float], field: Field) -> Record:
    """Return the first variable of a motion in small steps; `field` may switch what it is given."""
    t = np.linspace(0.0, until, rows)
    step = t[1] / _STEPS
    state, seen = np.array(start, dtype=float), [float(start[0])]
    for i in range(_STEPS * (rows - 1)):
        state += step * np.array(field(i * step, state))
        if (i + 1) % _STEPS == 0:
            seen.append(float(state[0]))
    return Record(name, name, t, np.array(seen))


def ended(record: Record, noise: float, policy: str) -> tuple[str, str]:
    """Return how a policy's episode on a record ends, and the law that it came to."""
    made = measured_task(read_table(record.csv(noise).encode()))
    law, _, reason = play(made.task, made.truth, policy, STRICT)
    return reason, law.equation


def main() -> None:
    """Play the records, or write them."""
    parser = argparse.ArgumentParser(description="Does a policy claim a law where there is none to be had?")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.01])
    parser.add_argument("--policy", default="search")
    parser.add_argument("--only", nargs="+", help="names of records")
    parser.add_argument("--write", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    chosen = [one for one in records() if not options.only or one.name in options.only]
    solved = 0
    for noise in options.noise:
        for one in chosen:
            if options.write:
                options.write.mkdir(parents=True, exist_ok=True)
                (options.write / f"{one.name}_{noise:g}.csv").write_text(one.csv(noise), encoding="utf-8")
                continue
            began = time.process_time()
            reason, law = ended(one, noise, options.policy)
            solved += reason == "solved"
            print(f"{one.name} {noise:g}: {reason}, {time.process_time() - began:.1f} s, {law}", flush=True)
    if not options.write:
        print(f"{solved} of {len(chosen) * len(options.noise)} ended as solved")


if __name__ == "__main__":
    main()
