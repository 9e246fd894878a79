"""What the processes of one log tell each other, on both kinds of database."""

from collections.abc import Callable

import pytest

from physix.errors import BadInputError
from physix.store import open_log
from physix.store.sql import switchboard
from physix.store.sql.switchboard import Kind, Refused, Switchboard, open_switchboard

NewUrl = Callable[[], str]


async def test_a_log_in_memory_cannot_be_shared() -> None:
    with pytest.raises(BadInputError, match="memory"):
        async with open_switchboard("memory://", "me"):
            pass


async def test_what_was_spent_is_counted_anew_in_the_next_window(new_url: NewUrl) -> None:
    url = new_url()
    limits: dict[Kind, int] = {"sessions": 1, "turns": 3}
    async with open_log(url), open_switchboard(url, "me") as mine, open_switchboard(url, "you") as yours:

        async def spend(at: Switchboard, *, window_s: float = 60.0, **wanted: int) -> Refused | None:
            return await at.spend(
                "c", {kind: wanted.get(kind, 0) for kind in limits}, limits, window_s=window_s
            )

        assert await spend(mine, turns=2) is None
        refused = await spend(yours, sessions=1, turns=2)
        assert refused is not None
        assert (refused.kind, 50.0 < refused.wait_s <= 60.0) == ("turns", True)
        # The session that came with too many turns was not counted.
        assert await spend(yours, sessions=1, turns=1) is None
        assert await yours.spend("d", {"turns": 4}, limits, window_s=60.0) is not None
        # In a window without length everything is anew.
        assert await spend(mine, turns=3, window_s=0.0) is None


async def test_of_two_claims_one_wins_and_only_its_owner_lets_go(new_url: NewUrl) -> None:
    url = new_url()
    async with open_log(url), open_switchboard(url, "me") as mine, open_switchboard(url, "you") as yours:
        assert await mine.claim("e", "search", temperature=0.5, to_end=True)
        assert not await yours.claim("e", "search", temperature=None, to_end=True)
        await yours.release("e")
        (drive,) = await yours.drives()
        assert (drive.owner, drive.temperature, drive.to_end, drive.alive) == ("me", 0.5, True, True)
        await mine.release("e")
        assert await yours.drives() == ()
        assert await yours.claim("e", "search", temperature=None, to_end=True)


async def test_the_processes_of_a_server_share_its_seats(new_url: NewUrl) -> None:
    url = new_url()
    async with (
        open_switchboard(url, "one", "a") as one,
        open_switchboard(url, "two", "a") as two,
        open_switchboard(url, "three", "b") as elsewhere,
    ):
        assert await one.sit("x", most=3, of_a_client=2) is None
        assert await two.sit("x", most=3, of_a_client=2) is None
        assert await one.sit("x", most=3, of_a_client=2) == "client"
        assert await two.sit("y", most=3, of_a_client=2) is None
        assert await one.sit("z", most=3, of_a_client=None) == "server"
        assert await elsewhere.sit("z", most=3, of_a_client=None) is None
        await one.stand("y")  # holds none in this process: nothing is given back
        assert await one.sit("z", most=3, of_a_client=None) == "server"
        await two.stand("y")
        assert await one.sit("z", most=3, of_a_client=None) is None


async def test_seats_of_a_process_that_died_are_free_again(
    new_url: NewUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_url()
    async with open_switchboard(url, "one", "a") as one, open_switchboard(url, "two", "a") as two:
        assert await one.sit("x", most=1, of_a_client=None) is None
        assert await two.sit("x", most=1, of_a_client=None) == "server"
        monkeypatch.setattr(switchboard, "ABANDONED_S", -1.0)  # no sign of life is recent enough
        assert await two.sit("x", most=1, of_a_client=None) is None
