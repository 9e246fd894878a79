import anyio
import pytest

from physix.engine import EpisodeConfig, EpisodeEngine, Observation, Proposal, Provenance
from physix.engine.ports import TokenSink
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Hypothesis
from physix.errors import BadInputError, ConflictError, EpisodeNotFoundError
from physix.limits import MAX_LABEL_VALUE, MAX_LABELS
from physix.store import open_log

TASK, TRUTH = sample_task("spring_mass", 5)
WRONG = Hypothesis(equation="d2x/dt2 = 1.0")


async def begin(engine: EpisodeEngine, **labels: str) -> str:
    config = EpisodeConfig(max_turns=3)
    started = await engine.start(TASK, TRUTH, config=config, policy="test", door="test", labels=labels)
    return started.episode_id


async def test_labels_are_changed_one_by_one_while_an_episode_runs_and_after() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        name = await begin(engine, run="r")
        assert (await engine.label(name, {"good": "", "note": "odd"})).labels == {
            "run": "r",
            "good": "",
            "note": "odd",
        }
        ended = await engine.abandon(name)
        after = await engine.label(name, {"good": None, "note": "odd at turn 1"})
        assert after.labels == {"run": "r", "note": "odd at turn 1"}
        assert (after.finished, after.updated_at, after.version) == (ended.finished, ended.updated_at, 4)
        assert (await EpisodeEngine(log).load(name)) == after
        with pytest.raises(EpisodeNotFoundError):
            await engine.label("nobody", {"good": ""})


async def test_what_is_so_already_appends_nothing() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        name = await begin(engine, run="r")
        first = await engine.label(name, {"good": ""}, command_id="c")
        for labels in ({"good": ""}, {"absent": None}, {"run": "r"}):
            assert (await engine.label(name, labels)).version == first.version == 2
        await engine.label(name, {"good": None})
        # The same command again is the first answer, whatever became of it.
        assert (await engine.label(name, {"good": ""}, command_id="c")).labels == {"run": "r", "good": ""}
        with pytest.raises(ConflictError, match="another request"):
            await engine.label(name, {"good": "1"}, command_id="c")
        assert (await engine.load(name)).version == 3


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"run": "s"}, "stays 'r'"),
        ({"run": None}, "stays 'r'"),
        ({"": "x"}, "1 to 64"),
        ({" a": "x"}, "no space"),
        ({"a=b": "x"}, "no ="),
        ({"a,b": "x"}, "no comma"),
        ({"a\nb": "x"}, "printable"),
        ({"a" * 65: "x"}, "at most 64"),
        ({"a": "x" * (MAX_LABEL_VALUE + 1)}, "at most 500"),
        ({"a": "\ud800"}, "surrogate"),
        ({"a": "\0"}, "NUL"),
        ({str(i): "" for i in range(MAX_LABELS)}, "at most 16"),
    ],
)
async def test_a_label_that_will_not_do_is_refused_whole(labels: dict[str, str | None], words: str) -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        name = await begin(engine, run="r")
        with pytest.raises(BadInputError, match=words):
            await engine.label(name, {"fine": "", **labels})
        assert (await engine.load(name)).labels == {"run": "r"}


async def test_the_longest_and_the_most_labels_are_taken() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        name = await begin(engine, run="r")
        most: dict[str, str | None] = {str(i) * 64: "x" * MAX_LABEL_VALUE for i in range(MAX_LABELS - 9)}
        most |= {f"tag {i}": "" for i in range(8)}
        assert len((await engine.label(name, most)).labels) == MAX_LABELS
        swapped = await engine.label(name, {"tag 1": None, "another": ""})
        assert len(swapped.labels) == MAX_LABELS


class Interrupted:
    """A policy that somebody labels the episode of while it thinks."""

    name = "interrupted"

    def __init__(self, engine: EpisodeEngine) -> None:
        self._engine = engine

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        await self._engine.label(observation.episode_id, {"seen at": str(observation.turn)})
        return Proposal(hypothesis=WRONG, provenance=Provenance(policy=self.name))


async def test_a_label_does_not_cost_the_policy_that_plays_its_turn() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        name = await begin(engine)
        # Another process labels: its engine has a cache of its own.
        episode = await engine.run(name, Interrupted(EpisodeEngine(log)))
        assert (len(episode.turns), episode.outcome.reason) == (3, "budget_exhausted")
        assert episode.labels == {"seen at": "3"}
        assert [one.version for one in await log.read(name)] == list(range(1, 15))


async def test_a_turn_of_somebody_else_is_still_a_conflict() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        name = await begin(engine)
        await engine.label(name, {"a": ""})
        me = Provenance(policy="me")
        # One who saw the episode before the label may play, one who saw it before a turn may not.
        played = await EpisodeEngine(log).submit(name, WRONG, provenance=me, expected_version=1)
        assert played.version == 5
        with pytest.raises(ConflictError, match="version 5"):
            await EpisodeEngine(log).submit(name, WRONG, provenance=me, expected_version=2)


async def test_of_labels_put_on_at_once_all_are_there() -> None:
    async with open_log("memory://") as log:
        engines = [EpisodeEngine(log) for _ in range(8)]
        name = await begin(engines[0])
        async with anyio.create_task_group() as tasks:
            for i, engine in enumerate(engines):
                tasks.start_soon(engine.label, name, {f"tag {i}": ""})
        assert set((await engines[0].load(name)).labels) == {f"tag {i}" for i in range(8)}
