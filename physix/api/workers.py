"""`physix serve --workers N`: processes on one port and one log, kept alive by uvicorn's own supervisor.

SIGHUP replaces them one by one, the new one in service before the old one goes; SIGTERM stops all. Every
process reads its settings from the environment, which is how they come to share one operator's token.
"""

from __future__ import annotations

import os
import platform
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

import anyio
import uvicorn
from pydantic import SecretStr
from uvicorn.supervisors import Multiprocess

from physix.api.metrics import FOLDER
from physix.errors import BadInputError
from physix.settings import Settings
from physix.store import open_log
from physix.store.sql.switchboard import open_switchboard, switchboard_file

_START_S = 120  # for a process to come up, also on a machine that is busy with other things


def run_workers(settings: Settings, config: uvicorn.Config) -> None:
    """Serve with `settings.workers` processes until told to stop.

    Raises:
        BadInputError: the log cannot be shared.
        StorageError: it cannot be used.
    """
    anyio.run(_prepare, settings)
    with _shared(settings):
        socket = config.bind_socket()
        config.timeout_worker_healthcheck = _START_S
        try:
            Multiprocess(config, sockets=[socket]).run()
        finally:
            socket.close()


async def _prepare(settings: Settings) -> None:
    """Bring the schema up to date once, and refuse here what every process would refuse."""
    if settings.db == "memory://":
        raise BadInputError("Several processes cannot share memory://; name a file or a database with --db.")
    async with open_log(settings.db):
        pass
    file = switchboard_file(settings.db)
    if file is not None:
        # Nothing of an earlier server's is true any more; the log is the record.
        for one in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
            one.unlink(missing_ok=True)
    async with open_switchboard(settings.db, "supervisor"):
        pass


@contextmanager
def _shared(settings: Settings) -> Iterator[None]:
    """Put the settings where the processes find them, and make the folder where they count."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="physix-metrics-") as folder:
        os.environ.update(_as_environment(settings), **{FOLDER: folder})
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def server_name() -> str | None:
    """Return the name that the processes of this server share; None if this is its only one."""
    folder = os.environ.get(FOLDER)
    return None if folder is None else f"{platform.node()}:{folder}"


def _as_environment(settings: Settings) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in settings:
        if value is None:
            continue
        match value:
            case SecretStr():
                text = value.get_secret_value()
            case tuple():
                text = ",".join(value)
            case _:
                text = str(value)
        found[f"PHYSIX_{name.upper()}"] = text
    return found


def follow_supervisor() -> None:
    """End this process, as a stop would, when its supervisor is gone: nobody would replace or stop it."""
    supervisor = parent_process()
    if supervisor is None:
        return

    def follow() -> None:
        wait([supervisor.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="physix-supervisor", daemon=True).start()
