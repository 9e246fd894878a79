import json
import sqlite3
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import anyio
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from physix.engine.episode import fold
from physix.engine.events import Event, PolicyFailed, RecordedEvent
from physix.engine.outcome import outcome_of
from physix.engine.verifier.types import Rejection
from physix.store import EpisodeFilter, EpisodeOrder, Log, open_backend, open_log
from physix.store.codec import decode
from physix.store.contract_events import finished, labelled, started, turn
from physix.store.sql import queries, said
from physix.store.sql.log import SqlLog
from physix.store.sql.migrate import HEAD, alembic_config, migrate
from physix.store.sql.schema import metadata
from physix.store.verify import verify_stream
from tests.store.declared import is_declared

NewUrl = Callable[[], str]
FIXTURES = Path(__file__).parent / "fixtures"
FAILED = PolicyFailed(turn=1, policy="p", reason="r", attempt=1, attempts_allowed=3)


@contextmanager
def database(url: str) -> Iterator[Connection]:
    """Open a transaction behind the log's back."""
    backend = open_backend(url)
    try:
        with backend.writer.begin() as connection:
            yield connection
    finally:
        backend.writer.dispose()


async def episodes(log: SqlLog) -> list[tuple[object, ...]]:
    def rows(connection: Connection) -> list[tuple[object, ...]]:
        queries = ("SELECT * FROM episodes ORDER BY position", "SELECT * FROM labels ORDER BY position, name")
        return [tuple(row) for query in queries for row in connection.exec_driver_sql(query)]

    return await log.query(rows)


STREAMS: dict[str, list[tuple[Event, ...]]] = {
    "only started": [(started(),)],
    "one turn": [(started(),), turn(1)],
    "worse second turn": [(started(),), turn(1, match=0.7), turn(2, match=0.1)],
    "equal turns": [(started(),), turn(1, match=0.3), turn(2, match=0.3)],
    "thirds and tenths": [
        (started(),),
        turn(1, match=1 / 3),
        turn(2, match=0.1 + 0.2),
    ],
    "a failing policy": [(started(),), (FAILED,), turn(1), (FAILED,)],
    "finished": [(started(),), turn(1), (*turn(2, match=0.99), finished("solved"))],
    "abandoned at once": [(started(),), (finished(),)],
    "all at once": [(started(), *turn(1))],
    "labelled": [
        (replace(started(), labels={"run": "r"}),),
        (labelled(good="", note="one"),),
        turn(1),
        (finished(),),
        (labelled(good=None, note="two \0"),),
    ],
    "text that PostgreSQL has not": [
        (started(),),
        (replace(turn(1)[0], equation="y\0\\u0000"), *turn(1)[1:]),
    ],
}


async def write_streams(log: Log) -> None:
    for name, appends in STREAMS.items():
        version = 0
        for events in appends:
            await log.append(name, events, expected_version=version)
            version += len(events)


async def test_incremental_and_rebuilt_projections_are_equal_row_for_row(new_url: NewUrl) -> None:
    async with open_log(new_url()) as log:
        assert isinstance(log, SqlLog)
        await write_streams(log)
        before = await episodes(log)
        assert await log.rebuild() == len(STREAMS)
        assert await episodes(log) == before
        assert len(before) == len(STREAMS) + 2  # labels
        with log.backend.writer.begin() as connection:
            connection.execute(text("DELETE FROM labels"))
        await log.rebuild()
        assert await episodes(log) == before


async def test_a_rebuilt_list_is_still_narrowed_to_a_step_of_a_run(new_url: NewUrl) -> None:
    async with open_log(new_url()) as log:
        assert isinstance(log, SqlLog)
        for name, labels in (("a", {"run": "r", "step": "1"}), ("b", {"run": "r", "step": "2"}), ("c", {})):
            await log.append(name, (replace(started(), labels=labels),), expected_version=0)
        await log.rebuild()
        for wanted, found in (
            (EpisodeFilter(run="r"), ["b", "a"]),
            (EpisodeFilter(run="r", step="2"), ["b"]),
            (EpisodeFilter(run="s"), []),
        ):
            page = await log.list_episodes(wanted)
            assert [row.episode_id for row in page.items] == found


