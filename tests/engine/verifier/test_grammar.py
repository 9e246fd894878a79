import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physix.engine.systems.task import StateVariable
from physix.engine.verifier import CODES, ParsedHypothesis, evaluate, parse
from physix.engine.verifier.tree import Binary, Call, Equation, Name, Negate, Node, Number
from physix.engine.verifier.types import Rejection

VARIABLES = (
    StateVariable(name="y", unit="m", symbol="y", description=""),
    StateVariable(name="vy", unit="m/s", symbol="v_y", description="", rate_of="y"),
)
OK = "d2y/dt2 = "


def rejected(text: str, params: dict[str, float] | None = None) -> Rejection:
    result = parse(text, params or {}, VARIABLES)
    assert isinstance(result, Rejection), result
    return result


def parsed(text: str, params: dict[str, float] | None = None) -> ParsedHypothesis:
    result = parse(text, params or {}, VARIABLES)
    assert isinstance(result, ParsedHypothesis), result
    return result


REJECTIONS = [
    ("", "empty"),
    (" ; \n", "empty"),
    (OK + "1+" * 600 + "1", "too_long"),
    (OK + "1+" * 200 + "1", "too_long"),
    (OK + "(" * 30 + "1" + ")" * 30, "too_long"),
    (OK + "-" * 60 + "1", "too_long"),
    (OK + "y^2", "caret"),
    (OK + "\u2212y", "unicode_minus"),
    (OK + "\u03b8", "greek_letter"),
    (OK + "y\u00b2", "not_ascii"),
    (OK + "\uff59", "not_ascii"),
    (OK + "y @ 2", "illegal_character"),
    (OK + "y if vy else 1", "expected_operator"),
    (OK + "[y for y in y]", "illegal_character"),
    (OK + "y.__class__", "illegal_character"),
    (OK + "'y'", "illegal_character"),
    ("y = 3", "bad_left_side"),
    ("import os", "bad_left_side"),
    ("dy/dt = vy", "wrong_order"),
    ("dvy/dt = 1", "wrong_order"),
    ("d2z/dt2 = 1", "unknown_target"),
    (OK + "1; " + OK + "2", "duplicate_equation"),
    (OK + "q*y", "unknown_name"),
    (OK + "__import__", "unknown_name"),
    (OK + "__import__(y)", "unknown_function"),
    (OK + "eval(y)", "unknown_function"),
    (OK + "sin", "function_without_call"),
    (OK, "expected_operand"),
    (OK + "y +", "expected_operand"),
    (OK + "* y", "expected_operand"),
    (OK + "sin()", "expected_operand"),
    (OK + "2 y", "expected_operator"),
    (OK + "2y", "expected_operator"),
    (OK + "1_000", "expected_operator"),
    (OK + "(y", "unbalanced_parenthesis"),
    (OK + "y)", "unbalanced_parenthesis"),
    (OK + "1e31", "number_too_large"),
    (OK + "9e999", "number_too_large"),
    (OK + "9" * 400, "number_too_large"),
]


@pytest.mark.parametrize(("text", "code"), REJECTIONS)
def test_a_wrong_text_is_rejected_with_its_code(text: str, code: str) -> None:
    rejection = rejected(text)
    assert rejection.code == code
    assert rejection.message.startswith(code)
    assert rejection.message.isascii()


BAD_VALUES: list[object] = [math.nan, math.inf, True, "1", [1.0], 1e31, 10**400, 10**5000, 1j, {}]
BAD_PARAMS = [
    ({f"k{i}": 1.0 for i in range(17)}, "too_many_params"),
    ({"a b": 1.0}, "bad_param_name"),
    ({"": 1.0}, "bad_param_name"),
    ({3: 1.0}, "bad_param_name"),
    ({10**5000: 1.0}, "bad_param_name"),
    ("k=1", "bad_params"),
    ([1.0], "bad_params"),
    ({"k": None}, "undetermined_param"),
    ({"y": 1.0}, "param_shadows"),
    ({"sin": 1.0}, "param_shadows"),
    ({"pi": 3.0}, "param_shadows"),
    ({"t": 1.0}, "param_shadows"),
    *[({"k": value}, "bad_param_value") for value in BAD_VALUES],
]


