"""From whatever holds measurements to a task: a file, a frame, arrays, or a list of runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physix.api.reading import Frame, Source, frame_columns, read
from physix.engine.systems.measured import Choice, Column, MeasuredTask, Role, Table, choose, measured_task
from physix.errors import CsvError
from physix.limits import MAX_RUNS, MAX_TITLE

# A file, a text, bytes, a mapping, a frame; (t, states); or several of these, one a run.
Data = Source | tuple[Any, ...] | list[Any]
# Of a column by name, or a number, or one number a sample; a number alone is for every state.
Sigma = Mapping[str, str | float | Sequence[float] | NDArray[Any]] | float
# Names of columns, or columns that come beside the data.
Inputs = Sequence[str] | Mapping[str, Sequence[float] | NDArray[Any]]
_RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How data are to be read; columns by name or by label.

    Attributes:
        inputs: columns that drive the motion, by name, or with their values: `{"u": u}`.
        runs: the column that tells runs apart.
        sigma: standard deviations: `{"errU": "U"}` names a column; `{"U": 0.02}` is a number in U's unit, or
            one number a sample; 0.02 alone is that of every state.
        units: `{"x": "cm"}`.
        first_order, second_order: states written dx/dt, or d2x/dt2 with an estimated velocity.
        rate: which column is the rate of which, `{"v": "x"}`.
        names: of the states where they come as arrays without names.
        noise: share of each variable's spread; None: from `sigma`, else estimated.
        hold_back: share of the rows, or of the runs, that only the verdict sees.
        held_back: other data with the same columns, kept likewise.
    """

    time: str | None = None
    inputs: Inputs = ()
    runs: str | None = None
    sigma: Sigma = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    first_order: Sequence[str] = ()
    second_order: Sequence[str] = ()
    rate: Mapping[str, str] = field(default_factory=dict)
    ignore: Sequence[str] = ()
    names: Sequence[str] = ()
    hint: str = ""
    title: str = ""
    noise: float | None = None
    hold_back: float | None = None
    held_back: Data | None = None


def task_of(data: Data, options: Options) -> MeasuredTask:
    """Return the problem in some data.

    Raises:
        CsvError: they hold no motion; all problems in one message.
        BadInputError: a file cannot be read, or an option is out of range.
    """
    table, choice = _read(data, options)
    other = None if options.held_back is None else _read(options.held_back, options)[0]
    return measured_task(
        table,
        choose(table, choice),
        hint=options.hint,
        title=options.title or _title(data),
        noise=options.noise,
        hold_back=options.hold_back,
        held_back=other,
    )


def _read(data: Data, options: Options) -> tuple[Table, Choice]:
    """Return a table with what was given beside it, and what is said about its columns."""
    table, runs = _table(data, options.names)
    inputs = options.inputs
    if isinstance(inputs, Mapping):
        table = _beside(table, {name: np.asarray(values, dtype=float) for name, values in inputs.items()})
    choice = Choice(
        time=options.time,
        run=options.runs or runs,
        inputs=tuple(inputs),
        ignore=tuple(options.ignore),
        rate=dict(options.rate),
        first_order=tuple(options.first_order),
        second_order=tuple(options.second_order),
        units=dict(options.units),
    )
    sigma = options.sigma
    if not isinstance(sigma, Mapping):
        roles = choose(table, choice)
        sigma = {name: float(sigma) for name, role in roles.items() if role.kind == "state"}
    columns = {name: of for name, of in sigma.items() if isinstance(of, str)}
    given = {of: value for of, value in sigma.items() if not isinstance(value, str)}
    added = {_sigma_name(of): _checked_sigma(of, value, table.rows) for of, value in given.items()}
    told = {**columns, **{_sigma_name(of): of for of in given}}
    return _beside(table, added), replace(choice, sigma=told)


def _title(data: Data) -> str:
    if isinstance(data, Path) or (isinstance(data, str) and "\n" not in data):
        return Path(data).stem[:MAX_TITLE]
    return ""


