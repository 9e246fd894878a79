"""The commands and their options. Heavy imports live inside the commands: `--version` is instant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from physix.cli.bench import bench_app
from physix.cli.board import board_app
from physix.cli.bundle import bundle
from physix.cli.compare import compare
from physix.cli.dataset import dataset_app, rollout
from physix.cli.demo import demo_app
from physix.cli.discover import discover, fit
from physix.cli.laws import same, simplify
from physix.cli.log_archive import log_archive
from physix.cli.log_end import log_end
from physix.cli.log_label import log_label
from physix.cli.log_transfer import log_export, log_import, log_list, log_rebuild, log_stats
from physix.cli.log_verify import log_verify
from physix.cli.measured import TableOptions, read_file_command, takes_table
from physix.cli.models import models_app
from physix.cli.rules import ConstantsOption
from physix.cli.train import train_app
from physix.cli.validate import validate
from physix.errors import BadInputError, BoardNotFoundError, EpisodeNotFoundError, PhysixError, in_one_line
from physix.version import __version__

app = typer.Typer(
    name="physix",
    help="Watch agents discover equations of motion: serve the page, run episodes, read the log.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
log_app = typer.Typer(help="Read, check, move and rebuild the event log.", no_args_is_help=True)
app.add_typer(log_app, name="log")
app.add_typer(demo_app, name="demo")
app.add_typer(bench_app, name="bench")
app.add_typer(board_app, name="board")
app.command("compare")(compare)
app.command("read")(read_file_command)
app.command()(discover)
app.command()(fit)
app.command("bundle")(bundle)
app.add_typer(dataset_app, name="dataset")
app.add_typer(train_app, name="train")
app.add_typer(models_app, name="models")
app.command()(rollout)
app.command()(validate)
app.command()(simplify)
app.command()(same)
log_app.command("list")(log_list)
log_app.command("verify")(log_verify)
log_app.command("export")(log_export)
log_app.command("import")(log_import)
log_app.command("rebuild")(log_rebuild)
log_app.command("stats")(log_stats)
log_app.command("archive")(log_archive)
log_app.command("end")(log_end)
log_app.command("label")(log_label)

DbOption = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        help="The event log, e.g. sqlite:///physix.db or memory://. [default: $PHYSIX_DB or sqlite:///physix.db]",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"physix {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Watch agents discover equations of motion: serve the page, run episodes, read the log."""


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. [default: $PHYSIX_HOST or 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port. [default: $PHYSIX_PORT or 8000]")
    ] = None,
    db: DbOption = None,
    public: Annotated[
        bool, typer.Option("--public", help="Allow an address other than loopback without a token.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=256, help="Processes that share port and log. [default: $PHYSIX_WORKERS or 1]"
        ),
    ] = None,
) -> None:
    """Start the server: the page at /, the API, and the OpenEnv environment."""
    from physix.api.app import serve as serve_app
    from physix.settings import Settings

    serve_app(Settings.with_flags(host=host, port=port, db=db, public=public or None, workers=workers))


@app.command()
@takes_table()
def run(
    options: TableOptions,
    system: Annotated[
        str | None, typer.Option("--system", metavar="ID", help="A system; see `physix systems`.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the task; the same seed is the same task.")] = 0,
    policy: Annotated[
        str, typer.Option(metavar="NAME", help="Who proposes; see `physix policies`.")
    ] = "search",
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="A file of measurements; see `physix read`."),
    ] = None,
    hint: Annotated[str, typer.Option(metavar="TEXT", help="One sentence about the motion in the CSV.")] = "",
    noise: Annotated[
        float | None,
        typer.Option(help="Noise as a share of each variable's spread, 0 to 0.05. [default: 0.02]"),
    ] = None,
    max_turns: Annotated[int, typer.Option(help="Turn budget.")] = 8,
    strict: Annotated[
        bool, typer.Option("--strict", help="Solved only at the noise floor, and on hidden motions too.")
    ] = False,
    constants: ConstantsOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play one episode in the terminal and append it to the log."""
    from physix.cli.episode import RunRequest, run_episode

    request = RunRequest(
        system_id=system,
        seed=seed,
        policy=policy,
        csv=csv,
        csv_options=options,
        hint=hint,
        noise=noise,
        max_turns=max_turns,
        profile="strict" if strict else "classic",
        constants=constants,
    )
    run_episode(request, db=db, as_json=as_json)


@app.command()
def systems(as_json: JsonOption = False) -> None:
    """List the systems whose motion can be sampled."""
    from physix.cli.listings import print_systems

    print_systems(as_json=as_json)


@app.command()
def policies(as_json: JsonOption = False) -> None:
    """List the policies, and whether each can play right now."""
    from physix.cli.listings import print_policies

    print_policies(as_json=as_json)


@log_app.command("show")
def log_show(
    episode: Annotated[str, typer.Argument(help="The episode's id.")],
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one episode, replayed from the log."""
    from physix.cli.episode import show_episode

    show_episode(episode, db=db, as_json=as_json)


def main() -> None:
    """Run the command line; expected errors become one line and an exit code.

    Exit codes: 3 where a policy failed, 2 for input that was wrong, 1 for whatever else is expected to fail.
    """
    try:
        app()
    except (BadInputError, BoardNotFoundError, EpisodeNotFoundError) as error:
        sys.stderr.write(f"physix: {error}\n")
        sys.exit(2)
    except PhysixError as error:
        sys.stderr.write(f"physix: {error}\n")
        sys.exit(1)
    except OSError as error:
        # A disk that is full, a file that may not be read: nothing that a traceback would explain.
        sys.stderr.write(f"physix: {in_one_line(error)}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
