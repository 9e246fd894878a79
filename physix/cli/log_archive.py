"""`physix log archive`: finished episodes to Parquet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import anyio
import typer


def log_archive(
    folder: Annotated[Path, typer.Argument(help="Where the Parquet files go; may hold an archive already.")],
    db: Annotated[str | None, typer.Option("--db", metavar="URL", help="The event log.")] = None,
) -> None:
    """Copy finished episodes to Parquet, by month; read them with --db archive:///FOLDER."""
    from physix.settings import Settings

    copied = anyio.run(_run, folder, db or Settings().db)
    sys.stdout.write(f"{copied} episodes archived to {folder}; the log keeps them too.\n")


async def _run(folder: Path, url: str) -> int:
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    from physix.store import open_log
    from physix.store.archive import archive_finished

    copied = 0
    async with open_log(url, read_only=True) as log:
        columns = (TextColumn("{task.completed} episodes"),)
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("episodes", total=None)
            async for _ in archive_finished(log, folder):
                copied += 1
                bar.advance(task)
    return copied