async def found(log: Log, part: str) -> tuple[list[str], int]:
    page = await log.list_episodes(EpisodeFilter(text=part))
    return [row.episode_id for row in page.items], page.total


@pytest.mark.parametrize("common", [1, 2_000])
async def test_what_was_said_is_found_before_and_after_it_is_indexed(
    new_url: NewUrl, monkeypatch: pytest.MonkeyPatch, common: int
) -> None:
    monkeypatch.setattr(said, "_COMMON", common)
    monkeypatch.setattr(said, "_CHUNK", 2)
    monkeypatch.setattr(said, "_CHUNKS", 1)
    url = new_url()
    async with open_log(url) as log:
        assert isinstance(log, SqlLog)
        for i in range(5):
            await log.append(
                f"e{i}", (started(), *turn(1, equation=f"d2y/dt2 = -{i}*drag")), expected_version=0
            )
        # Each search indexes two of the hypotheses, at 2, 6, 10, 14 and 18; what waits is read.
        for reached in (6, 14, 18, 18):
            assert await found(log, "*drag") == (["e4", "e3", "e2", "e1", "e0"], 5)
            assert await log.query(said.indexed_to) == reached
        assert await found(log, "3*drag") == (["e3"], 1)
    async with open_log(url, read_only=True) as log:
        assert await found(log, "-1*DRAG") == (["e1"], 1)


