"""Folders that a command writes to: whether it can is found out before the work, not after it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from physix.errors import BadInputError


def check_folder(path: Path) -> None:
    """Make sure that a folder can be written to, or made; nothing is left there.

    Raises:
        BadInputError: it is a file, lies below one, or cannot be written to.
    """
    there = next((one for one in (path, *path.parents) if one.exists()), Path())
    if not there.is_dir():
        raise BadInputError(f"{path} is no folder to write to: {there} is a file. Name another.")
    try:
        # Permission bits say nothing of a file system that is mounted to be read, nor to a superuser.
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadInputError(f"{path} is no folder to write to: {reason}. Name another.") from error


def writable_folder(path: Path) -> Path:
    """Return the folder, made if it was not there.

    Raises:
        BadInputError: it is a file, lies below one, or cannot be written to.
    """
    check_folder(path)
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def put_in_place(path: Path) -> Iterator[Path]:
    """Give a name to write under, which becomes `path` when it is whole; what is there stays till then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
