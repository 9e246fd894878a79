"""The Python door to measured data: a path, a text, arrays or a data frame becomes a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from physix.engine.systems.measured import Table, read_table, table_from_columns
from physix.errors import BadInputError
from physix.limits import MAX_FILE_BYTES

_MAX_PATH = 4_096


@runtime_checkable
class Frame(Protocol):
    """What pandas and polars frames have in common."""

    @property
    def columns(self) -> Iterable[object]:
        """The names of the columns."""

    def __getitem__(self, name: Any, /) -> Any:
        """Return one column."""


@runtime_checkable
class Indexed(Protocol):
    """A frame whose rows have names, as those of pandas."""

    @property
    def index(self) -> Any:
        """The names of the rows."""


Source = Path | str | bytes | Mapping[str, Sequence[object] | NDArray[Any]] | Frame


def read(source: Source) -> Table:
    """Return what a file holds, the role proposed for each column, and all problems with their remedies.

    Args:
        source: a path; the text or the bytes of a file; a mapping of names to arrays; or a data frame,
            whose index counts as a column unless it only numbers the rows. A text of one line is a path.

    Raises:
        BadInputError: the file cannot be opened.
        CsvError: there is no table in it, or it is larger than any.
    """
    if isinstance(source, bytes):
        return read_table(source)
    if isinstance(source, Path) or (isinstance(source, str) and _is_path(source)):
        return read_table(read_file(Path(source)))
    if isinstance(source, str):
        return read_table(source)
    if isinstance(source, Mapping):
        return table_from_columns(source)
    return table_from_columns(frame_columns(source))


def read_file(path: Path, *, most: int = MAX_FILE_BYTES) -> bytes:
    """Return the bytes of a file.

    Raises:
        BadInputError: it cannot be read, or has more than `most` bytes.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "that is no path"
        raise BadInputError(f"Cannot read {str(path)[:200]}: {reason}.") from error
    if len(content) > most:
        raise BadInputError(f"{path} is larger than {most // 2**20} MB. Keep every tenth row, say.")
    return content


def _is_path(text: str) -> bool:
    return len(text) <= _MAX_PATH and "\n" not in text and "\r" not in text


def frame_columns(frame: Frame) -> dict[str, Sequence[object] | NDArray[Any]]:
    """Return the columns of a data frame, its index among them unless it only numbers the rows."""
    columns = {str(name): np.asarray(frame[name]) for name in frame.columns}
    if isinstance(frame, Indexed):
        index = np.asarray(frame.index)
        if not (index.dtype.kind in "iu" and np.array_equal(index, np.arange(len(index)))):
            columns = {str(frame.index.name or "index"): index, **columns}
    return dict(columns)
