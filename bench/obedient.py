"""What do the verifier's findings teach? An agent that does only what they say plays the eight systems.

    python bench/obedient.py --seeds 10

It begins with the zero law, with wrong factors (every term of the true law times a random factor
between 1/2 and 2), with one term of the true law dropped, or with a generic guess (a damped oscillator
in every coordinate), and applies each turn's findings to the letter. Solved means strict, within 8 turns.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import anyio
import numpy as np
from numpy.random import PCG64, Generator

from physix.engine import EpisodeConfig, EpisodeEngine
from physix.engine.episode import Episode
from physix.engine.systems import DEFAULT_NOISE, SYSTEMS, Task, Truth, sample_task
from physix.engine.systems.targets import targets
from physix.engine.verifier import parse
from physix.engine.verifier.tree import Negate, ParsedHypothesis, show, summands
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.policies.obedient import ObedientPolicy, zero_law
from physix.store import open_log

FIRST_SEED = 2_000
Start = Callable[[Task, Truth, Generator], Hypothesis]


def zero(task: Task, truth: Truth, rng: Generator) -> Hypothesis:
    """Return the law under which nothing changes its speed."""
    return Hypothesis(equation=zero_law(task))


def wrong_factors(task: Task, truth: Truth, rng: Generator) -> Hypothesis:
    """Return the true law with every term times a factor of its own."""
    return _changed(task, truth, lambda text, at: f"{2.0 ** rng.uniform(-1.0, 1.0):.4g}*({text})")


def one_dropped(task: Task, truth: Truth, rng: Generator) -> Hypothesis:
    """Return the true law without one of its terms."""
    count = sum(1 for _ in _terms(task, truth))
    gone = int(rng.integers(count))
    return _changed(task, truth, lambda text, at: None if at == gone else text)


def generic(task: Task, truth: Truth, rng: Generator) -> Hypothesis:
    """Return what somebody may begin with who has not looked: a damped oscillator."""
    laws = (f"{t.left} = -{t.variable} - 0.1*{t.driven}" for t in targets(task.variables))
    return Hypothesis(equation="; ".join(laws))


STARTS: dict[str, Start] = {
    "zero law": zero,
    "wrong factors": wrong_factors,
    "one term dropped": one_dropped,
    "generic guess": generic,
}


def _parsed(task: Task, truth: Truth) -> ParsedHypothesis:
    parsed = parse(truth.equation or "", truth.params, task.variables)
    assert isinstance(parsed, ParsedHypothesis)  # a law of ours
    return parsed


def _terms(task: Task, truth: Truth) -> list[tuple[str, str]]:
    return [
        (equation.target, show(Negate(node) if negative else node))
        for equation in _parsed(task, truth).equations
        for negative, node in summands(equation.expression)
    ]


def _changed(task: Task, truth: Truth, change: Callable[[str, int], str | None]) -> Hypothesis:
    laws: dict[str, list[str]] = {target.left: [] for target in targets(task.variables)}
    for at, (target, text) in enumerate(_terms(task, truth)):
        changed = change(text, at)
        if changed is not None:
            laws[target].append(changed)
    text = "; ".join(f"{target} = {' + '.join(terms) or '0'}" for target, terms in laws.items())
    return Hypothesis(equation=text, params=truth.params)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one episode went."""

    system_id: str
    seed: int
    solved: bool
    turns: int
    told: tuple[str, ...]


async def play(start: str, system_id: str, seed: int, noise: float = DEFAULT_NOISE) -> Outcome:
    """Play one episode with the obedient agent."""
    task, truth = sample_task(system_id, seed, noise=noise)
    rng = Generator(PCG64([seed, list(STARTS).index(start)]))
    policy = ObedientPolicy(STARTS[start](task, truth, rng))
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        config = EpisodeConfig(verifier=VerifierConfig(profile="strict"))
        episode: Episode = await engine.start(task, truth, config=config, policy="obedient", door="test")
        episode = await engine.run(episode.episode_id, policy)
    solved = any(turn.rewarded.solved for turn in episode.turns)
    told = tuple(
        f"{t.submitted.equation}\n      {t.rewarded.mismatch} gen {t.rewarded.generalisation}"
        for t in episode.turns
    )
    return Outcome(system_id, seed, solved, len(episode.turns), told)


async def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--seeds", type=int, default=10)
    arguments.add_argument("--noise", type=float, default=DEFAULT_NOISE)
    arguments.add_argument("--starts", nargs="*", default=list(STARTS))
    arguments.add_argument("--systems", nargs="*", default=list(SYSTEMS))
    arguments.add_argument("--verbose", action="store_true", help="print the turns of unsolved episodes")
    options = arguments.parse_args()
    out = sys.stdout
    for start in options.starts:
        solved, by_system, turns = 0, [], []
        for system_id in options.systems:
            outcomes = [
                await play(start, system_id, FIRST_SEED + i, options.noise) for i in range(options.seeds)
            ]
            mine = sum(one.solved for one in outcomes)
            solved += mine
            turns += [one.turns for one in outcomes if one.solved]
            by_system.append(f"{system_id} {mine}")
            for one in outcomes:
                if options.verbose and not one.solved:
                    out.write(
                        f"  {start}: {one.system_id} {one.seed}\n"
                        + "".join(f"    {line}\n" for line in one.told)
                    )
        total = options.seeds * len(options.systems)
        mean = float(np.mean(turns)) if turns else float("nan")
        out.write(f"{start:18} solved {solved} of {total}, in {mean:.1f} turns ({', '.join(by_system)})\n")


if __name__ == "__main__":
    anyio.run(main)
