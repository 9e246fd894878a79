"""Whatever is done to a log behind its back, `log verify` names the place and what was altered."""

import json
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from physix.engine import EpisodeConfig, EpisodeEngine
from physix.engine.events import Provenance
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Hypothesis
from physix.store import open_backend, open_log
from physix.store.seals import START, Sealed, seal
from physix.store.sql.audit import Audit
from physix.store.sql.log import SqlLog
from physix.store.verify import listed, verify_rows

NewUrl = Callable[[], str]
Tamper = Callable[[Connection], None]


async def write(url: str) -> None:
    """Write positions 1 to 8 (episode a, finished), 9 to 12 (b), 13 to 19 (c, with commands, running)."""
    async with open_log(url) as log:
        engine = EpisodeEngine(log)
        await begin(engine, "a", max_turns=2, labels={"run": "r", "step": "1"})
        await play(engine, "a", 1)
        await play(engine, "a", 2)
        await begin(engine, "b")
        await play(engine, "b", 1)
        await begin(engine, "c")
        await play(engine, "c", 1, command_id="turn-1")
        await play(engine, "c", 2, command_id="turn-2")


async def begin(
    engine: EpisodeEngine, name: str, max_turns: int = 8, labels: dict[str, str] | None = None
) -> None:
    task, truth = sample_task("damped_spring", 3)
    config = EpisodeConfig(max_turns=max_turns)
    await engine.start(
        task, truth, config=config, policy="p", door="test", episode_id=name, labels=labels or {}
    )


async def play(engine: EpisodeEngine, name: str, number: int, command_id: str | None = None) -> None:
    law = Hypothesis(equation=f"d2x/dt2 = -{number}*x", rationale="as a spring")
    told = Provenance(policy="p", model="m")
    await engine.submit(name, law, provenance=told, command_id=command_id)


async def examine(url: str, *, since: int = 0, head: str | None = None) -> tuple[Audit, set[str]]:
    """Return what a walk finds, and all differences as `position field`."""
    async with open_log(url, read_only=True) as log:
        assert isinstance(log, SqlLog)
        audit = await log.audit(since=since, head=head)
        told = {f"{one.position} {one.field}" for one in audit.faults}
        async for rows in listed(log):
            async for report in verify_rows(log, rows):
                told |= {f"{one.position} {one.field}" for one in report.differences}
        return audit, told


def tamper(url: str, change: Tamper) -> None:
    backend = open_backend(url)
    try:
        with backend.writer.begin() as connection:
            for table in ("events", "trajectories"):
                for action in ("update", "delete"):
                    where = f" ON {table}" if connection.dialect.name == "postgresql" else ""
                    connection.execute(text(f"DROP TRIGGER {table}_refuse_{action}{where}"))
            change(connection)
    finally:
        backend.writer.dispose()
        backend.readers.dispose()


def run(*statements: str) -> Tamper:
    def change(connection: Connection) -> None:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0, statement

    return change


def edit(position: int, *path: str, value: object) -> Tamper:
    """Change one field of a payload."""

    def change(connection: Connection) -> None:
        query = text("SELECT payload FROM events WHERE position = :p")
        payload = json.loads(connection.execute(query, {"p": position}).scalar_one())
        inner = payload
        for name in path[:-1]:
            inner = inner[name]
        assert inner.get(path[-1]) != value
        inner[path[-1]] = value
        statement = text("UPDATE events SET payload = :t WHERE position = :p")
        content = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
        connection.execute(statement, {"p": position, "t": content})

    return change


def delete_b(connection: Connection) -> None:
    """Delete an episode from the middle, everywhere."""
    run(
        "DELETE FROM trajectories WHERE position BETWEEN 9 AND 12",
        "DELETE FROM events WHERE stream = 9",
        "DELETE FROM episodes WHERE episode_id = 'b'",
    )(connection)


def swap(connection: Connection) -> None:
    """Exchange the places of two turns' hypotheses."""
    for old, new in ((2, -1), (5, 2), (-1, 5)):
        statement = text("UPDATE events SET position = :new WHERE position = :old")
        connection.execute(statement, {"new": new, "old": old})


def insert(connection: Connection) -> None:
    connection.execute(
        text(
            "INSERT INTO events (position, stream, version, type, schema_version, recorded_at, payload) "
            "SELECT 20, 9, 5, type, schema_version, recorded_at, payload FROM events WHERE position = 10"
        )
    )


