"""What the log does when the world around it breaks."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import psycopg
import pytest
from alembic import command

from bench.faults import kill_rounds
from physix.engine import RecordedEvent
from physix.engine.events import PolicyFailed
from physix.errors import ConflictError, StorageError
from physix.store import EpisodeFilter, Log, open_backend, open_log
from physix.store.contract_events import finished, started, turn
from physix.store.sql.migrate import alembic_config
from tests.store.postgres_server import PostgresServer, postgres_server

ROOT = Path(__file__).parents[2]
NewUrl = Callable[[], str]


def script(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, in the repository."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_a_server_killed_under_load_loses_doubles_and_halves_nothing(new_url: NewUrl) -> None:
    found = await kill_rounds(new_url(), rounds=2)
    assert sum(found.acknowledged.values()) > 10


async def test_a_crash_of_postgresql_under_load_loses_nothing() -> None:
    """The server is killed without a checkpoint; callers retry with the same command id until it is back."""
    with postgres_server() as server:
        async with open_log(server.new_database()) as log:
            for name in "abcd":
                await log.append(name, (started(),), expected_version=0)
            confirmed = anyio.Event()

            async def play(name: str) -> None:
                for number in range(1, 21):
                    await until_stored(log, name, number)
                    if number == 5:
                        confirmed.set()

            async with anyio.create_task_group() as tasks:
                for name in "abcd":
                    tasks.start_soon(play, name)
                await confirmed.wait()
                await anyio.to_thread.run_sync(server.stop, "immediate")
                await anyio.to_thread.run_sync(server.start)
            for name in "abcd":
                assert [one.version for one in await log.read(name)] == list(range(1, 62))


async def until_stored(log: Log, name: str, number: int) -> None:
    with anyio.fail_after(240):
        while True:
            try:
                await log.append(
                    name,
                    turn(number),
                    expected_version=3 * number - 2,
                    command_id=str(number),
                    command_digest="d",
                )
                return
            except StorageError:
                await anyio.sleep(0.01)


_FIGHTER = """
import anyio, sys
from physix.errors import ConflictError
from physix.store import open_log
from physix.store.contract_events import turn
async def main():
    won = 0
    async with open_log(sys.argv[1]) as log:
        for number in range(1, 41):
            try:
                await log.append("e", turn(number), expected_version=3 * number - 2)
                won += 1
            except ConflictError:
                pass
    print(won)
