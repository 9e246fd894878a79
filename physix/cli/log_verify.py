"""`physix log verify`: is everything in the log still there, as it was written, and true?"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from physix.cli.log_transfer import moment_of
from physix.errors import BadInputError

if TYPE_CHECKING:
    from rich.progress import Progress

    from physix.store import EpisodeRow, Log
    from physix.store.sql.audit import Audit
    from physix.store.sql.log import SqlLog
    from physix.store.verify import EpisodeReport

_HEAD = re.compile(r"[0-9a-f]{64}")
_AT_ONCE = 200  # episodes listed at once
_WORTH_A_PROCESS = 100  # episodes: starting one takes as long as verifying some


@dataclass(frozen=True, slots=True)
class _Request:
    episodes: list[str] | None
    url: str
    as_json: bool
    since: int | datetime
    head: str | None
    jobs: int | None


def log_verify(
    episodes: Annotated[
        list[str] | None, typer.Argument(metavar="[EPISODE]...", help="Episodes to verify. [default: all]")
    ] = None,
    db: Annotated[str | None, typer.Option("--db", metavar="URL", help="The event log.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per difference, and one with the counts.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="POSITION|TIME", help="Only what came after a position or time."),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A head printed earlier: it must be in the chain."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes that play turns again. [default: as many as pay]")
    ] = None,
) -> None:
    """Walk every event, follow the seals, play every turn again; exit code 1 on any difference."""
    from physix.settings import Settings

    if head is not None and not _HEAD.fullmatch(head):
        raise BadInputError(f"--head {head[:80]!r} is no head; it has 64 hexadecimal digits.")
    if episodes and (since is not None or head is not None):
        raise BadInputError("--since and --head are for a whole log; leave the episodes out.")
    start: int | datetime = 0
    if since is not None:
        start = int(since) if since.isdigit() else moment_of("--since", since)
    request = _Request(episodes or None, db or Settings().db, as_json, start, head, jobs)
    if anyio.run(_run, request):
        raise typer.Exit(1)


async def _run(request: _Request) -> int:
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn

    from physix.store import open_log
    from physix.store.sql.log import SqlLog

    told = _Told(request.as_json)
    columns = (TextColumn("{task.description}"), MofNCompleteColumn())
    async with open_log(request.url, read_only=True) as log:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            audit = None
            if request.episodes is None and isinstance(log, SqlLog):
                audit = await _audit(log, request, bar)
                told.audit(audit)
            elif request.since or request.head:
                raise BadInputError(f"{request.url} has no seals, so --since and --head mean nothing to it.")
            await _play_again(log, request, audit, bar, told)
    told.sum_up(audit)
    return told.differences


async def _audit(log: SqlLog, request: _Request, bar: Progress) -> Audit:
    task = bar.add_task("events", total=None)
    return await log.audit(
        since=request.since,
        head=request.head,
        progress=lambda position: bar.update(task, completed=position),
    )


async def _play_again(log: Log, request: _Request, audit: Audit | None, bar: Progress, told: _Told) -> None:
    from physix.store.verify import listed, verify_in_processes, verify_log, verify_rows

    task = bar.add_task("episodes", total=None)

    def tell(report: EpisodeReport) -> None:
        told.report(report)
        bar.advance(task)

    if request.episodes is not None or audit is None:
        async for report in verify_log(log, request.episodes):
            tell(report)
        return
    pages = _touched(log, audit) if request.since else listed(log)
    jobs = request.jobs or min(os.cpu_count() or 1, 1 + len(audit.touched) // _WORTH_A_PROCESS)
    if jobs > 1:
        await verify_in_processes(request.url, pages, jobs, tell)
        return
    async for rows in pages:
        async for report in verify_rows(log, rows):
            tell(report)


async def _touched(log: Log, audit: Audit) -> AsyncIterator[Sequence[EpisodeRow]]:
    from physix.store.sql.log import SqlLog

    names = sorted(audit.touched)
    for first in range(0, len(names), _AT_ONCE):
        if isinstance(log, SqlLog):
            yield await log.list_some(names[first : first + _AT_ONCE])


class _Told:
    """What was found so far; each difference is printed as it comes."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._episodes = self._turns = self._older = self._elsewhere = 0
        self.differences = 0

    def audit(self, audit: Audit) -> None:
        """Print what a walk over the events found."""
        for one in audit.faults:
            at = "" if one.position is None else f"position {one.position} "
            line = f"{at}{one.episode_id} {one.field}: found {one.recorded}, expected {one.expected}"
            self._print(json.dumps(asdict(one)) if self._as_json else line)
        self.differences += len(audit.faults)
        if audit.head_found is False:
            self.differences += 1
            line = "the head given is not in the chain: events were cut off, or the log was sealed anew"
            self._print(json.dumps({"field": "head", "recorded": line}) if self._as_json else line)

    def report(self, report: EpisodeReport) -> None:
        """Print what playing one episode again found."""
        self._episodes += 1
        if not report.recomputed:
            self._older += 1
            if not self._as_json:
                self._print(f"{report.episode_id}: recorded under rules {report.rules}, not recomputed")
        else:
            self._turns += report.turns
            self._elsewhere += not report.same_environment
        self.differences += len(report.differences)
        for one in report.differences:
            at = "" if one.position is None else f"position {one.position} "
            turn = "" if one.turn is None else f" turn {one.turn}"
            place = f"{at}{one.episode_id}{turn} {one.field}"
            line = f"{place}: recorded {one.recorded}, now {one.recomputed}"
            self._print(json.dumps(asdict(one)) if self._as_json else line)

    def sum_up(self, audit: Audit | None) -> None:
        """Print the counts, and the head to note elsewhere."""
        from physix.store.verify import TOLERANCE

        if self._as_json:
            summary: dict[str, object] = {
                "episodes": self._episodes,
                "turns": self._turns,
                "older_rules": self._older,
                "elsewhere": self._elsewhere,
                "differences": self.differences,
            }
            if audit is not None:
                summary |= {"events": audit.events, "position": audit.last, "head": audit.head}
            self._print(json.dumps(summary))
            return
        here = self._episodes - self._elsewhere - self._older
        self._print(
            f"{self._episodes} episodes, {self._turns} turns played again: {self.differences} differences. "
            f"{here} episodes compared bit for bit, {self._elsewhere} from other environments "
            f"to {TOLERANCE:g}, {self._older} recorded under older rules checked but not recomputed."
        )
        if audit is not None and audit.head:
            self._print(f"{audit.events} events walked; head at position {audit.last}: {audit.head}")

    def _print(self, line: str) -> None:
        sys.stdout.write(line + "\n")
