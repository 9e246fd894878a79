"""A board as files: `board.json` says what it is and how it stands, `results.jsonl` holds a line an episode.

Whoever plays writes them, the API and the command line read them, in any process. Pausing is a wish in
a file of its own, so that any process may ask whichever plays.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import TypeAdapter, ValidationError

from physix.errors import BadInputError, BoardNotFoundError
from physix.limits import FILE_NAME
from physix.training.board.plan import Plan
from physix.training.board.play import Result

State = Literal["running", "paused", "finished", "cancelled", "interrupted", "failed"]
Wish = Literal["pause", "cancel"]
_SILENT_S = 20.0  # a board that says it runs, and has been silent for this long, was interrupted


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a board is.

    Attributes:
        by: who started it: what an operator's board tells of tasks that are held back, players may read
            as shares; one of a player's own would let them ask for single tasks.
        played_s: wall-clock seconds of all stretches it was played in.
        ceiling: (reconstructed, generalised, n) of ODEBench's own truths under this evaluator.
    """

    format: Literal["physix-board/1"] = "physix-board/1"
    id: str
    title: str
    plan: Plan
    by: Literal["operator", "player"]
    state: State
    created_at: datetime
    updated_at: datetime
    workers: int = 1
    played_s: float = 0.0
    command: str = ""
    note: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    ceiling: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board with what it has come to so far."""

    header: Header
    results: tuple[Result, ...]

    @property
    def counted(self) -> tuple[Result, ...]:
        """Every result but those of broken workers and servers, which say nothing of a policy."""
        return tuple(one for one in self.results if one.status != "error")


_HEADER: TypeAdapter[Header] = TypeAdapter(Header)
_RESULT: TypeAdapter[Result] = TypeAdapter(Result)
_BOARD: TypeAdapter[Board] = TypeAdapter(Board)


class BoardFolder:
    """One board's folder, to write and to read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._results = folder / "results.jsonl"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoardFolder) and self._folder == other._folder

    def __hash__(self) -> int:
        return hash(self._folder)

    def create(self, header: Header) -> None:
        """Write a new board.

        Raises:
            BadInputError: the folder cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError(f"Cannot write boards to {self._folder.parent}: {error.strerror}.") from error
        self.save(header)

    def save(self, header: Header) -> None:
        """Replace what the board says of itself."""
        part = self._folder / "board.json.part"
        part.write_bytes(_HEADER.dump_json(replace(header, updated_at=datetime.now(UTC)), indent=2))
        part.replace(self._folder / "board.json")

    def header(self) -> Header:
        """Return what the board says of itself.

        Raises:
            BoardNotFoundError: there is none here.
            BadInputError: the file is damaged.
        """
        path = self._folder / "board.json"
        try:
            found = _HEADER.validate_json(path.read_bytes())
        except OSError as error:
            raise BoardNotFoundError(self._folder.name) from error
        except ValidationError as error:
            raise BadInputError(f"{path} is no board: {_first(error)}.") from error
        if found.state == "running" and time.time() - self._stirred() > _SILENT_S:
            return replace(found, state="interrupted")
        return found

    def read(self) -> Board:
        """Return the board with its results; of a job that was tried again the later result counts.

        A last line that a crash cut short is passed over: its episode is in the log and is judged again.

        Raises:
            BoardNotFoundError, BadInputError: as `header`; or a line in the middle is no result.
        """
        return Board(header=self.header(), results=tuple(self._read_results()))

    def counts(self) -> tuple[int, int]:
        """Return how many episodes have a result, and how many of these are errors.

        Whoever asks again and again has only what came since read: a board may have 100,000 lines.

        Raises:
            BadInputError: as `read`.
        """
        return _tail_of(self._results).counts()

    def repair(self) -> None:
        """Cut off a half-written last line, so that the next one begins on its own."""
        if self._results.exists():
            content = self._results.read_bytes()
            if content and not content.endswith(b"\n"):
                self._results.write_bytes(content[: content.rfind(b"\n") + 1])

    def append(self, results: Iterable[Result]) -> None:
        """Add results, whole lines at a time."""
        lines = b"".join(_RESULT.dump_json(one) + b"\n" for one in results)
        with self._results.open("ab") as file:
            file.write(lines)

    def beat(self) -> None:
        """Say that somebody is playing."""
        (self._folder / "alive").write_text("", encoding="utf-8")

    def wish(self, wish: Wish | None) -> None:
        """Ask whoever plays to stop; None takes it back."""
        for one in ("pause", "cancel"):
            path = self._folder / one
            if one == wish:
                path.write_text("", encoding="utf-8")
            else:
                path.unlink(missing_ok=True)

    def wished(self) -> Wish | None:
        """Return what somebody asked for."""
        if (self._folder / "cancel").exists():
            return "cancel"
        return "pause" if (self._folder / "pause").exists() else None

    def version(self) -> tuple[int, int]:
        """Return what changes whenever the board does."""
        header = self._folder / "board.json"
        size = self._results.stat().st_size if self._results.exists() else 0
        return size, header.stat().st_mtime_ns if header.exists() else 0

    def _stirred(self) -> float:
        paths = [self._folder / name for name in ("alive", "board.json", "results.jsonl")]
        return max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)

    def _read_results(self) -> list[Result]:
        if not self._results.exists():
            return []
        found: dict[str, Result] = {}
        *lines, last = self._results.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            if line:
                one = _result(line, self._results, number)
                found[one.episode_id] = one
        if last:
            with suppress(BadInputError):  # it was cut short
                one = _result(last, self._results, len(lines) + 1)
                found[one.episode_id] = one
        return list(found.values())


class _Tail:
    """The whole lines of a file of results that were counted so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reading = threading.Lock()
        self._begin_anew(0)

    def counts(self) -> tuple[int, int]:
        with self._reading:
            try:
                with self._path.open("rb") as file:
                    self._take(file)
            except FileNotFoundError:
                self._begin_anew(0)
            return len(self._failed), sum(self._failed.values())

    def _take(self, file: BinaryIO) -> None:
        kept = os.fstat(file.fileno())
        if kept.st_ino != self._inode or kept.st_size < self._offset:
            self._begin_anew(kept.st_ino)
        file.seek(self._offset)
        for line in file:
            if not line.endswith(b"\n"):
                with suppress(BadInputError):  # half written: it is read again when it is whole
                    one = _result(line, self._path, self._lines + 1)
                    self._failed[one.episode_id] = one.status == "error"
                return
            if line != b"\n":
                one = _result(line, self._path, self._lines + 1)
                self._failed[one.episode_id] = one.status == "error"
            self._offset += len(line)
            self._lines += 1

    def _begin_anew(self, inode: int) -> None:
        self._inode, self._offset, self._lines = inode, 0, 0
        self._failed: dict[str, bool] = {}  # by episode: of a job that was tried again the later one counts


