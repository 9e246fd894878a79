"""Playing a board through an executor: what is done is skipped, what comes is written at once."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import anyio

from physix.engine.events import EpisodeFinished, EpisodeStarted, PolicyFailed, RecordedEvent, RewardComputed
from physix.engine.ports import EventLog
from physix.errors import BadInputError, ConflictError
from physix.policies.registry import EMBEDDED, cannot_be_asked, list_policies
from physix.settings import Settings
from physix.training.board.files import BoardFolder, Header, State
from physix.training.board.odebench import ceiling
from physix.training.board.plan import Job, Plan
from physix.training.board.play import Played, blank, play
from physix.training.board.suites import pose
from physix.training.executor import Done, Executor, in_batches
from physix.version import __version__

_TICK_S = 2.0
_LIBRARIES = ("numpy", "scipy", "pysindy", "pyoperon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a board is. `eta_s` is None until something was played in this sitting."""

    done: int
    total: int
    errors: int
    eta_s: float | None
    played_s: float


Tell = Callable[[Progress], None]


def new_header(
    plan: Plan,
    *,
    title: str = "",
    by: Literal["operator", "player"] = "operator",
    command: str = "",
    workers: int = 1,
) -> Header:
    """Return the header of a board that has not begun."""
    now = datetime.now(UTC)
    return Header(
        id=plan.name,
        title=title or plan.name,
        plan=plan,
        by=by,
        state="paused",
        created_at=now,
        updated_at=now,
        workers=workers,
        command=command,
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """Return the versions that a figure depends on."""
    found = {"physix": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def require_policies(names: tuple[str, ...]) -> None:
    """Refuse policies of this package whose extra is not installed.

    Raises:
        BadInputError: the message says what to install.
    """
    for info in list_policies():
        if info.name in names and not info.reachable:
            raise BadInputError(f"Policy {info.name} cannot play: {info.reason}. Install it: {info.command}")


async def run_board(
    folder: BoardFolder,
    executor: Executor,
    *,
    log: EventLog | None = None,
    db: str,
    settings: Settings,
    allow_files: bool = False,
    tell: Tell = lambda _progress: None,
    batch: int = 1,
) -> Header:
    """Play what the board lacks and return its header: finished, paused or cancelled.

    Args:
        log: where the events go that workers bring back; owed where `db` is `memory://`.
        tell: hears how far it is, after every batch.

    Raises:
        ConflictError: somebody is playing it already.
        BadInputError: a result file is damaged.
    """
    header = folder.header()
    if header.state == "running":
        raise ConflictError(f"Board {header.id} is being played already; pause it first.")
    folder.repair()
    folder.wish(None)
    planned = list(header.plan.jobs())  # a board that was larger once holds results of others, too
    settled = {one.episode_id for one in folder.read().counted} & {job.episode_id for job in planned}
    jobs = [job for job in planned if job.episode_id not in settled]
    folder.save(header := replace(header, state="running", note="", versions=versions()))
    sitting = _Sitting(folder, header, len(settled), log, tell)
    try:
        await sitting.play(
            executor, jobs, batch, partial(play, db=db, settings=settings, allow_files=allow_files)
        )
    except BaseException:
        folder.save(sitting.closed("paused"))
        raise
    return sitting.end()


class _Sitting:
    """One stretch of playing a board."""

    def __init__(
        self, folder: BoardFolder, header: Header, done: int, log: EventLog | None, tell: Tell
    ) -> None:
        self._folder, self._header, self._log, self._tell = folder, header, log, tell
        self._began = time.monotonic()
        self._before = self._done = done
        self._errors = 0
        self._total = header.plan.episodes
        self._error = ""

    async def play(
        self,
        executor: Executor,
        jobs: list[Job],
        batch: int,
        work: Callable[[tuple[Job, ...]], list[Played]],
    ) -> None:
        self._tell(self.progress())
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, group.cancel_scope)
            await executor.run(work, in_batches(jobs, batch), self._take)
            if "odebench" in self._header.plan.suites and self._header.ceiling is None:
                self._header = replace(self._header, ceiling=await anyio.to_thread.run_sync(ceiling))
            group.cancel_scope.cancel()

    async def _watch(self, scope: anyio.CancelScope) -> None:
        """Say that somebody plays, and stop when asked to."""
        while True:
            self._folder.beat()
            if self._folder.wished() is not None:
                scope.cancel()
                return
            await anyio.sleep(_TICK_S)

    async def _take(self, done: Done[Job, Played]) -> None:
        if done.error is not None:
            self._error = done.error
            results = [replace(blank(job), status="error", note=done.error[:500]) for job in done.jobs]
        else:
            results = [one.result for one in done.results]
            await self._keep(done.results)
        self._folder.append(results)
        self._errors += sum(one.status == "error" for one in results)
        self._done += sum(one.status != "error" for one in results)
        self._tell(self.progress())

    async def _keep(self, played: tuple[Played, ...]) -> None:
        """Append the events that a worker brought back; those the log has already are answered by it."""
        for one in played:
            if not one.events or self._log is None:
                continue
            have = len(await self._log.read(one.result.episode_id))
            for step in _steps(one.events[have:]):
                await self._log.append(
                    one.result.episode_id,
                    [each.event for each in step],
                    expected_version=step[0].version - 1,
                    recorded_at=step[0].recorded_at,
                )

    def progress(self) -> Progress:
        played = self._done - self._before
        took = time.monotonic() - self._began
        left = self._total - self._done - self._errors
        return Progress(
            done=self._done,
            total=self._total,
            errors=self._errors,
            eta_s=took / played * left if played else None,
            played_s=self._header.played_s + took,
        )

    def end(self) -> Header:
        """Write and return how the board stands."""
        wished = self._folder.wished()
        self._folder.wish(None)
        if self._done == self._total:
            closed = self.closed("finished")
        elif wished is not None:
            closed = self.closed("cancelled" if wished == "cancel" else "paused")
        else:
            note = f"{self._errors} episodes broke and say nothing of a policy; run it again."
            closed = replace(self.closed("failed"), note=f"{note} {self._error}"[:600])
        self._folder.save(closed)
        return closed

    def closed(self, state: State) -> Header:
        took = time.monotonic() - self._began
        return replace(self._header, state=state, played_s=self._header.played_s + took)


def cannot_ask(plan: Plan, settings: Settings) -> dict[str, int]:
    """Return how many episodes of each policy cannot be asked, without playing any."""
    names = [name for name in plan.policies if name in EMBEDDED]
    if not names:
        return {}
    tasks = [pose(problem, salt=settings.eval_salt).task for problem in plan.problems]
    counts = {name: sum(cannot_be_asked(name, task) is not None for task in tasks) for name in names}
    return {name: count * plan.repetitions for name, count in counts.items() if count}


def _steps(events: Iterable[RecordedEvent]) -> Iterator[list[RecordedEvent]]:
    """Yield what a log takes at once: the start, each whole turn, the end."""
    step: list[RecordedEvent] = []
    for one in events:
        step.append(one)
        if isinstance(one.event, EpisodeStarted | RewardComputed | PolicyFailed | EpisodeFinished):
            yield step
            step = []
