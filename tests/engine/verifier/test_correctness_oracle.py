"""The comparison with the true law against SymPy (one function?) and a fine grid (how far apart?)."""

import itertools

import numpy as np
import pytest
import sympy

from physix.engine.systems.task import StateVariable, Task, Trajectory, Truth
from physix.engine.verifier import verify
from physix.engine.verifier.types import Correctness, Hypothesis, VerifierConfig

X, V, T = sympy.symbols("x v t", real=True)
NAMES = {"x": X, "v": V, "t": T, "pi": sympy.pi}
VARIABLES = (
    StateVariable(name="x", unit="m", symbol="x", description=""),
    StateVariable(name="v", unit="m/s", symbol="v", description="", rate_of="x"),
)
GROUPS = [
    ["-4*x", "-(2*x)*2", "-x*2**2", "-x/0.25", "-4*x + 0*v", "-(x + x + x + x)"],
    ["-4.0001*x", "-4*x*1.000025"],
    ["-4*x - 0.5*v", "-(8*x + v)/2", "-4*(x + v/8)"],
    ["sin(2*x)", "2*sin(x)*cos(x)", "cos(pi/2 - 2*x)", "-sin(-2*x)"],
    ["x**3 - x", "x*(x - 1)*(x + 1)", "(x**2 - 1)*x"],
    ["x*abs(x)", "abs(x)*x", "-x*abs(-x)*(0 - 1)"],
    ["sqrt(x**2 + v**2)", "(v*v + x*x)**0.5"],
    ["exp(-t)*v", "v/exp(t)"],
    ["v*v*v", "v**3"],
    ["v*abs(v)", "v*sqrt(v**2)"],
    ["t*x"],
    ["x + 1e-12"],
]
LAWS = [(law, group) for group, laws in enumerate(GROUPS) for law in laws]


def problem(law: str) -> tuple[Task, Truth]:
    """A motion that fills x and v from -2 to 2; it need not follow the law."""
    t = np.linspace(0.0, 6.0, 121)
    states = np.column_stack([2 * np.sin(3 * t), 2 * np.cos(5 * t)])
    shown = Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, states.tolist())))
    task = Task(
        task_id="x", system_id="x", title="", tier=None, seed=None, variables=VARIABLES, time_unit="s",
        shown=(shown,), noise=0.0, hint="",
    )  # fmt: skip
    return task, Truth(equation=f"d2x/dt2 = {law}", params={}, hidden=())


def compared(law: str, truth: str) -> Correctness:
    task, hidden = problem(truth)
    hypothesis = Hypothesis(equation=f"d2x/dt2 = {law}")
    found = verify(task, hidden, hypothesis, best_match=0.0, config=VerifierConfig()).correctness
    assert found is not None
    return found


def difference(law: str, other: str) -> sympy.Expr:
    one, two = (sympy.sympify(text, locals=NAMES, rational=True) for text in (law, other))
    return sympy.simplify(sympy.expand_trig(one) - sympy.expand_trig(two))


@pytest.mark.parametrize("group", range(len(GROUPS)))
def test_the_groups_are_what_sympy_says(group: int) -> None:
    for one, other in itertools.pairwise(GROUPS[group]):
        assert difference(one, other) == 0
    for earlier in GROUPS[:group]:
        assert difference(GROUPS[group][0], earlier[0]) != 0


@pytest.mark.parametrize(("truth", "group"), [(laws[-1], group) for group, laws in enumerate(GROUPS)])
def test_a_law_is_exact_where_sympy_says_that_it_is_the_true_one(truth: str, group: int) -> None:
    for law, own in LAWS:
        found = compared(law, truth)
        if own == group:
            assert found.verdict == "exact", law
        elif {own, group} == {0, 1}:  # 25 millionths off: recovered, not exact
            assert found.verdict == "recovered", law
        else:
            assert found.verdict == "different", law


@pytest.mark.parametrize(
    ("law", "truth"), [("x", "sin(x)"), ("-4*x", "-4*x - 0.5*v"), ("v**3", "v"), ("x*abs(x)", "x**2 + 1")]
)
def test_the_error_is_that_of_a_fine_grid_over_the_box_of_the_motions(law: str, truth: str) -> None:
    """Root mean square of the difference over that of the truth, over the box grown by a quarter."""
    x, v = np.meshgrid(*[np.linspace(-2.5, 2.5, 401)] * 2)
    values = [
        sympy.lambdify((X, V, T), sympy.sympify(text, locals=NAMES), "numpy")(x, v, 0.0)
        for text in (law, truth)
    ]
    wanted = np.sqrt(np.mean((values[0] - values[1]) ** 2) / np.mean(np.square(values[1] + 0 * x)))
    assert compared(law, truth).field_error == pytest.approx(wanted, rel=0.25)  # 128 points, drawn at random


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(9.9e-7, "exact"), (1.1e-6, "recovered"), (9.9e-3, "recovered"), (1.01e-2, "different")],
)
def test_the_edges_of_exact_and_recovered(factor: float, verdict: str) -> None:
    found = compared(f"-4*x*(1 + {factor!r})", "-4*x")
    assert found.field_error == pytest.approx(factor, rel=1e-6)
    assert found.verdict == verdict
