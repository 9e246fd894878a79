"""From a grid to columns of numbers: where the data begin, what stands above them, what does not fit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.measured.cells import (
    Kind,
    clock_seconds,
    decimal_of,
    is_missing,
    is_number,
    is_over,
    kind_of,
    moment,
    number_of,
    with_unit,
)
from physix.engine.systems.measured.dialect import HEAD, Grid, Line
from physix.engine.systems.measured.heading import Heading, facts_of, heading_of
from physix.engine.systems.measured.names import (
    canonical_unit,
    split_label,
)
from physix.engine.systems.measured.table import Dialect, Problem
from physix.errors import CsvError
from physix.limits import MAX_HEADER, MAX_MEASURED

_CHUNK = 20_000
_MAX_WORDS = 64  # different words in a column that may tell runs apart
_SAMPLE_CELLS = 20_000
_DEEPEST = 5_000  # lines of preamble


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawColumn:
    """One column as the file has it. `group` is what stands above its name, such as `Run 1`."""

    label: str
    unit: str | None
    values: FloatArray
    group: str = ""
    clock: bool = False
    date: bool = False
    words: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reader:
    """Collects the cells of one column, chunk by chunk."""

    index: int
    kind: Kind
    decimal: str
    grouped: bool
    day_first: bool
    parts: list[FloatArray]
    words: dict[str, int]
    bad: int = 0
    first_bad: tuple[int, str] | None = None
    over: int = 0
    base_day: int | None = None

    def value(self, cell: str, line: int) -> float:
        text = cell.strip().strip('"').strip()
        if is_missing(text):
            return np.nan
        if self.kind == "word":
            return float(self.words.setdefault(text[:MAX_HEADER], len(self.words)))
        found: float | None
        if self.kind == "clock":
            found = clock_seconds(text)
        elif self.kind == "date":
            found = self._moment(text)
        else:
            found = self._number(text)
        if found is None:
            if is_over(text):
                self.over += 1
            else:
                self.bad += 1
                self.first_bad = self.first_bad or (line, text[:40])
            return np.nan
        return found

    def _number(self, text: str) -> float | None:
        found = number_of(text, self.decimal, grouped=self.grouped)
        if found is None:
            other = "." if self.decimal == "," else ","
            found = number_of(text, other, grouped=False)
        if found is None and (pair := with_unit(text)) is not None:
            found = number_of(pair[0], self.decimal, grouped=self.grouped)
        return found if found is None or np.isfinite(found) else None

    def _moment(self, text: str) -> float | None:
        found = moment(text, day_first=self.day_first)
        if found is None:
            return None
        if self.base_day is None:
            self.base_day = found[0]
        return 86_400.0 * (found[0] - self.base_day) + found[1]


def read_body(grid: Grid) -> tuple[list[RawColumn], Dialect, list[Problem]]:
    """Return the columns of a file as they stand there.

    Raises:
        CsvError: there are no numbers, or fewer than two columns of them.
    """
    grid = _with_points(grid)
    sample = _thin_sample(grid.sample())
    kinds, units = _kinds(sample)
    data = [index for index, kind in kinds.items() if kind != "word"]
    if not data:
        raise CsvError(_no_numbers(grid))
    if len(data) < 2:
        raise CsvError(_one_column(grid))
    before, rows = _find_data(grid, sample, data)
    start = rows[0].number
    heading = heading_of(before, grid, sorted(kinds), data)
    if min(data) >= 2:
        # A scope's preamble stands beside its samples.
        heading = replace(heading, facts={**facts_of(grid.head()), **heading.facts})
    readers = [
        _reader(index, kind, [line.cells[index] for line in sample if index < len(line.cells)], grid.decimal)
        for index, kind in sorted(kinds.items())
    ]
    problems: list[Problem] = []
    _read_rows(grid, start, readers, set(data), heading.names, problems)
    columns = [_raw(reader, heading, units) for reader in readers]
    columns = _scope_time(columns, heading, data)
    keep = [c for c in columns if np.isfinite(c.values).any()]
    problems += [_bad_cells(reader, heading) for reader in readers if reader.bad or reader.over]
    dialect = Dialect(
        encoding=grid.encoding,
        delimiter=grid.delimiter,
        decimal=grid.decimal,
        header_line=heading.names_line,
        units_line=heading.units_line,
        first_data_line=start,
    )
    if len([c for c in keep if not c.words]) < 2:
        raise CsvError(_one_column(grid))
    return keep, dialect, problems


def _with_points(grid: Grid) -> Grid:
    """Return the grid with decimal points where commas both separate and stand for them.

    Below `t,T` that is `0,1,86,5`.
    """
    rows = [line for line in grid.head() if line.comment is None]
    if grid.delimiter != "," or len(rows) < 3:
        return grid
    names = [cell for cell in rows[0].cells if cell.strip()]
    pairs = rows[2:]
    if any(map(is_number, names)) or any(len(line.cells) != 2 * len(names) for line in pairs):
        return grid
    if not all(re.fullmatch(r"\d+", cell) for line in pairs for cell in line.cells[1::2]):
        return grid
    return replace(grid, lines=[re.sub(r"([+-]?\d+),(\d+)(?=,|$)", r"\1.\2", line) for line in grid.lines])


def _no_numbers(grid: Grid) -> str:
    first = next((line for line in grid.lines if line.strip()), "")
    return (
        f"There are no numbers in this file; it begins {first.strip()[:60]!r}. "
        "A table needs a column for the time and one for each thing measured."
    )


def _one_column(grid: Grid) -> str:
    first = next((line for line in grid.lines if line.strip()), "")
    mark = {"\t": "tab", " ": "blanks"}.get(grid.delimiter, repr(grid.delimiter))
    return (
        f"Only one column of numbers was found (separator: {mark}; the file begins {first.strip()[:60]!r}). "
        "A table needs a column for the time and one for each thing measured, separated by commas, "
        "semicolons, "
        "tabs or blanks."
    )


def _thin_sample(sample: list[Line]) -> list[Line]:
    # The second half of a short file: a preamble lies in the first.
    half = sample[len(sample) // 2 :] if len(sample) >= 16 else sample
    # Nor do the few lines of a tiny file say what its columns hold where they are all words.
    half = [line for line in half if any(map(_numeric, line.cells))] or half
    width = max((len(line.cells) for line in half), default=1)
    return half[:: max(1, len(half) * width // _SAMPLE_CELLS)]


def _numeric(cell: str) -> bool:
    text = cell.strip().strip('"').strip()
    return not is_missing(text) and kind_of(text) != "word"


def _kinds(sample: Sequence[Line]) -> tuple[dict[int, Kind], dict[int, str]]:
    """Return what each column that is not empty holds, and the unit that its cells carry."""
    counts: dict[int, Counter[str]] = {}
    suffixes: dict[int, Counter[str]] = {}
    for line in sample:
        for index, cell in enumerate(line.cells):
            text = cell.strip().strip('"').strip()
            if is_missing(text):
                continue
            kind: str = kind_of(text)
            if kind == "word" and (pair := with_unit(text)) is not None:
                suffixes.setdefault(index, Counter())[pair[1]] += 1
                kind = "number"
            counts.setdefault(index, Counter())[kind] += 1
    kinds: dict[int, Kind] = {}
    for index, found in counts.items():
        words = found["word"]
        total = found.total()
        numbers: tuple[Kind, ...] = ("number", "clock", "date")
        kinds[index] = "word" if words > 0.3 * total else max(numbers, key=lambda kind: found[kind])
    units = {
        index: found.most_common(1)[0][0]
        for index, found in suffixes.items()
        if found.most_common(1)[0][1] > 0.5 * counts[index].total()
    }
    return kinds, units


def _find_data(grid: Grid, sample: Sequence[Line], data: Sequence[int]) -> tuple[list[Line], list[Line]]:
    """Return the lines before the first row of data, and that row."""
    filled = Counter(index for line in sample for index in data if _has(line, index))
    common = [index for index in data if filled[index] * 2 >= len(sample)] or list(data)
    before: list[Line] = []
    for line in chain(grid.head(), grid.read(grid.lines[HEAD:_DEEPEST], HEAD + 1)):
        if line.comment is None:
            cells = [_cell(line, index) for index in common if _has(line, index)]
            if cells and all(with_unit(cell) for cell in cells):
                return before, [line]
            if len(cells) * 2 >= len(common) and all(map(_measures, cells)):
                return before, [line]
        before.append(line)
    raise CsvError(_no_numbers(grid))


def _measures(cell: str) -> bool:
    return kind_of(cell) != "word" or with_unit(cell) is not None


def _has(line: Line, index: int) -> bool:
    return index < len(line.cells) and not is_missing(_cell(line, index))


def _cell(line: Line, index: int) -> str:
    return line.cells[index].strip().strip('"').strip()


def _reader(index: int, kind: Kind, cells: Sequence[str], decimal: str) -> _Reader:
    plain = [cell.strip().strip('"').strip() for cell in cells]
    own = decimal
    grouped = True
    if kind == "number":
        full = [cell for cell in plain if not is_missing(cell)]
        fits = {mark: sum(number_of(c, mark, grouped=False) is not None for c in full) for mark in ".,"}
        with_groups = sum(number_of(c, decimal, grouped=True) is not None for c in full)
        other = "," if decimal == "." else "."
        if fits[decimal] < len(full) and fits[other] >= with_groups and fits[other] > fits[decimal]:
            own = other
        grouped = fits[own] < len(full)
    day_first = True
    if kind == "date":
        # 11/25/2024 is American; with dots or where nothing decides, the day comes first.
        parts = [re.match(r"(\d{1,2})([-/.])(\d{1,2})\2", cell) for cell in plain]
        found = [m for m in parts if m is not None]
        slashed = any(m[2] == "/" for m in found)
        day_first = any(int(m[1]) > 12 for m in found) or not (slashed or any(int(m[3]) > 12 for m in found))
    return _Reader(index, kind, own, grouped, day_first, [], {})


def _read_rows(
    grid: Grid,
    start: int,
    readers: Sequence[_Reader],
    data: set[int],
    names: dict[int, str],
    problems: list[Problem],
) -> None:
    """Fill the readers with every row of numbers; say which lines hold none."""
    header = [names.get(reader.index, "") for reader in readers]
    numeric = [reader for reader in readers if reader.index in data]
    width = max(reader.index for reader in readers) + 1
    skipped: list[tuple[int, str]] = []
    repeated = ragged = 0
    # Quotes may hold line ends, so that a quoted file is not cut into pieces.
    size = len(grid.lines) if grid.quoted else _CHUNK
    for first in range(start - 1, len(grid.lines), size):
        chunk = grid.lines[first : first + size]
        if not grid.quoted and _append_fast(chunk, grid, readers):
            continue
        kept: list[Line] = []
        for line in grid.read(chunk, first + 1):
            if line.comment is not None:
                continue
            if len(line.cells) < width:
                ragged += len(line.cells) <= max(data)
                line = replace(line, cells=line.cells + [""] * (width - len(line.cells)))
            elif any(cell.strip() for cell in line.cells[width:]):
                ragged += 1
            full = [_cell(line, reader.index) for reader in numeric if _has(line, reader.index)]
            if not full:
                continue
            words = [kind_of(cell) == "word" and with_unit(cell) is None for cell in full]
            if sum(words) * 2 >= len(words) and any(words):
                if [_cell(line, reader.index) for reader in readers] == header:
                    repeated += 1
                else:
                    skipped.append((line.number, " ".join(full)[:40]))
                continue
            kept.append(line)
        for reader in readers:
            values = [reader.value(line.cells[reader.index], line.number) for line in kept]
            reader.parts.append(np.array(values, dtype=np.float64))
    if repeated:
        problems.append(
            Problem(
                severity="note",
                message=f"The header line is repeated within the data ({repeated} times) and was skipped "
                f"there.",
            )
        )
    if skipped:
        number, text = skipped[0]
        more = f", and {len(skipped) - 1} more lines like it" if len(skipped) > 1 else ""
        problems.append(
            Problem(
                severity="warning",
                message=f"Line {number} ({text!r}) holds words where the others hold numbers and was left "
                f"out{more}.",
                line=number,
            )
        )
    if ragged:
        problems.append(
            Problem(
                severity="warning",
                message=f"{ragged} rows have another number of cells than the others; what is not there "
                f"counts as "
                "missing, what is too much was left out.",
                remedy="Look for separators inside of numbers, or for a line that was cut off.",
            )
        )


def _append_fast(lines: Sequence[str], grid: Grid, readers: Sequence[_Reader]) -> bool:
    """Append lines of plain numbers in one go, by NumPy's parser; False where one needs a closer look."""
    if any(r.kind != "number" or r.grouped or r.decimal != readers[0].decimal for r in readers):
        return False
    width = len(readers)
    comma = readers[0].decimal == ","
    if readers[-1].index != width - 1 or (comma and grid.delimiter == ","):
        return False
    if comma:
        if any("." in line for line in lines):
            return False
        lines = [line.replace(",", ".") for line in lines]
    full = [line for line in lines if line and not line.isspace()]
    if not full:
        return True
    try:
        values = np.loadtxt(
            full, delimiter=None if grid.delimiter == " " else grid.delimiter, comments=None, ndmin=2
        )
    except ValueError:
        return False
    if values.shape != (len(full), width) or not np.isfinite(values).all():
        return False
    for index, reader in enumerate(readers):
        reader.parts.append(values[:, index].copy())
    return True


