"""Can such data confirm a law that was picked by them? What one record of one quantity says, and what not.

Leave a variable out of a law of two, or a delay, or a switch, and what is left is a curve: a sum of terms
that nobody meant, picked from hundreds, describes it down to the noise and goes on with it for a while. A
second quantity, a measured rate or a run from another start would show it up. Where there is none, a search
claims only a plain law: of no more constants than general linear laws of its orders have, and with one
quantity and its own unmeasured rate in terms apart, as eliminating an unseen variable couples the two (the
prey alone, the infected alone). Descriptions come in numbers, though: where one fits many do. So a longer law
is claimed as well if it is still short and no other that was tried comes near it. And of no data is a law
claimed while another of no more constants does about as well, unless it is the more linear one. A law that
leaves over next to nothing is no mere description, whatever its length. Of a law that somebody stated
beforehand none of this is asked: it was not picked by the data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from physix.engine.systems.task import Task
from physix.engine.verifier.tree import Binary, Name, Negate, Node, ParsedHypothesis, walk

_NEXT_TO_NOTHING = 1e-4  # of the spread, root mean square
_EQUAL = 3.0  # nats by which a law must be better than one that is as short: odds of twenty


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """A law that data picked, and how it stands beside the others that were tried.

    Attributes:
        law: with its constants.
        terms: of all its equations.
        curved: how many of them are neither a constant nor a plain variable.
        left_over: root mean square of what it leaves over, as a share of the spread.
        alone: no other law that was tried comes near it, but for those that only add to it.
        twin: the nearest other law of no more constants; None where none comes near.
        twin_curved: how many terms of the twin are curved.
        ahead: nats by which it is better than the twin.
    """

    law: ParsedHypothesis
    terms: int
    curved: int
    left_over: float
    alone: bool
    twin: str | None = None
    twin_curved: int = 0
    ahead: float = math.inf


def doubt(task: Task, picked: Picked) -> str | None:
    """Return why these data cannot confirm a law that they picked, in a sentence; None where they can."""
    if not task.measured or picked.left_over <= _NEXT_TO_NOTHING:
        return None
    why = _too_little(task, picked) if _is_little(task) else None
    twinned = picked.twin is not None and picked.ahead < _EQUAL
    if why is None and twinned and picked.curved >= picked.twin_curved:
        return f"It is not claimed as the law: {picked.twin} is as short and explains them about as well."
    return why


def _too_little(task: Task, picked: Picked) -> str | None:
    parsed = picked.law
    constants = len(parsed.params)
    most = sum(equation.order + 1 for equation in parsed.equations) + len(task.inputs)
    if picked.alone and picked.terms <= most + 1 and constants <= 2 * most:
        return None
    seen = [variable.name for variable in task.variables if not variable.estimated]
    first, what = parsed.equations[0], " and ".join(seen)
    if len(seen) == 1 and first.order == 2 and _couples(first.expression, {v.name for v in task.variables}):
        return (
            f"It is not claimed as the law, for in it {what} and its unmeasured rate multiply each other: a "
            "quantity that nobody measured leaves such terms behind, and so may a delay. Measure more than "
            f"{what}, its rate at least, or a run from another start."
        )
    if constants > most:
        return (
            f"It is not claimed as the law: with {constants} constants, more than {most}, many laws draw the "
            f"same curve as one record of {what}. Measure another quantity, or a run from another start."
        )
    return None


def _is_little(task: Task) -> bool:
    """Tell whether what is shown is one run, of one quantity or of positions without rates."""
    if len(task.shown) > 1:
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
