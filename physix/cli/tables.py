"""The one look of tables in the terminal: no lines, numbers on the right, nothing cut off, no markup."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_ENDLESS = 10_000  # columns of a file or a pipe: whoever reads it folds lines as it likes


def table(*columns: str, numbers: Iterable[str] = (), title: str = "", caption: str = "") -> Table:
    """Return an empty table; the columns in `numbers` are set flush right."""
    right = set(numbers)
    made = Table(
        box=None,
        pad_edge=False,
        title=Text(title) if title else None,
        title_justify="left",
        caption=Text(caption) if caption else None,
        caption_justify="left",
    )
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return made


def add(rows: Table, *cells: object) -> None:
    """Add a row. Text is shown as it is, `[b]` is no markup; None is a dash, a float has three digits."""
    rows.add_row(*(Text(_cell(cell)) for cell in cells))


def number(value: float | None, digits: int = 3) -> str:
    """Return a number as tables show it; None where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def show(rows: Table) -> None:
    """Print a table, as wide as the terminal; to a file as wide as it is."""
    console().print(rows)


def console() -> Console:
    """Return where tables go."""
    return Console() if sys.stdout.isatty() else Console(width=_ENDLESS)


def lines(columns: Sequence[str], cells: Iterable[Sequence[object]], *, numbers: Iterable[str] = ()) -> None:
    """Print a table of rows that are all known."""
    made = table(*columns, numbers=numbers)
    for row in cells:
        add(made, *row)
    show(made)


def _cell(value: object) -> str:
    if value is None or isinstance(value, float):
        return number(value)
    return str(value)
