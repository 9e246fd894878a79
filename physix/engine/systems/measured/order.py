"""First or second order: what the unit, the name and the numbers of a variable speak for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.measured.closure import closures, only_accelerations_close, rates_close
from physix.engine.systems.measured.evidence import turns_back
from physix.engine.systems.measured.seen import Seen, Spans
from physix.engine.systems.measured.table import Column
from physix.engine.systems.measured.units import measures
from physix.limits import MAX_STATES

MECHANICAL = frozenset(
    "theta phi angle winkel angulo position pos height altitude elevation displacement elongation distance "
    "hoehe hohe deflection auslenkung posicion altura displ stretch".split()
)
_NOTHING = "nothing speaks for an acceleration"
_COORDINATES = frozenset("x y z s h q".split())
_SLOW = frozenset("level depth thickness growth diameter radius width size".split())


def order_by_name(one: Seen) -> tuple[Literal[1, 2] | None, str]:
    """Return the order that unit or name speak for; None where only the numbers can tell."""
    if set(one.words) & _SLOW:
        return None, ""
    if measures(one.column.unit, "m", "px", "rad"):
        return 2, "a length or an angle moves by its acceleration"
    if one.column.unit is None and set(one.words) & MECHANICAL:
        return 2, "a position or an angle moves by its acceleration"
    return None, ""


def order_by_numbers(
    generic: Sequence[Seen], alone: Sequence[Seen], inputs: Sequence[Column], spans: Spans
) -> tuple[bool, str]:
    """Return whether the variables that neither name nor unit decides are second order, and why."""
    columns = [one.column for one in generic]
    if len(alone) == 1 and not inputs and turns_back([(t, x) for t, x in spans.of(columns[0])]):
        return True, "it turns back, which no first-order law of one variable does"
    named = any(one.words for one in generic)
    coordinates = all(
        one.column.unit is None and (not named or (one.words[-1:] and one.words[-1] in _COORDINATES))
        for one in generic
    )
    room = 2 * len(alone) <= (MAX_STATES if named else MAX_STATES // 2)
    # Amounts beside each other: a law of accelerations would only tell of others that were not measured.
    if len(generic) < len(alone) or not room or not (coordinates or inputs):
        return False, _NOTHING
    found = closures([_split(piece, len(generic)) for piece in spans.of(*columns, *inputs)])
    if found is None:
        few = coordinates and named and len(alone) > 1
        return (True, "coordinates, too few to tell") if few else (False, _NOTHING)
    if only_accelerations_close(found):
        return True, "the accelerations follow from values and rates, the rates from nothing"
    if coordinates and not rates_close(found):
        return True, "the numbers fit accelerations better than rates"
    return False, "the rates follow from the values"


def _split(piece: tuple[FloatArray, ...], states: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    t, *values = piece
    inputs = np.stack(values[states:], axis=1) if values[states:] else np.zeros((len(t), 0))
    return t, np.stack(values[:states], axis=1), inputs
