"""Evaluate any OpenAI-compatible model on PhysiX-Live, over /ws.

    physix serve &
    API_BASE_URL=http://127.0.0.1:8080/v1 MODEL_NAME=qwen2.5-7b-instruct \
        python examples/inference.py --split test --tasks 20

`API_BASE_URL`, `MODEL_NAME` and `API_KEY` (or `HF_TOKEN`) are the names that OpenEnv's own examples read;
`PHYSIX_URL` names the server, http://127.0.0.1:8000 by default, and `PHYSIX_TOKEN` its token if it has one;
with `PHYSIX_RUN` set, episodes bear that label, and `physix log end --run` ends those that were left.

Prints one line at the start of an episode, one a turn and one at its end, and a summary with a 95 %
interval. Evaluation tasks are judged by `strict`: the score of an episode is its best total, in [0, 1]. Exit
code 1: the model's server failed, so the episodes that it broke off have no score.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import dataclass

from openai import AsyncOpenAI, OpenAIError

from physix import PhysiXAction, PhysiXEnv, opening, read_reply, verdict
from physix.training.intervals import mean_interval, share_interval


@dataclass(frozen=True)
class Played:
    """What one episode came to; `error` says why it has no score."""

    task: str
    rewards: tuple[float, ...]
    score: float = 0.0
    solved: bool = False
    error: str | None = None


async def play(env: PhysiXEnv, model: AsyncOpenAI, options: argparse.Namespace, index: int) -> Played:
    """Play one task to its end: the model sees everything that was said before."""
    task = f"{options.split}/{index}"
    print(f"[START] task={task} env=physix model={options.model}", flush=True)
    rules = {"max_turns": options.max_turns, "run": os.environ.get("PHYSIX_RUN")}
    result = await env.reset(split=options.split, index=index, **rules)
    first, chat = result.observation, opening(result.observation)
    rewards: list[float] = []
    best, why = 0.0, None
    while not result.done:
        try:
            said = await model.chat.completions.create(
                model=options.model,
                messages=chat,  # type: ignore[arg-type]  # plain dicts, as its own examples pass them
                temperature=options.temperature,
                max_tokens=options.max_tokens,
            )
        except OpenAIError as error:
            why = f"{type(error).__name__}: {error}"  # an outage is no fault of the model's: no score
            break
        text = said.choices[0].message.content or ""
        reply = read_reply(text, first)
        result = await env.step(PhysiXAction(**reply.action))
        seen = result.observation
        rewards.append(result.reward or 0.0)
        best = max(best, (seen.reward_breakdown or {}).get("total", 0.0))
        equation = json.dumps(reply.hypothesis.equation)
        print(
            f"[STEP] step={seen.turn} action={equation} reward={rewards[-1]:.3f} "
            f"done={str(result.done).lower()} error={json.dumps(reply.unreadable)}",
            flush=True,
        )
        told = verdict(seen) if reply.unreadable is None else f"{reply.unreadable} {verdict(seen)}"
        chat += [{"role": "assistant", "content": text}, {"role": "user", "content": told}]
    solved = (await env.state()).outcome == "solved"
    print(
        f"[END] success={str(solved).lower()} steps={len(rewards)} score={best:.3f} "
        f"rewards={','.join(f'{reward:.3f}' for reward in rewards)} error={json.dumps(why)}",
        flush=True,
    )
    return Played(task, tuple(rewards), best, solved, why)


async def evaluate(options: argparse.Namespace) -> list[Played]:
    """Play the tasks, several at a time, each over a socket of its own."""
    key = os.environ.get("API_KEY") or os.environ.get("HF_TOKEN") or "none"
    model = AsyncOpenAI(base_url=options.api_base_url, api_key=key)
    token = os.environ.get("PHYSIX_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else None
    places = asyncio.Semaphore(options.at_once)

    async def one(index: int) -> Played:
        async with places, PhysiXEnv(base_url=options.url, headers=headers) as env:
            return await play(env, model, options, index)

    indexes = range(options.first, options.first + options.tasks)
    return await asyncio.gather(*(one(index) for index in indexes))


def main() -> None:
    """Evaluate, and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--split", default="test", choices=("train", "validation", "test"))
    parser.add_argument("--first", type=int, default=0, help="index of the first task")
    parser.add_argument("--tasks", type=int, default=20, help="how many tasks")
    parser.add_argument("--max-turns", type=int, default=8)
    parser.add_argument("--at-once", type=int, default=4, help="episodes at a time")
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--max-tokens", type=int, default=1024, help="of one reply")
    parser.add_argument("--model", default=os.environ.get("MODEL_NAME") or os.environ.get("MODEL"))
    parser.add_argument("--api-base-url", default=os.environ.get("API_BASE_URL"))
    parser.add_argument("--url", default=os.environ.get("PHYSIX_URL", "http://127.0.0.1:8000"))
    options = parser.parse_args()
    if not (options.model and options.api_base_url):
        parser.error("name the model and its server: MODEL_NAME and API_BASE_URL, or their options")
    played = asyncio.run(evaluate(options))
    scored = [one for one in played if one.error is None]
    print(f"\n{options.model} on {len(scored)} tasks of {options.split}, 95 % intervals over tasks:")
    print(f"  solved {share_interval([one.solved for one in scored])}")
    print(f"  score  {mean_interval([one.score for one in scored])}")
    errors = [one.error for one in played if one.error is not None]
    if errors:
        print(f"{len(errors)} episodes have no score: {errors[0]}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
