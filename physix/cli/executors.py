"""`--workers`, `--ray` and `--cpus`: where a command's work runs. One code path; the executor differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from physix.errors import BadInputError

if TYPE_CHECKING:
    from physix.training.executor import Executor

WorkersOption = Annotated[
    int,
    typer.Option("--workers", min=1, max=1024, help="Processes of this machine that play."),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="ADDRESS", help="Play on a Ray cluster: auto, local, or the address of its head."
    ),
]
CpusOption = Annotated[
    int | None, typer.Option("--cpus", min=1, help="At most so many cores of the cluster.")
]


def executor_for(workers: int, ray: str | None, cpus: int | None, db: str) -> Executor:
    """Return the executor that the options ask for.

    Raises:
        BadInputError: they contradict each other, or Ray is not installed.
        InfrastructureError: there is no such cluster.
    """
    if ray is not None:
        from physix.training.cluster import join_cluster

        return join_cluster(ray, cpus=cpus, db=db)
    if cpus is not None:
        raise BadInputError("--cpus counts cores of a cluster: give --ray too, or --workers instead.")
    from physix.training.executor import InProcess, LocalProcesses

    return InProcess() if workers == 1 else LocalProcesses(workers)


@contextmanager
def episodes_bar(total: int) -> Iterator[Callable[[int], None]]:
    """Show on standard error how many episodes are done and how long the rest takes; yield how to tell it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        shown = bar.add_task("episodes", total=total)
        yield lambda done: bar.update(shown, completed=done)
