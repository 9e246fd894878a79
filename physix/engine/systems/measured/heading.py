"""What stands above the data: names, units, groups of columns, and a preamble's facts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from physix.engine.systems.measured.cells import kind_of, number_of
from physix.engine.systems.measured.dialect import Grid, Line
from physix.engine.systems.measured.names import (
    all_known_units,
    is_time_label,
    is_time_name,
    is_units_row,
    unit_of_name,
)


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above each column."""

    names: dict[int, str]
    units: dict[int, str]
    groups: dict[int, str]
    names_line: int | None
    units_line: int | None
    numbers: dict[int, float]  # cells of the units row that are numbers: start and increment of a scope
    facts: dict[str, str]  # a preamble's pairs, lower-case name to value


def heading_of(before: Sequence[Line], grid: Grid, columns: Sequence[int], data: Sequence[int]) -> Heading:
    """Return what the lines before the data say about each column.

    Args:
        before: the lines above the first row of data, comments among them.
        columns: every column that holds something; `data` those that hold numbers.
    """
    facts = facts_of(before)
    if grid.keys:
        return Heading(dict(enumerate(grid.keys)), {}, {}, None, None, {}, facts)
    rows = _candidates(before, grid, columns)
    units_at = next(
        (i for i in (len(rows) - 1, len(rows) - 2) if i >= 0 and _units_like(rows[i], data)), None
    )
    if units_at is not None and len(rows) == 1 and not all_known_units(rows[0][1].get(i, "") for i in data):
        units_at = None
    names_at = (units_at if units_at is not None else len(rows)) - 1
    if units_at == 0 and len(rows) > 1:
        names_at = 1
    elif units_at is not None:
        # Between names and units may stand a row of channels or remarks.
        timed = [i for i in range(units_at) if any(is_time_name(c) for c in rows[i][1].values())]
        names_at = timed[-1] if timed else names_at
    names = rows[names_at] if 0 <= names_at < len(rows) else None
    units = rows[units_at] if units_at is not None else None
    if names is not None and units is not None and _names_a_time(units) and _is_remark(names):
        names = None  # `millis,tempC` below a remark of as many words
    if names is None and units is not None:
        # `Second,Volt` alone: the units serve as names.
        names = units
    above = rows[names_at - 1] if names is not None and names_at >= 1 else None
    groups = _groups(above, names, columns) if above is not None and above is not units else {}
    if names is not None and units is not None and names[1].get(0, "").lower() == "source":
        names = (names[0], {**names[1], 0: "t"})  # Siglent writes `Source,CH1` above `Second,Volt`
    numbers = {}
    if names is units and units is not None:
        units = (units[0], {i: c for i, c in units[1].items() if all_known_units([c])})
    if units is not None:
        found = {i: number_of(c.strip(), grid.decimal, grouped=False) for i, c in units[1].items()}
        numbers = {i: value for i, value in found.items() if value is not None}
    return Heading(
        names={i: c for i, c in names[1].items() if i in columns or i in numbers} if names else {},
        units={i: c for i, c in units[1].items() if i not in numbers or c.strip() == "1"} if units else {},
        groups=groups,
        names_line=names[0] if names else None,
        units_line=units[0] if units else None,
        numbers=numbers,
        facts=facts,
    )


_Row = tuple[int, dict[int, str]]


def _candidates(before: Sequence[Line], grid: Grid, columns: Sequence[int]) -> list[_Row]:
    """Return the rows above the data that may hold names or units, the nearest last."""
    width = max(columns) + 1
    plain: list[_Row] = []
    comments: list[_Row] = []
    for line in before[-12:]:
        if line.comment is None:
            cells = _fit(line.cells, _raw_line(grid, line), grid, width, len(columns))
            if cells is None:
                continue
            full = [c for c in cells if c.strip()]
            if full and all(re.fullmatch("[-:=+ ]{2,}", c) for c in full):
                continue  # the rule below a header of Markdown or of a terminal
            pair = len(full) == 2 and len(columns) > 2 and all(c.strip() for c in cells[:2])
            if not full or (pair and not any(map(is_time_name, full))):
                continue
            plain.append((line.number, dict(enumerate(cells))))
        elif line.comment:
            cells = _fit(_split(line.comment, grid), line.comment, grid, width, len(columns), exact=True)
            if cells is not None and not any(kind_of(cell) == "date" for cell in cells):
                comments.append((line.number, dict(enumerate(cells))))
    rows = plain or comments
    wide = [row for row in rows if len([c for c in row[1].values() if c.strip()]) > 1 or len(columns) <= 2]
    return rows[-4:] if wide else [row for row in rows[-1:] if _units_like(row, columns)]