LISTED = "None projection."
TAMPERED: dict[str, tuple[Tamper, str]] = {
    "a hint": (edit(13, "task", "hint", value="another"), "13 EpisodeStarted.task.hint"),
    "the truth": (edit(13, "truth", "equation", value="d2x/dt2 = x"), "13 EpisodeStarted.truth.equation"),
    "a seed": (edit(1, "task", "seed", value=999), "1 EpisodeStarted.task.seed"),
    "who played": (edit(9, "policy", value="nano"), "9 EpisodeStarted.policy"),
    "labels": (edit(1, "labels", "step", value="2"), "1 EpisodeStarted.labels.step"),
    "a label's row": (run("UPDATE labels SET value = '2' WHERE name = 'step'"), "1 labels.step"),
    "a rationale": (edit(14, "rationale", value="otherwise"), "14 HypothesisSubmitted.rationale"),
    "provenance": (edit(17, "provenance", value={"policy": "gpt"}), "17 HypothesisSubmitted.provenance"),
    "an equation": (edit(14, "equation", value="d2x/dt2 = -3*x"), "14 HypothesisSubmitted.equation"),
    "a reward": (edit(16, "reward", "total", value=0.99), "16 RewardComputed.reward.total"),
    "why it ended": (edit(8, "reason", value="solved"), "8 EpisodeFinished.reason"),
    "a time": (run("UPDATE events SET recorded_at = 1 WHERE position = 6"), "6 recorded_at"),
    "a schema version": (run("UPDATE events SET schema_version = 2 WHERE position = 18"), "18 place"),
    "a listed number": (run("UPDATE events SET match = 0.75 WHERE position = 16"), "16 match"),
    "an emitted reward": (run("UPDATE events SET emitted = 9 WHERE position = 16"), "16 emitted"),
    "the list": (run("UPDATE episodes SET best_match = 0.99 WHERE episode_id = 'b'"), LISTED + "best_match"),
    "arrays": (run("UPDATE trajectories SET blob = substr(blob, 2) WHERE position = 15"), "15 trajectories"),
    "arrays gone": (run("DELETE FROM trajectories WHERE position = 15"), "15 trajectories"),
    "arrays moved": (run("UPDATE trajectories SET position = 99 WHERE position = 15"), "15 trajectories"),
    "an episode gone": (delete_b, "13 position"),
    "an episode's events gone": (run("DELETE FROM events WHERE stream = 9"), "9 episodes"),
    "a row of the list gone": (run("DELETE FROM episodes WHERE episode_id = 'b'"), "9 episodes"),
    "the last turn gone": (run("DELETE FROM events WHERE position > 16"), LISTED + "version"),
    "a first event gone": (run("DELETE FROM events WHERE position = 9"), "10 stream"),
    "commands gone": (run("DELETE FROM commands WHERE command_id = 'turn-2'"), "17 command"),
    "a command's digest": (run("UPDATE commands SET digest = 'x' WHERE command_id = 'turn-1'"), "14 command"),
    "a command of nothing": (
        run("INSERT INTO commands VALUES ('b', 'new', 'd', 40, 42)"), "9 commands",
    ),
    "two turns exchanged": (swap, "2 place"),
    "an event added": (insert, "20 seal"),
    "a seal": (run("UPDATE events SET seal = NULL WHERE position = 4"), "4 seal"),
}  # fmt: skip


async def test_an_honest_log_walks_clean_and_its_head_stays_in_the_chain(new_url: NewUrl) -> None:
    url = new_url()
    await write(url)
    audit, told = await examine(url)
    assert told == set()
    assert (audit.events, audit.last) == (19, 19)
    async with open_log(url) as log:
        await play(EpisodeEngine(log), "b", 2)
    later, told = await examine(url, head=audit.head)
    assert told == set()
    assert later.head_found
    assert later.head != audit.head


