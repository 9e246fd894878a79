import math
import pickle
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from dataclasses import MISSING, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from physix.engine.events import SCHEMA_VERSION, EpisodeStarted, Event, Provenance, SimulationRun
from physix.engine.systems.task import InputVariable, Noise, StateVariable, Trajectory, Truth
from physix.engine.verifier.types import (
    Correctness,
    CurveShape,
    Mismatch,
    ParseReport,
    Prediction,
    Simulation,
)
from physix.errors import StorageError
from physix.store import EpisodeFilter, open_log
from physix.store.codec import decode, encode
from physix.store.contract import LogContract, OpenLog
from physix.store.contract_events import finished, labelled, started, turn
from physix.store.sql.log import SqlLog
from physix.store.sql.migrate import HEAD, alembic_config
from physix.store.sql.schema import metadata
from tests.store.declared import is_declared
from tests.store.postgres_server import PostgresServer


class TestMemoryLog(LogContract):
    @pytest.fixture
    def open_one(self) -> OpenLog:
        return partial(open_log, "memory://")


class TestSqliteLog(LogContract):
    @pytest.fixture
    def open_one(self, tmp_path: Path) -> OpenLog:
        return partial(open_log, f"sqlite:///{tmp_path}/log.db")


class TestPostgresLog(LogContract):
    @pytest.fixture
    def open_one(self, postgres: PostgresServer) -> OpenLog:
        return partial(open_log, postgres.new_database())


@pytest.mark.parametrize("event", [started(), *turn(1), labelled(a="", b=None), finished()])
def test_every_event_survives_the_codec_bit_for_bit(event: object) -> None:
    encoded = encode(event)  # type: ignore[arg-type]  # all are events
    assert decode(encoded.type, SCHEMA_VERSION, encoded.payload, encoded.blob) == event


def measured() -> EpisodeStarted:
    """A task of a driven motion with every kind of value that a file may hold."""
    t = (0.0, 0.5, 1.25)
    states, inputs = ((1.0,), (0.1 + 0.2,), (1 / 3,)), ((0.0, 1.0), (2.0, 3.0), (4.0, 5e-324))
    plain = Trajectory(t=t, states=states, inputs=inputs)
    full = replace(plain, sigma=((0.1,), (0.2,), (0.3,)), missing=((1, 0),))
    first = started()
    task = replace(
        first.task,
        variables=(StateVariable(name="x", unit="m", symbol="x", description="", label="Weg (m)"),),
        inputs=tuple(InputVariable(name=n, unit=None, symbol=n, description="") for n in "uw"),
        shown=(plain, full),
        measured=True,
        noises=(Noise(absolute=0.01, relative=0.02),),
    )
    return replace(first, task=task, truth=Truth(equation=None, params={}, hidden=(full, plain)))


def test_measured_data_survive_the_codec_bit_for_bit() -> None:
    event = measured()
    encoded = encode(event)
    assert decode(encoded.type, SCHEMA_VERSION, encoded.payload, encoded.blob) == event
    # Numbers go into the blob, not into the payload.
    assert "5e-324" not in encoded.payload


def test_a_trajectory_of_another_width_than_its_task_is_damaged() -> None:
    event = measured()
    encoded = encode(
        replace(event, task=replace(event.task, shown=(Trajectory(t=(0.0,), states=((1.0,),)),)))
    )
    with pytest.raises(StorageError, match="a trajectory of 2 columns, 4 or 5 wanted"):
        decode(encoded.type, SCHEMA_VERSION, encoded.payload, encoded.blob)


@pytest.mark.parametrize("event", [started(), turn(1)[1]], ids=["EpisodeStarted", "SimulationRun"])
def test_arrays_of_another_size_than_they_say_are_damaged(event: EpisodeStarted | SimulationRun) -> None:
    encoded = encode(event)
    assert encoded.blob is not None
    for blob in (encoded.blob + bytes(1), encoded.blob + bytes(8), encoded.blob[:-8], encoded.blob[:12], b""):
        with pytest.raises(StorageError, match="damaged"):
            decode(encoded.type, SCHEMA_VERSION, encoded.payload, blob)


