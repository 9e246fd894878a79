"""How a log finds episodes by a text or by labels."""

from dataclasses import replace
from typing import Any

import pytest

from physix.engine.events import PolicyFailed
from physix.engine.systems.task import MEASURED
from physix.errors import ConflictError
from physix.store import EpisodeFilter, EpisodeOrder
from physix.store.contract.streams import OpenLog
from physix.store.contract_events import finished, labelled, started, turn


@pytest.mark.asyncio
class FindingContract:
    """An episode is found by its names, by what was said in it and by what people put on it."""

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
