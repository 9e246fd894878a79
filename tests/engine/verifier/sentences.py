"""Random sentences of the grammar, and tasks to try them on: deterministic, without any coverage tool.

Where bytes rarely get past the tokenizer, whole expression trees always do, and reach what simulates,
scores, fits and describes with the numbers that break such code: huge, tiny, zero, negative, nested.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, replace

import numpy as np

from physix.engine.systems import sample_task
from physix.engine.systems.task import Noise, Task, Truth
from physix.engine.verifier import verify
from physix.engine.verifier.prepared import prepare
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from tests.engine.verifier.measured import table, variables

NUMBERS = (
    *("0", "1", "2", "3", "0.5", "9.81", "100", "1e-9", "1e-300", "1e-320", "1e6", "1e12"),
    *("999999999999", "0.1", "7", "1.5"),
)
PARAMS = (0.0, 1.0, -1.0, 2.5, -9.81, 1e12, -1e12, 1e-12, 5e-324, 1e300, float("inf"), float("nan"))
ONE, TWO = (
    ("sin", "cos", "tan", "exp", "log", "sqrt", "abs", "tanh", "sign", "atan", "sinh", "cosh"),
    ("min", "max"),
)
BUDGET = 400


def _measured() -> Iterator[tuple[Task, Truth]]:
    t = np.linspace(0.0, 4.0, 24)
    blur = np.random.default_rng(0).standard_normal((24, 2))
    swing = np.column_stack([np.cos(2 * t), -2 * np.sin(2 * t)]) + 0.05 * blur
    pair = variables("x v", rates={"v": "x"})
    noises = [Noise(absolute=0.05, relative=0.01), Noise(absolute=0.1)]
    yield table(pair, t, swing, noises=noises, hold_back=0.25, missing=[(0, 0), (5, 1), (23, 0)])
    yield table(pair, t, swing, inputs=np.sin(t)[:, None], noises=noises, hold_back=0.25)
    guessed = variables("x v", rates={"v": "x"}, estimated="v")
    yield table(guessed, t, swing, noises=[Noise(absolute=0.05), Noise(absolute=0.0)])
    # Sizes at both ends of what a file may hold, a variable at rest and one that is zero throughout.
    yield table(variables("n"), t, 1e11 * np.exp(t / 2)[:, None], noises=[Noise(absolute=0.0, relative=0.05)])
    still = np.column_stack([1e-12 * np.exp(-t), np.full(24, 3.0), np.zeros(24)])
    yield table(variables("a b c"), t, still, noises=[Noise(absolute=1e-14)] * 3, hold_back=0.5)


def _tasks() -> list[tuple[Task, Truth]]:
    tasks = [sample_task(name, 3) for name in ("damped_pendulum", "projectile_drag")]
    tasks.append(sample_task("free_fall", 3, noise=0.0, trajectories=2))
    short = [
        (
            replace(task, shown=tuple(replace(x, t=x.t[:24], states=x.states[:24]) for x in task.shown)),
            replace(truth, hidden=truth.hidden[:1]),
        )
        for task, truth in tasks
    ]
    return [*short, *_measured()]


TASKS = _tasks()
CONFIGS = (
    VerifierConfig(max_evaluations=BUDGET, functions="extended"),
    VerifierConfig(max_evaluations=BUDGET, functions="extended", profile="strict"),
)
FITTED = VerifierConfig(max_evaluations=BUDGET, functions="extended", constants="fitted")


def expression(draw: random.Random, names: tuple[str, ...], depth: int) -> str:
    """Return a random expression of at most `depth` nested levels."""
    kind = draw.random()
    if depth == 0 or kind < 0.25:
        return draw.choice(NUMBERS) if draw.random() < 0.4 else draw.choice(names)
    if kind < 0.35:
        return f"-({expression(draw, names, depth - 1)})"
    if kind < 0.55:
        return f"{draw.choice(ONE)}({expression(draw, names, depth - 1)})"
    if kind < 0.58:
        left, right = expression(draw, names, depth - 1), expression(draw, names, depth - 1)
        return f"{draw.choice(TWO)}({left}, {right})"
    operator = draw.choice(("+", "-", "*", "*", "/", "**"))
    return f"({expression(draw, names, depth - 1)}){operator}({expression(draw, names, depth - 1)})"


def hypothesis(draw: random.Random, task: Task, *, fit: bool) -> Hypothesis:
    """Return a random law for a task: one equation for each variable that needs one, k and b as params."""
    positions = {v.rate_of for v in task.variables}
    names = (*(v.name for v in task.variables), *(v.name for v in task.inputs), "t", "pi", "k", "b")
    depth = draw.choice((1, 2, 3, 3, 4))
    equations = [
        f"d{'2' if v.name in positions else ''}{v.name}/dt{'2' if v.name in positions else ''} = "
        + expression(draw, names, depth)
        for v in task.variables
        if v.rate_of is None
    ]
    params: dict[str, float | None] = {"k": draw.choice(PARAMS), "b": draw.choice(PARAMS[:8])}
    if fit:
        params = {"k": None, "b": draw.choice(PARAMS[:8])}
    return Hypothesis(equation="; ".join(equations), params=params)


def check(task: Task, truth: Truth, law: Hypothesis, config: VerifierConfig) -> None:
    """Verify and raise AssertionError unless the answer is finite, bounded and can be stored."""
    verified = verify(task, truth, law, best_match=0.0, config=config)
    json.dumps(asdict(verified), allow_nan=False)
    assert 0.0 <= verified.reward.total <= 1.0 + 1e-12, verified.reward
    allowed = max(BUDGET, round(config.max_evaluations * prepare(task).budget / 10_000))
    assert verified.simulation.evaluations <= allowed, verified.simulation.evaluations


def run(count: int, seed: int, *, fits: float = 0.002) -> None:
    """Try `count` random laws; the first that breaks something raises, and says which it was."""
    draw = random.Random(seed)  # noqa: S311  # sentences, not secrets
    for _ in range(count):
        task, truth = draw.choice(TASKS)
        fit = draw.random() < fits
        law = hypothesis(draw, task, fit=fit)
        config = FITTED if fit else draw.choice(CONFIGS)
        try:
            check(task, truth, law, config)
        except Exception as error:
            raise AssertionError(f"{task.task_id}: {law!r} under {config!r}") from error