async def test_what_was_said_is_indexed_by_a_rebuild_and_while_a_server_runs(new_url: NewUrl) -> None:
    async with open_log(new_url()) as log:
        assert isinstance(log, SqlLog)
        await log.append("e1", (started(), *turn(1, equation="d2y/dt2 = -1*drag")), expected_version=0)
        await log.rebuild()
        assert await log.query(said.indexed_to) == 2
        await log.append("e2", (started(), *turn(1, equation="d2y/dt2 = -2*drag")), expected_version=0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(log.keep_indexed)
            with anyio.fail_after(60):
                while await log.query(said.indexed_to) != 6:  # noqa: ASYNC110  # it is told to nobody
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        assert await found(log, "*drag") == (["e2", "e1"], 2)


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("part", ["bread", "br"])
async def test_pages_of_a_text_hold_who_bears_it_and_who_said_it_once_each(
    new_url: NewUrl, monkeypatch: pytest.MonkeyPatch, part: str, descending: bool
) -> None:
    order = EpisodeOrder(descending=descending)
    async with open_log(new_url()) as log:
        for i in range(12):
            # Every third has it in its name alone, every fourth said it; of the latter one has both.
            name = f"{'bread' if i % 3 == 0 else 'other'}{i}"
            said_it = "d2y/dt2 = -bread" if i % 4 == 0 else "d2y/dt2 = -g"
            await log.append(name, (started(), *turn(1, equation=said_it)), expected_version=0)
        wanted = [0, 3, 4, 6, 8, 9] if part == "bread" else [0, 3, 6, 9]
        names = [f"{'bread' if i % 3 == 0 else 'other'}{i}" for i in wanted]
        seen: list[str] = []
        cursor = None
        while True:
            page = await log.list_episodes(EpisodeFilter(text=part), order=order, cursor=cursor, limit=2)
            assert page.total == len(wanted)
            seen += [row.episode_id for row in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == (names[::-1] if descending else names)
        monkeypatch.setattr(queries, "MAX_COUNTED", 3)
        assert (await log.list_episodes(EpisodeFilter(text=part), order=order, limit=2)).total == 3


async def test_without_an_index_what_was_said_is_read(new_url: NewUrl) -> None:
    url = new_url()
    async with open_log(url) as log:
        assert isinstance(log, SqlLog)
        await write_streams(log)
        with log.backend.writer.begin() as connection:
            connection.execute(text("DROP TABLE search_said"))
        names = {name for name, appends in STREAMS.items() if len(sum(appends, ())) > 3}
        assert set((await found(log, "DT2 = -9.5"))[0]) == names
        assert await log.query(said.indexed_to) is None


async def test_a_row_says_what_the_engine_says_an_episode_came_to(new_url: NewUrl) -> None:
    dice = Random(5)  # noqa: S311  # no secret
    unparsed = Rejection(code="empty", message="m", column=0, found="")
    async with open_log(new_url()) as log:
        for name in map(str, range(20)):
            version = len(await log.append(name, (started(),), expected_version=0))
            for number in range(1, dice.randint(1, 6)):
                reply = dice.choice((None, "a reply without a law"))
                if dice.random() < 0.3:
                    failed = replace(FAILED, turn=number, raw_completion=reply)
                    version += len(await log.append(name, (failed,), expected_version=version))
                asked, ran, paid = turn(number, match=dice.choice((0.1, 0.3, 0.3, 0.7)))
                if dice.random() < 0.3:
                    asked = replace(asked, parse=replace(asked.parse, rejection=unparsed))
                    ran = replace(ran, simulation=replace(ran.simulation, outcome="not_parsed"))
                reward = replace(paid.reward, total=dice.random())
                generalisation = dice.choice((None, 0.5, 0.9))
                paid = replace(paid, reward=reward, emitted=dice.random(), generalisation=generalisation)
                version += len(await log.append(name, (asked, ran, paid), expected_version=version))
            if dice.random() < 0.5:
                await log.append(name, (finished("solved"),), expected_version=version)
        for row in (await log.list_episodes(EpisodeFilter())).items:
            outcome = outcome_of(await log.read(row.episode_id))
            same = ("turns", "best_match", "best_total", "total_reward", "generalisation", "parse_failures")
            for field in (*same, "policy_failures"):
                assert getattr(row, field) == getattr(outcome, field), field
            assert row.outcome == outcome.reason


async def test_a_rebuild_that_was_cut_off_is_finished_when_the_log_is_opened(new_url: NewUrl) -> None:
    url = new_url()
    async with open_log(url) as log:
        assert isinstance(log, SqlLog)
        for name in "abc":
            await log.append(name, (started(), *turn(1)), expected_version=0)
        before = await episodes(log)
    with database(url) as connection:
        for statement in (
            "DELETE FROM episodes",
            "INSERT INTO checkpoints (projection, position) VALUES ('episodes', 0)",
        ):
            connection.exec_driver_sql(statement)
    async with open_log(url) as log:
        assert isinstance(log, SqlLog)
        assert await episodes(log) == before


async def test_episodes_are_filtered_by_time_and_counted(new_url: NewUrl) -> None:
    async with open_log(new_url()) as log:
        for name in "abcd":
            await log.append(name, (started(),), expected_version=0)
        first, *_, last = (await log.read_all())[:4]
        since = await log.list_episodes(EpisodeFilter(since=last.recorded_at))
        until = await log.list_episodes(EpisodeFilter(until=last.recorded_at))
        assert since.total + until.total == 4
        assert "d" in {row.episode_id for row in since.items}
        assert (await log.list_episodes(EpisodeFilter(until=first.recorded_at))).total == 0


async def test_a_table_made_by_the_migrations_is_the_one_the_code_reads(new_url: NewUrl) -> None:
    url = new_url()
    async with open_log(url):
        pass
    with database(url) as connection:
        assert (
            compare_metadata(
                MigrationContext.configure(connection, opts={"include_name": is_declared}), metadata
            )
            == []
        )


# What autogenerate does not compare: constraints, index columns, and the triggers.
GOLDEN_INDEXES = {
    "episodes": {
        "ix_episodes_position": ["position"],
        "ix_episodes_started_at": ["started_at"],
        "ix_episodes_system_position": ["system_id", "position"],
        "ix_episodes_policy_position": ["policy", "position"],
        "ix_episodes_status": ["status", "position"],
        "ix_episodes_outcome": ["outcome", "position"],
        "ix_episodes_tier": ["tier", "position"],
        "ix_episodes_title": ["title", "position"],
        "ix_episodes_turns": ["turns", "position"],
        "ix_episodes_best_match": ["best_match", "position"],
        "ix_episodes_best_total": ["best_total", "position"],
        "ix_episodes_length": ["length", "position"],
    },
    "labels": {"ix_labels_value": ["name", "value", "position"]},
    "checkpoints": {},
    "commands": {},
    "trajectories": {},
    "events": {"ix_events_episode_id": ["episode_id"], "ix_events_labelled": ["stream", "version"]},
}
GOLDEN_KEYS = {
    "episodes": ["episode_id"],
    "trajectories": ["position"],
    "labels": ["position", "name"],
    "checkpoints": ["projection"],
    "commands": ["episode_id", "command_id"],
    "events": ["position"],
}


async def test_the_schema_is_the_golden_one(new_url: NewUrl) -> None:
    url = new_url()
    async with open_log(url):
        pass
    with database(url) as connection:
        found = inspect(connection)
        tables = {name for name in found.get_table_names() if is_declared(name)}
        assert tables == {*GOLDEN_KEYS, "alembic_version"}
        for table, indexes in GOLDEN_INDEXES.items():
            unique = {one["name"] for one in found.get_unique_constraints(table)}
            named = {one["name"]: one["column_names"] for one in found.get_indexes(table)}
            declared = {name for name in named if is_declared(name) and name not in unique}
            assert {name: named[name] for name in declared} == indexes
            assert found.get_pk_constraint(table)["constrained_columns"] == GOLDEN_KEYS[table]
        (only,) = found.get_unique_constraints("events")
        assert (only["name"], only["column_names"]) == (
            "uq_events_stream_version",
            ["stream", "version"],
        )


async def test_events_are_immutable_in_the_database_itself(new_url: NewUrl) -> None:
    url = new_url()
    async with open_log(url) as log:
        await log.append("e", (started(),), expected_version=0)
    for statement in (
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events",
        "UPDATE trajectories SET position = 9",
        "DELETE FROM trajectories",
    ):
        with pytest.raises(DBAPIError, match="immutable"), database(url) as connection:
            connection.exec_driver_sql(statement)


async def test_downgrading_and_upgrading_again_changes_no_event(new_url: NewUrl) -> None:
    url = new_url()
    async with open_log(url) as log:
        await write_streams(log)
        written = await log.read_all()
        listed = await log.list_turns(list(STREAMS))
    with database(url) as connection:
        command.downgrade(alembic_config(connection), "0002")
        assert "trajectories" not in inspect(connection).get_table_names()
        payloads = connection.exec_driver_sql("SELECT type, payload FROM events").all()
        # A program of that revision insists on these.
        assert {json.loads(text)["type"] for _, text in payloads} == {name for name, _ in payloads}
        assert all("raw_completion" in text for name, text in payloads if name == "HypothesisSubmitted")
    with database(url) as connection:
        migrate(connection)
    async with open_log(url) as log:
        assert await log.read_all() == written
        assert await log.list_turns(list(STREAMS)) == listed
        assert (await log.list_episodes(EpisodeFilter())).total == len(STREAMS)
    with database(url) as connection:
        command.downgrade(alembic_config(connection), "base")
        assert "events" not in inspect(connection).get_table_names()


def old_rows() -> list[dict[str, object]]:
    return [json.loads(line) for line in (FIXTURES / "schema_1.jsonl").read_text().splitlines()]


def test_events_of_schema_1_are_read_as_todays() -> None:
    events = [decode(str(r["type"]), 1, json.dumps(r["payload"]), None) for r in old_rows()]
    assert {type(event).__name__ for event in events} == {
        "EpisodeStarted", "HypothesisSubmitted", "SimulationRun", "RewardComputed", "PolicyFailed",
        "EpisodeFinished",
    }  # fmt: skip
    when = datetime(2026, 11, 23, tzinfo=UTC)
    episode = fold(
        RecordedEvent(episode_id="v1", version=i, position=i, recorded_at=when, event=event)
        for i, event in enumerate(events, start=1)
    )
    assert episode is not None
    assert episode.finished is not None
    assert episode.finished.reason == "solved"
    assert len(episode.task.shown[0].states) == 100
    assert episode.started.labels == {}
    assert episode.config.verifier.constants == "declared"
    assert [round(turn.rewarded.match_dense or 0.0, 6) for turn in episode.turns] == [
        round(turn.rewarded.reward.match**0.5, 6) for turn in episode.turns
    ]


def test_events_of_schema_2_are_read_as_todays() -> None:
    rows = [json.loads(line) for line in (FIXTURES / "schema_2.jsonl").read_text().splitlines()]
    when = datetime(2026, 11, 25, tzinfo=UTC)
    recorded = []
    for i, row in enumerate(rows, start=1):
        blob = None if row["blob"] is None else b64decode(row["blob"])
        event = decode(str(row["type"]), 2, json.dumps(row["payload"]), blob)
        recorded.append(RecordedEvent(episode_id="v2", version=i, position=i, recorded_at=when, event=event))
    episode = fold(recorded)
    assert episode is not None
    assert episode.started.rules == 1
    assert (episode.task.measured, episode.task.inputs, episode.task.noises) == (False, (), ())
    assert len(episode.task.shown[0].states) == len(episode.task.shown[0].t) == 100
    assert len(episode.started.truth.hidden) == 2
    last = episode.turns[-1].simulated.simulation
    assert set(last.fitted) == {"a", "c"}
    assert (last.starts, last.errors, last.fit) == ((), {}, None)
    assert episode.finished is not None
    assert episode.finished.reason == "solved"
    report = verify_stream("v2", recorded)
    assert (report.recomputed, report.differences) == (False, ())


def test_events_of_schema_3_are_read_as_todays() -> None:
    rows = [json.loads(line) for line in (FIXTURES / "schema_3.jsonl").read_text().splitlines()]
    when = datetime(2026, 11, 26, tzinfo=UTC)
    recorded = []
    for i, row in enumerate(rows, start=1):
        blob = None if row["blob"] is None else b64decode(row["blob"])
        event = decode(str(row["type"]), 3, json.dumps(row["payload"]), blob)
        recorded.append(RecordedEvent(episode_id="v3", version=i, position=i, recorded_at=when, event=event))
    episode = fold(recorded)
    assert episode is not None
    assert [one.name for one in episode.task.inputs] == ["u"]
    assert len(episode.task.shown[0].sigma) == len(episode.task.shown[0].t)
    assert [turn.submitted.discovery for turn in episode.turns] == [None, None]
    assert episode.discovery is None
    assert episode.finished is not None
    assert episode.finished.reason == "budget_exhausted"


async def test_a_database_of_the_first_schema_is_upgraded_with_its_episodes(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with database(f"sqlite:///{path}") as connection:
        command.upgrade(alembic_config(connection), "0001")
    with closing(sqlite3.connect(path)) as raw, raw:
        for old in old_rows():
            raw.execute(
                "INSERT INTO events (episode_id, version, type, schema_version, payload, recorded_at) "
                "VALUES ('v1', ?, ?, 1, ?, '2026-11-23T00:00:00.000000+00:00')",
                (old["version"], old["type"], json.dumps(old["payload"], separators=(",", ":"))),
            )
    async with open_log(f"sqlite:///{path}") as log:
        assert isinstance(log, SqlLog)
        (row,) = (await log.list_episodes(EpisodeFilter())).items
        assert (row.turns, row.outcome, row.system_id) == (2, "solved", "free_fall")
        assert [one.outcome for one in await log.list_turns(["v1"])] == ["ok", "ok"]
        assert len(await log.read("v1")) == len(old_rows())
        head = await log.query(
            lambda connection: connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        )
        assert head == HEAD
