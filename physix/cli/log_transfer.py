"""`physix log list, export, import, rebuild, stats`: the log from the terminal, streamed."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import anyio
import typer

from physix.errors import BadInputError
from physix.limits import MAX_PAGE

_Db = Annotated[str | None, typer.Option("--db", metavar="URL", help="The event log.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def log_list(
    system: Annotated[str | None, typer.Option(help="Only episodes of this system.")] = None,
    policy: Annotated[str | None, typer.Option(help="Only episodes of this policy.")] = None,
    outcome: Annotated[str | None, typer.Option(help="solved, budget_exhausted, abandoned, ...")] = None,
    status: Annotated[str | None, typer.Option(help="running or finished.")] = None,
    tier: Annotated[int | None, typer.Option(help="1, 2 or 3.")] = None,
    search: Annotated[
        str | None, typer.Option(metavar="WORDS", help="In names, laws, replies, notes.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME[=VALUE]", help="That have it; may be repeated.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Started at or after, ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Started before, ISO 8601.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, newest first.")] = 50,
    db: _Db = None,
    as_json: _Json = False,
) -> None:
    """List episodes, newest first."""
    from physix.engine.labels import labels_in
    from physix.store import EpisodeFilter

    wanted = EpisodeFilter(
        system=system,
        policy=policy,
        outcome=outcome,
        status=status,
        tier=tier,
        text=search,
        labels=labels_in(label or []),
        since=moment_of("--since", since) if since is not None else None,
        until=moment_of("--until", until) if until is not None else None,
    )
    anyio.run(_list, _url(db), wanted, limit, as_json)


def moment_of(option: str, written: str) -> datetime:
    """Return the time that an option gives, in UTC.

    Raises:
        BadInputError: it is no time.
    """
    try:
        moment = datetime.fromisoformat(written)
    except ValueError as error:
        raise BadInputError(f"{option} {written[:40]!r} is no time; write 2026-11-23T12:00+01:00.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


async def _list(url: str, wanted: object, limit: int, as_json: bool) -> None:
    from physix.cli.tables import lines
    from physix.store import EpisodeFilter, EpisodeRow, open_log

    assert isinstance(wanted, EpisodeFilter)  # noqa: S101  # anyio.run passes arguments untyped
    rows: list[EpisodeRow] = []
    cursor, total = None, 0
    async with open_log(url, read_only=True) as log:
        while len(rows) < limit:
            page = await log.list_episodes(wanted, cursor=cursor, limit=min(MAX_PAGE, limit - len(rows)))
            rows += page.items
            cursor, total = page.next_cursor, page.total
            if cursor is None:
                break
    if as_json:
        for row in rows:
            sys.stdout.write(json.dumps(row.model_dump(), default=_plain, sort_keys=True) + "\n")
        return
    sys.stdout.write(f"{total} episodes\n")
    lines(
        ("episode", "started", "system", "policy", "turns", "best match", "outcome"),
        [
            (
                row.episode_id,
                f"{row.started_at:%Y-%m-%d %H:%M:%S}",
                row.system_id,
                row.policy,
                f"{row.turns}/{row.max_turns}",
                row.best_match,
                row.outcome or row.status,
            )
            for row in rows
        ],
        numbers=("turns", "best match"),
    )


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def log_export(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; - for the terminal.")],
    episode: Annotated[
        list[str] | None, typer.Option(help="Only this episode; may be repeated. [default: all]")
    ] = None,
    db: _Db = None,
) -> None:
    """Write the log as JSONL, one event a line, with a checksum: a backup, or the way to another database."""
    anyio.run(_export, _url(db), path, episode)


async def _export(url: str, path: Path, episodes: list[str] | None) -> None:
    from physix.store import open_log
    from physix.store.transfer import export_lines

    count = -2  # the first and the last line are no events
    # Written beside and renamed at the end: an export is whole or not there.
    partial = path.with_name(path.name + ".partial")
    async with open_log(url, read_only=True) as log:
        try:
            with sys.stdout.buffer if str(path) == "-" else partial.open("wb") as file:
                async for line in export_lines(log, episodes):
                    file.write(line)
                    count += 1
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise BadInputError(f"{path} cannot be written: {error.strerror}.") from error
    if str(path) != "-":
        partial.replace(path)
        sys.stdout.write(f"{count} events written to {path}\n")


def log_import(
    path: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="An export.")],
    db: _Db = None,
) -> None:
    """Append what an export holds and the log does not; a file that was changed is refused whole."""
    anyio.run(_import, _url(db), path)


async def _import(url: str, path: Path) -> None:
    from physix.store import open_log
    from physix.store.transfer import import_file

    async with open_log(url) as log:
        done = await import_file(log, path)
    sys.stdout.write(
        f"{done.events} events of {done.episodes} episodes appended, {done.known} were there already\n"
    )


def log_rebuild(db: _Db = None) -> None:
    """Recompute the projections from the events; readers and writers go on, and so does a second try."""
    anyio.run(_rebuild, _url(db))


async def _rebuild(url: str) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from physix.store import open_log
    from physix.store.sql.log import SqlLog

    async with open_log(url) as log:
        if not isinstance(log, SqlLog):
            raise BadInputError(f"{url} keeps no projections that could be rebuilt.")
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("events", total=None)
            episodes = await log.rebuild(lambda done, total: bar.update(task, completed=done, total=total))
    sys.stdout.write(f"{episodes} episodes rebuilt\n")


def log_stats(db: _Db = None, as_json: _Json = False) -> None:
    """Count what the log holds: events by type, episodes by outcome, and by system and policy."""
    anyio.run(_stats, _url(db), as_json)


async def _stats(url: str, as_json: bool) -> None:
    from physix.store import open_log
    from physix.store.sql.log import SqlLog
    from physix.store.sql.queries import statistics

    async with open_log(url, read_only=True) as log:
        if not isinstance(log, SqlLog):
            raise BadInputError(f"{url} cannot be counted; give the URL of a database.")
        counted = await log.query(statistics)
    if as_json:
        sys.stdout.write(json.dumps(counted) + "\n")
        return
    for heading, rows in counted.items():
        sys.stdout.write(f"{heading}\n")
        for name, number in rows.items():
            sys.stdout.write(f"  {name:40}{number:12,}\n")


def _url(db: str | None) -> str:
    from physix.settings import Settings

    return db or Settings().db
