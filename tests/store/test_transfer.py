import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from physix.errors import BadInputError, ConflictError
from physix.store import EpisodeFilter, Log, open_log
from physix.store.contract_events import finished, labelled, started, turn
from physix.store.transfer import Imported, export_lines, import_file

NewUrl = Callable[[], str]


async def filled(log: Log) -> None:
    await log.append("a", (started(),), expected_version=0)
    await log.append("b", (started(), *turn(1)), expected_version=0)
    await log.append("a", turn(1, match=1 / 3), expected_version=1)
    await log.append("a", (*turn(2), finished("solved")), expected_version=4)
    await log.append("b", (labelled(good=""),), expected_version=4)
    await log.append("a", (labelled(good="", note="Ω"),), expected_version=8, command_id="c")


async def export(log: Log, path: Path) -> None:
    lines = [line async for line in export_lines(log)]
    await anyio.Path(path).write_bytes(b"".join(lines))


async def test_what_is_exported_can_be_imported_into_any_database(new_url: NewUrl, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    async with open_log("memory://") as log:
        await filled(log)
        await export(log, path)
        original = await log.read_all()
    async with open_log(new_url()) as log:
        assert await import_file(log, path) == Imported(events=14, known=0, episodes=2)
        copied = await log.read_all()
        kept = {(one.episode_id, one.version): (one.event, one.recorded_at) for one in copied}
        assert kept.keys() == {(one.episode_id, one.version) for one in original}
        assert all(kept[one.episode_id, one.version][0] == one.event for one in original)
        assert kept["a", 1][1] == original[0].recorded_at
        assert await import_file(log, path) == Imported(events=0, known=14, episodes=2)
        assert (await log.list_episodes(EpisodeFilter())).total == 2
        (row,) = (await log.list_episodes(EpisodeFilter(labels={"note": "Ω"}))).items
        assert row.labels == {"good": "", "note": "Ω"}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda lines: lines[:-1], "cut off"),
        (lambda lines: lines[:3] + lines[4:], "changed"),
        (lambda lines: [*lines[:2], lines[2].replace("test", "tost"), *lines[3:]], "changed"),
        (lambda lines: lines[1:], "no export"),
        (lambda _: [], "no export"),
        (lambda lines: [*lines[:2], "not json\n", *lines[3:]], "changed"),
        (lambda _: ["{}\n", "{}\n"], "no export"),
    ],
)
async def test_a_damaged_file_is_refused_before_anything_is_appended(
    tmp_path: Path, damage: Callable[[list[str]], list[str]], words: str
) -> None:
    path = tmp_path / "log.jsonl"
    async with open_log("memory://") as log:
        await filled(log)
        await export(log, path)
    file = anyio.Path(path)
    await file.write_text("".join(damage((await file.read_text()).splitlines(keepends=True))))
    async with open_log("memory://") as log:
        with pytest.raises(BadInputError, match=words):
            await import_file(log, path)
        assert await log.read_all() == ()


async def test_an_episode_with_another_history_is_a_conflict(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    async with open_log("memory://") as log:
        await filled(log)
        await export(log, path)
    async with open_log("memory://") as log:
        await log.append("a", (started(),), expected_version=0)
        await log.append("a", turn(1, match=0.9), expected_version=1)
        with pytest.raises(ConflictError, match="other events"):
            await import_file(log, path)


async def test_an_export_is_one_json_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    async with open_log("memory://") as log:
        await filled(log)
        await export(log, path)
    text = await anyio.Path(path).read_text()
    first, *events, last = map(json.loads, text.splitlines())
    assert first == {"format": "physix-log/1"}
    assert last["events"] == len(events) == 14
    assert {"episode_id", "version", "type", "schema_version", "payload", "blob", "recorded_at"} == set(
        events[0]
    )


async def with_commands(log: Log) -> None:
    for name in ("a", "b"):
        await log.append(name, (started(),), expected_version=0)
    for name in ("b", "a"):
        await log.append(name, turn(1), expected_version=1, command_id="c", command_digest="d")
    await log.append("a", (*turn(2), finished()), expected_version=4)


async def test_a_log_moves_whole_with_its_times_and_its_idempotency_keys(
    new_url: NewUrl, tmp_path: Path
) -> None:
    async with open_log("memory://") as source, open_log(new_url()) as target:
        await with_commands(source)
        path = tmp_path / "log.jsonl"
        await export(source, path)
        done = await import_file(target, path)
        assert (done.events, done.known, done.episodes) == (12, 0, 2)
        everything = await source.read_all()
        assert await target.read_all() == everything
        assert await target.list_episodes(EpisodeFilter()) == await source.list_episodes(EpisodeFilter())
        again = await target.append("a", turn(1), expected_version=1, command_id="c", command_digest="d")
        assert again == (await source.read("a"))[1:4]
        await export(target, tmp_path / "again.jsonl")
        assert (tmp_path / "again.jsonl").read_bytes() == path.read_bytes()


async def test_importing_twice_appends_once_and_what_is_new_is_added(tmp_path: Path) -> None:
    async with open_log("memory://") as source, open_log("memory://") as target:
        await with_commands(source)
        path = tmp_path / "log.jsonl"
        await export(source, path)
        await import_file(target, path)
        await source.append("b", (*turn(2), finished()), expected_version=4)
        await export(source, path)
        done = await import_file(target, path)
        assert (done.events, done.known) == (4, 12)
        assert await target.read_all() == await source.read_all()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("episode_id", 7, "line 3, is no event: episode_id: Input should be a valid string"),
        ("version", "1", "line 3, is no event: version: Input should be a valid integer"),
        ("version", True, "line 3, is no event: version"),
        ("recorded_at", 5, "line 3, is no event: recorded_at"),
        ("payload", {}, "line 3, is no event: payload"),
        ("blob", [], "line 3, is no event: blob"),
        ("command", {"id": 5, "digest": "d"}, "line 3, is no event: command.id"),
        ("type", None, "line 3, is no event: type"),
    ],
)
async def test_a_field_of_the_wrong_type_is_refused_with_its_line_before_anything_is_imported(
    tmp_path: Path, field: str, value: object, words: str
) -> None:
    path = tmp_path / "log.jsonl"
    async with open_log("memory://") as log:
        await filled(log)
        await export(log, path)
    file = anyio.Path(path)
    head, *lines, _ = (await file.read_text()).splitlines(keepends=True)
    lines[1] = json.dumps({**json.loads(lines[1]), field: value}) + "\n"
    body = "".join([head, *lines])
    trailer = {"events": len(lines), "sha256": hashlib.sha256(body.encode()).hexdigest()}
    await file.write_text(body + json.dumps(trailer) + "\n")
    async with open_log("memory://") as log:
        with pytest.raises(BadInputError, match=re.escape(words)):
            await import_file(log, path)
        assert await log.read_all() == ()