def _raw(reader: _Reader, heading: Heading, units: dict[int, str]) -> RawColumn:
    values = np.concatenate(reader.parts) if reader.parts else np.empty(0)
    reader.over += int((np.abs(values) > MAX_MEASURED).sum())
    values = np.where(np.isfinite(values), bounded(values), np.nan)
    label = heading.names.get(reader.index, "").strip()[:MAX_HEADER]
    name, unit = split_label(label)
    if reader.index in heading.units:
        unit = canonical_unit(heading.units[reader.index]) or unit
    if unit is None and reader.index in units:
        unit = canonical_unit(units[reader.index])
    words: tuple[str, ...] = ()
    if reader.kind == "word":
        words = tuple(reader.words) if len(reader.words) <= _MAX_WORDS else ()
        if not words:
            values = np.full(len(values), np.nan)
    if reader.kind == "clock":
        values = _past_midnight(values)
    return RawColumn(
        label=label if name else label or "",
        unit="s" if reader.kind in ("clock", "date") else unit,
        values=values,
        group=heading.groups.get(reader.index, "")[:MAX_HEADER],
        clock=reader.kind in ("clock", "date"),
        date=reader.kind == "date",
        words=words,
    )


def raw_column(label: str, cells: Sequence[str], problems: list[Problem]) -> RawColumn:
    """Return a column of texts that did not come from a file, read like one."""
    rows = [Line(number, [cell]) for number, cell in enumerate(cells, start=1)]
    kinds, units = _kinds(_thin_sample(rows))
    sample = [line.cells[0] for line in rows[:_SAMPLE_CELLS]]
    reader = _reader(0, kinds.get(0, "word"), sample, decimal_of(sample, ""))
    reader.parts.append(
        np.array([reader.value(cell, row.number) for cell, row in zip(cells, rows, strict=True)])
    )
    heading = Heading({0: label}, {}, {}, None, None, {}, {})
    column = _raw(reader, heading, units)
    if reader.bad or reader.over:
        problems.append(_bad_cells(reader, heading))
    return column


