"""What every log must do: the suite that each of them passes, ours and a third party's.

A backend's tests say how to open an empty log and inherit the rest (pytest and pytest-asyncio run it):

```python
pytest.register_assert_rewrite("physix.store.contract")  # in conftest.py: failures show values
from physix.store.contract import LogContract, OpenLog

class TestMyLog(LogContract):
    @pytest.fixture
    def open_one(self, tmp_path: Path) -> OpenLog:
        return lambda: open_my_log(tmp_path)
```
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from physix.engine.events import EpisodeFinished, Event, ForkPoint, PolicyFailed, RecordedEvent
from physix.engine.systems import SYSTEMS
from physix.engine.systems.task import MEASURED
from physix.errors import BadInputError, ConflictError, StorageError
from physix.store import EpisodeFilter, EpisodeOrder, EpisodeRow, Log, SortKey
from physix.store.contract_events import finished, labelled, started, turn
from physix.store.rows import NEWEST_FIRST, OPEN_DOOR, Ranked

OpenLog = Callable[[], AbstractAsyncContextManager[Log]]


@pytest.mark.asyncio
class LogContract:
    """Inherit, and give the fixture `open_one`: a function that opens the same log at every call."""

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

    async def test_episodes_are_listed_newest_first_in_pages(self, open_one: OpenLog) -> None:
        async with open_one() as log:
            for i in range(5):
                await log.append(f"e{i}", (started(),), expected_version=0)
            first = await log.list_episodes(EpisodeFilter(), limit=3)
            rest = await log.list_episodes(EpisodeFilter(), limit=3, cursor=first.next_cursor)
            assert [row.episode_id for row in (*first.items, *rest.items)] == ["e4", "e3", "e2", "e1", "e0"]
            assert (first.total, rest.next_cursor) == (5, None)
            with pytest.raises(BadInputError, match="Cursor"):
                await log.list_episodes(EpisodeFilter(), cursor="'; DROP TABLE events")

    async def test_a_list_is_sorted_by_any_column_over_all_its_pages(self, open_one: OpenLog) -> None:
        keys: dict[SortKey, Callable[[EpisodeRow], object]] = {
            "started": lambda row: row.position,
            "system": lambda row: row.title,
            "policy": lambda row: row.policy,
            "outcome": lambda row: row.outcome or "",
            "turns": lambda row: row.turns,
            "match": lambda row: row.best_match,
            "total": lambda row: row.best_total,
            "length": lambda row: row.updated_at - row.started_at,
        }
        async with open_one() as log:
            for i, policy in enumerate(("b", "a", "Ω", "B", "a")):
                await log.append(f"e{i}", (replace(started(), policy=policy),), expected_version=0)
                for number in range(1, i % 3 + 1):
                    await log.append(f"e{i}", turn(number), expected_version=3 * number - 2)
            await log.append("e0", (finished("abandoned"),), expected_version=1)
            newest = (await log.list_episodes(EpisodeFilter())).items
            for by, key in keys.items():
                for descending in (True, False):
                    order = EpisodeOrder(by=by, descending=descending)
                    page = await log.list_episodes(EpisodeFilter(), order=order, limit=2)
                    found = [*page.items]
                    while page.next_cursor is not None:
                        page = await log.list_episodes(
                            EpisodeFilter(), order=order, limit=2, cursor=page.next_cursor
                        )
                        found += page.items
                    assert found == sorted(newest, key=key, reverse=descending), order  # type: ignore[arg-type]  # one order, one type
            page = await log.list_episodes(EpisodeFilter(), order=EpisodeOrder(by="turns"), limit=2)
            for other in (NEWEST_FIRST, EpisodeOrder(by="policy")):
                with pytest.raises(BadInputError, match="in this order"):
                    await log.list_episodes(EpisodeFilter(), order=other, cursor=page.next_cursor)

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

    async def test_a_list_is_narrowed_to_a_step_of_a_training_run(self, open_one: OpenLog) -> None:
        async with open_one() as log:
            for i, labels in enumerate(
                ({"run": "a", "step": "1"}, {"run": "a", "step": "2"}, {"run": "b'", "step": "1"}, {})
            ):
                await log.append(f"e{i}", (replace(started(), labels=labels),), expected_version=0)
            names = []
            for wanted in (
                EpisodeFilter(run="a"),
                EpisodeFilter(run="a", step="2"),
                EpisodeFilter(run="b'"),
                EpisodeFilter(run="c"),
            ):
                page = await log.list_episodes(wanted)
                names.append([row.episode_id for row in page.items])
                assert page.total == len(page.items)
            assert names == [["e1", "e0"], ["e1"], ["e2"], []]

    async def test_a_list_is_searched_for_parts_of_names(self, open_one: OpenLog) -> None:
        names = {"spring-1": "nano", "fall_2": "hf:100%/a", 'odd"name': "Nano"}
        async with open_one() as log:
            for name, policy in names.items():
                await log.append(name, (replace(started(), policy=policy),), expected_version=0)
            found = {
                part: sorted(
                    row.episode_id for row in (await log.list_episodes(EpisodeFilter(text=part))).items
                )
                for part in ("pring-1", "NANO", "100%/", "l_2", 'd"n', "%", "_", "g-", "no such", "FREE fall")
            }
            paged: list[tuple[str, int]] = []
            cursor: str | None = None
            while not paged or cursor is not None:
                page = await log.list_episodes(EpisodeFilter(text="free"), limit=1, cursor=cursor)
                paged += [(row.episode_id, page.total) for row in page.items]
                cursor = page.next_cursor
        assert paged == [(name, 3) for name in reversed(names)]
        assert found == {
            "pring-1": ["spring-1"],
            "NANO": ['odd"name', "spring-1"],
            "100%/": ["fall_2"],
            "l_2": ["fall_2"],
            'd"n': ['odd"name'],
            "%": ["fall_2"],
            "_": ["fall_2"],
            "g-": ["spring-1"],
            "no such": [],
            "FREE fall": sorted(names),
        }

    async def test_a_list_is_searched_for_what_was_said(self, open_one: OpenLog) -> None:
        told = {
            "law": replace(turn(1)[0], equation="d2y/dt2 = -9.81 + sin(y)"),
            "reply": replace(turn(1)[0], raw_completion='I think "drag"\nis 100% of it: \u0398_ \\0'),
            "reason": replace(turn(1)[0], rationale="The period is too long."),
            "nul": replace(turn(1)[0], raw_completion="\0\\u0000 Nought"),
        }
        async with open_one() as log:
            for name, asked in told.items():
                await log.append(name, (started(), asked, *turn(1)[1:]), expected_version=0)
            refused = PolicyFailed(
                turn=1, policy="p", reason="r", attempt=1, attempts_allowed=3, raw_completion="No DRAG here."
            )
            await log.append("refused", (started(), refused), expected_version=0)

            async def found(part: str, **wanted: Any) -> list[str]:
                page = await log.list_episodes(EpisodeFilter(text=part, **wanted))
                assert page.total == len(page.items)
                return [row.episode_id for row in page.items]

            for part, names in (
                ("9.81 + SIN", ["law"]),
                ("drag", ["refused", "reply"]),
                ('"drag"\nis', ["reply"]),
                ("100% of", ["reply"]),
                ("\u03b8_ \\", ["reply"]),
                ("gard", []),  # the trigrams of a text are not all of it
                ("sin + 9.81", []),
                ("period is", ["reason"]),
                ("nought", ["nul"]),
                ("-9.5", ["nul", "reason", "reply", "law"]),  # as the verifier read it
                ("is", []),  # two letters are looked for in names alone
                ("free", ["refused", "nul", "reason", "reply", "law"]),
            ):
                assert await found(part) == names, part
            assert await found("drag", policy="other") == []
            assert await found("drag", status="running") == ["refused", "reply"]
            by_name = EpisodeOrder(by="policy", descending=False)
            page = await log.list_episodes(EpisodeFilter(text="drag"), order=by_name, limit=1)
            rest = await log.list_episodes(
                EpisodeFilter(text="drag"), order=by_name, limit=1, cursor=page.next_cursor
            )
            assert [row.episode_id for row in (*page.items, *rest.items)] == ["refused", "reply"]
            # What comes later is found as well.
            later = replace(turn(2)[0], equation="d2y/dt2 = drag*y")
            await log.append("law", (later, *turn(2)[1:]), expected_version=4)
            assert await found("drag") == ["refused", "reply", "law"]

    async def test_labels_are_put_on_and_taken_off_while_an_episode_runs_and_after(
        self, open_one: OpenLog
    ) -> None:
        async with open_one() as log:
            first = replace(started(), labels={"run": "a"})
            await log.append("e", (first,), expected_version=0)
            await log.append("f", (started(),), expected_version=0)
            await log.append("e", (labelled(good="", note="Look at turn 2"),), expected_version=1)
            await log.append("e", turn(1), expected_version=2)
            before = (await log.list_episodes(EpisodeFilter(run="a"))).items[0]
            await log.append("e", (finished(),), expected_version=5)
            await log.append("e", (labelled(good=None, odd="\u03b8's"),), expected_version=6, command_id="c")
            (row,) = (await log.list_episodes(EpisodeFilter(run="a"))).items
            assert before.labels == {"run": "a", "good": "", "note": "Look at turn 2"}
            assert row.labels == {"run": "a", "note": "Look at turn 2", "odd": "\u03b8's"}
            # A label is part of no turn and takes no time.
            assert (row.version, row.turns, row.status, row.outcome) == (7, 1, "finished", "abandoned")
            assert row.updated_at == (await log.read("e"))[5].recorded_at
            with pytest.raises(ConflictError, match="finished"):
                await log.append("e", turn(2), expected_version=7)
            with pytest.raises(ConflictError, match="version 7"):
                await log.append("e", (labelled(odd=None),), expected_version=6)
            with pytest.raises(ConflictError):
                await log.append("g", (labelled(odd=""),), expected_version=0)
            for wanted, names in (
                (EpisodeFilter(labels={"note": None}), ["e"]),
                (EpisodeFilter(labels={"odd": "\u03b8's", "run": None}), ["e"]),
                (EpisodeFilter(labels={"odd": ""}), []),
                (EpisodeFilter(labels={"good": None}), []),
                (EpisodeFilter(text="at TURN 2"), ["e"]),
                (EpisodeFilter(text="odd"), ["e"]),
            ):
                page = await log.list_episodes(wanted)
                assert [one.episode_id for one in page.items] == names, wanted

    async def test_no_public_list_finds_a_held_task_by_what_was_said_or_put_on_it(
        self, open_one: OpenLog
    ) -> None:
        first = started()
        hidden = replace(first, task=replace(first.task, seed=None))
        measured = replace(first, task=replace(first.task, seed=None, system_id=MEASURED))
        async with open_one() as log:
            for name, event in (("open", first), ("hidden", hidden), ("measured", measured)):
                await log.append(name, (event, *turn(1)), expected_version=0)
                await log.append(name, (labelled(fall=""),), expected_version=4)
            everyone = ["measured", "hidden", "open"]
            for public, holds_sampled, found in (
                (False, False, everyone),
                (True, False, ["measured", "open"]),
                (True, True, ["measured"]),
            ):
                for wanted in (
                    EpisodeFilter(text="-9.5", public=public, holds_sampled=holds_sampled),
                    EpisodeFilter(labels={"fall": None}, public=public, holds_sampled=holds_sampled),
                ):
                    page = await log.list_episodes(wanted)
                    assert [row.episode_id for row in page.items] == found, wanted
                named = EpisodeFilter(text="free fall", public=public, holds_sampled=holds_sampled)
                assert [row.episode_id for row in (await log.list_episodes(named)).items] == everyone

    async def test_a_list_is_narrowed_by_each_column_and_by_time(self, open_one: OpenLog) -> None:
        noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
        first = started()
        told = {"system": "spring_mass", "policy": "other", "tier": 3}
        other = replace(
            first,
            policy="other",
            task=replace(first.task, system_id="spring_mass", title="A spring", tier=3),
        )
        async with open_one() as log:
            for hour, event in enumerate((first, other, first)):
                at = noon + timedelta(hours=hour)
                await log.append(f"e{hour}", (event,), expected_version=0, recorded_at=at)
            await log.append("e2", (finished("abandoned"),), expected_version=1)

            async def names(**wanted: Any) -> list[str]:
                page = await log.list_episodes(EpisodeFilter(**wanted))
                assert page.total in (len(page.items), None)
                return [row.episode_id for row in page.items]

            for column, value in told.items():
                assert await names(**{column: value}) == ["e1"], column
            assert await names(outcome="abandoned") == await names(status="finished") == ["e2"]
            assert await names(status="running") == ["e1", "e0"]
            assert await names(text="sPrInG") == await names(text="E1") == await names(text="OTHER") == ["e1"]
            second, third = noon + timedelta(hours=1), noon + timedelta(hours=2)
            assert await names(since=second) == ["e2", "e1"]  # from this moment on
            assert await names(until=second) == ["e0"]  # before this moment
            assert await names(since=second, until=third) == ["e1"]
            assert await names(since=second, policy="test") == ["e2"]

    async def test_no_public_list_finds_an_evaluation_task_by_system_or_tier(self, open_one: OpenLog) -> None:
        first = started()
        hidden = replace(first, task=replace(first.task, seed=None))
        measured = replace(first, task=replace(first.task, seed=None, system_id=MEASURED))
        async with open_one() as log:
            for name, event in (("open", first), ("hidden", hidden), ("measured", measured)):
                await log.append(name, (event,), expected_version=0)
            for system, public, found in (
                ("free_fall", True, ["open"]),
                ("free_fall", False, ["hidden", "open"]),
                (MEASURED, True, ["measured"]),
                (None, True, ["measured", "hidden", "open"]),
            ):
                page = await log.list_episodes(EpisodeFilter(system=system, public=public))
                assert [row.episode_id for row in page.items] == found, (system, public)
            for public, seen in ((True, ["measured", "open"]), (False, ["measured", "hidden", "open"])):
                page = await log.list_episodes(EpisodeFilter(tier=SYSTEMS["free_fall"].tier, public=public))
                assert [row.episode_id for row in page.items] == seen, public

    async def test_an_order_by_worth_shows_the_episodes_whose_worth_may_be_told(
        self, open_one: OpenLog
    ) -> None:
        first = started()
        hidden = replace(first, task=replace(first.task, seed=None))
        measured = replace(first, task=replace(first.task, seed=None, system_id=MEASURED))
        open_door = replace(hidden, door=OPEN_DOOR)
        async with open_one() as log:
            for number, event in enumerate((first, hidden, measured, open_door)):
                await log.append(f"e{number}", (event,), expected_version=0)
            asked: dict[Ranked, list[str]] = {
                "all": ["e3", "e2", "e1", "e0"],
                "sampled": ["e3", "e2", "e0"],
                "open": ["e3", "e2"],
            }
            for ranked, seen in asked.items():
                page = await log.list_episodes(
                    EpisodeFilter(ranked=ranked), order=EpisodeOrder(by="match"), limit=4
                )
                assert ([row.episode_id for row in page.items], page.total) == (seen, len(seen)), ranked

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

    async def test_a_row_tells_how_the_episode_stands(self, open_one: OpenLog) -> None:
        async with open_one() as log:
            await log.append("e", (started(),), expected_version=0)
            await log.append(
                "e",
                (PolicyFailed(turn=1, policy="p", reason="r", attempt=1, attempts_allowed=3),),
                expected_version=1,
            )
            await log.append("e", turn(1, match=0.25), expected_version=2)
            await log.append("e", (*turn(2, match=0.75), finished("solved")), expected_version=5)
            (row,) = (await log.list_episodes(EpisodeFilter(outcome="solved", text="FREE"))).items
            assert (row.matches, row.turns, row.version, row.status) == ((0.25, 0.75), 2, 9, "finished")
            assert (await log.list_episodes(EpisodeFilter(status="running"))).total == 0

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
