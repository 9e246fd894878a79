"""Boards playing in the background of a server, and their progress as a stream."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from physix.api.live.streams import EventStream
from physix.errors import ConflictError, PhysixError
from physix.settings import Settings
from physix.store import Log
from physix.training.board.files import BoardFolder, Header, Wish, board_folder, list_boards
from physix.training.board.run import Progress, run_board
from physix.training.executor import Executor, LocalProcesses

_LOGGER = logging.getLogger("physix")
_LOOK_S = 1.0
MakeExecutor = Callable[[int], Executor]


class Boards:
    """Starts and stops boards. What they came to is in their folders, which every process reads."""

    def __init__(
        self,
        log: Log,
        tasks: TaskGroup,
        settings: Settings,
        roots: Sequence[Path],
        make_executor: MakeExecutor = LocalProcesses,
    ) -> None:
        self._log, self._tasks, self._settings = log, tasks, settings
        self.roots = tuple(roots)  # the first one is written to
        self._make_executor = make_executor
        self._progress: dict[str, Progress] = {}
        self._gone: dict[str, anyio.Event] = {}

    @property
    def workers(self) -> int:
        """How many episodes of boards are played at a time, at most."""
        return self._settings.board_workers or max(1, os.cpu_count() or 1)

    def progress(self, board_id: str) -> Progress | None:
        """Return how far a board is that is played here and now."""
        return self._progress.get(board_id)

    def folder(self, board_id: str) -> BoardFolder:
        """Return a board's folder.

        Raises:
            BoardNotFoundError: there is none.
        """
        return board_folder(self.roots, board_id)

    def create(self, header: Header) -> BoardFolder:
        """Write a new board.

        Raises:
            BadInputError: the folder of boards cannot be written.
        """
        folder = BoardFolder(self.roots[0] / header.id)
        folder.create(header)
        return folder

    def require_free(self) -> None:
        """Refuse to start a board while another is being played, by any process.

        Raises:
            ConflictError: one is.
        """
        playing = [header.id for header, _ in list_boards(self.roots[:1]) if header.state == "running"]
        if other := next(iter([*self._progress, *playing]), None):
            raise ConflictError(f"Board {other} is being played; wait for it, or pause it first.")

    def start(self, board_id: str) -> None:
        """Play what a board lacks in the background.

        Raises:
            BoardNotFoundError: there is none.
            ConflictError: a board is being played: one at a time, so that each has the cores to itself.
        """
        folder = self.folder(board_id)
        self.require_free()
        header = folder.header()
        if header.state in ("finished", "running"):
            raise ConflictError(f"Board {board_id} is {header.state}.")
        self._progress[board_id] = Progress(
            done=0, total=header.plan.episodes, errors=0, eta_s=None, played_s=header.played_s
        )
        self._gone[board_id] = anyio.Event()
        self._tasks.start_soon(self._play, folder, header, name=f"board {board_id}")

    async def stop(self, board_id: str, wish: Wish) -> None:
        """Ask whichever process plays a board to pause or cancel it; wait until it has, if it is this one.

        Raises:
            BoardNotFoundError: there is none.
            ConflictError: nobody plays it.
        """
        folder = self.folder(board_id)
        header = folder.header()
        if header.state != "running" and board_id not in self._progress:
            if wish == "cancel" and header.state != "finished":
                folder.save(replace(header, state="cancelled"))
                return
            raise ConflictError(f"Board {board_id} is not being played: it is {header.state}.")
        folder.wish(wish)
        if board_id in self._gone:
            await self._gone[board_id].wait()

    async def _play(self, folder: BoardFolder, header: Header) -> None:
        def tell(progress: Progress) -> None:
            self._progress[header.id] = progress

        executor = self._make_executor(max(1, min(header.workers, self.workers)))
        try:
            await run_board(
                folder, executor, log=self._log, db=self._settings.db, settings=self._settings, tell=tell
            )
        except PhysixError as error:
            _LOGGER.warning("Board %s stopped: %s", header.id, error)
        finally:
            self._progress.pop(header.id)
            self._gone.pop(header.id).set()


def board_stream(folder: BoardFolder, view: Callable[[], Awaitable[tuple[bytes, bool]]]) -> EventStream:
    """Stream a board's progress whenever it changes; the last frame is the one on which it stands still.

    Args:
        view: returns the frame's JSON, and whether the board is being played.
    """

    async def frames() -> AsyncIterator[bytes]:
        seen: object = None
        number = 0
        while True:
            data, plays = await view()
            if (version := (folder.version(), plays)) != seen or not plays:
                seen = version
                number += 1
                kind = b"BoardProgress" if plays else b"BoardStopped"
                yield b"id: %d\r\nevent: %b\r\ndata: %b\r\n\r\n" % (number, kind, data)
            if not plays:
                return
            await anyio.sleep(_LOOK_S)

    return EventStream(frames())
