"""Fuzzing of the verifier: `python -m tests.engine.verifier.fuzz --runs 2000000 [--seed 1]`.

Half of the runs are random sentences of the grammar on many kinds of task (`sentences.py`), half are
guided by coverage. Any exception that leaves `verify`, and any answer that is not finite or not bounded,
is a crash. Other arguments go to libFuzzer as they are; without `--runs` it runs alone, `-runs=20000`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict

import atheris

with atheris.instrument_imports(include=["physix.engine.verifier"]):
    from physix.engine.systems import sample_task
    from physix.engine.verifier import verify
    from physix.engine.verifier.types import Hypothesis, VerifierConfig
    from tests.engine.verifier.sentences import run

TASK, TRUTH = sample_task("damped_pendulum", 3)
CONFIG = VerifierConfig(max_evaluations=1_000)
# Pieces of the grammar, so that bytes become sentences that get past the tokenizer.
PIECES = (
    *("theta", "dtheta", "t", "pi", "k", "b", "1", "0", "2", "0.5", "1e12", "1e-9", "sin(", "cos(", "tan("),
    *(
        "exp(",
        "log(",
        "sqrt(",
        "abs(",
        "(",
        ")",
        "+",
        "-",
        "*",
        "/",
        "**",
        ";",
        "\n",
        " ",
        "=",
        "^",
        ".",
        "e",
    ),
    *("d2theta/dt2 = ", "dtheta/dt = ", "\u03b8", "\u2212", "\x00", "_", "[", "'"),
)


def one_input(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    params = {"k": provider.ConsumeFloat(), "b": provider.ConsumeRegularFloat()}
    text = "" if provider.ConsumeBool() else "d2theta/dt2 = "
    if provider.ConsumeBool():
        text += provider.ConsumeUnicode(200)
    else:
        text += "".join(PIECES[byte % len(PIECES)] for byte in provider.ConsumeBytes(200))
    verified = verify(TASK, TRUTH, Hypothesis(equation=text, params=params), best_match=0.0, config=CONFIG)
    json.dumps(asdict(verified), allow_nan=False)
    if verified.simulation.evaluations > CONFIG.max_evaluations:
        raise AssertionError(f"{verified.simulation.evaluations} evaluations for {text!r}")


def main() -> None:
    """Run both kinds; the guided one ends the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options, others = parser.parse_known_args()
    if options.runs is not None:
        began, step = time.perf_counter(), 10_000
        for first in range(0, options.runs // 2, step):
            count = min(step, options.runs // 2 - first)
            run(count, options.seed * 1_000_003 + first)
            sys.stderr.write(f"{first + count} sentences, {time.perf_counter() - began:.0f} s\n")
        others += [f"-runs={options.runs - options.runs // 2}", f"-seed={options.seed}", "-max_len=200"]
    atheris.Setup([sys.argv[0], *others], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
