"""Measuring small models: arms on the same tasks, findings of other tasks, paired tables."""

import json
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from typer.testing import CliRunner

from physix.cli.app import app
from physix.engine.ports import PastTurn
from physix.engine.systems.task import Task
from physix.errors import BadInputError, InfrastructureError, PolicyError
from physix.policies.chat.policy import Chunk, Sampling
from physix.policies.chat.prompt import Prompt
from physix.policies.local import backend
from physix.policies.local.backend import LocalBackend
from physix.policies.local.models import SMOLLM2, LocalModel
from physix.settings import Settings
from physix.store import open_log
from physix.training import small_report
from physix.training.arms import PLANES, Arm, Row, arms_from
from physix.training.evaluate import Played
from physix.training.players import weights_of
from physix.training.small_report import by_system, differences, measure_arms, plan_of, table


def measured(tmp_path: Path, *arms: Arm, episodes: int = 2, log: str = "memory://") -> list[list[Played]]:
    """Return what came of arms, in their order; the tables lie in `m.md`."""
    rows = [Row(arm=arm, episodes=episodes) for arm in arms]
    return list(measure_arms(log, rows, tmp_path / "m.md", Settings(retry_wait_s=0.0)).values())


def told(suite: str, episodes: int) -> list[tuple[Task, Task, PastTurn]]:
    """Return each task of a suite with another one and what it would be told of that."""
    pool = anyio.run(small_report._pool, plan_of(Arm(policy="obedient", suite=suite), episodes))
    found = []
    for task, own in pool:
        for other, donor in pool:
            if small_report._differs(other, task):
                found.append((task, other, small_report._told_of(own, other, donor, task)))
    return found


@pytest.mark.parametrize("suite", ["tier 3", PLANES])
def test_what_is_shuffled_is_of_another_law_in_the_names_of_the_task(suite: str) -> None:
    found = told(suite, 6)
    assert found
    for task, other, past in found:
        assert other.system_id != task.system_id or other.task_id != task.task_id
        names = {v.name for v in task.variables}
        assert past.findings is not None
        for finding in past.findings.findings:
            assert finding.target.removeprefix("d2").removeprefix("d").partition("/")[0] in names
            strangers = {v.name for v in other.variables} - names
            assert not strangers & set(re.findall(r"[A-Za-z_]\w*", finding.term))


def test_a_task_is_never_told_what_was_found_about_its_own_system() -> None:
    assert {(task.system_id, other.system_id) for task, other, _ in told("tier 3", 4)} == {
        ("projectile_drag", "charged_b_field"),
        ("charged_b_field", "projectile_drag"),
    }


def test_findings_are_worth_something_to_whoever_obeys_them(tmp_path: Path) -> None:
    def solved(told_of: str) -> int:
        arm = Arm(policy="obedient", suite="tiers 1 and 2", told=told_of)
        return sum(one.solved_within(8) for one in measured(tmp_path, arm, episodes=6)[0])

    assert solved("true") >= 5
    assert solved("none") == 0
    assert solved("shuffled") < solved("true")


def test_arms_are_compared_task_by_task_where_the_list_says_so(tmp_path: Path) -> None:
    rows = [
        {"policy": "obedient", "suite": "tiers 1 and 2", "episodes": 6},
        {"policy": "obedient", "suite": "tiers 1 and 2", "told": "none", "episodes": 6, "against": 0},
    ]
    (tmp_path / "arms.json").write_text(json.dumps(rows))
    arms = arms_from(tmp_path / "arms.json")
    out = tmp_path / "m.md"
    outcomes = measure_arms("memory://", arms, out, Settings())
    assert [len(one) for one in outcomes.values()] == [6, 6]
    line = next(line for line in out.read_text().splitlines() if " less " in line)
    assert line.startswith("| obedient, tiers 1 and 2, mismatch none less obedient, tiers 1 and 2 | 6 | ")


