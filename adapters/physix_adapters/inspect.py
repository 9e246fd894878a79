"""An Inspect task: `inspect eval physix_adapters/inspect.py@physix --model ... -T split=test -T limit=20`."""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, execute_tools
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver, use_tools
from inspect_ai.tool import Tool, tool
from inspect_ai.util import store

from physix_adapters import wire

_NUDGE = "Call submit_hypothesis with your next proposal."
_SILENCES = 3  # replies in a row without a call: the model has given up


@tool
def submit_hypothesis() -> Tool:
    """The environment's only tool."""

    async def execute(equation: str, params: dict[str, float] | None = None) -> str:
        """Propose an equation of motion and read how well it reproduces the measurements.

        Args:
            equation: For example d2y/dt2 = -g + k*vy**2; several are separated by ";".
            params: The numeric value of every constant that the equation names.
        """
        held = store()
        if held.get("done", False):
            return "The episode is over; no more proposals are accepted."
        if held.get("answered", False):
            return wire.NOT_COUNTED
        if held.get("answered") is not None:
            held.set("answered", True)
        try:
            turn = await wire.submit(held.get("episode_id"), held.get("token"), equation, params)
        except wire.PhysixRefusedError as error:
            return f"Refused: {error}"
        held.set("done", turn.done)
        held.set("best", max(held.get("best", 0.0), turn.total))
        return turn.answer

    return execute


@solver
def start_episode() -> Solver:
    """Start the sample's episode and put the problem before the model."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        options: dict[str, Any] = state.metadata
        started = await wire.start(None, **options)
        state.store.set("episode_id", started.episode_id)
        state.store.set("token", started.token)
        state.user_prompt.text = wire.INSTRUCTIONS + started.question
        return state

    return solve


@solver
def propose() -> Solver:
    """Let the model propose until the episode is over; of the calls in one message only the first counts."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        silences = 0
        while not state.completed and not state.store.get("done", False) and silences < _SILENCES:
            state = await generate(state, tool_calls="none")
            if not state.output.message.tool_calls:
                silences += 1
                state.messages.append(ChatMessageUser(content=_NUDGE))
                continue
            silences = 0
            state.store.set("answered", False)  # the tool sets it: later calls of this message come too late
            answers, _ = await execute_tools(state.messages, state.tools)
            state.messages.extend(answers)
        return state

    return solve


@scorer(metrics=[mean(), stderr()])
def best_total() -> Scorer:
    """The best turn total of the episode, in [0, 1]."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=float(state.store.get("best", 0.0)))

    return score


@task
def physix(split: str = "test", limit: int = 20, max_turns: int = 8, profile: str = "strict") -> Task:
    """The first tasks of a split; `PHYSIX_URL` names the server."""
    rules = {"max_turns": max_turns, "profile": profile}
    samples = [
        Sample(
            input=row["id"], id=row["id"], metadata={"split": row["split"], "index": row["index"], **rules}
        )
        for row in wire.rows(split, limit)
    ]
    steps = [start_episode(), use_tools(submit_hypothesis()), propose()]
    return Task(dataset=samples, solver=steps, scorer=best_total(), message_limit=8 + 8 * max_turns)
