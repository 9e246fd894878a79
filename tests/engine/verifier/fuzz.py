"""Coverage-guided fuzzing of the verifier: `python -m tests.engine.verifier.fuzz -runs=20000`.

Any exception that leaves `verify`, and any answer that is not finite or not bounded, is a crash.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import atheris

with atheris.instrument_imports(include=["physix.engine.verifier"]):
    from physix.engine.systems import sample_task
    from physix.engine.verifier import verify
    from physix.engine.verifier.types import Hypothesis, VerifierConfig

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


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
