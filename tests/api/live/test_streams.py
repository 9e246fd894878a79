"""The streams as a client sees them: farewell, stalled readers, reconnects."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
from starlette.types import Message

from physix.api.access import Access
from physix.api.live.broadcast import Live
from physix.api.live.streams import EventStream, comparison_stream, log_stream
from physix.engine import EpisodeFinished
from physix.store import Log, open_log
from physix.store.contract_events import finished, started, turn
from tests.api.test_server import free_port, server

SCOPE: dict[str, Any] = {"type": "http", "method": "GET"}


async def never_leaves() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


async def test_a_client_that_stopped_reading_is_dropped() -> None:
    closed = anyio.Event()

    async def frames() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: x\r\n\r\n"
        finally:
            closed.set()

    async def stalls(message: Message) -> None:
        if message["type"] == "http.response.body":
            await anyio.sleep_forever()

    with anyio.fail_after(120):
        await EventStream(frames(), send_timeout_s=0.05)(SCOPE, never_leaves, stalls)
    assert closed.is_set()


async def test_clients_that_reconnect_all_the_time_miss_and_repeat_nothing() -> None:
    async with open_log("memory://") as log:
        seen: list[list[int]] = [[] for _ in range(20)]

        async def client(ids: list[int], patience: int) -> None:
            """Read a few frames, drop the connection, come back with the last id."""
            while not ids or ids[-1] < 26:
                frames = 0
                gone = anyio.Event()

                async def leave(gone: anyio.Event = gone) -> Message:
                    await gone.wait()
                    return {"type": "http.disconnect"}

                async def receive(message: Message, gone: anyio.Event = gone) -> None:
                    nonlocal frames
                    for frame in message.get("body", b"").split(b"\r\n\r\n"):
                        if frame.startswith(b"id: ") and not gone.is_set():
                            ids.append(int(frame[4 : frame.index(b"\r")]))
                            frames += 1
                            if frames >= patience or ids[-1] == 26:
                                gone.set()

                await log_stream(log, ids[-1] if ids else 0, None, access=Access(), live=Live())(
                    SCOPE, leave, receive
                )

        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                for i, ids in enumerate(seen):
                    tasks.start_soon(client, ids, 1 + i % 5)
                await log.append("e", (started(),), expected_version=0)
                for number in range(1, 9):
                    await log.append("e", turn(number), expected_version=3 * number - 2)
                    await anyio.lowlevel.checkpoint()
                last = await log.append("e", (finished(),), expected_version=25)
        assert isinstance(last[0].event, EpisodeFinished)
        assert seen == [list(range(1, 27))] * 20


async def comparison(log: Log, after: int, *, until: int | None = None) -> list[int | str]:
    """Read a comparison's stream of `a` and `b`: ids, then the summary; leave after an id if one is named."""
    seen: list[int | str] = []
    gone = anyio.Event()

    async def leave() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def receive(message: Message) -> None:
        for frame in message.get("body", b"").split(b"\r\n\r\n"):
            if frame.startswith(b"id: ") and not gone.is_set():
                seen.append(int(frame[4 : frame.index(b"\r")]))
                if seen[-1] == until:
                    gone.set()
            elif frame.startswith(b"event: ComparisonFinished"):
                seen.append(frame.partition(b"data: ")[2].decode())

    async def summary() -> bytes:
        return b"done"

    response = await comparison_stream(log, ["a", "b"], after, access=Access(), live=Live(), summary=summary)
    if response.status_code == 204:
        return ["nothing left"]
    with anyio.fail_after(120):
        await response(SCOPE, leave, receive)
    return seen


async def test_a_comparison_is_resumed_after_any_id_while_it_runs_and_when_it_is_over() -> None:
    async with open_log("memory://") as log:
        for name in ("a", "other", "b"):
            await log.append(name, (started(),), expected_version=0)
        await log.append("b", turn(1), expected_version=1)  # positions 4 to 6
        await log.append("a", (*turn(1), finished()), expected_version=1)  # 7 to 10
        for after, missed in ((0, [1, 3, 4, 5, 6, 7, 8, 9, 10]), (4, [5, 6, 7, 8, 9, 10]), (9, [10])):
            assert await comparison(log, after, until=10) == missed

        followers: dict[int, list[int | str]] = {}

        async def follow(after: int) -> None:
            followers[after] = await comparison(log, after)

        async with anyio.create_task_group() as tasks:
            for after in (0, 6, 10):
                tasks.start_soon(follow, after)
            await anyio.wait_all_tasks_blocked()
            await log.append("other", turn(1), expected_version=1)  # 11 to 13: of no member
            await log.append("b", (*turn(2), finished()), expected_version=4)  # 14 to 17
        whole = [1, 3, *range(4, 11), *range(14, 18), "done"]
        assert followers == {0: whole, 6: whole[5:], 10: whole[9:]}
        for after in (0, 1, 5, 14, 16):
            assert await comparison(log, after) == [one for one in whole if one == "done" or int(one) > after]
        assert await comparison(log, 17) == await comparison(log, 400) == ["nothing left"]


async def test_a_comparison_of_two_ends_with_the_second() -> None:
    async with open_log("memory://") as log:
        for name in "ab":
            await log.append(name, (started(),), expected_version=0)
        seen: list[int | str] = []

        async def follow() -> None:
            seen.extend(await comparison(log, 0))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await anyio.wait_all_tasks_blocked()
            await log.append("a", (finished(),), expected_version=1)  # position 3
            await anyio.wait_all_tasks_blocked()
            await log.append("b", (*turn(1), finished()), expected_version=1)  # 4 to 7
        assert seen == [*range(1, 8), "done"]


def test_a_stopping_server_says_farewell_and_is_gone_within_its_grace(tmp_path: Path) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with server(tmp_path / "log.db", port) as process, httpx.Client(base_url=base, timeout=60) as client:
        client.post("/interactive/sessions", json={"system_id": "free_fall", "seed": 1}).raise_for_status()
        with client.stream("GET", "/api/events") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "id: 1"
            process.send_signal(signal.SIGTERM)
            rest = list(lines)
        assert rest[-3:] == ["event: Farewell", 'data: {"reason":"shutdown"}', ""]
        process.wait(timeout=120)
