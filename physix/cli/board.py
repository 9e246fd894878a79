"""`physix board run | list | show | export`: policies × suites × seeds × noise, with intervals."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from physix.cli.executors import CpusOption, RayOption, WorkersOption, executor_for
from physix.errors import BadInputError

if TYPE_CHECKING:
    from physix.training.board.files import Board, BoardFolder, Header
    from physix.training.board.plan import Plan
    from physix.training.board.run import Progress
    from physix.training.executor import Executor

_HERE = ("--db", "--boards")
board_app = typer.Typer(help="Compare policies over suites of problems.", no_args_is_help=True)
_Db = Annotated[str | None, typer.Option("--db", metavar="URL", help="The event log.")]
_Boards = Annotated[
    Path | None, typer.Option("--boards", metavar="FOLDER", help="[default: $PHYSIX_BOARDS or boards]")
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_WhichBoard = Annotated[
    str, typer.Argument(metavar="BOARD", help="The name of a board, or an exported file.")
]


@board_app.command("run")
def board_run(
    policies: Annotated[
        str | None, typer.Option(help="Who plays, separated by commas. Not needed to go on with a board.")
    ] = None,
    suites: Annotated[
        str | None,
        typer.Option(
            "--suite", "--suites", help="odebench, builtin, validation, test, real, or builtin:ID; commas."
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(metavar="FROM:TO", help="Seeds, the last one excluded.")] = "0:1",
    noise: Annotated[
        str, typer.Option(help="Levels as shares, separated by commas. [default: as each suite has it]")
    ] = "",
    drop: Annotated[float, typer.Option(help="Share of ODEBench's samples left out.")] = 0.0,
    max_turns: Annotated[int, typer.Option(help="Turn budget.")] = 8,
    classic: Annotated[
        bool, typer.Option("--classic", help="Judge as the seed does, not as `strict`.")
    ] = False,
    repetitions: Annotated[int, typer.Option(help="Of each episode, for policies that draw at random.")] = 1,
    workers: WorkersOption = 2,
    ray: RayOption = None,
    cpus: CpusOption = None,
    name: Annotated[
        str, typer.Option(help="Of the board; the same name goes on where it stopped.")
    ] = "board",
    db: _Db = None,
    boards: _Boards = None,
    as_json: _Json = False,
) -> None:
    """Let policies play suites, every episode into the log, and compare them.

    Stopped and started again under the same name, it goes on where it stopped; with more policies,
    seeds or levels it plays what is new.
    """
    from physix.settings import Settings
    from physix.training.board.plan import Plan

    settings = Settings()
    folder = _root(boards) / name
    if policies is None or suites is None:
        plan = _there(folder, name).plan
    else:
        plan = Plan(
            name=name,
            policies=_words(policies),
            suites=_words(suites),
            seeds=tuple(_seeds(seeds)),
            noises=_levels(noise),
            drop=drop,
            profile="classic" if classic else "strict",
            max_turns=max_turns,
            repetitions=repetitions,
        )
    url = db or settings.db
    header = anyio.run(_run, plan, folder, url, executor_for(workers, ray, cpus, url))
    _print(_board(name, boards), as_json=as_json)
    if header.state != "finished":
        sys.stderr.write(f"physix: board {name} is {header.state}. {header.note}\n".replace(". \n", ".\n"))
        raise typer.Exit(1)


@board_app.command("list")
def board_list(boards: _Boards = None, as_json: _Json = False) -> None:
    """List the boards here, and the one that ships with the package."""
    from physix.cli.tables import lines
    from physix.training.board.files import list_boards, shipped_boards

    found = [
        (header, played - errors)
        for header, folder in list_boards((_root(boards), shipped_boards()))
        for played, errors in [folder.counts()]
    ]
    if as_json:
        told = [{"id": h.id, "state": h.state, "done": done, "total": h.plan.episodes} for h, done in found]
        sys.stdout.write(json.dumps(told) + "\n")
        return
    lines(
        ("board", "state", "episodes", "policies", "suites", "begun"),
        [
            (
                h.id,
                h.state,
                f"{done}/{h.plan.episodes}",
                ", ".join(h.plan.policies),
                ", ".join(h.plan.suites),
                f"{h.created_at:%Y-%m-%d %H:%M}",
            )
            for h, done in found
        ],
        numbers=("episodes",),
    )


@board_app.command("show")
def board_show(
    board: _WhichBoard,
    than: Annotated[
        str | None, typer.Option(help="Compare the others with this policy, task by task.")
    ] = None,
    boards: _Boards = None,
    as_json: _Json = False,
) -> None:
    """Print a board's table."""
    _print(_board(board, boards), than=than, as_json=as_json)


@board_app.command("export")
def board_export(
    board: _WhichBoard,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The tables, as docs/board.md has them.")
    ] = False,
    boards: _Boards = None,
) -> None:
    """Write a board with every episode to standard output, as JSON or as Markdown tables."""
    from physix.training.board.files import export
    from physix.training.board.report import markdown as written

    found = _board(board, boards)
    sys.stdout.write(written(found) if markdown else export(found).decode())


