"""Units and numbers of columns held against each other: said, converted, or refused before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.measured.clock import epoch_unit
from physix.engine.systems.measured.evidence import rate_agreement
from physix.engine.systems.measured.names import plain
from physix.engine.systems.measured.table import Column, Problem, Roles
from physix.engine.systems.measured.units import factor_between, in_radians, parse_unit, rate_unit
from physix.limits import MIN_RUN_ROWS

_GOOD = 0.9
_SAME = 0.1
_FAR_OFF = 3.0  # a factor that no noise explains
_ANGLES = frozenset("theta phi angle winkel angulo".split())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """Samples of one run: `t` of shape (T,), columns by name, NaN where nothing was measured."""

    label: str
    t: FloatArray
    columns: Mapping[str, FloatArray]


def error(message: str, remedy: str = "", column: str | None = None) -> Problem:
    """Return what keeps these columns from becoming a task."""
    return Problem(severity="error", message=message, remedy=remedy, column=column)


def warning(message: str, remedy: str = "", column: str | None = None) -> Problem:
    """Return what was changed, or is doubtful."""
    return Problem(severity="warning", message=message, remedy=remedy, column=column)


def note(message: str, column: str | None = None) -> Problem:
    """Return how something was read."""
    return Problem(severity="note", message=message, column=column)


def stated(column: Column, roles: Roles) -> Column:
    """Return a column in the unit that its role states, where it states one."""
    unit = roles[column.name].unit
    return replace(column, unit=unit) if unit is not None else column


def epoch(time: Column, said: list[Problem]) -> Column:
    """Return the time with the unit in which it counts since 1970, where it has none and does."""
    unit = None if time.unit is not None or time.clock else epoch_unit(time.values)
    if unit is None:
        return time
    said.append(note(f"{time.label!r} counts {unit} since 1970.", time.name))
    return replace(time, unit=unit)


def radians(column: Column, said: list[Problem]) -> Column:
    """Return a column with radians for degrees and turns; the grammar's sines take radians."""
    swapped = in_radians(column.unit) if column.unit is not None else None
    if swapped is None:
        return column
    said.append(note(f"{column.name} was converted from {column.unit} to {swapped[0]}.", column.name))
    return replace(column, unit=swapped[0], values=column.values * swapped[1])


def match_rates(
    settled: dict[str, Column], rates: Mapping[str, str], time_unit: str | None, said: list[Problem]
) -> None:
    """Bring every rate into unit(position)/unit(time), or say why that cannot be."""
    for name, position in rates.items():
        column = settled[name]
        expected = rate_unit(settled[position].unit, time_unit)
        if expected is None or column.unit is None:
            continue
        factor = factor_between(column.unit, expected)
        if factor is None:
            if _same_without_angles(column.unit, expected):
                settled[name] = replace(column, unit=expected)
                continue
            said.append(
                error(
                    f"{name} has the unit {column.unit}, but the rate of {position} "
                    f"({settled[position].unit}) "
                    f"per {time_unit} has {expected}.",
                    f"Correct a unit (--unit {name}={expected}), or set the column aside (--ignore {name}).",
                    name,
                )
            )
        elif not math.isclose(factor, 1.0, rel_tol=1e-9):
            said.append(
                warning(
                    f"{name} is not d{position}/dt as it stands: with {position} in "
                    f"{settled[position].unit} and "
                    f"the time in {time_unit} that is in {expected}, and {name} in {column.unit} is "
                    f"{1.0 / factor:.6g} times as large. {name} was converted to {expected}.",
                    "",
                    name,
                )
            )
            settled[name] = replace(column, unit=expected, values=column.values * factor)
        else:
            settled[name] = replace(column, unit=expected)


def _same_without_angles(unit: str, expected: str) -> bool:
    one, other = parse_unit(unit), parse_unit(expected)
    if one is None or other is None:
        return False
    bare = [tuple(p for p in parsed.powers if p[0] != "rad") for parsed in (one, other)]
    return bare[0] == bare[1] and math.isclose(one.scale, other.scale)


