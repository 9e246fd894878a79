"""What was found as tables: in the terminal by rich, in a notebook as HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from physix.engine.discovery import Constant, Discovery
from physix.engine.verifier.latex import latex

if TYPE_CHECKING:
    from rich.console import RenderableType

    from physix.api.found.result import Result

_WIDTH = 110
_TERMS = 8  # of the inclusion probabilities
_PIECES = 2.0  # times the chi² of a search, above which one motion is another matter
_STYLE = (
    "<style scoped>.physix table{border-collapse:collapse;margin:.4em 0}.physix td,.physix th"
    "{padding:.15em .7em;text-align:left}.physix .n{text-align:right}</style>"
)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as plain words; `numbers` are the columns set flush right."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()


def uncertain(value: float, error: float | None) -> str:
    """Return `9.813 ± 0.006`: the error to two digits, the value as far as the error says anything."""
    if error is None or not error > 0.0:
        return f"{value:.6g}"
    place = math.floor(math.log10(error)) - 1
    size = max(abs(value), error)
    if size >= 1e6 or size < 1e-4:
        power = math.floor(math.log10(size))
        digits = max(0, power - place)
        return f"({value / 10.0**power:.{digits}f} ± {error / 10.0**power:.{digits}f})e{power:+d}"
    digits = max(0, -place)
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def constant(one: Constant) -> str:
    """Return `a = 9.813 ± 0.006 m/s^2`."""
    unit = f" {one.unit}" if one.unit and one.unit != "1" else ""
    return f"{one.name} = {uncertain(one.value, one.error)}{unit}"


def grids(result: Result) -> Iterator[Grid]:
    """Yield the tables of a result: constants, front, rivals, inclusion."""
    found = result.examined
    if found.constants:
        yield _constants(found.constants, found.from_all)
    if result.discovery is not None:
        yield from _discovered(result.discovery)


def _constants(shown: Sequence[Constant], everything: Sequence[Constant]) -> Grid:
    by_all = {one.name: one for one in everything}
    head: tuple[str, ...] = ("constant", "value ± standard error", "95 % interval", "unit")
    head += ("from all rows",) if by_all else ()
    rows = []
    for one in shown:
        interval = "–" if one.low is None or one.high is None else f"{one.low:.5g} to {one.high:.5g}"
        row: tuple[str, ...] = (one.name, uncertain(one.value, one.error), interval, one.unit or "–")
        if by_all:
            other = by_all.get(one.name)
            row += ("–" if other is None else uncertain(other.value, other.error),)
        rows.append(row)
    return Grid("Constants", head, tuple(rows), frozenset({1, 2}))


def _discovered(told: Discovery) -> Iterator[Grid]:
    chosen = told.chosen
    if told.front:
        rows = tuple(
            (
                "→" if law == chosen else "",
                str(law.complexity),
                f"{law.chi2:.3g}",
                "yes" if law.explains else "no",
                law.equation,
            )
            for law in told.front
        )
        yield Grid(
            "Front: the nearest law of each length (chi² of pieces of the record; explains: all of it)",
            ("", "length", "chi²/n", "explains", "law"),
            rows,
            frozenset({1, 2}),
        )
    if told.rivals:
        near = tuple((f"{law.worse_by:.1f}", f"{law.chi2:.3g}", law.equation) for law in told.rivals)
        yield Grid("Rivals within reach", ("worse by, nats", "chi²/n", "law"), near, frozenset({0, 1}))
    if told.inclusion:
        asked = tuple(
            (f"{100 * one.probability:.0f} %", one.equation, one.term) for one in told.inclusion[:_TERMS]
        )
        yield Grid("Terms that resampled data ask for", ("share", "in", "term"), asked, frozenset({0}))


def paragraphs(result: Result) -> list[str]:
    """Return what is said in words, the most important first."""
    found = result.examined
    said = [result.sentence]
    if result.generalisation is not None:
        said.append(f"R² on the held-back data: {result.generalisation:.5g}.")
    if not result.solved and not found.verification.passed and result.doubt is None:
        said.append(result.missing)
    if not found.settled:
        said.append("The search for the constants ended early: other values may leave over less.")
    for group in found.undetermined:
        if len(group) > 1:
            said.append(f"These data cannot tell {' and '.join(group)} apart.")
        else:
            said.append(f"These data say nothing of {group[0]}.")
    told = result.discovery
    if told is not None and told.chosen is not None and (found.chi2 or 0.0) > _PIECES * told.chosen.chi2:
        said.append(
            f"The search judged the law on pieces of the record that begin anew, where chi² per sample is "
            f"{told.chosen.chi2:.3g}. As one motion from one start it is {found.chi2:.3g}."
        )
    if told is not None and told.next_measurement is not None:
        said.append(f"To measure next: {told.next_measurement.sentence}")
    return [one for one in dict.fromkeys(said) if one]


def headline(result: Result) -> str:
    """Return the law, or that there is none."""
    law = result.examined.law
    return "No law" if law is None else law.canonical


def renderables(result: Result) -> Iterator[RenderableType]:
    """Yield what rich prints."""
    from rich.table import Table
    from rich.text import Text

    yield Text(headline(result), style="bold")
    for line in paragraphs(result):
        yield Text(line)
    for grid in grids(result):
        yield Text(f"\n{grid.title}", style="bold")
        made = Table(box=None, pad_edge=False)
        for at, name in enumerate(grid.head):
            made.add_column(name, justify="right" if at in grid.numbers else "left", overflow="fold")
        for row in grid.rows:
            made.add_row(*map(Text, row))
        yield made


def as_text(result: Result) -> str:
    """Return the tables as text."""
    from rich.console import Console

    out = StringIO()
    console = Console(file=out, width=_WIDTH)
    for one in renderables(result):
        console.print(one)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def as_html(result: Result) -> str:
    """Return the tables for a notebook, with the fit drawn."""
    from physix.api.found.plots import fits

    law = result.examined.law
    typeset = f"$${latex(law)}$$" if law is not None else f"<p>{html.escape(headline(result))}</p>"
    said = "".join(f"<p>{html.escape(line)}</p>" for line in paragraphs(result))
    tables = "".join(html_table(grid) for grid in grids(result))
    return f'{_STYLE}<div class="physix">{typeset}{said}{tables}{"".join(fits(result, most=4))}</div>'


def html_table(grid: Grid) -> str:
    """Return a table as HTML."""

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if at in grid.numbers else ''}>{html.escape(cell)}</{tag}>"
            for at, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in grid.rows)
    head = f"<thead><tr>{cells('th', grid.head)}</tr></thead>"
    return f"<table><caption>{html.escape(grid.title)}</caption>{head}<tbody>{body}</tbody></table>"
