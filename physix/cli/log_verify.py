"""`physix log verify`: is everything in the log still true?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import anyio
import typer


def log_verify(
    episodes: Annotated[
        list[str] | None, typer.Argument(metavar="[EPISODE]...", help="Episodes to verify. [default: all]")
    ] = None,
    db: Annotated[str | None, typer.Option("--db", metavar="URL", help="The event log.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per difference, and one with the counts.")
    ] = False,
) -> None:
    """Fold every stream, play every turn again and compare; exit code 1 on any difference."""
    from physix.settings import Settings

    if anyio.run(_run, episodes or None, db or Settings().db, as_json):
        raise typer.Exit(1)


async def _run(episodes: list[str] | None, url: str, as_json: bool) -> int:
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn

    from physix.store import EpisodeFilter, open_log
    from physix.store.verify import TOLERANCE, verify_log

    count = turns = older = elsewhere = differences = 0
    columns = (TextColumn("{task.description}"), MofNCompleteColumn())
    async with open_log(url) as log:
        total = len(episodes) if episodes else (await log.list_episodes(EpisodeFilter(), limit=1)).total
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("episodes", total=total)
            async for report in verify_log(log, episodes):
                count += 1
                if not report.recomputed:
                    older += 1
                    if not as_json:
                        sys.stdout.write(
                            f"{report.episode_id}: recorded under rules {report.rules}, not recomputed\n"
                        )
                else:
                    turns += report.turns
                    elsewhere += not report.same_environment
                differences += len(report.differences)
                for one in report.differences:
                    turn = "" if one.turn is None else f" turn {one.turn}"
                    line = (
                        f"{one.episode_id}{turn} {one.field}: recorded {one.recorded}, now {one.recomputed}"
                    )
                    sys.stdout.write((json.dumps(asdict(one)) if as_json else line) + "\n")
                bar.advance(task)
    if as_json:
        summary = {
            "episodes": count,
            "turns": turns,
            "older_rules": older,
            "elsewhere": elsewhere,
            "differences": differences,
        }
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        sys.stdout.write(
            f"{count} episodes, {turns} turns played again: {differences} differences. "
            f"{count - elsewhere - older} episodes compared bit for bit, {elsewhere} from other environments "
            f"to {TOLERANCE:g}, {older} recorded under older rules checked but not recomputed.\n"
        )
    return differences