def match_sigmas(settled: dict[str, Column], sigmas: Mapping[str, str], said: list[Problem]) -> None:
    """Bring every uncertainty into the unit of what it belongs to, positive in every row."""
    for owner, name in sigmas.items():
        column = settled[name]
        factor = factor_between(column.unit, settled[owner].unit)
        if factor is None and column.unit is not None and settled[owner].unit is not None:
            said.append(
                error(
                    f"{name} has the unit {column.unit}, {owner} has {settled[owner].unit}.",
                    f"Correct a unit (--unit {name}={settled[owner].unit}), or use --ignore {name}.",
                    name,
                )
            )
        sizes = np.abs(column.values) * (factor or 1.0)
        usable = np.isfinite(sizes) & (sizes > 0.0)
        if not usable.any():
            said.append(error(f"{name} holds no positive uncertainty.", f"Use --ignore {name}.", name))
            continue
        if (column.values[np.isfinite(column.values)] < 0.0).any():
            said.append(note(f"{name} has negative uncertainties; their sizes count.", name))
        if not usable.all():
            said.append(
                warning(
                    f"{name} gives no uncertainty in {int((~usable).sum())} rows; its median counts there.",
                    "",
                    name,
                )
            )
        settled[name] = replace(column, values=np.where(usable, sizes, np.median(sizes[usable])))


def check_rates(runs: Sequence[Run], rates: Mapping[str, str], time: Column, said: list[Problem]) -> None:
    """Hold every rate against the numbers of its position: sign, factor, and whether it is one at all."""
    for name, position in rates.items():
        pairs = []
        for run in runs:
            ok = np.isfinite(run.columns[name]) & np.isfinite(run.columns[position])
            if ok.sum() >= MIN_RUN_ROWS:
                pairs.append((run.t[ok], run.columns[position][ok], run.columns[name][ok]))
        found = rate_agreement(pairs)
        if found is None:
            continue
        agreement, factor = found
        way_out = (
            f"--ignore {name} lets the velocity be estimated from {position}; --first-order {name} "
            "makes it a state of its own."
        )
        if agreement < _GOOD and not (agreement > 0.5 and abs(math.log(abs(factor))) > math.log(_FAR_OFF)):
            if agreement < 0.5:
                said.append(
                    warning(
                        f"{name} does not look like d{position}/dt: its integral explains "
                        f"{100 * agreement:.0f} % of {position}.",
                        f"If it is none: {way_out}",
                        name,
                    )
                )
        elif abs(factor + 1.0) < _SAME:
            said.append(
                error(
                    f"{name} is -d{position}/dt: the sign is turned round.",
                    f"Turn one of the columns round, or: {way_out}",
                    name,
                )
            )
        elif abs(factor - 1.0) >= _SAME:
            guess, units = _guess(abs(factor))
            say = " ".join(
                f"--unit {column}={unit}"
                for column, unit in zip((position, name, time.name), units, strict=True)
            )
            said.append(
                error(
                    f"{name} is not d{position}/dt: the numbers of {position} change {abs(factor):.4g} times "
                    f"as fast as {name} says{', and the other way' if factor < 0 else ''}{guess}.",
                    f"Declare the units (say {say}), then it is converted; or: {way_out}",
                    name,
                )
            )


_FACTORS = (
    (1000.0, "milliseconds or millimetres", ("m", "m/s", "ms")),
    (100.0, "centimetres", ("cm", "m/s", "s")),
    (180.0 / math.pi, "degrees", ("deg", "rad/s", "s")),
    (60.0, "minutes", ("m", "m/s", "min")),
    (3600.0, "hours", ("m", "m/s", "h")),
    (2.0 * math.pi, "turns", ("turn", "rad/s", "s")),
    (1e6, "microseconds", ("m", "m/s", "us")),
    (3.6, "km/h", ("m", "km/h", "s")),
)


def _guess(factor: float) -> tuple[str, tuple[str, str, str]]:
    """Return what a factor between a column and its rate may come from, and units that explain it."""
    off = [min(abs(factor / size - 1.0), abs(factor * size - 1.0)) for size, _, _ in _FACTORS]
    best = min(range(len(off)), key=lambda i: off[i])
    size, what, units = _FACTORS[best]
    return (f" ({size:.4g}: {what}?)", units) if off[best] < 0.05 else ("", ("m", "m/s", "ms"))


def check_angles(states: Sequence[Column], said: list[Problem]) -> None:
    """Ask about angles without a unit that go round more than twice: they are degrees more often."""
    for column in states:
        angle = column.unit is None and bool(_ANGLES & set(plain(column.name).split()))
        if angle and float(np.nanmax(np.abs(column.values))) > 4.0 * math.pi:
            said.append(
                warning(
                    f"{column.name} reaches {float(np.nanmax(np.abs(column.values))):.4g}: degrees? They "
                    f"count as radians.",
                    f"Say --unit {column.name}=deg to convert them.",
                    column.name,
                )
            )
