"""Dimensional analysis against SymPy's, on drawn expressions."""

import random
import re
from collections.abc import Sequence

import pytest
import sympy
from sympy.physics import units
from sympy.physics.units.systems import SI

from physix.engine.systems.task import InputVariable, StateVariable
from physix.engine.verifier import check_units, parse
from physix.engine.verifier.symbolic import to_sympy
from physix.engine.verifier.types import Rejection

VARIABLES = (
    StateVariable(name="x", unit="m", symbol="x", description=""),
    StateVariable(name="v", unit="m/s", symbol="v", description="", rate_of="x"),
)
INPUTS = (
    InputVariable(name="a", unit="m/s^2", symbol="a", description=""),
    InputVariable(name="f", unit="N", symbol="f", description=""),
    InputVariable(name="m", unit="kg", symbol="m", description=""),
)
QUANTITIES = {
    "x": units.meter,
    "v": units.meter / units.second,
    "a": units.meter / units.second**2,
    "f": units.newton,
    "m": units.kilogram,
    "t": units.second,
}
# Ways to write an acceleration, a speed and a length: drawn into one another, then one name is exchanged.
WAYS = {
    "A": ("a", "f/m", "(V)/t", "(V)**2/(L)", "(A) + (A)", "(L)/t**2", "(A)*sin(x/(L))", "sqrt((A)*(L))/t"),
    "V": ("v", "(A)*t", "(L)/t", "(V) + (V)", "sqrt((A)*(L))", "(V)*exp((V)/v)"),
    "L": ("x", "(V)*t", "(A)*t**2", "(L) + (L)", "(V)**2/a"),
}


def drawn(rng: random.Random, symbol: str = "A", depth: int = 3) -> str:
    way = rng.choice(WAYS[symbol]) if depth else WAYS[symbol][0]
    return "".join(drawn(rng, c, depth - 1) if c in WAYS else c for c in way)


def cases(count: int) -> Sequence[str]:
    rng = random.Random(11)  # noqa: S311  # no secret
    texts = []
    for _ in range(count):
        text = drawn(rng)
        if rng.random() < 0.5:
            at = rng.choice([found.start() for found in re.finditer(r"\b[xvafmt]\b", text)])
            text = text[:at] + rng.choice("xvafmt") + text[at + 1 :]
        texts.append(text)
    return texts


def oracle(right: sympy.Expr) -> bool:
    """Tell whether SymPy finds an acceleration, and no sum or function that makes no sense."""
    try:
        pure = all(is_of(call.args[0], units.Dimension(1)) for call in right.atoms(sympy.sin, sympy.exp))
        return pure and is_of(right, units.acceleration)
    except ValueError:
        return False


def is_of(expression: sympy.Expr, dimension: units.Dimension) -> bool:
    quantities = {sympy.Symbol(n, real=True): q for n, q in QUANTITIES.items()}
    found = SI._collect_factor_and_dimension(expression.subs(quantities))[1]
    return bool(SI.get_dimension_system().equivalent_dims(found, dimension))


@pytest.mark.parametrize("text", cases(80))
def test_the_verdict_on_units_is_sympys(text: str) -> None:
    law = parse(f"d2x/dt2 = {text}", {}, VARIABLES, inputs=INPUTS)
    assert not isinstance(law, Rejection)
    expected = "ok" if oracle(to_sympy(law.equations[0].expression)) else "inconsistent"
    assert check_units(law, "s").verdict == expected


def test_the_oracle_saw_both_kinds() -> None:
    laws = [parse(f"d2x/dt2 = {text}", {}, VARIABLES, inputs=INPUTS) for text in cases(80)]
    right = [check_units(law, "s").verdict == "ok" for law in laws if not isinstance(law, Rejection)]
    assert 30 <= sum(right) <= 70