def test_numbers_whose_sum_is_no_float_are_numbers() -> None:
    asked, ran, paid = turn(1)
    huge = 1.7e308
    events: list[Event] = [
        replace(asked, params={"a": huge, "b": huge}),
        replace(
            ran, simulation=replace(ran.simulation, fitted={"a": huge, "b": huge}, starts=((-huge, -huge),))
        ),
        replace(paid, emitted=huge, reward=replace(paid.reward, total=huge)),
    ]
    for event in events:
        encoded = encode(event)
        assert decode(encoded.type, SCHEMA_VERSION, encoded.payload, encoded.blob) == event


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_that_is_none_is_recorded_anywhere(value: float) -> None:
    first, (asked, ran, paid) = started(), turn(1)
    shown = first.task.shown[0]
    hidden = replace(shown, states=((value, 0.0), *shown.states[1:]))
    fit = next(iter(paid.fits))
    events: list[Event] = [
        replace(first, task=replace(first.task, noise=value)),
        replace(first, task=replace(first.task, shown=(hidden,))),
        replace(first, truth=replace(first.truth, hidden=(hidden,))),
        replace(first, truth=replace(first.truth, params={"g": value})),
        replace(asked, params={"a": value}),
        replace(asked, provenance=replace(asked.provenance, latency_s=value)),
        replace(asked, provenance=replace(asked.provenance, sampling={"temperature": value})),
        replace(ran, simulation=replace(ran.simulation, t_reached=value)),
        replace(ran, simulation=replace(ran.simulation, errors={"a": value})),
        replace(ran, simulation=replace(ran.simulation, predictions=(Prediction(states=((value, 0.0),)),))),
        replace(paid, emitted=value),
        replace(paid, generalisation=value),
        replace(paid, match_dense=value),
        *(
            replace(paid, reward=replace(paid.reward, **{name: value}))
            for name in ("match", "progress", "simplicity", "format", "total")
        ),
        replace(paid, fits={**paid.fits, fit: replace(paid.fits[fit], r2=value)}),
        replace(paid, correctness=Correctness(field_error=value, verdict="different")),
        replace(
            paid,
            findings=Mismatch(within_noise=False, holds=False, shape=CurveShape(kind="period", value=value)),
        ),
        replace(finished(), best_match=value),
    ]
    for event in events:
        with pytest.raises(StorageError, match="not finite"):
            encode(event)


@pytest.mark.parametrize("rows", [((1.5, -2.0, 0.1), (1e300, -0.0, 5e-324)), ()])
def test_a_motion_is_written_alike_from_its_array_and_from_its_rows(
    rows: tuple[tuple[float, ...], ...],
) -> None:
    _, ran, _ = turn(1)
    columns = np.asfortranarray(rows, dtype=np.float64).reshape(len(rows), 3)
    made, read = Prediction.of(columns), Prediction(states=rows)
    copied = pickle.loads(pickle.dumps(made))  # noqa: S301  # our own, from the line itself
    assert made == read == copied
    written = {
        encode(replace(ran, simulation=replace(ran.simulation, predictions=(one,)))).blob
        for one in (made, read, copied)
    }
    shape = (len(rows), 3 if rows else 0)
    numbers = [number for row in rows for number in row]
    assert written == {struct.pack(f"<4I{len(numbers)}d", 1, 1, *shape, *numbers)}


def test_fitted_starts_and_errors_survive_the_codec_bit_for_bit() -> None:
    _, simulated, _ = turn(1)
    found = replace(
        simulated.simulation,
        fitted={"k": 0.1},
        starts=((1 / 3, 2.0),),
        errors={"k": 1e-3},
        undetermined=(("k", "m"),),
        fit="converged",
    )
    event = replace(simulated, simulation=found)
    encoded = encode(event)
    assert decode(encoded.type, SCHEMA_VERSION, encoded.payload, encoded.blob) == event
    with pytest.raises(StorageError, match="not finite"):
        encode(replace(event, simulation=replace(found, starts=((float("nan"), 2.0),))))


def test_a_field_that_equals_its_default_is_not_written_so_defaults_are_part_of_the_schema() -> None:
    """Whoever changes one of these needs a new schema version and an upcaster."""
    left_out: dict[str, dict[str, Any]] = {
        kind.__name__: {
            one.name: {} if one.default_factory is dict else one.default
            for one in fields(kind)
            if one.name != "type" and (one.default, one.default_factory) != (MISSING, MISSING)
        }
        for kind in (*get_args(Event), Provenance, ParseReport, Simulation)
    }
    assert {name: found for name, found in left_out.items() if found} == {
        "EpisodeStarted": {"forked_from": None, "comparison_id": None, "token_sha256": None, "labels": {}},
        "HypothesisSubmitted": {"raw_completion": None, "discovery": None},
        "RewardComputed": {"match_dense": None, "correctness": None, "passed": False, "findings": None},
        "PolicyFailed": {"raw_completion": None},
        "Provenance": {
            "model": None,
            "sampling": {},
            "latency_s": None,
            "prompt_tokens": None,
            "completion_tokens": None,
            "prompt_sha256": None,
            "prompt_version": None,
        },
        "ParseReport": {"rejection": None, "units_message": "Units are consistent."},
        "Simulation": {
            "message": "The hypothesis was integrated over all observed times.",
            "predictions": (),
            "fitted": {},
            "fit_evaluations": 0,
            "starts": (),
            "errors": {},
            "undetermined": (),
            "fit": None,
        },
    }
    assert "raw_completion" not in encode(turn(1)[0]).payload


