"""`physix discover` and `physix fit`: from a file to a law, or from a law of one's own to its constants."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from physix.cli.measured import TableOptions, made_of_file, takes_table
from physix.errors import BadInputError, PolicyError

if TYPE_CHECKING:
    from physix.api.found.result import Result
    from physix.engine import Episode

_File = Annotated[Path, typer.Argument(metavar="FILE", help="A file of measurements; see `physix read`.")]
_Hint = Annotated[str, typer.Option(metavar="TEXT", help="One sentence about the motion.")]
_Noise = Annotated[
    float | None, typer.Option(help="As a share of each variable's spread. [default: estimated]")
]
_Report = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a report: one HTML file.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Log = Annotated[
    str,
    typer.Option("--db", metavar="URL", help="Record the episode in a log, so that the page can open it."),
]


@takes_table()
def discover(
    file: _File,
    options: TableOptions,
    hint: _Hint = "",
    noise: _Noise = None,
    policy: Annotated[str, typer.Option(help="Who proposes; see `physix policies`.")] = "search",
    max_turns: Annotated[int, typer.Option(help="Proposals at most.")] = 8,
    report: _Report = None,
    db: _Log = "memory://",
    as_json: _Json = False,
) -> None:
    """Find the law of motion in a file: constants with errors, rivals, what to measure next."""
    from physix.api.found.discover import discover_in

    made = made_of_file(file, options, hint, noise)
    with _Progress(policy) as tell:
        try:
            found = discover_in(made, policy=policy, max_turns=max_turns, log=db, tell=tell)
        except PolicyError as error:
            sys.stderr.write(f"physix: {error}\n")
            raise typer.Exit(3) from error
    _say(found, report=report, as_json=as_json)


@takes_table()
def fit(
    file: _File,
    options: TableOptions,
    law: Annotated[
        str, typer.Option(metavar="LAW", help="In any notation, e.g. \"theta'' = -a*sin(theta) - b*theta'\".")
    ],
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A constant that is known; the others are fitted."),
    ] = None,
    hint: _Hint = "",
    noise: _Noise = None,
    report: _Report = None,
    db: _Log = "memory://",
    as_json: _Json = False,
) -> None:
    """Fit a law of your own to a file: constants with errors, verdict, and the term that is missing."""
    from physix.api.found.discover import fit_in

    known = {name: _value(name, text) for name, text in options.pairs("--param", param).items()}
    _say(
        fit_in(made_of_file(file, options, hint, noise), law, params=known, log=db),
        report=report,
        as_json=as_json,
    )


def _value(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise BadInputError(
            f"--param {name}={text[:40]} is no number; write it like --param m=0.5."
        ) from error


def _say(result: Result, *, report: Path | None, as_json: bool) -> None:
    from physix.cli.tables import console

    if as_json:
        sys.stdout.write(json.dumps(result.as_dict()) + "\n")
    else:
        console().print(result, highlight=False)
    if report is not None:
        sys.stderr.write(f"physix: wrote {result.report(report)}\n")


class _Progress:
    """Shows on standard error, while a search goes on, which turn it is at and what the last one came to."""

    def __init__(self, policy: str) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(f"{policy} looks for a law")

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, episode: Episode) -> None:
        if episode.turns:
            last = episode.turns[-1]
            law, match = last.submitted.equation, last.rewarded.reward.match
            self._bar.update(self._task, description=f"turn {last.number}: match {match:.3f}  {law[:90]}")
