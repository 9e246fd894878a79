"""A real PostgreSQL for the tests: Debian's binaries, a temporary directory, a Unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ADMIN = "postgres"


class PostgresServer:
    """A running server and the ways to hurt it."""

    def __init__(self, binaries: Path, folder: Path, user: str | None) -> None:
        self._binaries = binaries
        self._folder = folder
        self._user = user
        self._databases = 0

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs as the server's user; raise with its output if it fails."""
        done = subprocess.run(
            [str(self._binaries / program), *arguments],
            user=self._user,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C.UTF-8", "PGHOST": str(self._folder), "PGUSER": _ADMIN},
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}")

    def create(self) -> None:
        self.run("initdb", "-D", "data", "-U", _ADMIN, "--auth=trust", "--encoding=UTF8")

    def start(self) -> None:
        options = f"-k {self._folder} -c listen_addresses='' -c max_connections=200"
        self.run("pg_ctl", "-D", "data", "-w", "-t", "60", "-l", "server.log", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop: `immediate` is a crash, the next start recovers from the write-ahead log."""
        self.run("pg_ctl", "-D", "data", "-w", "-t", "60", "-m", mode, "stop")

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        self._databases += 1
        name = f"log{self._databases}"
        self.run("createdb", name)
        return f"postgresql://{_ADMIN}@/{name}?host={self._folder}"


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server in a temporary directory and remove both afterwards.

    PostgreSQL refuses to run as root; Debian's package brings the user `postgres` for that.
    """
    folder = Path(tempfile.mkdtemp(prefix="physix-postgres-"))
    user = _ADMIN if os.geteuid() == 0 else None
    if user is not None:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    server = PostgresServer(_binaries(), folder, user)
    try:
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise RuntimeError("The tests need PostgreSQL's server programs: tools/ensure-packages postgres")
    return Path(on_path).parent
