"""How a log lists its episodes: in pages, in any order, narrowed by any column."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from physix.engine.events import PolicyFailed
from physix.engine.systems import SYSTEMS
from physix.engine.systems.task import MEASURED
from physix.errors import BadInputError
from physix.store import EpisodeFilter, EpisodeOrder, EpisodeRow, SortKey
from physix.store.contract.streams import OpenLog
from physix.store.contract_events import finished, started, turn
from physix.store.rows import NEWEST_FIRST, OPEN_DOOR, Ranked


@pytest.mark.asyncio
class ListContract:
    """A list shows every episode as it stands, and to the public no more than may be told."""

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
