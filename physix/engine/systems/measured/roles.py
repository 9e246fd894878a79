"""What each column is, by its name, its unit and its numbers: a proposal that anyone may overrule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.measured.body import RawColumn
from physix.engine.systems.measured.evidence import (
    rate_agreement,
)
from physix.engine.systems.measured.names import is_time_name, legal_name, plain, split_label
from physix.engine.systems.measured.order import MECHANICAL, order_by_name, order_by_numbers
from physix.engine.systems.measured.seen import Seen, Spans
from physix.engine.systems.measured.table import Column, Role
from physix.engine.systems.measured.units import factor_between, measures, parse_unit, rate_unit
from physix.limits import MAX_RUNS, MIN_RUN_ROWS

_INDEX_NAMES = frozenset(
    "index idx frame frames frameno framenumber row rows rownames rowname rowname rownumber nr no num "
    "number n i id "
    "sample samples samplenumber step steps point pt record rec sequence seq count counter line obs "
    "observation "
    "unnamed unnamed0 lfd lfdnr nummer # bild image".split()
)
_RUN_NAMES = frozenset(
    "run runs runid id subject trial experiment exp series serie ball drop replicate rep batch group set "
    "test "
    "patient animal lauf versuch messung shot take case episode trajectory track".split()
)
_SIGMA_WORDS = frozenset(
    "err error errors sigma unc uncertainty sd std stdev stddev se sem stderr fehler unsicherheit "
    "incertezza".split()
)
_VELOCITY_WORDS = frozenset(
    "velocity speed vel geschwindigkeit velocidad vitesse velocita v omega w gyro".split()
)
_SPOKEN = frozenset("velocity speed geschwindigkeit velocidad vitesse velocita".split())
_INPUT_NAMES = frozenset(
    "torque force drive driving input command cmd setpoint pwm throttle control motor forcing excitation "
    "vin uin "
    "drehmoment kraft fuerza tau stimulus "
    "ambient surroundings outside outdoor outdoors umgebung aussen".split()
)
_ACCELERATION = frozenset("acceleration accel acc beschleunigung aceleracion ddot".split())
ROW_NUMBERS = "row numbers, for want of a time"
_NO_NAME = re.compile(r"column \d+")  # what name_columns calls a column without a label
_MAX_PAIRED = 48  # columns among which velocities are looked for, and comparisons of numbers made for it
_MAX_CHECKS = 200
_GOOD = 0.9  # R² from which a column counts as the integral of another
_LEVELS, _APART, _SWITCHED_ROWS = 6, 0.15, 30  # of what is switched: levels, share of the spread, samples
_SAME = 0.1  # relative difference of a factor from 1


def name_columns(raw: Sequence[RawColumn]) -> list[Column]:
    """Return the columns with legal, unique names and no roles yet."""
    taken: set[str] = set()
    columns = []
    for index, one in enumerate(raw):
        text, unit = split_label(one.label)
        if text == "t" and "t" not in taken:
            name = "t"
        else:
            name = legal_name(text or one.label, taken, fallback=f"c{index + 1}")
        taken.add(name)
        columns.append(
            Column(
                name=name,
                label=one.label or f"column {index + 1}",
                unit=one.unit or unit,
                values=one.values,
                clock=one.clock,
                words=one.words,
                role=Role(kind="ignore"),
            )
        )
    return columns


def propose(columns: Sequence[Column], *, headed: bool = True) -> list[Column]:
    """Return the columns with a role and the reason for it.

    Args:
        headed: the file has names; without them the first column that increases is the time.
    """
    if not headed:
        columns = _named_by_place(columns)
    seen = [Seen(c, tuple(_words(c))) for c in columns]
    found: dict[str, tuple[Role, str]] = {}
    time = _time(seen)
    if time is not None:
        found[time.column.name] = (Role(kind="time"), _time_reason(time))
    run = _run(seen, time, found)
    if run is not None:
        found[run.column.name] = (Role(kind="run"), f"{len(np.unique(run.column.values))} runs")
    t = time.column.values if time is not None else None
    groups = run.column.values if run is not None else None
    _sigmas(seen, found)
    for one in seen:
        reason = None if one.column.name in found else _no_state(one, seen, t, groups)
        if reason is not None:
            found[one.column.name] = (Role(kind="ignore"), reason)
    spans = Spans(t, groups)
    _rates(seen, found, spans, time.column.unit if time is not None else None)
    _accelerations(seen, found)
    _inputs(seen, found)
    _states(seen, found, spans)
    return [replace(c, role=found[c.name][0], why=found[c.name][1]) for c in columns]


def _words(column: Column) -> list[str]:
    return [] if _NO_NAME.fullmatch(column.label) else plain(split_label(column.label)[0]).split()


def _named_by_place(columns: Sequence[Column]) -> list[Column]:
    """Return the columns of a file without a header: t for the time, x or x1, x2 ... for the rest."""
    time = _time([Seen(c, ()) for c in columns])
    rest = [c for c in columns if time is None or c is not time.column]
    names = {c.name: "x" if len(rest) == 1 else f"x{number}" for number, c in enumerate(rest, start=1)}
    return [replace(c, name=names.get(c.name, "t")) for c in columns]


def _time(seen: Sequence[Seen]) -> Seen | None:
    scored = [(_time_score(one, position), -position, one) for position, one in enumerate(seen)]
    best = max(scored, key=lambda entry: entry[:2], default=None)
    return best[2] if best is not None and best[0] > 0.0 else None


def _time_score(one: Seen, position: int) -> float:
    column = one.column
    finite = column.values[np.isfinite(column.values)]
    if column.words or len(finite) < 2 or np.ptp(finite) == 0.0:
        return 0.0
    steps = np.diff(finite)
    forward = max(float(np.mean(steps >= 0.0)), float(np.mean(steps <= 0.0)))
    moving = float(np.mean(steps != 0.0))
    named = bool(one.words) and is_time_name(split_label(column.label)[0] or column.label)
    timed = measures(column.unit, "s")
    score = 0.0
    if named:
        score = (
            6.0
            + 1.5 * (one.joined in ("t", "time", "zeit"))
            + bool({"elapsed", "relative", "rel"} & set(one.words))
        )
        score += timed - 2.0 * bool({"abs", "absolute", "system"} & set(one.words))
    elif column.clock:
        score = 5.0
    elif timed:
        score = 4.0
    if named or column.clock:
        # Named a time, it is one even where its rows are in disorder.
        return score if forward > 0.66 else 0.5 * score / 6.0
    if forward < 0.66:
        return 0.0
    if score:
        return score if moving > 0.3 else 0.0
    if forward < 1.0 or moving < 1.0 or steps[0] < 0.0:
        return 0.0
    if _counts_rows(one):
        return 1.0
    return 3.0 if not one.words else 2.0 if position == 0 else 0.0


def _time_reason(one: Seen) -> str:
    if one.column.clock:
        return "dates or times of day"
    if one.words and is_time_name(split_label(one.column.label)[0] or one.column.label):
        return "named as a time"
    if measures(one.column.unit, "s"):
        return "its unit is one of time"
    return ROW_NUMBERS if _counts_rows(one) else "the first column that increases"


def _counts_rows(one: Seen) -> bool:
    """Return whether the column counts: 1, 2, 3 ... and is called so, or not called anything."""
    values = one.column.values
    if one.column.words or len(values) < 3 or not np.isfinite(values).all() or (values % 1.0).any():
        return False
    steps = np.diff(values)
    consecutive = float(np.mean(steps == 1.0)) > 0.85
    named = one.joined in _INDEX_NAMES or any(word in ("frame", "index", "rownames") for word in one.words)
    even = bool(np.all(steps == steps[0])) and steps[0] > 0.0
    return (consecutive and (named or not one.words)) or (named and even)


def _run(seen: Sequence[Seen], time: Seen | None, found: dict[str, tuple[Role, str]]) -> Seen | None:
    if time is None:
        return None
    t = time.column.values
    best = None
    for one in seen:
        values = one.column.values
        if one.column.name in found or not np.isfinite(values).all() or len(values) < 2 * MIN_RUN_ROWS:
            continue
        groups = np.unique(values)
        if not 2 <= len(groups) <= MAX_RUNS or len(values) < 3 * len(groups):
            continue
        named = bool(set(one.words) & _RUN_NAMES) or one.joined in _RUN_NAMES
        whole = bool(one.column.words) or not (values % 1.0).any()
        if not whole or not (named or one.column.words or _restarts(t, values)):
            continue
        if all(np.all(np.diff(t[values == group]) >= 0.0) for group in groups):
            if named or _restarts(t, values):
                return one
            best = best
    return best


def _restarts(t: FloatArray, values: FloatArray) -> bool:
    """Return whether the time goes back exactly where the value changes."""
    back = np.diff(t) < 0.0
    return bool(back.any()) and bool(np.array_equal(back, np.diff(values) != 0.0))


def _no_state(one: Seen, seen: Sequence[Seen], t: FloatArray | None, groups: FloatArray | None) -> str | None:
    """Return why a column can be no state, or None."""
    column = one.column
    finite = column.values[np.isfinite(column.values)]
    if column.words or len(finite) == 0:
        return "words, no numbers"
    if np.ptp(finite) == 0.0 and len(seen) > 2:
        return "never changes"
    if _counts_rows(one) or (one.joined in _INDEX_NAMES and _affine(column.values, t)):
        return "counts the rows"
    clockish = column.clock or (bool(one.words) and is_time_name(split_label(column.label)[0]))
    if t is not None and (clockish or measures(column.unit, "s")) and _affine(column.values, t):
        return "a second clock"
    if column.clock:
        return "a second clock"
    if groups is not None and all(np.ptp(column.values[groups == g]) == 0.0 for g in np.unique(groups)):
        return "does not change within a run"
    return _derived(one, seen)


def _affine(values: FloatArray, t: FloatArray | None) -> bool:
    if t is None:
        return False
    ok = np.isfinite(values) & np.isfinite(t)
    if ok.sum() < 3 or np.ptp(values[ok]) == 0.0 or np.ptp(t[ok]) == 0.0:
        return False
    return abs(float(np.corrcoef(values[ok], t[ok])[0, 1])) > 1.0 - 1e-5


def _derived(one: Seen, seen: Sequence[Seen]) -> str | None:
    """Return a reason where the column is the length of a vector whose components are there, too."""
    parts = [
        other.column
        for other in seen
        if other is not one
        and other.column.unit == one.column.unit
        and other.words[:-1]
        and other.words[-1:] in (("x",), ("y",), ("z",))
    ]
    if len(parts) < 2 or not ({"absolute", "abs", "total", "magnitude", "norm"} & set(one.words)):
        return None
    length = np.sqrt(np.sum([part.values**2 for part in parts], axis=0))
    same = np.isclose(length, one.column.values, rtol=1e-3, equal_nan=True).mean() > 0.95
    return "the length of " + ", ".join(part.name for part in parts) if same else None


def _sigmas(seen: Sequence[Seen], found: dict[str, tuple[Role, str]]) -> None:
    for position, one in enumerate(seen):
        marked = _SIGMA_WORDS & set(one.words)
        if one.column.name in found or not (marked or one.column.label.strip() in ("±", "+/-", "+-")):
            continue
        rest = tuple(word for word in one.words if word not in _SIGMA_WORDS)
        owner = next((o for o in seen if o is not one and o.words == rest), None)
        if not rest and position:
            owner = seen[position - 1]
        if owner is None:
            continue
        if found.get(owner.column.name, (Role(kind="state"), ""))[0].kind == "time":
            found[one.column.name] = (Role(kind="ignore"), "uncertainty of the time")
        elif owner.column.name not in found:
            found[one.column.name] = (Role(kind="sigma", of=owner.column.name), "named as an uncertainty")


def _rates(
    seen: Sequence[Seen], found: dict[str, tuple[Role, str]], spans: Spans, time_unit: str | None
) -> None:
    """Pair velocities with positions: a name or a unit proposes, the numbers decide."""
    free = [one for one in seen if one.column.name not in found][:_MAX_PAIRED]
    scored = []
    checks = 0
    for position in free:
        for rate in free:
            if rate is position:
                continue
            strength = _named_rate(position, rate, free)
            expected = rate_unit(position.column.unit, time_unit)
            factor = factor_between(rate.column.unit, expected)
            both = rate.column.unit is not None and expected is not None
            if both and factor is None and not _without_angles(rate.column.unit, expected):
                continue
            by_unit = factor is not None and parse_unit(expected or "1") != parse_unit("1")
            if not strength and not by_unit:
                continue
            checks += 1
            if checks > _MAX_CHECKS:
                continue
            triples = [(t, x, v) for t, x, v in spans.of(position.column, rate.column)]
            agreement = rate_agreement([(t, x, v * (factor or 1.0)) for t, x, v in triples])
            fits = agreement is not None and agreement[0] > _GOOD and abs(agreement[1] - 1.0) < _SAME
            if not (fits or strength == 2):
                continue
            if strength == 0 and agreement is not None and agreement[0] < 0.98:
                continue
            scored.append((2.0 * fits + strength + by_unit, position, rate, fits))
    for _, position, rate, fits in sorted(scored, key=lambda entry: -entry[0]):
        names = position.column.name, rate.column.name
        busy = {role.of for role, _ in found.values() if role.kind == "rate"}
        if names[1] in found or names[0] in busy or names[1] in busy or names[0] in found:
            continue
        reason = f"the numbers are the rate of {names[0]}" if fits else f"named as the rate of {names[0]}"
        found[names[1]] = (Role(kind="rate", of=names[0]), reason)


def _without_angles(unit: str | None, expected: str | None) -> bool:
    """Return whether two units agree once radians count as pure numbers: 1/s for an angle's rate."""
    parsed = [parse_unit(text) for text in (unit or "", expected or "")]
    if any(one is None for one in parsed):
        return False
    bare = [tuple(p for p in one.powers if p[0] != "rad") for one in parsed if one is not None]
    return bare[0] == bare[1]


