"""The words that loops of one's own are built of: told alike whichever way an observation comes."""

import asyncio
import subprocess
import sys
from typing import Any

import physix
from physix.api.openenv.client import PhysiXAction
from physix.api.openenv.environment import PhysiXEnvironment
from physix.engine import EpisodeConfig, EpisodeEngine
from physix.engine.systems.measured import Role, read_table, task_from_table
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.store import open_log
from physix.training.doors.words import opening, question, read_reply, verdict

CONFIG = EpisodeConfig(verifier=VerifierConfig(functions="extended"))
JSON = '{"equation": "d2y/dt2 = -g", "params": {"g": 9.5}, "rationale": "It falls."}'


def played(*replies: str, **options: Any) -> tuple[Any, list[Any]]:
    """Play replies through OpenEnv's environment; return what the reset and the steps showed."""

    async def play() -> tuple[Any, list[Any]]:
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            env = PhysiXEnvironment(lambda: engine)
            first = await env.reset_async(system_id="free_fall", **{"seed": 7, **options})
            seen = [
                await env.step_async(PhysiXAction(**read_reply(reply, first).action)) for reply in replies
            ]
            return first, seen

    return asyncio.run(play())


def test_an_observation_is_told_alike_as_an_object_and_as_json() -> None:
    first, (seen,) = played(JSON)
    body, step = first.model_dump(mode="json"), seen.model_dump(mode="json")
    assert opening(first) == opening(body)
    assert question(first) == question(body)
    assert read_reply(JSON, first) == read_reply(JSON, body)
    assert verdict(seen) == verdict(step, done=False)


def test_a_chat_opens_with_the_rules_and_the_form_and_asks_with_the_data() -> None:
    first, _ = played(max_turns=3)
    system, user = opening(first)
    assert (system["role"], user["role"]) == ("system", "user")
    assert system["content"].startswith(first.instructions)
    assert '"equation"' in system["content"]
    assert user["content"].startswith(first.hint)
    assert "Variables: y [m], vy [m/s]" in user["content"]
    assert user["content"].endswith(first.table)
    assert "You have 3 proposals" in question(first)
    assert '"rationale"' not in question(first)  # for agents with a tool: no form to fill


def test_a_verdict_says_what_is_left_and_when_it_is_over() -> None:
    _, (wrong, last) = played(JSON, "prose without any law", max_turns=2)
    assert verdict(wrong).endswith("Proposals left: 1.")
    assert verdict(wrong).startswith(f"Match {wrong.reward_breakdown['match']:.3f}, score ")
    assert verdict(last).endswith("The episode is over.")


def test_a_reply_is_read_by_the_rules_of_every_door() -> None:
    first, _ = played()
    fenced = f"I think that it falls.\n```json\n{JSON}\n```"
    assert read_reply(fenced, first).hypothesis == Hypothesis(
        equation="d2y/dt2 = -g", params={"g": 9.5}, rationale="It falls."
    )
    assert read_reply(fenced, first).action["params"] == {"g": 9.5}
    silent = read_reply("I have no idea.", first)
    assert silent.unreadable
    assert silent.action["equation"] == "(unreadable)"
    for garbage in (
        "",
        "\ud800",
        "{" * 5_000,
        '{"equation": NaN}',
        '{"equation": "x", "params": {"g": 1e999}}',
    ):
        PhysiXAction(**read_reply(garbage, first).action)  # a turn, whatever it holds


def test_open_constants_are_read_where_the_rules_have_them_fitted() -> None:
    reply = '{"equation": "d2y/dt2 = -g", "params": {"g": null}}'
    fitted, _ = played(constants="fitted")
    assert read_reply(reply, fitted).action["params"] == {"g": None}


def test_inputs_of_measured_data_are_told_and_may_be_used() -> None:
    rows = "\n".join(f"{n / 10},{1 - 0.9**n},{n % 2}" for n in range(40))
    table = read_table(f"t,v,u\n{rows}\n")
    task, truth = task_from_table(table, {"u": Role(kind="input")}, hint="A motor.")

    async def begin() -> Any:
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            source = await engine.start(task, truth, config=CONFIG, policy="person", door="interactive")
            env = PhysiXEnvironment(lambda: engine)
            return await env.reset_async(task_from=source.episode_id)

    first = asyncio.run(begin())
    assert [one["name"] for one in first.inputs] == ["u"]
    assert first.trajectories[0]["inputs"][:2] == [[0.0], [1.0]]
    assert "u [" in question(first)
    assert read_reply("dv/dt = -2*v + u", first).hypothesis.equation == "dv/dt = -2*v + u"


def test_the_words_are_public_and_import_no_openenv() -> None:
    assert physix.opening is opening
    assert physix.read_reply is read_reply
    code = (
        "import sys, physix; physix.opening, physix.question, physix.verdict, physix.read_reply; "
        "physix.render, physix.briefing, physix.parse_completion; "
        "print({'torch', 'openenv', 'trl'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
