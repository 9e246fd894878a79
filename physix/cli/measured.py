"""Options that say how a file of measurements is to be read, shared by the commands that take one."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from physix.errors import BadInputError

if TYPE_CHECKING:
    from physix.engine.systems.measured import Choice, MeasuredTask
    from physix.engine.systems.task import Task, Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """How a file is to be read; `takes_table` makes an option of every field."""

    time: Annotated[str | None, typer.Option("--time", metavar="T", help="CSV: column T is the time.")] = None
    run: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="CSV: column ID tells runs apart.")
    ] = None
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="U", help="CSV: column U drives the motion; the law may use it."),
    ] = None
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="C", help="CSV: leave column C out.")
    ] = None
    rates: Annotated[
        list[str] | None,
        typer.Option(
            "--rate", "--velocity", metavar="V=X", help="CSV: column V is the rate of change of column X."
        ),
    ] = None
    sigmas: Annotated[
        list[str] | None,
        typer.Option("--sigma", metavar="E=X", help="CSV: column E is the standard deviation of column X."),
    ] = None
    first_order: Annotated[
        list[str] | None, typer.Option("--first-order", metavar="X", help="CSV: write column X as dX/dt.")
    ] = None
    second_order: Annotated[
        list[str] | None,
        typer.Option(
            "--second-order",
            "--estimate",
            metavar="X",
            help="CSV: write column X as d2X/dt2 and estimate its missing velocity.",
        ),
    ] = None
    units: Annotated[
        list[str] | None, typer.Option("--unit", metavar="X=UNIT", help="CSV: column X is measured in UNIT.")
    ] = None
    hold_back: Annotated[
        float | None,
        typer.Option(
            "--hold-back",
            help="CSV: share of the last rows, or of the runs, kept for generalisation, up to 0.5. "
            "[default: 0.25 from 40 rows on]",
        ),
    ] = None
    held_back_csv: Annotated[
        Path | None,
        typer.Option(
            "--held-back-csv", metavar="FILE", help="CSV: another table with the same columns, kept likewise."
        ),
    ] = None

    def pairs(self, option: str, words: Sequence[str] | None) -> dict[str, str]:
        """Return `["v=y"]` as a mapping.

        Raises:
            BadInputError: a word without an equals sign between two names.
        """
        found = {}
        for word in words or ():
            name, equals, value = (part.strip() for part in word.partition("="))
            if not (name and equals and value):
                raise BadInputError(f"{option} {word!r} is not understood; write it like {option} v=height.")
            found[name] = value
        return found


def takes_table(*but: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take every option of a file, except those named, in place of its argument `options`.

    Typer reads a command's signature: the command declares `options: TableOptions` and is called with one.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        of_table = get_type_hints(TableOptions, include_extras=True)
        hints = get_type_hints(command, include_extras=True)
        own = [one for one in inspect.signature(command).parameters.values() if one.name != "options"]
        names = [one.name for one in fields(TableOptions) if one.name not in but]

        @wraps(command)
        def wrapper(**given: Any) -> None:
            options = TableOptions(**{name: given.pop(name) for name in names})
            command(**given, options=options)

        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [one.replace(kind=keyword, annotation=hints[one.name]) for one in own]
        parameters += [inspect.Parameter(n, keyword, default=None, annotation=of_table[n]) for n in names]
        wrapper.__dict__["__signature__"] = inspect.Signature(parameters)
        wrapper.__annotations__ = {one.name: one.annotation for one in parameters}
        return wrapper

    return decorate


@takes_table("hold_back", "held_back_csv")
def read_file_command(
    options: TableOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of measurements.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say how a file is read: its columns, their roles, and every problem with its remedy."""
    from physix.api.reading import read
    from physix.engine.systems.measured import choose, describe, review

    table = read(file)
    columns, problems = review(table, choose(table, choice_of(options)))
    if as_json:
        report = {
            "rows": table.rows,
            "dialect": asdict(table.dialect),
            "columns": [
                {"name": c.name, "label": c.label, "unit": c.unit, "role": asdict(c.role), "why": c.why}
                for c in columns
            ],
            "problems": [asdict(problem) for problem in problems],
        }
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        lines = [f"{table.rows} rows", *(f"  {describe(column)}" for column in columns)]
        sys.stdout.write("\n".join([*lines, *(f"  {one.severity}: {one}" for one in problems)]) + "\n")
    if any(problem.severity == "error" for problem in problems):
        raise typer.Exit(2)


def choice_of(options: TableOptions) -> Choice:
    """Return what the options say about the columns.

    Raises:
        BadInputError: an option is not written as it should be.
    """
    from physix.engine.systems.measured import Choice

    return Choice(
        time=options.time,
        run=options.run,
        inputs=tuple(options.inputs or ()),
        ignore=tuple(options.ignore or ()),
        rate=options.pairs("--rate", options.rates),
        sigma=options.pairs("--sigma", options.sigmas),
        first_order=tuple(options.first_order or ()),
        second_order=tuple(options.second_order or ()),
        units=options.pairs("--unit", options.units),
    )


def task_of_file(path: Path, options: TableOptions, hint: str, noise: float | None) -> tuple[Task, Truth]:
    """Return the problem in a file, and say on standard error how it was read.

    Raises:
        BadInputError: it cannot be read, or is no motion.
    """
    made = made_of_file(path, options, hint, noise)
    return made.task, made.truth


def made_of_file(path: Path, options: TableOptions, hint: str, noise: float | None) -> MeasuredTask:
    """Return the problem in a file with what was found on the way, and say that on standard error.

    Raises:
        BadInputError: it cannot be read, or is no motion.
    """
    from physix.api.reading import read
    from physix.engine.systems.measured import choose, measured_task

    table = read(path)
    made = measured_task(
        table,
        choose(table, choice_of(options)),
        hint=hint,
        title=path.stem[:120],
        noise=noise,
        hold_back=options.hold_back,
        held_back=read(options.held_back_csv) if options.held_back_csv else None,
    )
    for problem in made.problems:
        sys.stderr.write(f"physix: {problem}\n")
    return made