@lru_cache(maxsize=64)
def _tail_of(path: Path) -> _Tail:
    return _Tail(path)


def _result(line: bytes, path: Path, number: int) -> Result:
    try:
        return _RESULT.validate_json(line)
    except ValidationError as error:
        raise BadInputError(f"{path}, line {number}, is no result: {_first(error)}.") from error


def board_folder(roots: Sequence[Path], board_id: str) -> BoardFolder:
    """Return the folder of a board: the first root that has it.

    Raises:
        BoardNotFoundError: no root has one of that name.
    """
    if re.fullmatch(FILE_NAME, board_id) is not None and ".." not in board_id:
        for root in roots:
            if (root / board_id / "board.json").exists():
                return BoardFolder(root / board_id)
    raise BoardNotFoundError(board_id)


def list_boards(roots: Sequence[Path]) -> list[tuple[Header, BoardFolder]]:
    """Return the boards below the folders, the newest first; damaged ones are passed over."""
    found: dict[str, tuple[Header, BoardFolder]] = {}
    for path in (path for root in roots for path in sorted(root.glob("*/board.json"))):
        folder = BoardFolder(path.parent)
        try:
            found.setdefault(path.parent.name, (folder.header(), folder))
        except (BadInputError, BoardNotFoundError):
            continue
    return sorted(found.values(), key=lambda pair: pair[0].created_at, reverse=True)


def export(board: Board) -> bytes:
    """Return a board as one JSON document, which `read_export` takes."""
    return _BOARD.dump_json(board, indent=1) + b"\n"


def read_export(path: Path) -> Board:
    """Return the board in a file.

    Raises:
        BadInputError: it cannot be read, was cut off, or is no board.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: {error.strerror}.") from error
    try:
        json.loads(content)
    except ValueError as error:
        raise BadInputError(f"{path} is no whole JSON file; export the board again: {error}.") from error
    try:
        return _BOARD.validate_json(content)
    except ValidationError as error:
        raise BadInputError(f"{path} is no exported board: {_first(error)}.") from error


def shipped_boards() -> Path:
    """Return the folder of the boards that come with the package."""
    return Path(__file__).parent / "shipped"


def _first(error: ValidationError) -> str:
    told = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in told["loc"])
    return f"{where}: {told['msg']}"[:300] if where else str(told["msg"])[:300]