def test_a_newer_schema_is_refused_with_what_to_do() -> None:
    with pytest.raises(StorageError, match="Update"):
        decode("EpisodeFinished", 99, "{}", None)


async def test_a_closed_log_opens_with_everything_in_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    async with open_log(url) as log:
        written = await log.append("e", (started(), *turn(1)), expected_version=0)
    async with open_log(url) as log:
        assert await log.read("e") == written


async def test_rebuilding_the_projection_changes_nothing(tmp_path: Path) -> None:
    async with open_log(f"sqlite:///{tmp_path}/log.db") as log:
        assert isinstance(log, SqlLog)
        for name in ("a", "b"):
            await log.append(name, (started(), *turn(1)), expected_version=0)
        before = await log.list_episodes(EpisodeFilter())
        assert await log.rebuild() == 2
        assert await log.list_episodes(EpisodeFilter()) == before


async def test_events_cannot_be_changed_even_from_outside(tmp_path: Path) -> None:
    async with open_log(f"sqlite:///{tmp_path}/log.db") as log:
        await log.append("e", (started(),), expected_version=0)
    with closing(sqlite3.connect(tmp_path / "log.db")) as raw:
        for statement in ("UPDATE events SET payload = '{}'", "DELETE FROM events"):
            with pytest.raises(sqlite3.IntegrityError, match="immutable"):
                raw.execute(statement)


@pytest.mark.parametrize(
    "content", [b"this is not a database, it is a text" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"log\.db"):
        async with open_log(f"sqlite:///{path}"):
            pass
    assert path.read_bytes() == content


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    async with open_log(url):
        pass
    with closing(sqlite3.connect(tmp_path / "log.db")) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="9999"):
        async with open_log(url):
            pass


async def test_the_migrations_create_exactly_the_tables_the_code_reads(tmp_path: Path) -> None:
    async with open_log(f"sqlite:///{tmp_path}/log.db"):
        pass
    engine = create_engine(f"sqlite:///{tmp_path}/log.db")
    with engine.connect() as connection:
        assert (
            compare_metadata(
                MigrationContext.configure(connection, opts={"include_name": is_declared}), metadata
            )
            == []
        )
        assert ScriptDirectory.from_config(alembic_config(connection)).get_current_head() == HEAD
    engine.dispose()


_WRITER = """
import anyio, sys
from physix.store import open_log
from physix.engine.verifier.types import Correctness, ParseReport, Prediction, Simulation
from physix.store.contract_events import started, turn
async def main():
    async with open_log(sys.argv[1]) as log:
        async def write(name):
            await log.append(name, (started(),), expected_version=0)
            for number in range(1, 10_000):
                await log.append(name, turn(number), expected_version=3 * number - 2)
                print(name, 3 * number + 1, flush=True)
        async with anyio.create_task_group() as tasks:
            for name in "abcd":
                tasks.start_soon(write, name)
anyio.run(main)
"""


async def test_a_killed_writer_loses_no_acknowledged_turn_and_leaves_no_half(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    for round_number in range(3):
        path = url.replace("log.db", f"log{round_number}.db")
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, path],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert writer.stdout is not None
        acknowledged: dict[str, int] = {}
        for _ in range(40 + 17 * round_number):
            name, text = writer.stdout.readline().split()
            acknowledged[name] = int(text)
        writer.kill()
        rest = writer.stdout.read().splitlines(keepends=True)
        writer.wait()
        writer.stdout.close()
        for line in rest:
            if line.endswith("\n"):
                name, text = line.split()
                acknowledged[name] = int(text)
        async with open_log(path) as log:
            for name, version in acknowledged.items():
                versions = [one.version for one in await log.read(name)]
                assert versions == list(range(1, len(versions) + 1))
                assert len(versions) >= version
                assert (len(versions) - 1) % 3 == 0