async def _run(plan: Plan, path: Path, db: str, executor: Executor) -> Header:
    """Play what the board lacks, with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    from physix.policies import open_policy
    from physix.settings import Settings
    from physix.store import open_log
    from physix.training.board.files import BoardFolder
    from physix.training.board.run import new_header, require_policies, run_board

    settings = Settings()
    require_policies(plan.policies)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
    )
    async with open_log(db) as log:
        for name in plan.policies:
            await open_policy(name, log, settings, allow_files=True)  # refuse a wrong name before playing
        folder = _prepared(
            BoardFolder(path), path, new_header(plan, command=_command(), workers=executor.workers)
        )
        with Bar(*columns, console=Console(stderr=True)) as bar:
            shown = bar.add_task("episodes", total=plan.episodes, left="")

            def tell(progress: Progress) -> None:
                bar.update(shown, completed=progress.done, left=_left(progress.eta_s))

            return await run_board(
                folder, executor, log=log, db=db, settings=settings, allow_files=True, tell=tell
            )


def _prepared(folder: BoardFolder, path: Path, header: Header) -> BoardFolder:
    """Return the folder with a board in it: a new one, or the one that is there under the new plan."""
    if not (path / "board.json").exists():
        folder.create(header)
        return folder
    there = folder.header()
    if there.state != "running" and there.plan != header.plan:
        folder.save(replace(there, plan=header.plan, command=header.command, workers=header.workers))
    return folder


def _left(eta_s: float | None) -> str:
    if eta_s is None:
        return ""
    minutes, seconds = divmod(round(eta_s), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left"


def _print(board: Board, *, than: str | None = None, as_json: bool) -> None:
    from physix.cli.tables import lines, number
    from physix.training.board.table import differences, rows

    table = rows(board)
    if than is not None and than not in board.header.plan.policies:
        raise BadInputError(
            f"Board {board.header.id} has no policy {than!r}: {', '.join(board.header.plan.policies)}."
        )
    others = differences(board, than=than) if than is not None else []
    if as_json:
        told = {"header": json.loads(_header_json(board)), "rows": [asdict(row) for row in table]}
        sys.stdout.write(json.dumps({**told, "differences": [asdict(one) for one in others]}) + "\n")
        return
    metrics = [
        name
        for name in ("passed", "reconstructed", "generalised", "recovered", "form", "generalisation", "turns")
        if any(name in row.metrics for row in table)
    ]
    lines(
        ("suite", "noise", "policy", "n", *metrics, "CPU s", "not asked", "failed", "broken"),
        [
            (
                row.suite,
                "own" if row.noise is None else f"{row.noise:g}",
                row.policy,
                row.n,
                *tuple(row.metrics.get(name) or "–" for name in metrics),
                number(row.cpu_median_s, 2),
                row.not_asked,
                row.failed,
                row.errors,
            )
            for row in table
        ],
        numbers=("noise", "n", *metrics, "CPU s", "not asked", "failed", "broken"),
    )
    if others:
        sys.stdout.write(f"\nDifference to {than}, task by task\n")
        lines(
            ("suite", "noise", "policy", "of", "n", "difference"),
            [
                (d.suite, "own" if d.noise is None else f"{d.noise:g}", d.policy, d.metric, d.n, d.interval)
                for d in others
            ],
            numbers=("noise", "n", "difference"),
        )


def _header_json(board: Board) -> bytes:
    from physix.training.board.files import export

    return json.dumps(json.loads(export(board))["header"]).encode()


def _board(name: str, boards: Path | None) -> Board:
    """Return the board of a name, or in an exported file."""
    from physix.training.board.files import board_folder, read_export, shipped_boards

    if name.endswith(".json"):
        return read_export(Path(name))
    return board_folder((_root(boards), shipped_boards()), name).read()


def _there(path: Path, name: str) -> Header:
    from physix.training.board.files import BoardFolder

    if not (path / "board.json").exists():
        raise BadInputError(f"There is no board {name!r} to go on with: give --policies and --suites.")
    return BoardFolder(path).header()


def _root(boards: Path | None) -> Path:
    from physix.settings import Settings

    return boards or Path(Settings().boards)


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _seeds(text: str) -> range:
    first, colon, last = text.partition(":")
    if not (colon and first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise BadInputError(f"--seeds {text[:40]!r} is not understood; write FROM:TO, e.g. 0:50.")
    return range(int(first), int(last))


def _levels(text: str) -> tuple[float | None, ...]:
    try:
        return tuple(float(word) for word in _words(text)) or (None,)
    except ValueError as error:
        raise BadInputError(f"--noise {text[:40]!r} is not understood; write e.g. 0,0.01,0.05.") from error


def _command(arguments: Sequence[str] | None = None) -> str:
    """Return what was typed, without where this machine keeps its log and boards: the board is handed on."""
    import shlex

    words = list(arguments or sys.argv[1:])
    kept = [
        word
        for before, word in zip(["", *words], words, strict=False)
        if not {before, word} & set(_HERE) and not word.startswith(tuple(f"{one}=" for one in _HERE))
    ]
    return shlex.join(["physix", *kept])
