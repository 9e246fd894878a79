"""A law as SymPy equations."""

from __future__ import annotations

from typing import Any

from physix.engine.verifier.symbolic import to_sympy
from physix.engine.verifier.tree import ParsedHypothesis


def equations(law: ParsedHypothesis, *, values: bool) -> list[Any]:
    """Return `Eq(Derivative(x(t), t), ...)` for each equation; a rate becomes a derivative."""
    import sympy

    t = sympy.Symbol("t", real=True)
    motions = {v.name: sympy.Function(v.name, real=True)(t) for v in law.variables if v.rate_of is None}
    put: dict[Any, Any] = {sympy.Symbol(name, real=True): motion for name, motion in motions.items()}
    for v in law.variables:
        if v.rate_of is not None:
            put[sympy.Symbol(v.name, real=True)] = sympy.Derivative(motions[v.rate_of], t)
    for one in law.inputs:
        put[sympy.Symbol(one.name, real=True)] = sympy.Function(one.name, real=True)(t)
    if values:
        put |= {sympy.Symbol(name, real=True): sympy.Float(value) for name, value in law.params.items()}
    return [
        sympy.Eq(
            sympy.Derivative(motions[one.variable], (t, one.order)), to_sympy(one.expression).xreplace(put)
        )
        for one in law.equations
    ]
