"""Can such data confirm a law that was picked by them? What one record of one quantity says, and what not.

Leave a variable out of a law of two, or a delay, or a switch, and what is left is a curve: a sum of terms
that nobody meant, picked from hundreds, describes it down to the noise and goes on with it for a while. A
second quantity, a measured rate or a run from another start would show it up. Where there is none, a search
claims only a plain law: of no more constants than general linear laws of its orders have. And one quantity
and its own unmeasured rate must stand in terms apart, as eliminating an unseen variable couples the two (the
prey alone, the infected alone). A law that leaves over next to nothing is no mere description, whatever its
length. Of a law that somebody stated beforehand none of this is asked: it was not picked by the data.
"""

from __future__ import annotations

from collections.abc import Iterator

from physix.engine.systems.task import Task
from physix.engine.verifier.tree import Binary, Name, Negate, Node, ParsedHypothesis, walk

_NEXT_TO_NOTHING = 1e-4  # of the spread, root mean square


def doubt(task: Task, parsed: ParsedHypothesis, left_over: float) -> str | None:
    """Return why these data cannot confirm a law that they picked, in a sentence; None where they can.

    Args:
        task: the data. parsed: the law.
        left_over: root mean square of what it leaves over, as a share of the spread.
    """
    if not _is_little(task) or left_over <= _NEXT_TO_NOTHING:
        return None
    seen = [variable.name for variable in task.variables if not variable.estimated]
    first, what = parsed.equations[0], " and ".join(seen)
    if len(seen) == 1 and first.order == 2 and _couples(first.expression, {v.name for v in task.variables}):
        return (
            f"It is not claimed as the law, for in it {what} and its unmeasured rate multiply each other: a "
            "quantity that nobody measured leaves such terms behind, and so may a delay. Measure more than "
            f"{what}, its rate at least, or a run from another start."
        )
    constants = len(parsed.params)
    most = sum(equation.order + 1 for equation in parsed.equations) + len(task.inputs)
    if constants > most:
        return (
            f"It is not claimed as the law: with {constants} constants, more than {most}, many laws draw the "
            f"same curve as one record of {what}. Measure another quantity, or a run from another start."
        )
    return None


def _is_little(task: Task) -> bool:
    """Tell whether what is shown is one run, of one quantity or of positions without rates."""
    if not task.measured or len(task.shown) > 1:
        return False
    rates = [variable.estimated for variable in task.variables if variable.rate_of is not None]
    return len(task.variables) == 1 or (bool(rates) and all(rates))


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
