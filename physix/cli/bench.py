"""`physix bench`: measurements that anyone can repeat."""

from __future__ import annotations

from typing import Annotated

import typer

bench_app = typer.Typer(
    help="Measure this machine; figures are printed, nothing is kept.", no_args_is_help=True
)


@bench_app.command("verifier")
def bench_verifier(
    repeats: Annotated[int, typer.Option(min=5, help="Verifications per system and stage.")] = 40,
) -> None:
    """Time the verifier's stages on the 8 systems, beside the SymPy recipe."""
    from physix.cli.measure.verifier import main

    main(repeats)


@bench_app.command("log")
def bench_log(
    turns: Annotated[int, typer.Option(min=64, help="Turns appended per measurement.")] = 1024,
    postgres: Annotated[
        str | None, typer.Option(metavar="URL", help="An empty PostgreSQL database to measure as well.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which what is compared takes turns.")] = 5,
) -> None:
    """Time the log: appends, followers, rebuild, export, bytes; beside the driver's bulk insert."""
    from physix.cli.measure.log import main

    main(turns, postgres, rounds)


@bench_app.command("training")
def bench_training(
    episodes: Annotated[int, typer.Option(min=6, help="Episodes played.")] = 60,
) -> None:
    """Time rollout and update of the nano model, and the share of verifier and log in a GRPO step."""
    from physix.cli.measure.training import main

    main(episodes)


@bench_app.command("env")
def bench_env(
    seconds: Annotated[float, typer.Option(min=1, help="Seconds per measurement.")] = 10.0,
    postgres: Annotated[
        str | None, typer.Option(metavar="URL", help="An empty PostgreSQL database to measure as well.")
    ] = None,
    soak_minutes: Annotated[
        float, typer.Option(min=0, help="Then play this long with 64 sessions and watch memory and handles.")
    ] = 0.0,
    workers: Annotated[int, typer.Option(min=1, help="Also measure so many processes on one log.")] = 1,
) -> None:
    """Time OpenEnv steps over /ws at 1, 16 and 64 sessions, beside OpenEnv's echo environment."""
    from physix.cli.measure.env import main

    main(seconds, postgres, soak_minutes, workers)


@bench_app.command("scale")
def bench_scale(
    episodes: Annotated[int, typer.Option(min=8, help="Episodes of eight turns that are played.")] = 160,
    turns: Annotated[float, typer.Option(min=1, help="Turns of the log to tell of.")] = 1e9,
    postgres: Annotated[
        str | None, typer.Option(metavar="URL", help="An empty PostgreSQL database to measure as well.")
    ] = None,
) -> None:
    """Tell what 10³ to 10⁹ episodes cost, and a log of --turns: arithmetic from growth measured here."""
    from physix.cli.measure.scale import main

    main(episodes, postgres, turns)