@pytest.mark.parametrize(("params", "code"), BAD_PARAMS)
def test_wrong_params_are_rejected_with_their_code(params: dict[str, float], code: str) -> None:
    assert rejected(OK + "1", params).code == code


@pytest.mark.parametrize("text", [None, 3, [10**5000], b"d2y/dt2 = 1", ["d2y/dt2 = 1"]])
def test_an_equation_that_is_no_text_is_rejected(text: str) -> None:
    assert rejected(text).code == "not_text"


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x0b", "\x1b", "\x7f"])
def test_control_characters_are_rejected_and_reach_no_message(character: str) -> None:
    rejection = rejected(f"d2y/dt2 = {character}y")
    assert rejection.code == "illegal_character"
    assert (rejection.message + rejection.found).isprintable()


def test_a_missing_equation_is_named() -> None:
    two = (*VARIABLES, StateVariable(name="x", unit="m", symbol="x", description=""))
    result = parse(OK + "1", {}, two)
    assert isinstance(result, Rejection)
    assert result.code == "missing_equation"
    assert "dx/dt" in result.message


def test_every_code_is_reached_by_a_test_and_documented() -> None:
    reached = (
        {code for _, code in REJECTIONS} | {code for _, code in BAD_PARAMS} | {"missing_equation", "not_text"}
    )
    assert reached == set(CODES)
    text = (Path(__file__).parents[3] / "docs" / "verifier.md").read_text()
    assert all(f"`{code}`" in text for code in CODES)


def test_a_rejection_points_at_the_column() -> None:
    rejection = rejected(OK + "-g + vy")
    assert (rejection.column, rejection.found) == (12, "g")
    assert "column 12; declare it in params or use one of" in rejection.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2**2", -4.0),
        ("2**3**2", 512.0),
        ("2**-1", 0.5),
        ("8/4/2", 1.0),
        ("1 - 2 - 3", -4.0),
        ("+3 - -2", 5.0),
        ("abs(-2)*sqrt(4) + exp(0) + log(1) + cos(0) + sin(0) + tan(0)", 6.0),
        ("1e-3*1E3 + .5 + 2.", 3.5),
        ("y*vy + t", 7.0),
    ],
)
def test_arithmetic_follows_pythons_precedence(text: str, value: float) -> None:
    assert evaluate(parsed(OK + text), [2.0, 3.0], 1.0) == [3.0, pytest.approx(value)]


_LEAVES = st.one_of(
    st.floats(0, 1e12, allow_nan=False).map(Number), st.sampled_from(["y", "vy", "t", "pi", "k"]).map(Name)
)


def _grow(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        st.builds(Negate, inner),
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "**"]), inner, inner),
        st.builds(Call, st.sampled_from(["sin", "exp", "sqrt", "abs"]), inner),
    )


@settings(max_examples=300, deadline=None)
@given(st.recursive(_LEAVES, _grow, max_leaves=12))
def test_parsing_the_canonical_text_gives_the_same_tree(tree: Node) -> None:
    text = ParsedHypothesis((Equation("y", 2, tree),), {"k": 1.0}, VARIABLES).canonical
    again = parse(text, {"k": 1.0}, VARIABLES)
    if isinstance(again, Rejection):
        assert again.code == "too_long"
    else:
        assert again.equations[0].expression == tree
        assert again.canonical == text


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=80),
    st.dictionaries(st.text(max_size=4), st.none() | st.floats() | st.text(), max_size=4),
)
def test_no_text_makes_the_parser_raise(text: str, params: dict[str, float]) -> None:
    for candidate in (text, OK + text):
        result = parse(candidate, params, VARIABLES)
        assert isinstance(result, Rejection | ParsedHypothesis)
