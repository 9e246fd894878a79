"""Can such data confirm such a law at all? What one record of one quantity says, and what it does not.

Leave a variable out of a law of two, or a delay, or a switch, and what is left is a curve: a sum of terms
that nobody meant describes it down to the noise and goes on with it for a while. A second quantity, a
measured rate or a run from another start would show it up. Where there is none, only a plain law is taken to
be confirmed: of no more constants than general linear laws of its orders have. And one quantity and its own
unmeasured rate must stand in terms apart, as eliminating an unseen variable couples the two (the prey alone,
the infected alone). A law that leaves over next to nothing is no mere description, whatever its length.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.compile import program
from physix.engine.verifier.prepared import Prepared
from physix.engine.verifier.simulate import Run
from physix.engine.verifier.tree import (
    Binary,
    Name,
    Negate,
    Node,
    Number,
    ParsedHypothesis,
    walk,
)

_NEXT_TO_NOTHING = 1e-4  # of the spread, root mean square
_ELSEWHERE = 0.2  # of the spread: runs whose starts differ by less repeat each other
_WHOLE = 9.0  # the largest literal that counts as part of a form


def doubt(parsed: ParsedHypothesis, task: Task, truth: Truth, prepared: Prepared, run: Run) -> str | None:
    """Return why these data cannot confirm the law, in a sentence; None where they can.

    Args:
        parsed: the law. task, truth: what is shown, and what is held back.
        prepared, run: of this task, and of this law over it.
    """
    if not _is_little(task, truth, prepared) or _is_exact(prepared, run):
        return None
    seen = [variable.name for variable in task.variables if not variable.estimated]
    first, what = parsed.equations[0], " and ".join(seen)
    if len(seen) == 1 and first.order == 2 and _couples(first.expression, {v.name for v in task.variables}):
        return (
            f"It explains the data, but one record of {what} alone cannot confirm a law in which {what} and "
            "its unmeasured rate multiply each other: a quantity that nobody measured leaves such terms "
            f"behind. Measure that one, the rate of {what}, or a run from another start."
        )
    constants = _constants(parsed)
    most = sum(equation.order + 1 for equation in parsed.equations) + len(task.inputs)
    if constants > most:
        return (
            f"It explains the data, but one record of {what} alone cannot confirm a law of {constants} "
            f"constants: with more than {most} many laws draw the same curve. Measure another quantity, or a "
            "run from another start."
        )
    return None


def _is_little(task: Task, truth: Truth, prepared: Prepared) -> bool:
    """Tell whether all there is was one run, of one quantity or without rates, and perhaps its repetition."""
    if not task.measured or truth.equation is not None or len(task.shown) > 1:
        return False
    rates = [variable.estimated for variable in task.variables if variable.rate_of is not None]
    if len(task.variables) > 1 and not (rates and all(rates)):
        return False
    begins, end = np.array(task.shown[0].states[0]), task.shown[0].t[-1]
    return all(
        one.t[0] > end
        or np.all(
            np.abs(np.array(one.states[0]) - begins)[prepared.scored]
            < _ELSEWHERE * prepared.scale[prepared.scored]
        )
        for one in truth.hidden
    )


def _is_exact(prepared: Prepared, run: Run) -> bool:
    (samples,) = prepared.shown
    off = samples.weight * (samples.states - run.predictions[0]) / prepared.scale
    counted = np.maximum(samples.weight.sum(axis=0), 1.0)
    return bool(np.all((off**2).sum(axis=0) <= counted * _NEXT_TO_NOTHING**2))


def _constants(parsed: ParsedHypothesis) -> int:
    """Return how many numbers somebody had to find: params, and literals that are no small whole numbers."""
    literals = [
        node.value
        for equation in parsed.equations
        for node in walk(equation.expression)
        if isinstance(node, Number) and (node.value != round(node.value) or node.value > _WHOLE)
    ]
    return len(program(parsed).params) + len(literals)


def _couples(node: Node, state: set[str]) -> bool:
    """Tell whether some term holds both the position and the rate."""
    return any(state <= names for names in _terms(node))


def _terms(node: Node) -> Iterator[frozenset[str]]:
    """Yield the names in each term, products of sums multiplied out."""
    match node:
        case Binary("+" | "-", left, right):
            yield from _terms(left)
            yield from _terms(right)
        case Negate(operand):
            yield from _terms(operand)
        case Binary("*", left, right):
            others = list(_terms(right))
            for one in _terms(left):
                for other in others:
                    yield one | other
        case Binary("/", left, right):
            below = _names(right)
            for one in _terms(left):
                yield one | below
        case _:
            yield _names(node)


def _names(node: Node) -> frozenset[str]:
    return frozenset(one.name for one in walk(node) if isinstance(one, Name))
