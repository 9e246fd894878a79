"""A filter together with an order on SQLite, where a page is first looked for among the first of all."""

from dataclasses import replace
from pathlib import Path

import pytest

from physix.store import EpisodeFilter, EpisodeOrder, open_log
from physix.store.contract_events import started, turn
from physix.store.rows import SortKey
from physix.store.sql import queries


@pytest.mark.parametrize("near", [1, 4, 5_000])
@pytest.mark.parametrize("by", ["match", "turns"])
async def test_a_filtered_list_has_its_order_over_all_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: int, by: SortKey
) -> None:
    monkeypatch.setattr(queries, "_NEAR", near)
    async with open_log(f"sqlite:///{tmp_path}/log.db") as log:
        for i in range(17):
            begun = replace(started(), policy="ab"[i % 2])
            await log.append(f"e{i}", (begun,), expected_version=0)
            if i % 3:
                await log.append(f"e{i}", turn(1, match=(i * 7 % 5) / 5), expected_version=1)
        for wanted in (EpisodeFilter(policy="a"), EpisodeFilter(policy="a", status="running")):
            newest = (await log.list_episodes(wanted)).items
            for descending in (True, False):
                order = EpisodeOrder(by=by, descending=descending)
                page = await log.list_episodes(wanted, order=order, limit=2)
                found = [*page.items]
                while page.next_cursor is not None:
                    page = await log.list_episodes(wanted, order=order, limit=2, cursor=page.next_cursor)
                    found += page.items
                key = (lambda row: row.best_match) if by == "match" else (lambda row: row.turns)
                assert found == sorted(newest, key=key, reverse=descending)