def _named_rate(position: Seen, rate: Seen, free: Sequence[Seen]) -> Literal[0, 1, 2]:
    """Return 2 where the name says that it is this one's rate, 1 where it may be, 0 otherwise."""
    p, v = position.column.name.lower(), rate.column.name.lower()
    stem, number = re.fullmatch(r"(.*?)_?(\d*)", p).groups()  # type: ignore[union-attr]  # matches anything
    exact = {f"v{p}", f"v_{p}", f"d{p}", f"{p}_dot", f"{p}dot", f"d{p}_dt", f"{p}_v", f"vel_{p}", f"{p}_vel"}
    exact |= {
        f"velocity_{p}",
        f"{p}_velocity",
        f"speed_{p}",
        f"{p}_speed",
        f"w{p}",
        f"omega_{p}",
        f"v_{stem}_{number}",
    }
    if stem in ("theta", "phi", "angle"):
        exact |= {f"omega{number}", f"omega_{number}", f"w{number}"}
    if v in {name.rstrip("_") for name in exact}:
        return 2
    words, others = set(rate.words), set(position.words)
    if words & _VELOCITY_WORDS and (words - _VELOCITY_WORDS - {"angular"}) == (others - MECHANICAL):
        alone = [
            o
            for o in free
            if o is not rate and not set(o.words) & (_VELOCITY_WORDS | _ACCELERATION | _INPUT_NAMES)
        ]
        if others & MECHANICAL and words & _SPOKEN:
            return 2
        if others & MECHANICAL or len(alone) == 1:
            return 1
    plain_v = re.fullmatch(r"(v|velocity|speed|vel)_?(\d*)", v)
    if plain_v is not None and plain_v[2] == number:
        group = [o for o in free if re.sub(r"^.*?(\d*)$", r"\1", o.column.name) == number and o is not rate]
        return 1 if position in group else 0
    return 0


