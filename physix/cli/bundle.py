"""`physix bundle`: chosen episodes and the page as a folder for any static host."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

if TYPE_CHECKING:
    from physix.engine import RecordedEvent


def bundle(
    episodes: Annotated[list[str], typer.Argument(metavar="EPISODE...", help="The episodes' ids.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder.")],
    db: Annotated[str | None, typer.Option("--db", metavar="URL", help="The event log.")] = None,
) -> None:
    """Write a folder that replays these episodes on any static host, without a server of ours."""
    from physix.api.bundle import write_bundle
    from physix.settings import Settings

    written = write_bundle(anyio.run(_read, episodes, db or Settings().db), out)
    sys.stdout.write(f"{written.episodes} episodes, {written.bytes} bytes in {out}\n")


async def _read(episodes: list[str], url: str) -> list[Sequence[RecordedEvent]]:
    from physix.api.bundle import read_episodes
    from physix.store import open_log

    async with open_log(url, read_only=True) as log:
        return await read_episodes(log, episodes)