async def test_labels_given_later_are_sealed_and_walk_clean(new_url: NewUrl) -> None:
    url = new_url()
    await write(url)
    async with open_log(url) as log:
        engine = EpisodeEngine(log)
        await engine.label("a", {"good": "", "note": "one"})
        await engine.label("a", {"good": None, "note": "two"}, command_id="c")
        await engine.label("b", {"good": ""})
    audit, told = await examine(url)
    assert (told, audit.events) == (set(), 22)
    tamper(url, edit(22, "labels", "good", value="forged"))
    _, told = await examine(url)
    assert "9 labels.good" in told
    assert any(one.startswith("22 ") for one in told)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM labels WHERE name = 'note'", "1 labels.note"),
        ("UPDATE labels SET value = 'one' WHERE name = 'note'", "1 labels.note"),
        ("INSERT INTO labels VALUES (1, 'good', '')", "1 labels.good"),
        ("DELETE FROM events WHERE position = 21", "22 position"),
    ],
)
async def test_tampering_with_labels_given_later_is_named(
    new_url: NewUrl, statement: str, expected: str
) -> None:
    url = new_url()
    await write(url)
    async with open_log(url) as log:
        engine = EpisodeEngine(log)
        await engine.label("a", {"good": "", "note": "one"})
        await engine.label("a", {"good": None, "note": "two"})
        await play(engine, "b", 2)
    tamper(url, run(statement))
    _, told = await examine(url)
    assert expected in told


@pytest.mark.parametrize("kind", TAMPERED)
async def test_tampering_is_named_with_its_place(new_url: NewUrl, kind: str) -> None:
    url = new_url()
    await write(url)
    change, expected = TAMPERED[kind]
    tamper(url, change)
    _, told = await examine(url)
    assert expected in told


async def test_a_tail_cut_off_whole_shows_against_a_head_noted_elsewhere(new_url: NewUrl) -> None:
    url = new_url()
    await write(url)
    noted = (await examine(url))[0].head
    tamper(
        url,
        run(
            "DELETE FROM commands",
            "DELETE FROM trajectories WHERE position > 12",
            "DELETE FROM events WHERE position > 12",
            "DELETE FROM episodes WHERE position > 12",
        ),
    )
    audit, told = await examine(url, head=noted)
    assert (told, audit.head_found) == (set(), False)


async def test_a_log_sealed_anew_shows_against_a_head_noted_elsewhere(new_url: NewUrl) -> None:
    url = new_url()
    async with open_log(url) as log:
        await begin(EpisodeEngine(log), "b")
    noted = (await examine(url))[0].head

    def forge(connection: Connection) -> None:
        edit(1, "task", "hint", value="another")(connection)
        rows = connection.execute(
            text("SELECT e.*, t.blob FROM events e LEFT JOIN trajectories t USING (position)")
        )
        own = [
            Sealed(**{name: getattr(row, name) for name in Sealed._fields if name != "command"}, command="")
            for row in rows
        ]
        connection.execute(text("UPDATE events SET seal = :s WHERE position = 1"), {"s": seal(START, own)})

    tamper(url, forge)
    audit, told = await examine(url, head=noted)
    assert (told, audit.head_found) == (set(), False)


async def test_a_transaction_that_was_sealed_anew_breaks_the_chain_at_the_next(new_url: NewUrl) -> None:
    """Its own seal is right, over the right one before it; the next was made over another."""
    url = new_url()
    async with open_log(url) as log:
        for name in "abc":
            await begin(EpisodeEngine(log), name)  # a transaction and a position each

    def forge(connection: Connection) -> None:
        edit(2, "task", "hint", value="another")(connection)
        rows = connection.execute(
            text(
                "SELECT e.*, t.blob FROM events e LEFT JOIN trajectories t USING (position) "
                "WHERE position = 2"
            )
        )
        own = [
            Sealed(**{name: getattr(row, name) for name in Sealed._fields if name != "command"}, command="")
            for row in rows
        ]
        before = connection.execute(text("SELECT seal FROM events WHERE position = 1")).scalar_one()
        forged = {"s": seal(bytes(before), own)}
        connection.execute(text("UPDATE events SET seal = :s WHERE position = 2"), forged)

    tamper(url, forge)
    async with open_log(url, read_only=True) as log:
        assert isinstance(log, SqlLog)
        assert {one.position for one in (await log.audit()).faults} == {3}


async def test_a_walk_since_a_position_sees_what_came_after_it_and_not_before(new_url: NewUrl) -> None:
    url = new_url()
    await write(url)
    tamper(url, run("UPDATE events SET recorded_at = 1 WHERE position = 6"))
    async with open_log(url, read_only=True) as log:
        assert isinstance(log, SqlLog)
        whole, part = await log.audit(), await log.audit(since=12)
    assert {one.position for one in whole.faults} == {6}
    assert part.faults == []
    assert (part.events, part.touched) == (7, {"c"})