def _accelerations(seen: Sequence[Seen], found: dict[str, tuple[Role, str]]) -> None:
    """Set accelerations aside where the position or the velocity is there as well."""
    free = [one for one in seen if one.column.name not in found]
    of_motion = [one for one in free if not _is_acceleration(one, free)]
    for one in free:
        if of_motion and _is_acceleration(one, free):
            found[one.column.name] = (Role(kind="ignore"), "an acceleration: the law gives it")


def _is_acceleration(one: Seen, free: Sequence[Seen]) -> bool:
    unit = parse_unit(one.column.unit) if one.column.unit else None
    if unit is not None and dict(unit.powers) == {"m": 1, "s": -2}:
        # Where all that moves are angles it is the pivot's.
        others = [other.column.unit for other in free if other is not one]
        return not (others and all(measures(other, "rad") for other in others))
    if _ACCELERATION & set(one.words) or (unit is not None and dict(unit.powers) == {"rad": 1, "s": -2}):
        return True
    name = one.column.name
    names = {other.column.name for other in free}
    return (
        bool(re.fullmatch(r"a_?[A-Za-z]\w*", name))
        and unit is None
        and name[1:].lstrip("_") in names - {name}
    )


def _inputs(seen: Sequence[Seen], found: dict[str, tuple[Role, str]]) -> None:
    free = [one for one in seen if one.column.name not in found]
    answers = any({"out", "output"} & set(one.words) for one in free)
    moved = answers or any(role.kind == "rate" for role, _ in found.values())
    switched = {one.column.name for one in free if _is_switched(one)}
    for one in free:
        unit = parse_unit(one.column.unit) if one.column.unit else None
        force = unit is not None and dict(unit.powers) in (
            {"kg": 1, "m": 1, "s": -2},
            {"kg": 1, "m": 2, "s": -2},
            {"m": 1, "s": -2},  # of what carries the motion: its own was set aside
        )
        named = bool(_INPUT_NAMES & set(one.words)) or one.joined in _INPUT_NAMES
        by_letter = moved and bool({one.column.label.strip(), one.column.name} & {"u", "F", "f"})
        if (force or named or by_letter) and not _is_position(one, found):
            reason = "a force, a command or the surroundings drive the motion"
            found[one.column.name] = (Role(kind="input"), reason)
        elif one.column.name in switched and len(switched) < len(free):
            found[one.column.name] = (Role(kind="input"), "it is switched between levels, as no motion is")
    if not any(one.column.name not in found for one in free):
        for one in free:
            if found.get(one.column.name, (None,))[0] == Role(kind="input"):
                del found[one.column.name]


