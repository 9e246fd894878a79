"""The words of reading a file: columns, their roles, and what is wrong or worth saying."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from physix.engine.floats import FloatArray

RoleKind = Literal["time", "state", "rate", "input", "sigma", "run", "ignore"]
Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a column of measured data is.

    `of` names the column whose rate of change, or whose standard deviation, this one holds.
    `order` is for a state without a rate column: 1 writes `dx/dt = ...`, 2 writes `d2x/dt2 = ...`
    and estimates the missing velocity. `unit` replaces what the file says; None keeps it.
    """

    kind: RoleKind
    of: str | None = None
    order: Literal[1, 2] | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing found in a file, and what would be right.

    An `error` keeps the table from becoming a task; a `warning` says what was changed or is
    doubtful; a `note` says how something was read.
    """

    severity: Severity
    message: str
    remedy: str = ""
    column: str | None = None  # its legal name
    line: int | None = None  # in the file, from 1

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One column of a file, read.

    Attributes:
        name: legal in an equation, unique in the table.
        label: what the file calls it.
        unit: in canonical ASCII, `m/s`; None where the file names none.
        values: shape (T,), NaN where the file has no number.
        clock: the cells were dates or times of day; `values` are seconds since the first midnight.
        words: what the codes in `values` stand for where the cells are words; else ().
        role: proposed.
        why: one clause on why this role.
    """

    name: str
    label: str
    unit: str | None
    values: FloatArray
    role: Role
    why: str = ""
    clock: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a file is written. Line numbers count from 1; None where there is no such line."""

    encoding: str = ""
    delimiter: str = ""  # one character, or " " for runs of blanks; "" for no file
    decimal: str = "."
    header_line: int | None = None
    units_line: int | None = None
    first_data_line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A file as it was read: its columns, the roles proposed for them, all problems.

    `reading` holds what was found in the file, `proposal` what would come of the proposed roles.
    """

    columns: tuple[Column, ...]
    dialect: Dialect
    reading: tuple[Problem, ...]
    proposal: tuple[Problem, ...]

    @property
    def rows(self) -> int:
        """Number of rows with numbers in the file."""
        return len(self.columns[0].values) if self.columns else 0

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything there is to say before anything runs."""
        return self.reading + self.proposal

    @property
    def roles(self) -> dict[str, Role]:
        """The proposed role of every column, by name."""
        return {column.name: column.role for column in self.columns}

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def __str__(self) -> str:
        lines = [f"{self.rows} rows"]
        for column in self.columns:
            lines.append(f"  {describe(column)}")
        lines += [f"  {problem.severity}: {problem}" for problem in self.problems]
        return "\n".join(lines)


def describe(column: Column) -> str:
    """Return a column and its proposed role in one line."""
    role = column.role
    what = role.kind + (f" of {role.of}" if role.of else "")
    if role.kind == "state" and role.order:
        what += ", first order" if role.order == 1 else ", second order"
    label = f" ({column.label})" if column.label != column.name else ""
    unit = f" [{column.unit}]" if column.unit else ""
    return f"{column.name}{label}{unit}: {what}" + (f" ({column.why})" if column.why else "")


Roles = Mapping[str, Role]
