"""A table of measurements becomes a task without a known law.

The format: UTF-8, commas, a header line with `t` and one name per state variable, optionally a
second line with units, then numbers. A column named like the velocity of another one makes that
one second order.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from physix.engine.systems.derivatives import smoothed_rate
from physix.engine.systems.task import StateVariable, Task, Trajectory, Truth
from physix.errors import BadInputError, CsvError
from physix.limits import (
    MAX_COLUMN_NAME,
    MAX_HINT,
    MAX_MAGNITUDE,
    MAX_ROWS,
    MAX_STATES,
    MAX_TABLE_BYTES,
    MAX_TITLE,
    MAX_UNIT,
    MIN_ROWS,
)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE = frozenset({"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})
# What an equation reads as something else; the grammar's own list lies in a room above this one.
_RESERVED = frozenset({"dt", "dt2", "pi", "sin", "cos", "tan", "exp", "log", "sqrt", "abs"})
_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|chi|psi|omega"
)

_Rows = tuple[tuple[float, ...], ...]


def task_from_csv(
    text: str,
    *,
    hint: str,
    title: str = "",
    noise: float | None = None,
    second_order: Mapping[str, str] | None = None,
    estimate: Sequence[str] = (),
    hold_back: float = 0.0,
    held_back_csv: str | None = None,
) -> tuple[Task, Truth]:
    """Return a task that shows the table, and a truth that knows the held-back data if there is any.

    Without held-back data `generalisation` is never known.

    Args:
        text: the file. `t` strictly increasing, 8 to 10,000 rows, 1 to 8 states.
        hint: what an onlooker would say; may be empty.
        title: shown above the episode; empty for "Your data".
        noise: standard deviation of the noise as a share of each variable's own, 0 to 1.
            None to estimate it, see `estimate_noise`.
        second_order: which column is the velocity of which, `{"v": "height"}`; None to go by
            the names, see `_rates`.
        estimate: positions without a velocity column: `v<name>` is added, estimated with
            `smoothed_rate` and marked, which makes them second order.
        hold_back: the last share of the rows is kept for `generalisation`, 0 to 0.5.
        held_back_csv: another table with the same columns, such as a second drop, kept likewise.

    Raises:
        CsvError: the table is no trajectory; one line that names the row or column.
        BadInputError: hint, title or noise is out of range.
    """
    _check_words("Hint", hint, MAX_HINT)
    _check_words("Title", title, MAX_TITLE)
    if noise is not None and not 0.0 <= noise <= 1.0:
        raise BadInputError(f"Noise {noise!r} is not allowed: use a number from 0 to 1.")
    header, units, numbers = _read(text)
    time_column = header.index("t")
    names = [name for name in header if name != "t"]
    t = tuple(row[time_column] for row in numbers)
    states = tuple(row[:time_column] + row[time_column + 1 :] for row in numbers)
    rates = _rates(names) if second_order is None else _given_rates(names, second_order)
    whole, variables = _with_estimates(
        Trajectory(t=t, states=states), _variables(names, units, rates), estimate
    )
    trajectory, hidden = _held_back(whole, hold_back)
    if held_back_csv is not None:
        hidden += _other_table(held_back_csv, header, units, variables, estimate)
    key = repr((text, sorted((second_order or {}).items()), tuple(estimate), hold_back, held_back_csv))
    plain = second_order is None and not estimate and not hidden
    task = Task(
        task_id=f"csv/{hashlib.sha256((text if plain else key).encode()).hexdigest()[:12]}",
        system_id="csv",
        title=title.strip() or "Your data",
        tier=None,
        seed=None,
        variables=variables,
        time_unit=units["t"],
        shown=(trajectory,),
        noise=estimate_noise(trajectory) if noise is None else float(noise),
        hint=hint.strip(),
    )
    return task, Truth(equation=None, params={}, hidden=hidden)


def _given_rates(names: Sequence[str], second_order: Mapping[str, str]) -> dict[str, str]:
    """Return the pairs the user named, once they make sense."""
    for rate, position in second_order.items():
        for name in (rate, position):
            if name not in names:
                raise CsvError(
                    f"There is no column {name[:MAX_COLUMN_NAME]!r}; the columns are: {', '.join(names)}."
                )
        if rate == position or position in second_order or list(second_order.values()).count(position) > 1:
            raise CsvError(f"Column {rate!r} cannot be the velocity of {position!r} here.")
    return dict(second_order)


def _with_estimates(
    trajectory: Trajectory, variables: tuple[StateVariable, ...], estimate: Sequence[str]
) -> tuple[Trajectory, tuple[StateVariable, ...]]:
    """Return both with a velocity for each named position, estimated from its samples."""
    names = [variable.name for variable in variables]
    taken = {variable.rate_of for variable in variables}
    added: list[StateVariable] = []
    columns = list(zip(*trajectory.states, strict=True))
    for position in estimate:
        if position not in names:
            raise CsvError(
                f"There is no column {position[:MAX_COLUMN_NAME]!r} whose velocity could be estimated."
            )
        index = names.index(position)
        if position in taken or variables[index].rate_of is not None:
            raise CsvError(f"Column {position!r} has a velocity already, or is one.")
        name = f"v{position}"
        if name in names or len(name) > MAX_COLUMN_NAME:
            raise CsvError(
                f"The estimated velocity of {position!r} would be called {name!r}; rename a column."
            )
        unit = variables[index].unit
        rates = smoothed_rate(np.array(trajectory.t), np.array(columns[index]))
        columns.append(tuple(rates.tolist()))
        taken.add(position)
        added.append(
            StateVariable(
                name=name,
                unit="1/s" if unit == "1" else f"{unit}/s" if unit else None,
                symbol=_symbol(name, position),
                description=f"rate of change of {position}, estimated from its samples",
                rate_of=position,
                estimated=True,
            )
        )
    if len(columns) > MAX_STATES:
        raise CsvError(f"With estimates the CSV has {len(columns)} states; at most {MAX_STATES} are allowed.")
    if not added:
        return trajectory, variables
    return Trajectory(t=trajectory.t, states=tuple(zip(*columns, strict=True))), (*variables, *added)


def _held_back(trajectory: Trajectory, share: float) -> tuple[Trajectory, tuple[Trajectory, ...]]:
    """Return the first rows as shown and the last ones as hidden."""
    if not 0.0 <= share <= 0.5:
        raise BadInputError(f"hold_back {share!r} is not allowed: use a share from 0 to 0.5.")
    rows = round(share * len(trajectory.t))
    if rows == 0:
        return trajectory, ()
    shown = len(trajectory.t) - rows
    if shown < MIN_ROWS or rows < 3:
        raise CsvError(f"Holding back {rows} rows leaves {shown}; at least 3 and {MIN_ROWS} are needed.")
    first = Trajectory(t=trajectory.t[:shown], states=trajectory.states[:shown])
    return first, (Trajectory(t=trajectory.t[shown:], states=trajectory.states[shown:]),)


def _other_table(
    text: str,
    header: Sequence[str],
    units: Mapping[str, str | None],
    variables: Sequence[StateVariable],
    estimate: Sequence[str],
) -> tuple[Trajectory, ...]:
    """Read held-back data, which must have the same columns and units."""
    other_header, other_units, numbers = _read(text)
    if other_header != list(header) or other_units != units:
        raise CsvError("The held-back CSV has other columns or units than the first one.")
    column = other_header.index("t")
    measured = Trajectory(
        t=tuple(row[column] for row in numbers),
        states=tuple(row[:column] + row[column + 1 :] for row in numbers),
    )
    plain = tuple(variable for variable in variables if not variable.estimated)
    return (_with_estimates(measured, plain, estimate)[0],)


def estimate_noise(trajectory: Trajectory) -> float:
    """Return the noise level of a measured trajectory, as a share of each variable's spread.

    Each inner sample is compared with the cubic through its two neighbours on either side, in
    true time, so uneven sampling does no harm. Scaled by what independent noise would do to that
    difference, the median of the sizes gives a standard deviation that a few outliers do not
    move. The variables' shares are combined as a root mean square, because a match is a mean of
    R². Motion faster than about ten samples a period counts as noise: an upper bound then.

    Returns:
        0 to 1, rounded to four digits.
    """
    t, states = np.array(trajectory.t), np.array(trajectory.states)
    nodes = np.stack([t[:-4], t[1:-3], t[3:-1], t[4:]])
    values = np.stack([states[:-4], states[1:-3], states[3:-1], states[4:]])
    middle = t[2:-2]
    weights = np.ones_like(nodes)
    for i in range(4):
        for j in range(4):
            if i != j:
                weights[i] *= (middle - nodes[j]) / (nodes[i] - nodes[j])
    difference = states[2:-2] - np.einsum("ir,ird->rd", weights, values)
    scale = np.sqrt(1.0 + (weights**2).sum(axis=0))
    sigma = np.median(np.abs(difference) / scale[:, None], axis=0) / 0.6745
    spread = states.std(axis=0)
    shares = np.divide(sigma, spread, out=np.zeros_like(sigma), where=spread > 0.0)
    return round(min(1.0, float(np.sqrt(np.mean(shares**2)))), 4)


def _check_words(what: str, words: str, limit: int) -> None:
    if len(words) > limit:
        raise BadInputError(f"{what} has {len(words)} characters; at most {limit} are allowed.")
    if any("\ud800" <= letter <= "\udfff" for letter in words):
        raise BadInputError(f"{what} contains half of a surrogate pair, which is no text.")


def _read(text: str) -> tuple[list[str], dict[str, str | None], _Rows]:
    """Return the header, the unit of every column, and the numbers row by row."""
    lines = _split(text)
    if not lines:
        raise CsvError("The CSV is empty: it needs a header line with t and the state variables.")
    header = [cell.strip() for cell in lines[0][1]]
    _check_header(header)
    units: dict[str, str | None] = dict.fromkeys(header)
    rows = lines[1:]
    if rows and _is_units_row(rows[0][1], header.index("t")):
        units = _units(header, rows[0])
        rows = rows[1:]
    if not MIN_ROWS <= len(rows) <= MAX_ROWS:
        raise CsvError(f"The CSV has {len(rows)} rows of numbers; {MIN_ROWS} to {MAX_ROWS} are allowed.")
    numbers = tuple(_numbers(header, line, cells) for line, cells in rows)
    _check_times(header.index("t"), [line for line, _ in rows], numbers)
    return header, units, numbers


def _split(text: str) -> list[tuple[int, list[str]]]:
    """Return (line number, cells) of every line that is not blank."""
    if any("\ud800" <= letter <= "\udfff" or letter == "\0" for letter in text):
        raise CsvError("The CSV contains characters that are no text.")
    size = len(text.encode())
    if size > MAX_TABLE_BYTES:
        raise CsvError(f"The CSV has {size} bytes; at most {MAX_TABLE_BYTES} are allowed.")
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), skipinitialspace=True)
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise CsvError(f"Line {reader.line_num} is no CSV: {error}.") from error


def _check_header(header: Sequence[str]) -> None:
    shown = ", ".join(name[:MAX_COLUMN_NAME] or "(empty)" for name in header[: MAX_STATES + 2])
    if len(header) == 1 and re.search(r"[;\t]", header[0]):
        raise CsvError("The header has one column: separate columns by commas.")
    for name in header:
        _check_name(name)
        if header.count(name) > 1:
            raise CsvError(f"Column {name!r} appears {header.count(name)} times; every name must be unique.")
    if "t" not in header:
        raise CsvError(f"There is no column t for the time; the columns are: {shown}.")
    if not 1 <= len(header) - 1 <= MAX_STATES:
        raise CsvError(
            f"The CSV has {len(header) - 1} state columns beside t; 1 to {MAX_STATES} are allowed."
        )


def _check_name(name: str) -> None:
    if not name:
        raise CsvError("A column of the header line has no name.")
    if len(name) > MAX_COLUMN_NAME or not _NAME.fullmatch(name):
        raise CsvError(
            f"Column name {name[:MAX_COLUMN_NAME]!r} is not allowed: use a letter, then letters, digits and "
            f"_, at most {MAX_COLUMN_NAME} characters (units go into a second line)."
        )
    if name in _RESERVED:
        raise CsvError(f"Column name {name!r} is not allowed: it means something else in an equation.")


def _is_units_row(cells: Sequence[str], time_column: int) -> bool:
    """Return whether these are units: words throughout, where `1` may stand for "no unit"."""
    words = [cell.strip() for cell in cells]
    if time_column >= len(words) or _is_numeric(words[time_column]):
        return False
    return not any(_is_numeric(word) for word in words if word != "1")


def _is_numeric(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None or cell.lower() in _NOT_FINITE


def _units(header: Sequence[str], row: tuple[int, list[str]]) -> dict[str, str | None]:
    line, cells = row
    if len(cells) != len(header):
        raise CsvError(f"Line {line} (units) has {len(cells)} cells; the header has {len(header)}.")
    units = [cell.strip() for cell in cells]
    for unit in units:
        if len(unit) > MAX_UNIT:
            raise CsvError(f"Line {line} (units): {unit[:MAX_UNIT]!r} is too long for a unit.")
    return {name: "1" if unit == "-" else unit or None for name, unit in zip(header, units, strict=True)}


def _numbers(header: Sequence[str], line: int, cells: Sequence[str]) -> tuple[float, ...]:
    if len(cells) != len(header):
        raise CsvError(f"Line {line} has {len(cells)} cells; the header has {len(header)}.")
    return tuple(_number(name, line, cell.strip()) for name, cell in zip(header, cells, strict=True))


def _number(name: str, line: int, cell: str) -> float:
    if not cell:
        raise CsvError(f"Line {line}, column {name}: the value is missing.")
    if cell.lower() in _NOT_FINITE:
        raise CsvError(f"Line {line}, column {name}: {cell} is not a finite number.")
    # float() alone would also read 1_000 and digits of other scripts.
    if not _NUMBER.fullmatch(cell):
        raise CsvError(f"Line {line}, column {name}: {cell[:40]!r} is not a number.")
    value = float(cell)
    if not math.isfinite(value) or abs(value) > MAX_MAGNITUDE:
        raise CsvError(f"Line {line}, column {name}: {cell[:40]} is beyond ±{MAX_MAGNITUDE:g}.")
    return value


def _check_times(column: int, lines: Sequence[int], numbers: _Rows) -> None:
    for line, before, after in zip(lines[1:], numbers, numbers[1:], strict=False):
        if after[column] == before[column]:
            raise CsvError(f"Line {line}: time {after[column]!r} appears twice; times must increase.")
        if after[column] < before[column]:
            raise CsvError(
                f"Line {line}: time {after[column]!r} comes after {before[column]!r}; times must increase."
            )


def _variables(
    names: Sequence[str], units: Mapping[str, str | None], rates: Mapping[str, str]
) -> tuple[StateVariable, ...]:
    return tuple(
        StateVariable(
            name=name,
            unit=units[name],
            symbol=_symbol(name, rates.get(name)),
            description=f"rate of change of {rates[name]}" if name in rates else f"column {name}",
            rate_of=rates.get(name),
        )
        for name in names
    )


def _rates(names: Sequence[str]) -> dict[str, str]:
    """Return which column is the velocity of which, by name. No velocity has one of its own."""
    named = {name: [rate for rate in _rate_names(name) if rate in names] for name in names}
    velocities = {rate for found in named.values() for rate in found}
    rates: dict[str, str] = {}
    for position in names:
        if position in velocities:
            continue
        found = named[position] or _plain_v(position, names, velocities)
        if len(found) > 1:
            raise CsvError(
                f"Columns {' and '.join(found)} both look like the velocity of {position}; drop one."
            )
        if found:
            rates[found[0]] = position
    return rates


def _rate_names(position: str) -> list[str]:
    candidates = [f"v{position}", f"v_{position}", f"d{position}", f"{position}_dot", f"{position}dot"]
    stem, number = _split_number(position)
    return [*candidates, f"omega{number}"] if stem == "theta" else candidates


def _plain_v(position: str, names: Sequence[str], velocities: Collection[str]) -> list[str]:
    """Return [`v`] or [`v1`] if it can only belong to `position`: no third column has that number."""
    number = _split_number(position)[1]
    group = {name for name in names if _split_number(name)[1] == number}
    plain = f"v{number}"
    belongs = group == {position, plain} and plain != position and plain not in velocities
    return [plain] if belongs else []


def _split_number(name: str) -> tuple[str, str]:
    stem = name.rstrip("0123456789")
    return stem.rstrip("_"), name[len(stem) :]


def _symbol(name: str, rate_of: str | None) -> str:
    """Return LaTeX for a column; a velocity is a dotted position or a v with an index."""
    stem, number = _split_number(name)
    if rate_of is not None and stem == "v":
        return f"v_{{{number}}}" if number else "v"
    if rate_of is not None:
        position = _symbol(rate_of, None)
        return f"v_{{{position}}}" if name.startswith("v") else rf"\dot{{{position}}}"
    escaped = stem.replace("_", r"\_")
    plain = stem if len(stem) == 1 else rf"\mathrm{{{escaped}}}"
    base = rf"\{stem}" if _GREEK.fullmatch(stem) else plain
    return f"{base}_{{{number}}}" if number else base