def _is_switched(one: Seen) -> bool:
    """Return whether a column holds one of a few levels for long and jumps between them, far apart."""
    values = one.column.values[np.isfinite(one.column.values)]
    if len(values) < _SWITCHED_ROWS or one.column.words or np.ptp(values) == 0.0:
        return False
    steps = np.diff(values)
    levels, jumps = len(np.unique(values)), steps[steps != 0.0]
    # What only counts up, or down, in steps of one is a state that was counted.
    both_ways = levels == 2 or bool((jumps > 0.0).any() and (jumps < 0.0).any())
    held = len(jumps) <= len(steps) / (4 * levels)
    far = float(np.abs(jumps).min()) >= _APART * float(np.ptp(values))
    return levels <= _LEVELS and both_ways and held and far


def _is_position(one: Seen, found: dict[str, tuple[Role, str]]) -> bool:
    return any(role.kind == "rate" and role.of == one.column.name for role, _ in found.values())


def _states(seen: Sequence[Seen], found: dict[str, tuple[Role, str]], spans: Spans) -> None:
    free = [one for one in seen if one.column.name not in found]
    positions = {role.of for role, _ in found.values() if role.kind == "rate"}
    alone = [one for one in free if one.column.name not in positions]
    inputs = [one.column for one in seen if found.get(one.column.name, (None,))[0] == Role(kind="input")]
    generic: list[Seen] = []
    for one in free:
        if one.column.name in positions:
            found[one.column.name] = (Role(kind="state"), "its rate is there")
            continue
        order, reason = order_by_name(one)
        if order is None:
            generic.append(one)
            continue
        found[one.column.name] = (Role(kind="state", order=order), reason)
    if not generic:
        return
    second, reason = order_by_numbers(generic, alone, inputs, spans)
    for one in generic:
        found[one.column.name] = (Role(kind="state", order=2 if second else 1), reason)
