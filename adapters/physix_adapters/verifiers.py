"""A verifiers v1 taskset; `PHYSIX_URL` names the server.

The rollout's own state holds the episode: the task starts it, the tool server plays it, the reward reads it.
"""

from __future__ import annotations

from typing import Literal

import verifiers.v1 as vf
from pydantic import BaseModel
from verifiers.v1.types import AssistantMessage, Request, ToolMessage

from physix_adapters import wire


class PhysixState(vf.State):
    """The episode of one rollout."""

    episode_id: str = ""
    token: str = ""
    question: str = ""
    best: float = 0.0
    done: bool = False
    broken: str = ""  # the outage that ended it


class PhysixData(vf.TaskData):
    """Which task of which split."""

    split: str
    index: int


class PhysixToolset(vf.Toolset[vf.ToolsetConfig, PhysixState]):
    """Look at the motion, and propose."""

    TOOL_PREFIX = "physix"

    @vf.tool
    async def observe(self) -> str:
        """Return the measured motion: a hint, the variables with their units, and a table."""
        return self.state.question

    @vf.tool
    async def submit_hypothesis(self, equation: str, params: dict[str, float] | None = None) -> str:
        """Propose an equation of motion, e.g. d2y/dt2 = -g + k*vy**2 with params {"g": 9.8, "k": 0.1}.

        Returns how well it reproduces the measurements. Several equations are separated by ";".
        """
        state = self.state
        if state.done:
            return "The episode is over; no more proposals are accepted."
        try:
            turn = await wire.submit(state.episode_id, state.token, equation, params)
        except wire.PhysixRefusedError as error:
            return f"Refused: {error}"
        except wire.PhysixServerError as error:
            state.broken = str(error)
            raise
        state.best = max(state.best, turn.total)
        state.done = turn.done
        return turn.answer


class PhysixRules(BaseModel):
    """The rules of an episode; None leaves one to the server's default for trainers."""

    max_turns: int | None = None
    profile: Literal["strict", "classic"] | None = None
    constants: Literal["declared", "fitted"] | None = None
    hint: bool | None = None


class PhysixTaskConfig(vf.TaskConfig):
    """The tool server's runtime, and the rules."""

    rules: PhysixRules = PhysixRules()
    tools: vf.ToolsetConfig = vf.ToolsetConfig()


class PhysixTask(vf.Task[PhysixData, PhysixState, PhysixTaskConfig]):
    """One episode; its reward is the best turn total, in [0, 1]."""

    @classmethod
    def toolsets(cls, config: PhysixTaskConfig) -> list[vf.Toolset]:
        """The one tool server."""
        return [PhysixToolset(config.tools)]

    async def setup(self, trace: vf.Trace, runtime: vf.Runtime) -> None:
        """Start the episode."""
        rules = self.config.rules.model_dump(exclude_none=True)
        started = await wire.start(None, split=self.data.split, index=self.data.index, **rules)
        trace.state.episode_id, trace.state.token = started.episode_id, started.token
        trace.state.question = started.question

    @vf.intercept
    async def first_call_counts(self, request: Request) -> Request | None:
        """Turn down all but the first proposal of a message: blind series of guesses are learnt otherwise."""
        last = request.messages[-1]
        asked = next((m for m in reversed(request.messages[:-1]) if isinstance(m, AssistantMessage)), None)
        if not isinstance(last, ToolMessage) or asked is None:
            return None
        proposals = [call.id for call in asked.tool_calls or () if call.name.endswith("submit_hypothesis")]
        if last.tool_call_id not in proposals[1:] or last.content == wire.NOT_COUNTED:
            return None
        denied = last.model_copy(update={"content": wire.NOT_COUNTED})
        return request.model_copy(update={"messages": [*request.messages[:-1], denied]})

    @vf.reward(weight=1.0)
    async def best_total(self, trace: vf.Trace) -> float:
        """Not a sum over turns: that would pay for stalling. An outage has no reward."""
        if trace.state.broken:
            raise wire.PhysixOutageError(trace.state.broken)
        return float(trace.state.best)


class PhysixConfig(vf.TasksetConfig):
    """Which tasks."""

    split: str = "train"
    num_tasks: int = 100
    task: PhysixTaskConfig = PhysixTaskConfig()


class PhysixTaskset(vf.Taskset[PhysixTask, PhysixConfig]):
    """The first tasks of a split."""

    def load(self) -> list[PhysixTask]:
        """Name the tasks; an episode starts when one is set up."""
        prompt = wire.INSTRUCTIONS + "Call observe first."
        return [
            PhysixTask(
                PhysixData(id=row["id"], prompt=prompt, split=row["split"], index=row["index"]),
                self.config.task,
            )
            for row in wire.rows(self.config.split, self.config.num_tasks)
        ]


__all__ = ["PhysixTaskset"]

if __name__ == "__main__":
    PhysixToolset.run()