def test_random_laws_in_a_plane_have_two_equations() -> None:
    arm = Arm(policy="obedient", suite=PLANES)
    for task, truth in plan_of(arm, 5).tasks():
        assert (truth.equation or "").count(";") == 1
        assert len(task.variables) in (2, 4)


LISTED = {"policy": "obedient", "suite": "tier 3", "episodes": 1}


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in LISTED.items() if key != name}


@pytest.mark.parametrize(
    ("arms", "said"),
    [
        ([LISTED | {"told": "nothing"}], "told is 'nothing'"),  # it was shuffled, and the table said nothing
        ([LISTED | {"suite": "tier 4"}], "suite is 'tier 4'"),
        ([LISTED | {"suite": PLANES, "hint": "misleading"}], "use given, removed"),  # it was removed
        ([LISTED | {"colour": "red"}], "Arm 0 .*colour"),
        ([LISTED | {"episodes": "many"}], "Arm 0 .*episodes: .*integer.*many"),
        ([LISTED | {"episodes": True}], "Arm 0 .*episodes: .*integer"),
        ([LISTED | {"episodes": 0}], "episodes are 0: use 1 to 10000"),
        ([LISTED | {"episodes": 10_001}], "episodes are 10001"),
        ([without("episodes")], "Arm 0 .*episodes: Field required"),
        ([LISTED, without("policy")], "Arm 1 .*policy: Field required"),
        ([LISTED | {"policy": 5}], r"Arm 0 .*policy: .*string \(it is 5\)"),
        ([LISTED | {"first": "abc"}], "Arm 0 .*first: .*integer.*abc"),
        ([LISTED | {"first": -1}], "first is -1: use 0 to 450000"),  # below are the trainings' tasks
        ([LISTED | {"first": 450_001}], "first is 450001"),
        ([LISTED | {"against": 0}], "does not come before"),
        ([LISTED, LISTED | {"told": "none", "against": -1}], "arm -1, which does not come before"),
        ([LISTED, LISTED | {"suite": PLANES, "against": 0}], "arm 0 .* its suite is 'synthetic planes' and"),
        ([LISTED, LISTED | {"told": "none", "episodes": 2, "against": 0}], "its episodes is 2 and theirs 1"),
        ([LISTED, LISTED | {"first": 3, "against": 0}], "its first is 3 and theirs 20000"),
        ([LISTED, LISTED], "Arms 0 and 1 are the same one, obedient, tier 3"),
        ([LISTED, LISTED | {"episodes": 2}], "Arms 0 and 1 are the same one"),
        ([], "No arms are listed"),
        (["obedient"], "Arm 0 .* is no arm"),
        ("obedient", "is no list of arms"),
        (LISTED, "is no list of arms"),
    ],
)
def test_a_list_that_would_measure_something_else_is_refused(arms: object, said: str, tmp_path: Path) -> None:
    (tmp_path / "arms.json").write_text(json.dumps(arms))
    with pytest.raises(BadInputError, match=said) as refused:
        arms_from(tmp_path / "arms.json")
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_lists_no_arms(tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("arms")
    for name in ("no.json", "absent.json", "."):
        with pytest.raises(BadInputError, match="no list of arms"):
            arms_from(tmp_path / name)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (Arm(policy="nosuch", suite="tier 3"), "Unknown policy 'nosuch'.*may be 'obedient'"),
        (Arm(policy="replay:abc", suite="tier 3"), "repeats one recorded episode"),
        (Arm(policy="local:nosuch+x.gguf", suite="tier 3"), "Unknown model 'nosuch'"),
        (Arm(policy="scripted:absent.json", suite="tier 3"), "Cannot read the script"),
        (Arm(policy="obedient", suite="tier 3", told="shuffled"), "nothing to shuffle"),
    ],
)
def test_what_cannot_be_played_is_refused_before_anything_is(last: Arm, said: str, tmp_path: Path) -> None:
    log = f"sqlite:///{tmp_path}/log.db"
    with pytest.raises(BadInputError, match=said):
        measured(tmp_path, Arm(policy="obedient", suite="tier 3"), last, episodes=1, log=log)
    assert recorded(log) == 0
    assert not (tmp_path / "m.md").exists()


