"""A scripted policy through the verifiers taskset, offline: PHYSIX_URL names the server."""

import asyncio

import verifiers.v1 as vf
from physix_adapters.verifiers import PhysixConfig, PhysixTaskset, PhysixToolset
from verifiers.v1.types import AssistantMessage, Request, ToolCall, ToolMessage


async def main() -> None:
    """Set a task up, play it with its tools, score it."""
    task = next(iter(PhysixTaskset(PhysixConfig(split="train", num_tasks=1))))
    tools = PhysixToolset(task.config.tools)
    trace = vf.Trace.model_construct(state=tools.state, rewards={}, metrics={})
    await task.setup(trace, None)
    print(await tools.observe())
    for gravity in (5.0, 10.0, 15.0):
        print(await tools.submit_hypothesis("d2y/dt2 = -g", {"g": gravity}))
    # Of two calls in one message the first counts: verifiers asks the task about each.
    calls = [
        ToolCall(id=name, name="physix_submit_hypothesis", arguments="{}") for name in ("first", "second")
    ]
    for call in calls:
        result = ToolMessage(tool_call_id=call.id, content="")
        asked = Request(messages=[AssistantMessage(content="", tool_calls=calls), result])
        print(call.id, "is turned down:", await task.first_call_counts(asked) is not None)
    await task.score(trace)
    print("reward", trace.rewards["best_total"].value)


asyncio.run(main())
