"""What an expression is worth: one value, whether it is compiled, mapped over points, or taken over arrays.

The oracle is Python itself: the canonical text of a tree is Python, and it is written here by the tree alone.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physix.engine.systems.task import StateVariable
from physix.engine.verifier import ParsedHypothesis, evaluate, parse
from physix.engine.verifier.arrays import evaluate_arrays
from physix.engine.verifier.compile import UNDEFINED, program
from physix.engine.verifier.tree import Binary, Call, Equation, Name, Negate, Node, Number
from physix.limits import BASIC_FUNCTIONS

VARIABLES = (
    StateVariable(name="y", unit="m", symbol="y", description=""),
    StateVariable(name="vy", unit="m/s", symbol="v_y", description="", rate_of="y"),
)
STATE, T, K = (1.75, -0.625), 0.375, 2.5
NAMES = {"y": STATE[0], "vy": STATE[1], "t": T, "k": K, "pi": math.pi}
_LEAVES = st.one_of(
    st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 7.25]).map(Number),
    st.sampled_from(list(NAMES)).map(Name),
)


def _grow(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        st.builds(Negate, inner),
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "**"]), inner, inner),
        st.builds(Call, st.sampled_from(BASIC_FUNCTIONS), inner),
    )


def worth(node: Node) -> float:
    """Return the value by Python's own operators; raises as Python does."""
    match node:
        case Number(value):
            return value
        case Name(name):
            return NAMES[name]
        case Negate(operand):
            return -worth(operand)
        case Call("abs", argument):
            return abs(worth(argument))
        case Call(function, argument):
            found: float = getattr(math, function)(worth(argument))
            return found
        case Binary("+", left, right):
            return worth(left) + worth(right)
        case Binary("-", left, right):
            return worth(left) - worth(right)
        case Binary("*", left, right):
            return worth(left) * worth(right)
        case Binary("/", left, right):
            return worth(left) / worth(right)
        case Binary("**", left, right):
            return math.pow(worth(left), worth(right))
        case _:
            raise AssertionError(node)


@settings(max_examples=400, deadline=None)
@given(st.recursive(_LEAVES, _grow, max_leaves=10))
def test_every_way_of_evaluating_gives_what_python_gives(tree: Node) -> None:
    law = ParsedHypothesis((Equation("y", 2, tree),), {"k": K}, VARIABLES)
    try:
        wanted = worth(tree)
    except UNDEFINED:
        with pytest.raises(UNDEFINED):
            evaluate(law, STATE, T)
        return
    close = pytest.approx(wanted, rel=1e-12, abs=1e-300, nan_ok=True)
    assert evaluate(law, STATE, T) == [STATE[1], close]
    assert program(law).field([STATE, STATE], [T, T]) == [[STATE[1], close]] * 2
    with np.errstate(all="ignore"):
        got = evaluate_arrays(tree, {name: np.full(3, value) for name, value in NAMES.items()})
    # NumPy has functions of its own, and infinities where Python raises.
    assert np.broadcast_to(got, 3).tolist() == [pytest.approx(wanted, rel=1e-9, abs=1e-300, nan_ok=True)] * 3


@pytest.mark.parametrize(
    ("base", "power"),
    list(itertools.product(["y", "vy", "(y + vy)", "2"], [0, 1, 2, 3, 4, 5, -1, -2, -3])),
)
def test_a_power_is_so_many_factors(base: str, power: int) -> None:
    law = parse(f"d2y/dt2 = {base}**{power} + 0*t", {}, VARIABLES)
    assert isinstance(law, ParsedHypothesis)
    value = {"y": STATE[0], "vy": STATE[1], "(y + vy)": sum(STATE), "2": 2.0}[base]
    factors = math.prod([value] * abs(power))
    assert evaluate(law, STATE, T)[1] == pytest.approx(factors if power >= 0 else 1 / factors, rel=1e-14)