def test_tables_that_cannot_be_written_are_refused_before_anything_is_played(tmp_path: Path) -> None:
    (tmp_path / "arms.json").write_text(json.dumps([LISTED]))
    (tmp_path / "file").write_text("")
    log = f"sqlite:///{tmp_path}/log.db"
    for out in (tmp_path, tmp_path / "file" / "m.md", Path("/proc/m.md")):
        words = ["train", "measure", "--arms", str(tmp_path / "arms.json"), "--db", log, "--out", str(out)]
        ran = CliRunner().invoke(app, words)
        assert isinstance(ran.exception, BadInputError)
        assert "cannot be written" in str(ran.exception)
    assert not (tmp_path / "log.db").exists()


def recorded(log: str) -> int:
    """Return how many episodes a log holds."""

    async def count() -> int:
        async with open_log(log) as opened:
            return len({one.episode_id for one in await opened.read_all()})

    return anyio.run(count)


@dataclass(slots=True)
class Model:
    """A stand-in for llama.cpp: what it was asked, and whether it fails."""

    asked: list[tuple[str, Sampling]] = field(default_factory=list)
    fails: Callable[[str], bool] = lambda _prompt: False
    reply: str = "I do not know."  # no law: the model's fault

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Chunk]:
        text = prompt.messages[-1].content
        self.asked.append((text, sampling))
        if self.fails(text):
            raise PolicyError("llama.cpp failed: out of memory")
        yield Chunk(text=self.reply)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model that is here, and answers as the stand-in says."""
    monkeypatch.setenv("PHYSIX_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    SMOLLM2.path.write_bytes(b"base")
    monkeypatch.setattr(backend, "installed", lambda: True)
    monkeypatch.setattr(LocalModel, "present", property(lambda one: one.path.is_file()))
    model = Model()
    monkeypatch.setattr(
        LocalBackend, "stream", lambda _self, prompt, sampling: model.stream(prompt, sampling)
    )
    return model


def adapter(path: Path, holds: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF" + holds)
    return f"local:smollm2+{path}"


TRAINED = Arm(policy="local:smollm2-physix", suite="tier 3")


def test_a_model_that_is_not_here_is_refused_before_anything_is_played(model: Model, tmp_path: Path) -> None:
    SMOLLM2.path.unlink()
    (tmp_path / "arms.json").write_text(json.dumps([LISTED, LISTED | {"policy": TRAINED.policy}]))
    log = f"sqlite:///{tmp_path}/log.db"
    out = tmp_path / "m.md"
    words = ["train", "measure", "--arms", str(tmp_path / "arms.json"), "--db", log, "--out", str(out)]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 3
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert "fetch it with `physix models pull smollm2`" in ran.stderr
    assert not out.exists()
    assert recorded(log) == 0
    SMOLLM2.path.write_bytes(b"base")
    assert CliRunner().invoke(app, words).exit_code == 0
    assert recorded(log) == 2


def test_a_model_that_does_not_answer_is_refused_before_anything_is_played(
    model: Model, tmp_path: Path
) -> None:
    model.fails = lambda _prompt: True
    log = f"sqlite:///{tmp_path}/log.db"
    with pytest.raises(PolicyError, match=r"smollm2-physix cannot play: llama.cpp failed: out of memory"):
        measured(tmp_path, Arm(policy="obedient", suite="tier 3"), TRAINED, log=log)
    assert recorded(log) == 0


def test_a_package_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("physix.policies.registry.find_spec", lambda _name: None)
    with pytest.raises(PolicyError, match=r"pysindy is not installed: pip install 'physix-live\[sindy\]'"):
        measured(tmp_path, Arm(policy="sindy", suite="tier 3"))


def test_replies_that_nobody_can_read_are_measured_as_nothing(model: Model, tmp_path: Path) -> None:
    for model.reply in ("I do not know.", ""):
        (found,) = measured(tmp_path, TRAINED)
        assert [one.outcome.reason for one in found] == ["policy_failed", "policy_failed"]


def test_what_a_server_broke_off_is_not_counted_and_played_by_the_next_run(
    model: Model, tmp_path: Path
) -> None:
    log = f"sqlite:///{tmp_path}/log.db"
    rows = [
        Row(arm=Arm(policy="obedient", suite="tier 3"), episodes=4),
        Row(arm=TRAINED, episodes=4, against=0),
    ]

    def measure() -> dict[str, list[Played]]:
        return measure_arms(log, rows, tmp_path / "m.md", Settings(retry_wait_s=0.0))

    model.fails = lambda _prompt: len(model.asked) > 1 and model.asked[1][0] == model.asked[-1][0]
    with pytest.raises(InfrastructureError, match=r"1 of 4 of local:smollm2-physix, tier 3 \(llama.cpp fail"):
        measure()
    lines = (tmp_path / "m.md").read_text().splitlines()
    counts = [
        int(line.split(" | ")[1]) for line in lines if line.startswith("| local:smollm2-physix, tier 3 ")
    ]
    assert counts[0] == 3
    assert next(line for line in lines if " less " in line).split(" | ")[1] == "3"
    model.fails = lambda _prompt: False
    missing, model.asked[:] = model.asked[1][0], []
    assert [len(one) for one in measure().values()] == [4, 4]
    assert {text for text, _ in model.asked} == {missing} | {
        model.asked[0][0]
    }  # the first asks if it answers
    assert len(model.asked) == 4
    model.fails, model.asked[:] = lambda _prompt: True, []
    assert [len(one) for one in measure().values()] == [4, 4]  # a table of what is in the log needs no server
    assert model.asked == []


def test_a_server_that_stays_away_is_not_asked_for_every_task(model: Model, tmp_path: Path) -> None:
    model.fails = lambda _prompt: len(model.asked) > 1
    with pytest.raises(InfrastructureError, match="24 of 24 of local"):
        measured(tmp_path, TRAINED, episodes=24)
    assert len(model.asked) <= 1 + 3 * (8 + 3)  # three tries of eight, and of those that ran beside the last


def test_adapters_of_one_name_are_told_apart(model: Model, tmp_path: Path) -> None:
    arms = [
        Arm(policy=adapter(tmp_path / name / "x.gguf", name.encode()), suite="tier 3")
        for name in ("a/run", "b/run", "c")
    ]
    rows = [Row(arm=arm, episodes=2, against=0 if n else None) for n, arm in enumerate(arms)]
    found = measure_arms("memory://", rows, tmp_path / "m.md", Settings())
    assert list(found) == ["a/run/x.gguf, tier 3", "b/run/x.gguf, tier 3", "c/x.gguf, tier 3"]
    assert "| b/run/x.gguf, tier 3 less a/run/x.gguf, tier 3 | 2 |" in (tmp_path / "m.md").read_text()


def test_files_that_hold_the_same_are_not_played_twice(model: Model, tmp_path: Path) -> None:
    arms = [
        Arm(policy=adapter(tmp_path / name, b"same"), suite="tier 3") for name in ("a/x.gguf", "b/y.gguf")
    ]
    with pytest.raises(
        BadInputError, match=r"Arms 0 and 1 are the same one: the files of .*x.gguf and .*y.g"
    ):
        measured(tmp_path, *arms)
    assert model.asked == []


def test_an_arm_resumes_only_as_what_it_was(model: Model, tmp_path: Path) -> None:
    log = f"sqlite:///{tmp_path}/log.db"
    arm = Arm(policy=adapter(tmp_path / "x.gguf", b"one"), suite="tier 3")

    def asked(**settings: object) -> bool:
        model.asked.clear()
        measure_arms(log, [Row(arm=arm, episodes=2)], tmp_path / "m.md", Settings.with_flags(**settings))
        return bool(model.asked)

    assert asked()
    assert not asked()
    assert asked(temperature=0.5)
    assert asked(grammar="off")
    assert asked(max_reply_tokens=64)
    assert not asked(temperature=0.5)
    adapter(tmp_path / "x.gguf", b"two")  # trained on
    assert asked()
    SMOLLM2.path.write_bytes(b"other")
    assert asked()


def test_the_shipped_adapter_is_known_by_the_temperature_it_is_sampled_at(
    model: Model, tmp_path: Path
) -> None:
    log = f"sqlite:///{tmp_path}/log.db"
    for temperature, new in ((0.7, True), (0.2, False), (0.1, True)):
        model.asked.clear()
        settings = Settings(temperature=temperature)
        measure_arms(log, [Row(arm=TRAINED, episodes=1)], tmp_path / "m.md", settings)
        assert bool(model.asked) == new
        assert f"temperature {min(0.2, temperature)}; " in (tmp_path / "m.md").read_text()


def test_a_policy_without_a_model_resumes_at_any_temperature(tmp_path: Path) -> None:
    log = f"sqlite:///{tmp_path}/log.db"
    for temperature in (0.2, 0.7):
        rows = [Row(arm=Arm(policy="obedient", suite="tier 3"), episodes=1)]
        measure_arms(log, rows, tmp_path / "m.md", Settings(temperature=temperature))
    assert recorded(log) == 1
    assert "emperature" not in (tmp_path / "m.md").read_text()


def test_tables_are_headed_with_what_their_numbers_depend_on(model: Model, tmp_path: Path) -> None:
    untrained = Arm(policy="local:smollm2", suite="tier 3")
    rows = [Row(arm=arm, episodes=1) for arm in (untrained, TRAINED)]
    measure_arms("memory://", rows, tmp_path / "m.md", Settings(temperature=0.6, grammar="off"))
    head = (tmp_path / "m.md").read_text().splitlines()[0]
    assert head.startswith(
        "Measured with temperature 0.6; 0.2 for local:smollm2-physix; grammar off; prompt compact-"
    )
    assert "; physix-live " in head
    assert f"local:smollm2-physix {weights_of('local:smollm2-physix')[:12]}" in head


def test_a_checkpoint_is_known_by_its_files_and_those_below_its_adapter(tmp_path: Path) -> None:
    base, tuned = tmp_path / "base", tmp_path / "tuned"
    for folder in (base, tuned):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"one")
    (tuned / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    seen = {weights_of(f"hf:{tuned}")}
    for changed in (base / "model.safetensors", tuned / "model.safetensors", tuned / "physix.json"):
        changed.write_bytes(b"two")
        seen.add(weights_of(f"hf:{tuned}"))
    assert len(seen) == 4
    assert weights_of("hf:owner/of-a-hub") == ""


def test_every_row_of_every_table_has_as_many_cells_as_its_head(tmp_path: Path) -> None:
    script = tmp_path / "a|b.json"
    script.write_text(json.dumps([{"equation": "d2x/dt2 = 0; d2y/dt2 = 0"}]))
    rows = [
        Row(arm=Arm(policy="obedient", suite="tier 3", hint="removed", first=9), episodes=2),
        Row(
            arm=Arm(policy=f"scripted:{script}", suite="tier 3", told="none", first=9), episodes=2, against=0
        ),
    ]
    outcomes = measure_arms("memory://", rows, tmp_path / "m.md", Settings())
    assert (tmp_path / "m.md").read_text().count("\n\n") == 3  # the heading and three tables
    pair = [tuple(reversed(list(outcomes)))]
    for text in (
        table(outcomes),
        table(by_system(outcomes)),
        differences([(p[0], p[1]) for p in pair], outcomes),
    ):
        assert text in (tmp_path / "m.md").read_text()
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in text.splitlines()}) == 1
