from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import orjson
import pytest

from physix.errors import BadInputError, ConflictError
from physix.store import EpisodeFilter, Log, open_log
from physix.store.transfer import export_lines, import_file
from tests.store.builders import finished, started, turn

NewUrl = Callable[[], str]


async def fill(log: Log) -> None:
    for name in ("a", "b"):
        await log.append(name, (started(),), expected_version=0)
    for name in ("b", "a"):
        await log.append(name, turn(1), expected_version=1, command_id="c", command_digest="d")
    await log.append("a", (*turn(2), finished()), expected_version=4)


async def export(log: Log, path: Path) -> Path:
    await anyio.Path(path).write_bytes(b"".join([line async for line in export_lines(log)]))
    return path


@pytest.mark.anyio
async def test_a_log_moves_whole_with_its_times_and_its_idempotency_keys(
    new_url: NewUrl, tmp_path: Path
) -> None:
    async with open_log("memory://") as source, open_log(new_url()) as target:
        await fill(source)
        path = await export(source, tmp_path / "log.jsonl")
        done = await import_file(target, path)
        assert (done.events, done.known, done.episodes) == (12, 0, 2)
        everything = await source.read_all()
        assert await target.read_all() == everything
        assert await target.list_episodes(EpisodeFilter()) == await source.list_episodes(EpisodeFilter())
        again = await target.append("a", turn(1), expected_version=1, command_id="c", command_digest="d")
        assert again == (await source.read("a"))[1:4]
        assert (await export(target, tmp_path / "again.jsonl")).read_bytes() == path.read_bytes()


@pytest.mark.anyio
async def test_importing_twice_appends_once_and_what_is_new_is_added(tmp_path: Path) -> None:
    async with open_log("memory://") as source, open_log("memory://") as target:
        await fill(source)
        path = await export(source, tmp_path / "log.jsonl")
        await import_file(target, path)
        await source.append("b", (*turn(2), finished()), expected_version=4)
        done = await import_file(target, await export(source, path))
        assert (done.events, done.known) == (4, 12)
        assert await target.read_all() == await source.read_all()


@pytest.mark.anyio
async def test_a_log_that_holds_other_events_is_not_overwritten(tmp_path: Path) -> None:
    async with open_log("memory://") as source, open_log("memory://") as target:
        await fill(source)
        await target.append("a", (replace(started(), policy="other"),), expected_version=0)
        with pytest.raises(ConflictError, match="Episode a is in the log already"):
            await import_file(target, await export(source, tmp_path / "log.jsonl"))
        assert len(await target.read_all()) == 1


def change(content: bytes) -> bytes:
    return content.replace(b"d2y/dt2 = -9.5", b"d2y/dt2 = -9.6", 1)


def drop_line(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(lines[:3] + lines[4:])


def swap_lines(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join([lines[0], lines[2], lines[1], *lines[3:]])


def cut_off(content: bytes) -> bytes:
    return content[: len(content) // 2]


def no_export(_content: bytes) -> bytes:
    return orjson.dumps({"some": "thing"}) + b"\n\n"


@pytest.mark.anyio
@pytest.mark.parametrize("tamper", [change, drop_line, swap_lines, cut_off, no_export])
async def test_a_file_that_was_tampered_with_is_refused_whole(
    tmp_path: Path, tamper: Callable[[bytes], bytes]
) -> None:
    async with open_log("memory://") as source, open_log("memory://") as target:
        await fill(source)
        path = await export(source, tmp_path / "log.jsonl")
        path.write_bytes(tamper(path.read_bytes()))
        with pytest.raises(BadInputError, match=r"log\.jsonl"):
            await import_file(target, path)
        assert await target.read_all() == ()