anyio.run(main)
"""


async def test_of_two_processes_on_one_episode_each_turn_has_one_winner(new_url: NewUrl) -> None:
    url = new_url()
    async with open_log(url) as log:
        await log.append("e", (started(),), expected_version=0)
        fighters = [
            subprocess.Popen(
                [sys.executable, "-c", _FIGHTER, url], stdout=subprocess.PIPE, text=True, cwd=ROOT
            )
            for _ in range(2)
        ]
        won = [int(fighter.communicate()[0]) for fighter in fighters]
        stream = await log.read("e")
    assert sum(won) == (len(stream) - 1) // 3
    assert [one.version for one in stream] == list(range(1, len(stream) + 1))


async def test_a_writer_that_another_process_overtook_says_so_and_goes_on(new_url: NewUrl) -> None:
    """One writer remembers how far its episodes are; the other has taken them further."""
    url = new_url()
    async with open_log(url) as one, open_log(url) as two:
        for name in ("a", "b"):
            await one.append(name, (started(),), expected_version=0)
        await two.append("a", turn(1), expected_version=1)
        with pytest.raises(ConflictError, match="at version 4, not 1"):
            await one.append("a", turn(1, match=0.9), expected_version=1)
        await two.append("b", (finished("abandoned"),), expected_version=1)
        late: list[str] = []

        async def append(name: str, version: int) -> None:
            try:
                await one.append(name, turn(version // 3 + 1), expected_version=version)
            except ConflictError as error:
                late.append(str(error))

        async with anyio.create_task_group() as together:  # one transaction, of which one append is refused
            together.start_soon(append, "b", 1)
            together.start_soon(append, "a", 4)
        assert len(late) == 1
        assert "b" in late[0]
        assert [len(await two.read(name)) for name in ("a", "b")] == [7, 2]
        rows = {row.episode_id: row for row in (await two.list_episodes(EpisodeFilter())).items}
        assert (rows["a"].turns, rows["b"].status) == (2, "finished")


async def test_two_servers_may_start_together_on_an_empty_database(new_url: NewUrl) -> None:
    url = new_url()
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", _FIGHTER.replace("range(1, 41)", "()"), url],
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        for _ in range(3)
    ]
    assert [opener.communicate()[1] for opener in openers] == [b""] * 3
    assert [opener.returncode for opener in openers] == [0] * 3


_FULL = """
import anyio, resource, signal, sys
from physix.errors import StorageError
from physix.store import open_log
from physix.store.contract_events import started, turn
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
async def main():
    async with open_log("sqlite:///" + sys.argv[1]) as log:
        await log.append("e", (started(),), expected_version=0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
        number, refused = 1, None
        while refused is None:
            try:
                await log.append("e", turn(number), expected_version=3 * number - 2)
                number += 1
            except StorageError as error:
                refused = error
        assert len(await log.read("e")) == 3 * number - 2, "an append that failed left something"
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await log.append("e", turn(number), expected_version=3 * number - 2)
        print(number, refused)
anyio.run(main)
"""


async def test_a_full_disk_refuses_appends_and_recovers_when_there_is_space_again(tmp_path: Path) -> None:
    done = script(_FULL, str(tmp_path / "log.db"))
    assert done.returncode == 0, done.stderr
    number = int(done.stdout.split()[0])
    assert "cannot be used" in done.stdout
    async with open_log(f"sqlite:///{tmp_path}/log.db") as log:
        assert len(await log.read("e")) == 3 * number + 1


_UNPRIVILEGED = """
import anyio, os, sys
from physix.store import open_log
async def main():
    async with open_log("sqlite:///" + sys.argv[1] + "/scratch.db"):
        pass  # everything is imported now
    if os.geteuid() == 0:
        os.setuid(65534)  # root may write anything
    async with open_log("sqlite:///" + sys.argv[1] + "/log.db"):
        pass
anyio.run(main)
"""


def test_a_file_that_may_not_be_written_is_refused_by_name() -> None:
    with TemporaryDirectory(prefix="physix-") as folder:
        path = Path(folder) / "log.db"
        anyio.run(create, f"sqlite:///{path}")
        path.chmod(0o444)
        Path(folder).chmod(0o755)
        done = script(_UNPRIVILEGED, folder)
    assert done.returncode == 1
    assert "StorageError" in done.stderr
    assert "log.db cannot be used" in done.stderr


async def create(url: str) -> None:
    async with open_log(url):
        pass


async def test_a_damaged_page_is_a_clear_error_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    async with open_log(f"sqlite:///{path}") as log:
        for i in range(20):
            await log.append(f"e{i}", (started(), *turn(1)), expected_version=0)
    content = bytearray(path.read_bytes())
    content[4096 * 8 : -4096] = b"\xa5" * (len(content) - 4096 * 9)
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"log\.db"):
        await use_everything(f"sqlite:///{path}")
    assert path.read_bytes() == bytes(content)


async def use_everything(url: str) -> None:
    async with open_log(url) as log:
        for i in range(20):
            await log.read(f"e{i}")
        await log.append("e20", (started(), *turn(1)), expected_version=0)


async def test_a_clock_set_back_disturbs_no_order(new_url: NewUrl) -> None:
    """Events from the year 2999 are in the log already, as if the clock had been wrong until now."""
    url = new_url()
    async with open_log(url) as log:
        await log.append("e", (started(),), expected_version=0)
        failed = PolicyFailed(turn=1, policy="p", reason="r", attempt=1, attempts_allowed=3)
        future = datetime(2999, 1, 1, tzinfo=UTC)
        await log.append("e", (failed,), expected_version=1, recorded_at=future)
        await log.append("e", (*turn(1), finished()), expected_version=2)
        await log.append("f", (started(),), expected_version=0)
        everything = await log.read_all()
        follower = aiter(log.subscribe())
        assert [await anext(follower) for _ in everything] == list(everything)
        assert everything[1].recorded_at.year == 2999
        assert [one.version for one in await log.read("e")] == [1, 2, 3, 4, 5, 6]
        rows = (await log.list_episodes(EpisodeFilter())).items
        assert [row.episode_id for row in rows] == ["f", "e"]
        assert (rows[1].updated_at.year, rows[1].status) != (2999, "running")


def test_a_reader_of_positions_without_the_lock_skips_events(postgres: PostgresServer) -> None:
    """The negative control: what the append lock is for."""
    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as setup:
        setup.execute("CREATE TABLE naive (position bigserial PRIMARY KEY, what text)")
    with (
        psycopg.connect(url) as slow,
        psycopg.connect(url) as quick,
        psycopg.connect(url, autocommit=True) as reader,
    ):
        slow.execute("INSERT INTO naive (what) VALUES ('slow')")
        quick.execute("INSERT INTO naive (what) VALUES ('quick')")
        quick.commit()
        seen = reader.execute("SELECT position, what FROM naive WHERE position > 0").fetchall()
        slow.commit()
        seen += reader.execute(
            "SELECT position, what FROM naive WHERE position > %s", [seen[-1][0]]
        ).fetchall()
    assert [what for _, what in seen] == ["quick"]


async def test_a_follower_of_many_writing_servers_skips_nothing(new_url: NewUrl) -> None:
    """The same as the negative control, under load and with the lock."""
    url = new_url()
    seen: list[RecordedEvent] = []
    async with open_log(url) as reader, open_log(url) as a, open_log(url) as b, open_log(url) as c:

        async def follow() -> None:
            async for recorded in reader.subscribe():
                seen.append(recorded)
                if len(seen) == 12 * 31:
                    return

        async def write(log: Log, name: str) -> None:
            await log.append(name, (started(),), expected_version=0)
            for number in range(1, 11):
                await log.append(name, turn(number), expected_version=3 * number - 2)

        with anyio.fail_after(240):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow)
                for i in range(4):
                    for log in (a, b, c):
                        tasks.start_soon(write, log, f"{i}{id(log)}")
        assert [one.position for one in seen] == list(range(1, 12 * 31 + 1))
        assert seen == list(await reader.read_all())


_MIGRATED = """
import anyio, sys
from physix.store import open_log
async def main():
    print("begun", flush=True)
    async with open_log("sqlite:///" + sys.argv[1]):
        print("done", flush=True)
anyio.run(main)
"""


async def an_old_log(path: Path) -> list[RecordedEvent]:
    """Leave a log as revision 0002 wrote it; return its events."""
    url = f"sqlite:///{path}"
    async with open_log(url) as log:
        for i in range(40):
            await log.append(f"e{i}", (started(), *turn(1)), expected_version=0)
            await log.append(f"e{i}", (*turn(2), finished()), expected_version=4)
        written = list(await log.read_all())
    backend = open_backend(url)
    with backend.writer.begin() as connection:
        command.downgrade(alembic_config(connection), "0002")
    backend.writer.dispose()
    return written


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("delay", [0.0, 0.2, 0.3, 0.4, 0.6])
async def test_a_migration_that_is_killed_is_done_by_the_next_start(
    tmp_path: Path, delay: float, filled: bool
) -> None:
    path = tmp_path / "log.db"
    written = await an_old_log(path) if filled else []
    migrating = subprocess.Popen(
        [sys.executable, "-c", _MIGRATED, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert migrating.stdout is not None
    assert migrating.stdout.readline() == "begun\n"
    try:
        migrating.wait(delay)
    except subprocess.TimeoutExpired:
        migrating.kill()
    migrating.wait()
    migrating.stdout.close()
    async with open_log(f"sqlite:///{path}") as log:
        assert list(await log.read_all()) == written
        assert (await log.list_episodes(EpisodeFilter(outcome="abandoned"))).total == len(written) // 8
        await log.append("e", (started(),), expected_version=0)
        with pytest.raises(ConflictError):
            await log.append("e", (started(),), expected_version=0)
