from pathlib import Path

import pytest

from physix.engine import RecordedEvent
from physix.errors import StorageError
from physix.store import EpisodeFilter, EpisodeOrder, Log, open_log
from physix.store import archive as archive_module
from physix.store.archive import archive_finished
from physix.store.contract_events import finished, labelled, started, turn


async def archived(log: Log, folder: Path) -> list[str]:
    return [row.episode_id async for row in archive_finished(log, folder)]


def pairs_in(folder: Path) -> int:
    return len(list(folder.glob("*.episodes.parquet")))


async def fill(log: Log, count: int) -> None:
    """Interleave episodes, as several callers do; leave one running."""
    names = [f"e{i:03}" for i in range(count)]
    for name in names:
        await log.append(name, (started(),), expected_version=0)
    for name in names[1:]:
        await log.append(name, turn(1, match=0.25), expected_version=1)
    for name in reversed(names[1:]):
        await log.append(name, (*turn(2), finished()), expected_version=4)


@pytest.mark.parametrize(("groups_in_a_file", "files"), [(1_000, 1), (1, 3)])
async def test_an_archive_reads_as_the_log_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups_in_a_file: int, files: int
) -> None:
    monkeypatch.setattr(archive_module, "_GROUPS", groups_in_a_file)
    async with open_log("memory://") as log:
        await fill(log, 150)
        await log.append("e007", (labelled(good="", note="Ω"),), expected_version=8)
        assert len(await archived(log, tmp_path)) == 149
        assert pairs_in(tmp_path) == files
        only_finished = EpisodeFilter(status="finished")
        expected = await log.list_episodes(only_finished, limit=20)
        events = [one for one in await everything(log) if one.episode_id != "e000"]
        async with open_log(f"archive:///{tmp_path}") as archive:
            page = await archive.list_episodes(EpisodeFilter(), limit=20)
            assert (page.items, page.total, page.next_cursor) == (expected.items, 149, expected.next_cursor)
            following = await archive.list_episodes(EpisodeFilter(), cursor=page.next_cursor, limit=20)
            assert (await log.list_episodes(only_finished, cursor=page.next_cursor, limit=20)) == following
            by_turns = EpisodeOrder(by="turns", descending=False)
            expected = await log.list_episodes(only_finished, order=by_turns, limit=20)
            assert await archive.list_episodes(EpisodeFilter(), order=by_turns, limit=20) == expected
            after = expected.next_cursor
            expected = await log.list_episodes(only_finished, order=by_turns, cursor=after, limit=20)
            found = await archive.list_episodes(EpisodeFilter(), order=by_turns, cursor=after, limit=20)
            assert found == expected
            assert await archive.read("e007") == await log.read("e007")
            assert await archive.read("e000") == ()
            assert await archive.list_turns(["e007"]) == await log.list_turns(["e007"])
            assert await everything(archive) == events
            tagged = EpisodeFilter(labels={"good": ""})
            assert await archive.list_episodes(tagged) == await log.list_episodes(tagged)


async def everything(log: Log) -> list[RecordedEvent]:
    found: list[RecordedEvent] = []
    while batch := await log.read_all(after_position=found[-1].position if found else 0, limit=100):
        found += batch
    return found


async def test_archiving_again_adds_what_is_new_and_only_that(tmp_path: Path) -> None:
    async with open_log("memory://") as log:
        await fill(log, 3)
        assert await archived(log, tmp_path) == ["e002", "e001"]
        assert await archived(log, tmp_path) == []
        await log.append("e000", (finished(),), expected_version=1)
        assert await archived(log, tmp_path) == ["e000"]
    async with open_log(f"archive:///{tmp_path}") as archive:
        assert (await archive.list_episodes(EpisodeFilter())).total == 3


async def test_an_archive_that_was_cut_off_shows_nothing_half(tmp_path: Path) -> None:
    async with open_log("memory://") as log:
        await fill(log, 3)
        run = archive_finished(log, tmp_path)
        await anext(run)
        await run.aclose()  # type: ignore[attr-defined]  # an async generator
        with pytest.raises(StorageError, match="no archive"):
            async with open_log(f"archive:///{tmp_path}"):
                pass
        assert len(await archived(log, tmp_path)) == 2


async def test_an_archive_takes_in_nothing(tmp_path: Path) -> None:
    async with open_log("memory://") as log:
        await fill(log, 2)
        await archived(log, tmp_path)
    async with open_log(f"archive:///{tmp_path}") as archive:
        with pytest.raises(StorageError, match="read-only"):
            await archive.append("new", (started(),), expected_version=0)
        follower = aiter(archive.subscribe())
        assert [(await anext(follower)).version for _ in range(8)] == list(range(1, 9))
