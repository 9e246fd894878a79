"""What is appended to a log, and read and followed in it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import anyio
import pytest

from physix.engine.events import EpisodeFinished, Event, ForkPoint, RecordedEvent
from physix.errors import BadInputError, ConflictError, StorageError
from physix.store import EpisodeFilter, Log
from physix.store.contract_events import finished, started, turn

OpenLog = Callable[[], AbstractAsyncContextManager[Log]]


@pytest.mark.asyncio
class StreamContract:
    """A log keeps whole turns in order, one writer wins, and a repeated command gets its first answer."""

    async def test_what_is_appended_is_read_back(self, open_one: OpenLog) -> None:
        async with open_one() as log:
            first = await log.append("e", (started(),), expected_version=0)
            second = await log.append("e", turn(1), expected_version=1)
            assert await log.read("e") == (*first, *second)
            assert await log.read("e", after_version=3) == second[2:]
            assert [one.version for one in await log.read("e")] == [1, 2, 3, 4]

    async def test_positions_order_the_whole_log(self, open_one: OpenLog) -> None:
        async with open_one() as log:
            for name in ("a", "b"):
                await log.append(name, (started(),), expected_version=0)
            await log.append("a", turn(1), expected_version=1)
            everything = await log.read_all()
            positions = [one.position for one in everything]
            assert positions == sorted(set(positions))
            assert len(everything) == 5
            assert [one.episode_id for one in await log.read_all(episode_ids=["b"])] == ["b"]
            assert await log.read_all(after_position=positions[1], limit=2) == everything[2:4]

    async def test_a_stale_version_is_a_conflict_that_names_the_current(self, open_one: OpenLog) -> None:
        async with open_one() as log:
            await log.append("e", (started(),), expected_version=0)
            with pytest.raises(ConflictError, match="version 1"):
                await log.append("e", turn(1), expected_version=0)
            assert len(await log.read("e")) == 1

    @pytest.mark.parametrize(
        "events",
        [
            (),
            turn(1)[:1],
            turn(1)[:2],
            turn(1)[1:],
            turn(2),
            (started(),),
            (*turn(1), *turn(2)),
            (finished(), *turn(1)),
        ],
    )
    async def test_half_a_turn_or_a_wrong_one_is_refused(
        self, open_one: OpenLog, events: tuple[Event, ...]
    ) -> None:
        async with open_one() as log:
            await log.append("e", (started(),), expected_version=0)
            with pytest.raises(ConflictError):
                await log.append("e", events, expected_version=1)
            assert len(await log.read("e")) == 1

    async def test_nothing_follows_the_end(self, open_one: OpenLog) -> None:
        async with open_one() as log:
            await log.append("e", (started(),), expected_version=0)
            await log.append("e", (*turn(1), finished()), expected_version=1)
            with pytest.raises(ConflictError, match="finished"):
                await log.append("e", turn(2), expected_version=5)

    async def test_a_repeated_command_gets_the_first_answer(self, open_one: OpenLog) -> None:
        async with open_one() as log:
            await log.append("e", (started(),), expected_version=0)
            first = await log.append("e", turn(1), expected_version=1, command_id="c", command_digest="d")
            again = await log.append("e", turn(1), expected_version=1, command_id="c", command_digest="d")
            assert again == first
            assert await log.find_command("e", "c", "d") == first
            repeated = turn(1)
            own = await log.append("e", repeated, expected_version=1, command_id="c", command_digest="d")
            assert not any(one.event is event for one, event in zip(own, repeated, strict=True))
            new = turn(2)
            own = await log.append("e", new, expected_version=4, command_id="c2", command_digest="d")
            assert all(one.event is event for one, event in zip(own, new, strict=True))
            assert await log.find_command("e", "other", "d") is None
            with pytest.raises(ConflictError, match="another request"):
                await log.append("e", turn(3), expected_version=7, command_id="c", command_digest="x")

    async def test_nan_never_enters(self, open_one: OpenLog) -> None:
        async with open_one() as log:
            await log.append("e", (started(),), expected_version=0)
            with pytest.raises(StorageError, match="finite"):
                await log.append("e", turn(1, match=float("nan")), expected_version=1)
            assert len(await log.read("e")) == 1

    async def test_of_many_writers_at_one_version_one_wins(self, open_one: OpenLog) -> None:
        async with open_one() as log:
            await log.append("e", (started(),), expected_version=0)
            lost = []

            async def write() -> None:
                try:
                    await log.append("e", turn(1), expected_version=1)
                except ConflictError as error:
                    lost.append(error)

            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(write)
            assert len(lost) == 19
            assert len(await log.read("e")) == 4

    async def test_a_command_sent_many_times_at_once_is_carried_out_once(self, open_one: OpenLog) -> None:
        answers: list[tuple[RecordedEvent, ...]] = []
        refused: list[ConflictError] = []
        async with open_one() as log:
            await log.append("e", (started(),), expected_version=0)

            async def send(digest: str) -> None:
                try:
                    answers.append(
                        await log.append(
                            "e", turn(1), expected_version=1, command_id="c", command_digest=digest
                        )
                    )
                except ConflictError as error:
                    refused.append(error)

            async with anyio.create_task_group() as tasks:
                for digest in ("d", "d", "other", "d", "other"):
                    tasks.start_soon(send, digest)
            first = (await log.read("e"))[1:]
            # Whichever came first, the others of its digest got its answer.
            assert (len(answers), len(refused)) in ((3, 2), (2, 3))
            assert answers == [first] * len(answers)
            assert all("another request" in str(error) for error in refused)
            await log.append("e", (finished(),), expected_version=4)
            (row,) = await log.list_commands(["e"])
            assert (row.command_id, row.first_version, row.last_version) == ("c", 2, 4)
            assert await log.find_command("e", "c", row.digest) == first
            assert (
                await log.append("e", turn(1), expected_version=1, command_id="c", command_digest=row.digest)
                == first
            )

    async def test_a_fork_starts_with_all_its_turns_or_not_at_all(self, open_one: OpenLog) -> None:
        fork = replace(started(), forked_from=ForkPoint(episode_id="e", turn=3))
        turns = [turn(number, match=number / 10) for number in (1, 2, 3)]
        async with open_one() as log:
            for half in ((fork, *turns[0]), (fork, *turns[0], *turns[1]), (fork, *turns[0], *turns[2])):
                with pytest.raises(ConflictError, match="cannot take on"):
                    await log.append("f", half, expected_version=0)
            whole = (fork, *turns[0], *turns[1], *turns[2])
            recorded = await log.append("f", whole, expected_version=0)
            assert await log.read("f") == recorded
            (row,) = (await log.list_episodes(EpisodeFilter())).items
            assert (row.turns, row.matches) == (3, (0.1, 0.2, 0.3))
            await log.append("f", turn(4), expected_version=10)
            plain = (started(), *turns[0], *turns[1])
            with pytest.raises(ConflictError, match="cannot take on"):
                await log.append("g", plain, expected_version=0)

    async def test_text_that_a_database_has_not_is_kept_and_an_odd_id_is_refused(
        self, open_one: OpenLog
    ) -> None:
        odd = replace(turn(1)[0], equation="d2y/dt2 = \0 \\u0000 \u2028 \U0001f600")
        async with open_one() as log:
            await log.append("e", (started(), odd, *turn(1)[1:]), expected_version=0)
            assert (await log.read("e"))[1].event == odd
            for name in ("", "x" * 65, "a\0b"):
                with pytest.raises(BadInputError, match="id"):
                    await log.append(name, (started(),), expected_version=0)
            with pytest.raises(BadInputError, match="command"):
                await log.append("e", turn(2), expected_version=4, command_id="c" * 129)
            await log.append("e", turn(2), expected_version=4)
            assert await log.read("a\0b") == ()
            assert (await log.list_episodes(EpisodeFilter(text="\0", policy="\0"))).total == 0

    async def test_a_follower_sees_past_and_live_without_gap_or_repeat(self, open_one: OpenLog) -> None:
        async with open_one() as log:
            await log.append("e", (started(),), expected_version=0)
            seen: list[RecordedEvent] = []

            async def follow() -> None:
                async for recorded in log.subscribe():
                    seen.append(recorded)
                    if isinstance(recorded.event, EpisodeFinished):
                        return

            with anyio.fail_after(120):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(follow)
                    for number in range(1, 9):
                        await log.append("e", turn(number), expected_version=3 * number - 2)
                    await log.append("e", (finished(),), expected_version=25)
            assert seen == list(await log.read_all())
