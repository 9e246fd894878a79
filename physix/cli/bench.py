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
    from physix.bench.verifier import main

    main(repeats)


@bench_app.command("log")
def bench_log(
    turns: Annotated[int, typer.Option(min=64, help="Turns appended per measurement.")] = 1200,
) -> None:
    """Time appending turns to the log."""
    from physix.bench.log import main

    main(turns)
