"""A file, text or columns of numbers become a table with proposed roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physix.engine.systems.measured.blocks import join_date_and_clock, stack_runs
from physix.engine.systems.measured.body import RawColumn, bounded, raw_column, read_body
from physix.engine.systems.measured.dialect import read_grid
from physix.engine.systems.measured.roles import ROW_NUMBERS, name_columns, propose
from physix.engine.systems.measured.runs import prepare_runs
from physix.engine.systems.measured.table import Dialect, Problem, Table
from physix.errors import CsvError
from physix.limits import MAX_FILE_COLUMNS, MAX_LINES


def read_table(source: bytes | str) -> Table:
    """Return what a file holds, what its columns seem to be, and everything there is to say about it.

    Pure: it opens no file. Any delimiter, decimal sign and encoding; see docs/measured-data.md.

    Args:
        source: the bytes of a file, or its text.

    Raises:
        CsvError: there is no table in it, or it is larger than any.
    """
    grid = read_grid(source)
    raw, dialect, problems = read_body(grid)
    return _table(raw, dialect, problems)


def table_from_columns(columns: Mapping[str, Sequence[object] | NDArray[Any]]) -> Table:
    """Return the same for columns that are in memory already, by their names.

    Args:
        columns: numbers, texts, dates (anything whose `str` a file could hold), all of one length.

    Raises:
        CsvError: no columns, too many, or of different lengths.
    """
    lengths = {len(values) for values in columns.values()}
    if len(columns) < 2 or len(columns) > MAX_FILE_COLUMNS or len(lengths) != 1:
        raise CsvError(
            f"There are {len(columns)} columns of {', '.join(map(str, sorted(lengths)[:4])) or 'no'} rows; "
            f"2 to {MAX_FILE_COLUMNS} columns of one length are read."
        )
    if max(lengths) > MAX_LINES or not max(lengths):
        raise CsvError(f"There are {max(lengths)} rows; 1 to {MAX_LINES} are read.")
    problems: list[Problem] = []
    raw = [_memory_column(str(name), values, problems) for name, values in columns.items()]
    return _table([c for c in raw if np.isfinite(c.values).any()], Dialect(), problems)


def _memory_column(name: str, values: Sequence[object] | NDArray[Any], problems: list[Problem]) -> RawColumn:
    array = np.asarray(values)
    if array.ndim == 1 and array.dtype.kind in "iufb":
        numbers = array.astype(np.float64)
        return RawColumn(
            label=name, unit=None, values=np.where(np.isfinite(numbers), bounded(numbers), np.nan)
        )
    if array.dtype.kind == "M":
        stamps = array.astype("datetime64[ns]")
        there = stamps[~np.isnat(stamps)]
        seconds = (stamps - (there[0] if len(there) else stamps[:1])).astype(np.float64) * 1e-9
        return RawColumn(
            label=name, unit="s", values=np.where(np.isnat(stamps), np.nan, seconds), clock=True, date=True
        )
    if array.dtype.kind == "m":
        spans = array.astype("timedelta64[ns]").astype(np.float64) * 1e-9
        return RawColumn(label=name, unit="s", values=np.where(np.isnat(array), np.nan, spans), clock=True)
    return raw_column(name, ["" if value is None else str(value) for value in values], problems)


def _table(raw: list[RawColumn], dialect: Dialect, problems: list[Problem]) -> Table:
    joined = join_date_and_clock(raw)
    stacked, said = stack_runs(joined)
    if len(stacked) < 2:
        raise CsvError("Fewer than two columns hold numbers: a time and something measured are needed.")
    headed = any(column.label for column in raw)
    columns = tuple(propose(name_columns(stacked), headed=headed))
    roles = {column.name: column.role for column in columns}
    for column in columns:
        if column.role.kind == "time" and column.why == ROW_NUMBERS:
            said.append(
                Problem(
                    severity="warning",
                    message=f"There is no time, so the row numbers in {column.label!r} stand for it.",
                    remedy="Add a column with the time, or divide the constants by the time step yourself.",
                    column=column.name,
                )
            )
    return Table(
        columns=columns,
        dialect=dialect,
        reading=(*problems, *said),
        proposal=prepare_runs(columns, roles).problems,
    )
