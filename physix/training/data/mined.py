"""Reading a dataset back: nothing is learnt from rows that are not the ones their manifest describes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from physix.errors import BadInputError
from physix.policies.local.models import sha256_of

PARQUET, MANIFEST, CARD = "train.parquet", "manifest.json", "README.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mined:
    """What a dataset's manifest says of its rows.

    Attributes:
        sha256: of the rows; parquet_sha256 of the file that holds them.
        renderer: in which words they are.
    """

    rows: int
    sha256: str
    parquet_sha256: str
    renderer: str


_MINED: TypeAdapter[Mined] = TypeAdapter(Mined)


def read_mined(folder: Path) -> Mined:
    """Return what the dataset in a folder is, with its Parquet file checked against it.

    Raises:
        BadInputError: there is no dataset, its files do not belong together, or it has no rows.
    """
    again = "Write it again with `physix dataset`."
    if not (folder / MANIFEST).is_file() or not (folder / PARQUET).is_file():
        raise BadInputError(f"{folder} holds no mined dataset: write one with `physix dataset sft`.")
    try:
        mined = _MINED.validate_json((folder / MANIFEST).read_bytes())
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "the whole"
        raise BadInputError(
            f"{folder / MANIFEST} does not describe a dataset ({where}: {error.errors()[0]['msg'][:100]}). "
            + again
        ) from error
    found = sha256_of(folder / PARQUET)
    if found != mined.parquet_sha256:
        raise BadInputError(
            f"{folder / PARQUET} is not the file that its manifest describes (SHA-256 {found[:12]}..., "
            f"not {mined.parquet_sha256[:12]}...): it was cut short or replaced. {again}"
        )
    if mined.rows < 1:
        raise BadInputError(f"The dataset in {folder} has no rows. {again}")
    return mined
