"""Names that need no equation, and functions beyond the basic ones."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from physix.engine.systems import sample_task
from physix.engine.systems.task import InputVariable, StateVariable
from physix.engine.verifier import ParsedHypothesis, evaluate, parse, verify
from physix.engine.verifier.compile import program
from physix.engine.verifier.functions import FUNCTIONS, allowed
from physix.engine.verifier.simulate import integrate
from physix.engine.verifier.types import FunctionSet, Hypothesis, Rejection, VerifierConfig
from physix.limits import BASIC_FUNCTIONS, EXTENDED_FUNCTIONS, RESERVED_WORDS

V = StateVariable(name="v", unit="m/s", symbol="v", description="")
U = InputVariable(name="u", unit="m/s**2", symbol="u", description="")
W = InputVariable(name="w", unit="N", symbol="w", description="")


def law(
    right: str,
    params: dict[str, float] | None = None,
    inputs: tuple[InputVariable, ...] = (),
    functions: FunctionSet = "extended",
) -> ParsedHypothesis:
    parsed = parse(f"dv/dt = {right}", params or {}, (V,), inputs=inputs, functions=functions)
    assert isinstance(parsed, ParsedHypothesis), parsed
    return parsed


def test_an_input_needs_no_equation_and_may_be_named() -> None:
    parsed = law("-k*v + u", {"k": 2.0}, (U,))
    assert parsed.canonical == "dv/dt = -k*v + u"
    assert evaluate(parsed, [3.0], 0.0, [10.0]) == [4.0]


def test_an_input_has_no_equation_of_its_own() -> None:
    refused = parse("dv/dt = u; du/dt = 1", {}, (V,), inputs=(U,))
    assert isinstance(refused, Rejection)
    assert refused.code == "unknown_target"


def test_a_param_may_not_shadow_an_input() -> None:
    refused = parse("dv/dt = u", {"u": 1.0}, (V,), inputs=(U,))
    assert isinstance(refused, Rejection)
    assert refused.code == "param_shadows"


def test_inputs_stand_in_the_order_of_the_task() -> None:
    assert evaluate(law("w - u", inputs=(U, W)), [0.0], 0.0, [1.0, 5.0]) == [4.0]


def test_a_field_takes_one_row_of_inputs_a_point() -> None:
    compiled = program(law("v*u", inputs=(U,)))
    assert compiled.field([[2.0], [3.0]], [0.0, 1.0], [[5.0], [7.0]]) == [[10.0], [21.0]]


def test_a_driven_motion_follows_its_input() -> None:
    """Against an independent solver: dv/dt = -2*v + u with u(t) = 1 + 3*t."""
    compiled = program(law("-2*v + u", inputs=(U,)))
    rhs = compiled.callback(itertools.repeat(0), lambda t: [1.0 + 3.0 * t])
    t = np.linspace(0.0, 2.0, 11)
    solved = solve_ivp(lambda now, y: rhs(y, now).copy(), (0.0, 2.0), [0.5], t_eval=t, rtol=1e-9, atol=1e-11)
    exact = 1.5 * t - 0.25 + 0.75 * np.exp(-2.0 * t)
    assert np.allclose(solved.y[0], exact, atol=1e-7)


def test_a_law_that_reads_inputs_is_not_run_without_them() -> None:
    compiled = program(law("u", inputs=(U,)))
    with pytest.raises(TypeError):
        compiled.callback(iter(range(9)))
    with pytest.raises(TypeError):
        compiled.evaluate([0.0], 0.0, compiled.constants)


def test_a_law_that_reads_no_inputs_asks_for_none() -> None:
    compiled = program(law("-v", inputs=(U,)))

    def inputs(t: float) -> list[float]:
        pytest.fail("asked for inputs")

    rhs = compiled.callback(iter(range(9)), inputs)
    assert rhs(np.array([2.0]), 0.0).tolist() == [-2.0]
    assert compiled.derivatives == program(law("-v")).derivatives


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("tanh(0.5)", 0.46211715726000975),
        ("sinh(1)", 1.1752011936438014),
        ("cosh(1)", 1.5430806348152437),
        ("atan(1)", 0.7853981633974483),
        ("sign(v)", 1.0),
        ("sign(-v)", -1.0),
        ("sign(0)", 0.0),
        ("min(v, -1)", -1.0),
        ("max(v, -1)", 3.0),
        ("max(min(v, 2), 0) + 1", 3.0),
    ],
)
def test_extended_functions_have_their_values(text: str, value: float) -> None:
    parsed = law(text)
    assert evaluate(parsed, [3.0], 0.0) == [value]
    assert parse(parsed.canonical, {}, (V,), functions="extended") == parsed


@pytest.mark.parametrize("name", EXTENDED_FUNCTIONS)
def test_arrays_and_numbers_agree(name: str) -> None:
    function = FUNCTIONS[name]
    columns = [np.array([0.3, 0.9, 1.7, 2.4]), np.array([2.0, 0.1, 1.7, 3.0])][: function.arguments]
    expected = [function.scalar(*row) for row in zip(*map(list, columns), strict=True)]
    assert np.allclose(function.array(*columns), expected, rtol=1e-14)


@pytest.mark.parametrize("name", sorted(set(EXTENDED_FUNCTIONS) - set(BASIC_FUNCTIONS)))
def test_a_basic_session_refuses_the_extended_ones_and_leaves_their_names_free(name: str) -> None:
    refused = parse(f"dv/dt = {name}(v)", {}, (V,))
    assert isinstance(refused, Rejection)
    assert refused.code == "unknown_function"
    assert evaluate(law(f"{name}*v", {name: 2.0}, functions="basic"), [3.0], 0.0) == [6.0]


def test_two_arguments_are_wanted_where_two_are_taken() -> None:
    for text in ("min(v)", "max()", "min(v, 1, 2)", "sin(v, 1)", "min(v,)", "min", "v, 1", "(v, 1)"):
        assert isinstance(parse(f"dv/dt = {text}", {}, (V,), functions="extended"), Rejection), text


def test_every_function_is_reserved_for_names_of_data() -> None:
    assert set(FUNCTIONS) == set(allowed("extended")) == RESERVED_WORDS - {"t", "pi"}


@pytest.mark.parametrize(
    "text", ["y**100", "exp(y)**60", "1e12**1e12*y", "y**1e12", "y*1e12**25", "sqrt(y)**1e12"]
)
def test_a_number_beyond_floats_is_an_outcome_and_no_crash(text: str) -> None:
    task, truth = sample_task("free_fall", 1)
    for equation in (f"d2y/dt2 = {text}", f"d2y/dt2 = -9.81 + 1e-9*{text}"):
        verified = verify(task, truth, Hypothesis(equation=equation), best_match=0.0, config=VerifierConfig())
        assert math.isfinite(verified.reward.total)


def test_the_same_law_gives_the_same_motion_whether_inputs_are_known_or_not() -> None:
    t = np.linspace(0.0, 1.0, 5)
    plain, with_input = law("-v"), law("-v", inputs=(U,))
    assert (integrate(plain, t, [1.0]).states == integrate(with_input, t, [1.0]).states).all()
