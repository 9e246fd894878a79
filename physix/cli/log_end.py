"""`physix log end`: episodes that a killed run or a client that went away left running."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from physix.errors import BadInputError, ConflictError, EpisodeFinishedError
from physix.limits import MAX_LABEL_VALUE, MAX_PAGE

if TYPE_CHECKING:
    from physix.store import Log


def log_end(
    episodes: Annotated[list[str] | None, typer.Argument(metavar="[EPISODE]...", help="These.")] = None,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="All of a training run that still run.")
    ] = None,
    idle: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.0, help="Of those, or of all: only what was not played for so long."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which, and end none.")] = False,
    db: Annotated[str | None, typer.Option("--db", metavar="URL", help="The event log.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """End episodes as abandoned: those named, or those that a run left behind.

    A run that still plays is not to be named: its next turns would be refused.
    """
    from physix.settings import Settings

    if not episodes and run is None and idle is None:
        raise BadInputError("Name episodes, or say --run RUN or --idle SECONDS.")
    if episodes and run is not None:
        raise BadInputError("Name episodes or a run, not both.")
    if run is not None and not 1 <= len(run) <= MAX_LABEL_VALUE:
        raise BadInputError(f"A run's name has 1 to {MAX_LABEL_VALUE} characters.")
    url = Settings.with_flags(db=db).db
    anyio.run(_end, url, episodes or [], run, idle, dry_run, as_json)


async def _end(
    url: str, episodes: list[str], run: str | None, idle: float | None, dry_run: bool, as_json: bool
) -> None:
    from physix.engine import EpisodeEngine
    from physix.store import open_log

    ended: list[str] = []
    async with open_log(url, read_only=dry_run) as log:
        engine = EpisodeEngine(log)
        before = None if idle is None else datetime.now(UTC) - timedelta(seconds=idle)
        for episode_id in episodes or await _running(log, run):
            if before is not None and (await engine.load(episode_id)).updated_at > before:
                continue
            if not dry_run:
                try:
                    await engine.abandon(episode_id)
                except (EpisodeFinishedError, ConflictError):
                    if episodes:
                        raise
                    continue  # it was played on meanwhile
            ended.append(episode_id)
    if as_json:
        sys.stdout.write(json.dumps({"ended": [] if dry_run else ended, "found": ended}) + "\n")
        return
    for episode_id in ended:
        sys.stdout.write(f"{episode_id}\n")
    sys.stdout.write(f"{len(ended)} episodes {'would be ended' if dry_run else 'ended as abandoned'}\n")


async def _running(log: Log, run: str | None) -> list[str]:
    from physix.store import EpisodeFilter

    wanted, cursor, found = EpisodeFilter(status="running", run=run), None, []
    while True:
        page = await log.list_episodes(wanted, cursor=cursor, limit=MAX_PAGE)
        found += [row.episode_id for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found