def _raw_line(grid: Grid, line: Line) -> str:
    return grid.lines[line.number - 1]


def _split(text: str, grid: Grid) -> list[str]:
    """Return the cells of a comment."""
    return text.split() if grid.delimiter == " " else text.split(grid.delimiter)


def _fit(
    cells: list[str], text: str, grid: Grid, width: int, filled: int, *, exact: bool = False
) -> list[str] | None:
    """Return the cells of a header line, one per column, splitting it another way where that fits better."""
    stripped = [cell.strip().strip('"').strip() for cell in cells]
    while len(stripped) > width and not stripped[-1]:
        stripped.pop()
    if len(stripped) == width or (len(stripped) > width and not exact and grid.delimiter != " "):
        return stripped
    for pattern in (
        r"\s*,\s*",
        r"\s*;\s*",
        r"\t+",
        r"\s{2,}|\t",
        r"\s+(?![(\[])",
    ):
        other = [part.strip().strip('"') for part in re.split(pattern, text.strip().strip('"'))]
        if len(other) == width:
            return other
        if len(other) == filled == width - 1:
            return ["", *other]
    if len(stripped) == width - 1 and width > 2 and not exact and all(stripped):
        return ["", *stripped]  # R writes no name above the row names
    if exact or (grid.delimiter == " " and len(stripped) != width):
        return None
    return stripped + [""] * (width - len(stripped))


def _units_like(row: _Row, data: Sequence[int]) -> bool:
    cells = [row[1].get(index, "").strip() for index in data]
    words = [cell for cell in cells if not re.fullmatch(r"[+-]?[\d.,]+([eE][+-]?\d+)?", cell) or cell == "1"]
    return bool([w for w in words if w]) and is_units_row(words)


def _names_a_time(row: _Row) -> bool:
    return any(unit_of_name(cell) for cell in row[1].values())


def _is_remark(row: _Row) -> bool:
    """Return whether a row above `Second,Volt` names neither a time nor an axis nor a channel."""
    cells = [cell for cell in row[1].values() if cell.strip()]
    axes = ("x", "source", "x-axis", "in s", "sequence", "channel")
    return not any(is_time_name(cell) or cell.strip().lower() in axes for cell in cells)


def _groups(above: _Row, names: _Row | None, columns: Sequence[int]) -> dict[int, str]:
    """Return the group of each column: a word above some names stands for those to its right, too."""
    cells = above[1]
    full = [index for index in columns if cells.get(index, "").strip()]
    if names is None or not full or any(is_time_label(cells[index]) for index in full):
        return {}
    groups: dict[int, str] = {}
    current = ""
    pending: list[int] = []
    for index in columns:
        found = cells.get(index, "").strip()
        if found:
            # Tracker leaves the cell above the time empty: the group begins one column earlier.
            if not current:
                groups.update(dict.fromkeys(pending, found))
            current = found
        if current:
            groups[index] = current
        else:
            pending.append(index)
    return groups


def facts_of(before: Sequence[Line]) -> dict[str, str]:
    """Return the pairs of a preamble, `Vertical Units,V`, by lower-case name."""
    facts = {}
    for line in before:
        cells = [cell.strip().strip('"') for cell in line.cells[:2]]
        if line.comment is None and len(cells) == 2 and all(cells):
            facts[cells[0].lower().rstrip(":")] = cells[1]
    return facts
