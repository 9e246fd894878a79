"""Replies read as they were meant, or refused; and whatever is read is the same law."""

import math
import random

import numpy as np
import pytest

from physix.engine.systems.task import InputVariable
from physix.engine.verifier import ParsedHypothesis, evaluate, parse
from physix.engine.verifier.tree import Binary, Call, Name, Negate, Node, Number, show
from physix.engine.verifier.types import Hypothesis, Rejection
from physix.policies.chat.algebra import UnreadableError
from physix.policies.chat.laws import read_law
from physix.policies.chat.reply import ParseFailure, parse_completion
from tests.policies.chat.more_replies import MORE, REFUSED
from tests.policies.chat.replies import CASES, SPRING, SWING, Case


@pytest.mark.parametrize("case", MORE.values(), ids=MORE.keys())
def test_a_reply_means_what_its_writer_meant_or_is_refused(case: Case) -> None:
    completion, variables, expected, params = case
    read = parse_completion(completion, variables)
    if isinstance(read, ParseFailure):
        assert expected in (REFUSED, read.code), read.message
    elif expected == REFUSED:
        refused = parse(read.equation, read.params, variables, functions="extended")
        assert isinstance(refused, Rejection), read.equation
    else:
        assert (read.equation, dict(read.params)) == (expected, params)


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CASES) >= 96
    assert len(MORE) >= 100


@pytest.mark.parametrize("case", MORE.values(), ids=MORE.keys())
def test_where_constants_are_fitted_nothing_unreadable_becomes_a_law(case: Case) -> None:
    completion, variables, expected, _ = case
    read = parse_completion(completion, variables, constants="fitted")
    if expected == REFUSED and not isinstance(read, ParseFailure):
        refused = parse(read.equation, read.params, variables, functions="extended", fit_nulls=True)
        assert isinstance(refused, Rejection), (read.equation, read.params)


def test_a_small_models_first_reply_is_no_law_of_its_words() -> None:
    reply = '{"equation": "d2x/dt2 = k*x is a nonlinear equation of the form", "params": {"k": 1}}'
    read = parse_completion(reply, SPRING, constants="fitted")
    assert not isinstance(read, ParseFailure)
    assert (read.equation, read.params) == ("d2x/dt2 = k*x", {"k": 1.0})


def test_an_input_is_a_known_name() -> None:
    u = InputVariable(name="u", unit=None, symbol="u", description="")
    read = parse_completion(
        '{"equation": "x\'\' = -2x + 3u", "params": {}}', SPRING, inputs=(u,), constants="fitted"
    )
    assert not isinstance(read, ParseFailure)
    assert (read.equation, read.params) == ("d2x/dt2 = -2*x + 3*u", {})


_STATES = (("theta", "dtheta"), (0.7, -0.4))


def _random_law(rng: random.Random, depth: int) -> Node:
    kind = rng.random()
    if depth == 0 or kind < 0.2:
        leaves: list[Node] = [Number(round(rng.uniform(0.1, 9), 2))]
        leaves += [Name(name) for name in ("theta", "dtheta", "t", "b", "g", "L")]
        return rng.choice(leaves)
    if kind < 0.35:
        return Call(rng.choice(["sin", "cos", "exp", "abs"]), _random_law(rng, depth - 1))
    if kind < 0.45:
        return Negate(_random_law(rng, depth - 1))
    if kind < 0.55:
        return Binary("**", _random_law(rng, depth - 1), Number(float(rng.choice([2, 3]))))
    return Binary(rng.choice("+-*/"), _random_law(rng, depth - 1), _random_law(rng, depth - 1))


def _value(equation: str, params: dict[str, float]) -> float | None:
    parsed = parse(equation, params, SWING)
    assert isinstance(parsed, ParsedHypothesis), (equation, parsed)
    try:
        return evaluate(parsed, _STATES[1], 1.3)[1]
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


def _written(text: str, rng: random.Random) -> str:
    """Write a text of the grammar as people do."""
    times = rng.choice(["·", " × ", "*"])
    for plain, other in (("dtheta", "θ'"), ("theta", "θ"), ("**2", "²")):
        if rng.random() < 0.7:
            text = text.replace(plain, other)
    return text.replace("**", "^").replace("*", times)


@pytest.mark.parametrize("seed", range(150))
def test_a_law_in_any_notation_is_read_as_the_same_law(seed: int) -> None:
    """Numerically, with what stands before the derivative drawn as well."""
    rng = random.Random(seed)  # noqa: S311  # laws, not secrets
    params = {"b": 0.3, "g": 9.81, "L": 1.2, "m": 2.5}
    right = _random_law(rng, 4)
    factor, divided = rng.choice([("", 1.0), ("-", -1.0), ("m*", 2.5), ("2 ", 2.0), ("m ", 2.5)])
    left = rng.choice(["θ''", "d²θ/dt²", "d^2 theta/dt^2", "theta_ddot"])
    text = f"{factor}{left} = {_written(show(right), rng)}"
    expected = _value(f"d2theta/dt2 = {show(right)}", params)
    law = read_law(text, SWING, params=params)
    got = _value(law.equation, params)
    assert parse(law.equation, params, SWING).canonical == law.equation or not factor  # type: ignore[union-attr]  # it parses
    if expected is None or got is None or not math.isfinite(expected):
        assert got is None or expected is None or got == expected / divided
    else:
        assert np.isclose(got, expected / divided, rtol=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "d2x/dt2 = " + "1+" * 1000 + "1",
        "d2x/dt2 = " + "(" * 2000,
        "d2x/dt2 = " + "sin " * 900,
        "d2x/dt2 = " + "-" * 3000 + "x",
        "d2x/dt2 = " + "|" * 3000,
        "x" * 4000 + "'' = 1",
        "d" * 4000,
        "\\frac{" * 600,
        "\\sqrt{" * 600 + "x" + "}" * 600,
        "a=b;" * 1000,
        "d2x/dt2 = 9" + "**9" * 200,
        "d2x/dt2 = 1e400*x",
        "d2x/dt2 = " + "x'" * 1500,
        "d ( " * 1000,
        "x * 10 ** " * 300,
        "( = " * 900,
        "if " * 1200,
        "x_" * 2000 + "dot",
    ],
)
def test_a_hostile_equation_is_refused_or_read_within_its_bounds(text: str) -> None:
    try:
        law = read_law(text, SPRING)
    except UnreadableError:
        return
    assert len(law.equation) < 8_192


@pytest.mark.parametrize(
    "piece",
    [
        "<think>",
        "<|begin_of_thought|>",
        "<equation>",
        "s(equation=",
        "{",
        "x = 1, ",
        "d2x/dt2 = ",
        "`",
        "(=)",
        "\\ddot{x} =",
        "x'= ",
        "** ",
        "\u0308",
        "k = 1 ",
        "/* ",
    ],
)
def test_a_reply_of_the_largest_size_is_answered_whatever_it_repeats(piece: str) -> None:
    """What is quadratic in its length takes minutes here, not milliseconds."""
    text = (piece * 65_536)[:65_536]
    assert isinstance(parse_completion(text, SPRING), Hypothesis | ParseFailure)