def _table(data: Data, names: Sequence[str]) -> tuple[Table, str | None]:
    """Return the table, and the column of runs where the data come as several."""
    if isinstance(data, list):
        return _stacked(data, names), _RUN
    if isinstance(data, tuple) or (isinstance(data, np.ndarray) and data.ndim == 2):
        return read(_columns(data, names)), None
    return read(data), None


def _stacked(runs: list[Any], names: Sequence[str]) -> Table:
    """Return one table of several runs with the same columns."""
    if not 0 < len(runs) <= MAX_RUNS:
        raise CsvError(f"{len(runs)} runs were given; 1 to {MAX_RUNS} are read.")
    parts = [_columns(one, names) for one in runs]
    heads = [list(part) for part in parts]
    if any(head != heads[0] for head in heads):
        odd = next(head for head in heads if head != heads[0])
        raise CsvError(f"The runs have different columns: {heads[0]} and {odd}.")
    number = np.concatenate([np.full(len(part[heads[0][0]]), float(i + 1)) for i, part in enumerate(parts)])
    columns = {name: np.concatenate([part[name] for part in parts]) for name in heads[0]}
    if _RUN in columns:
        raise CsvError(f"Every run has a column {_RUN!r} of its own: give one table and runs={_RUN!r}.")
    return read({_RUN: number, **columns})


def _columns(data: Any, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return named columns of equal length: of a mapping, a frame, `(t, states)`, or one array."""
    if isinstance(data, str | Path | bytes):
        table = read(data)
        return {column.label or column.name: column.values for column in table.columns}
    if isinstance(data, Mapping):
        return {str(name): np.asarray(values) for name, values in data.items()}
    if isinstance(data, Frame) and not isinstance(data, np.ndarray):
        return {name: np.asarray(values) for name, values in frame_columns(data).items()}
    if isinstance(data, tuple) and len(data) == 2:
        t, states = np.asarray(data[0], dtype=float), np.asarray(data[1], dtype=float)
    else:
        array = np.asarray(data, dtype=float)
        if array.ndim != 2 or array.shape[1] < 2:
            raise CsvError(f"An array of shape {array.shape} is no table: give (T, 1 + D), the time first.")
        t, states = array[:, 0], array[:, 1:]
    states = states[:, None] if states.ndim == 1 else states
    if t.ndim != 1 or states.ndim != 2 or len(t) != len(states):
        raise CsvError(f"Times of shape {t.shape} and states of shape {states.shape} do not belong together.")
    own = list(names) or (["x"] if states.shape[1] == 1 else [f"x{i + 1}" for i in range(states.shape[1])])
    if len(own) != states.shape[1]:
        raise CsvError(f"{len(own)} names were given for {states.shape[1]} columns.")
    return {"t": t, **dict(zip(own, states.T, strict=True))}


def _beside(table: Table, columns: Mapping[str, NDArray[Any]]) -> Table:
    """Return the table with further columns that were given beside it."""
    added = []
    for name, values in columns.items():
        if values.shape != (table.rows,):
            raise CsvError(f"{name} has shape {values.shape}; the data have {table.rows} rows.")
        if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) is None or name in table.roles:
            raise CsvError(f"{name[:40]!r} cannot be the name of a further column: another name, in ASCII.")
        role = Role(kind="ignore")
        added.append(
            Column(name=name, label=name, unit=None, values=values, role=role, why="given with the data")
        )
    return replace(table, columns=(*table.columns, *added)) if added else table


def _checked_sigma(of: str, value: float | Sequence[float] | NDArray[Any], rows: int) -> NDArray[Any]:
    sigma = np.asarray(value, dtype=float)
    if not (np.isfinite(sigma).all() and (sigma > 0.0).all()):
        raise CsvError(f"The standard deviation of {of!r} must be a positive number.")
    return np.full(rows, float(sigma)) if sigma.ndim == 0 else sigma


def _sigma_name(of: str) -> str:
    """Return a name that no file gives its own column."""
    return "sigma_of_" + re.sub(r"\W", "_", of, flags=re.ASCII)[:15]
