"""Folders that a command writes to: whether it can is found out before the work, not after it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from physix.errors import BadInputError


def writable_folder(path: Path) -> Path:
    """Return the folder, made if it was not there.

    Raises:
        BadInputError: it is a file, lies below one, or cannot be written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Permission bits say nothing of a file system that is mounted to be read, nor to a superuser.
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        reason = "a file" if path.is_file() else (error.strerror or type(error).__name__).lower()
        raise BadInputError(f"{path} is no folder to write to ({reason}): name another.") from error
    return path
