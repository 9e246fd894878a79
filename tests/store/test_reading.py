"""Reading a log writes nothing."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest

from physix.errors import BadInputError, StorageError
from physix.store import EpisodeFilter, open_backend, open_log
from physix.store.contract_events import finished, started, turn
from physix.store.sql.log import SqlLog
from physix.store.sql.migrate import alembic_config

ROOT = Path(__file__).parents[2]
NewUrl = Callable[[], str]


async def write(url: str) -> None:
    async with open_log(url) as log:
        await log.append("e", (started(), *turn(1), finished()), expected_version=0)


async def test_a_log_that_is_read_takes_nothing_in(new_url: NewUrl) -> None:
    url = new_url()
    await write(url)
    async with open_log(url, read_only=True) as log:
        assert len(await log.read("e")) == 5
        with pytest.raises(StorageError, match="for reading only"):
            await log.append("f", (started(),), expected_version=0)


async def test_a_reader_sees_what_a_writer_appends_meanwhile(new_url: NewUrl) -> None:
    url = new_url()
    await write(url)
    async with open_log(url) as writer, open_log(url, read_only=True) as reader:
        (first,) = await writer.append("f", (started(),), expected_version=0)
        assert await reader.read("f") == (first,)
        follower = aiter(reader.subscribe(after_position=first.position))
        await writer.append("f", turn(1), expected_version=1)
        assert (await anext(follower)).version == 2


async def test_the_total_is_that_of_now_whoever_writes_and_after_a_list_was_damaged(new_url: NewUrl) -> None:
    url = new_url()
    await write(url)
    async with open_log(url) as log, open_log(url) as other:
        assert isinstance(log, SqlLog)
        for name, total in (("f", 2), ("g", 3)):
            assert (await log.list_episodes(EpisodeFilter(), limit=1)).total == total - 1
            await other.append(name, (started(),), expected_version=0)
            assert (await log.list_episodes(EpisodeFilter(), limit=1)).total == total
        with log.backend.writer.begin() as connection:
            connection.exec_driver_sql("DELETE FROM episodes WHERE episode_id = 'f'")
        assert await log.rebuild() == 3
        assert (await log.list_episodes(EpisodeFilter())).total == 3


async def test_what_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no log .*log\.db to read"):
        async with open_log(f"sqlite:///{tmp_path}/log.db", read_only=True):
            pass
    assert os.listdir(tmp_path) == []


async def test_an_older_schema_is_not_upgraded_by_reading_and_says_what_does_it(new_url: NewUrl) -> None:
    from alembic import command

    url = new_url()
    await write(url)
    backend = open_backend(url)
    with backend.writer.begin() as connection:
        command.downgrade(alembic_config(connection), "0003")
    backend.writer.dispose()
    backend.readers.dispose()
    for _ in range(2):
        with pytest.raises(StorageError, match=r"schema 0003.*physix log rebuild"):
            async with open_log(url, read_only=True):
                pass
    async with open_log(url):
        pass
    async with open_log(url, read_only=True) as log:
        assert (await log.list_episodes(EpisodeFilter())).total == 1


_UNPRIVILEGED = """
import anyio, os, sys
from physix.store import open_log
async def main():
    async with open_log("memory://"):
        pass
    async with open_log("sqlite:///" + sys.argv[1] + "/scratch.db"):
        pass  # everything is imported now
    if os.geteuid() == 0:
        os.setuid(65534)  # root may write anything
    async with open_log("sqlite:///" + sys.argv[1] + "/log.db", read_only=True) as log:
        print(len(await log.read("e")))
anyio.run(main)
"""


def test_a_log_in_a_folder_where_nothing_may_be_written_is_read() -> None:
    """A log in WAL mode wants files beside it, which a read-only file system cannot have."""
    with TemporaryDirectory(prefix="physix-") as folder:
        anyio.run(write, f"sqlite:///{folder}/log.db")
        (Path(folder) / "log.db").chmod(0o444)
        Path(folder).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", _UNPRIVILEGED, folder],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr
