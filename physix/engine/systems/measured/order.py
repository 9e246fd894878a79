"""First or second order: what the unit, the name and the numbers of a variable speak for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from physix.engine.systems.measured.evidence import (
    Span,
    closes_at_first_order,
    is_ballistic,
    prefers_second_order,
    turns_back,
)
from physix.engine.systems.measured.seen import Seen, Spans
from physix.engine.systems.measured.units import measures
from physix.limits import MAX_STATES

MECHANICAL = frozenset(
    "theta phi angle winkel angulo position pos height altitude elevation displacement elongation distance "
    "hoehe hohe deflection auslenkung posicion altura displ stretch".split()
)
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
    generic: Sequence[Seen], alone: Sequence[Seen], spans: Spans, *, driven: bool
) -> tuple[bool, str]:
    """Return whether the variables that neither name nor unit decides are second order, and why."""
    columns = [one.column for one in generic]
    named = any(one.words for one in generic)
    coordinates = all(
        one.column.unit is None and (not named or (one.words[-1:] and one.words[-1] in _COORDINATES))
        for one in generic
    )
    if len(alone) == 1:
        pieces: list[Span] = [(t, x) for t, x in spans.of(columns[0])]
        if turns_back(pieces) and not driven:
            return True, "it turns back, which no first-order law of one variable does"
        if coordinates and pieces and prefers_second_order(*max(pieces, key=lambda piece: len(piece[0]))):
            return True, "the numbers fit an acceleration better than a rate"
        return False, "nothing speaks for an acceleration"
    if not coordinates or len(generic) < len(alone):
        return False, "nothing speaks for an acceleration"
    pieces_all = spans.of(*columns)
    if not pieces_all:
        return False, "nothing speaks for an acceleration"
    t, *values = max(pieces_all, key=lambda piece: len(piece[0]))
    states = np.stack(values, axis=1)
    if named and is_ballistic(t, states):
        return True, "coordinates with a constant acceleration"
    closed = closes_at_first_order(t, states)
    if closed is False and 2 * len(alone) <= (MAX_STATES if named else MAX_STATES // 2):
        return True, "the rates are no function of the coordinates"
    return (
        (False, "the rates follow from the values")
        if closed or not named
        else (True, "coordinates, too few to tell")
    )