def bounded(values: FloatArray) -> FloatArray:
    """Return the values without those whose squares no float holds; what is as small counts as zero."""
    size = np.abs(values)
    return np.where(size > MAX_MEASURED, np.nan, np.where(size < 1.0 / MAX_MEASURED, 0.0, values))


def _past_midnight(values: FloatArray) -> FloatArray:
    """Add a day wherever a clock goes back by more than half of one."""
    steps = np.diff(values, prepend=values[:1])
    days = np.cumsum(np.where(np.nan_to_num(steps) < -43_200.0, 1.0, 0.0))
    return values + 86_400.0 * days


def _scope_time(columns: list[RawColumn], heading: Heading, data: Sequence[int]) -> list[RawColumn]:
    """Give a scope's samples their names and times, where its preamble has them instead of the columns."""
    places = {
        heading.names[i].strip().lower(): heading.numbers[i] for i in heading.numbers if i in heading.names
    }
    if {"start", "increment"} <= places.keys() and columns:
        first = columns[0]
        return [
            replace(first, label="t", unit="s", values=places["start"] + places["increment"] * first.values),
            *columns[1:],
        ]
    facts = heading.facts
    if heading.names_line is not None or "horizontal units" not in facts:
        return columns
    numeric = [c for c in columns if not c.words and not c.clock]
    if len(numeric) < 2:
        return columns
    time, *channels = numeric[-2:] if len(data) >= 2 else numeric
    return [
        replace(time, label="t", unit=canonical_unit(facts["horizontal units"])),
        *(
            replace(c, label=facts.get("source", "CH1"), unit=canonical_unit(facts.get("vertical units", "")))
            for c in channels
        ),
    ]


def _bad_cells(reader: _Reader, heading: Heading) -> Problem:
    name = heading.names.get(reader.index, "").strip() or f"column {reader.index + 1}"
    if reader.first_bad is None:
        return Problem(
            severity="warning",
            message=f"Column {name!r}: {reader.over} cells are out of range (inf, OL, above {MAX_MEASURED:g})"
            " and count as missing.",
        )
    line, text = reader.first_bad
    return Problem(
        severity="warning",
        message=f"Line {line}, column {name!r}: {text!r} is not a number"
        + (
            f", nor are {reader.bad - 1} more cells; they count as missing."
            if reader.bad > 1
            else "; it counts as missing."
        ),
        remedy="Write numbers like 1.5 or 1,5e-3, and leave a cell empty where nothing was measured.",
        line=line,
    )
