import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path

from physix.api.seats import Seats
from physix.store.sql.switchboard import open_switchboard


async def test_a_seat_is_free_again_when_its_socket_closes() -> None:
    seats = Seats(most=2, of_a_client=1)
    async with seats.taken("x") as first:
        assert first is None
        async with seats.taken("x") as second, seats.taken("y") as third, seats.taken("z") as fourth:
            assert second is not None
            assert "a client 1 sockets" in second
            assert third is None
            assert fourth is not None
            assert "2 OpenEnv sessions" in fourth
    async with seats.taken("x") as again:
        assert again is None


async def test_two_processes_count_together_and_alone_where_the_switchboard_fails(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    one, two = Seats(most=1, of_a_client=None), Seats(most=1, of_a_client=None)
    async with AsyncExitStack() as stack:
        for number, seats in enumerate((one, two)):
            seats.share(await stack.enter_async_context(open_switchboard(url, f"{number}", "server")))
        async with one.taken("x") as first, two.taken("y") as second:
            assert first is None
            assert second is not None
        async with two.taken("y") as again:
            assert again is None
        async with one.taken("x") as first:
            assert first is None
            with closing(sqlite3.connect(f"{tmp_path}/log.db-live")) as connection:
                connection.execute("DROP TABLE seats")
            async with two.taken("y") as alone, two.taken("y") as second:
                assert alone is None
                assert second is not None
