"""How often does a policy find the law? ODEBench by its protocol, the eight systems, one row a noise level.

    python -m bench.discovery odebench --noise 0 0.01 0.05
    python -m bench.discovery systems --noise 0 0.01 0.05 --seeds 5
    python -m bench.discovery odebench --noise 0.05 --drop 0.5 --policy sindy
    python -m bench.discovery files --folder FOLDER

ODEBench: 512 points on [0, 10], multiplicative noise x (1 + s N), a share of the points dropped; nothing
is held back that could end an episode early, the policy sees the noisy table alone; judged is the law
that the episode came to (`physix.engine.answer`). `reconst.` is the share of laws with variance-weighted
R² > 0.9 on the clean trajectory, from its start; `general.` the same from the second start; `recovered` the
share whose field is within 1 % of the true one over a box about both motions; `form` those that some
constants would turn into the truth.
Source: d'Ascoli et al., "ODEFormer", ICLR 2024, arXiv:2310.05573. The systems are played in `strict`;
so are files of measurements, read with the roles that the importer proposes, NAME_1.csv judged on NAME_2.csv
where there is one: whether a law is right, a person has to say.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing import Pool
from pathlib import Path
from statistics import fmean, median

import anyio

from physix.cli.tables import lines, number
from physix.engine import EpisodeConfig, EpisodeEngine
from physix.engine.answer import answer
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.measured import measured_task, read_table
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.errors import CsvError
from physix.policies import make_policy
from physix.store import open_log
from physix.training.board.odebench import judge, ode_task
from physix.training.suites import OdeCase, odebench

STRICT = VerifierConfig(profile="strict", functions="extended")  # as measured data are played
_FLAGS = (("R", "reconstructed"), ("G", "generalised"), ("L", "recovered"), ("F", "form"), ("S", "solved"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a policy made of one task, and what that is worth."""

    case: str
    noise: float
    reconstructed: bool
    generalised: bool
    recovered: bool
    form: bool
    solved: bool
    turns: int
    cpu_s: float
    equation: str
    params: dict[str, float]


def play(task: Task, truth: Truth, policy: str, config: VerifierConfig) -> tuple[Hypothesis, int, str]:
    """Play one episode; return the law that it came to, the turns, and how it ended."""

    async def run() -> tuple[Hypothesis, int, str]:
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            started = await engine.start(
                task, truth, config=EpisodeConfig(verifier=config), policy=policy, door="cli"
            )
            episode = await engine.run(started.episode_id, make_policy(policy))
        came_to = answer(episode)
        law = Hypothesis(equation="") if came_to is None else came_to.law
        return law, len(episode.turns), episode.outcome.reason or ""

    return anyio.run(run)


def ode_found(job: tuple[OdeCase, float, float, int, str]) -> Found:
    """Let a policy work on one law of ODEBench."""
    case, noise, drop, seed, policy = job
    task, truth = ode_task(case, noise, drop, seed)
    blind = Truth(equation=None, params={}, hidden=())
    began = time.process_time()
    law, turns, reason = play(task, blind, policy, STRICT)
    found = _judged(case.id, noise, task, truth, law)
    cpu_s = time.process_time() - began
    return replace(found, turns=turns, cpu_s=cpu_s, solved=reason in ("solved", "fits"))


def system_found(job: tuple[str, float, int, str]) -> Found:
    """Let a policy work on one task of a system, in `strict`."""
    system_id, noise, seed, policy = job
    task, truth = sample_task(system_id, seed, noise=noise)
    began = time.process_time()
    law, turns, reason = play(task, truth, policy, VerifierConfig(profile="strict"))
    cpu_s = time.process_time() - began
    clean = sample_task(system_id, seed, noise=0.0)[0].shown[:1]
    found = _judged(system_id, noise, task, replace(truth, hidden=(*clean, *truth.hidden)), law)
    return replace(found, turns=turns, cpu_s=cpu_s, solved=reason == "solved")


def file_found(job: tuple[Path, str]) -> str:
    """Let a policy work on one file; return a line of what it found."""
    path, policy = job
    try:
        second = path.with_stem(path.stem.removesuffix("_1") + "_2")
        other = read_table(second.read_bytes()) if path.stem.endswith("_1") and second.exists() else None
        made = measured_task(read_table(path.read_bytes()), held_back=other)
    except CsvError as error:
        return f"{path.stem}: refused: {error}"
    orders = ", ".join(f"{v.name}{'~' if v.estimated else ''}" for v in made.task.variables)
    began = time.process_time()
    law, turns, reason = play(made.task, made.truth, policy, STRICT)
    cpu_s = time.process_time() - began
    verdict = verify(made.task, made.truth, law, best_match=0.0, config=STRICT)
    shares = f"match {verdict.reward.match:.3f}"
    if verdict.generalisation is not None:
        shares += f", held back {verdict.generalisation:.3f}"
    values = ", ".join(f"{name} {value:.4g}" for name, value in law.params.items() if value is not None)
    head = f"{path.stem} ({orders}): {reason}, {turns} turns, {cpu_s:.1f} s, {shares}"
    return f"{head}\n    {law.equation}  [{values}]"


def _judged(name: str, noise: float, task: Task, truth: Truth, law: Hypothesis) -> Found:
    return Found(
        case=name,
        noise=noise,
        **asdict(judge(law, task, truth)),
        solved=False,
        turns=0,
        cpu_s=0.0,
        equation=law.equation,
        params={key: value for key, value in law.params.items() if value is not None},
    )


def _print(name: str, found: Sequence[Found], *, by: str) -> None:
    columns = (by, "n", "reconst.", "general.", "recovered", "form", "passed", "turns", "CPU s", "most")
    rows = []
    for key in [*dict.fromkeys(str(getattr(one, by)) for one in found), "all"]:
        own = [one for one in found if key in ("all", str(getattr(one, by)))]
        shares = [
            number(fmean(getattr(one, what) for one in own), 3)
            for what in ("reconstructed", "generalised", "recovered", "form", "solved")
        ]
        cpu = [one.cpu_s for one in own]
        turns = number(fmean(one.turns for one in own), 1)
        rows.append((key, str(len(own)), *shares, turns, number(median(cpu), 2), number(max(cpu), 2)))
    print(f"\n{name}")
    lines(columns, rows, numbers=columns[1:])


def _told(found: Iterable[Found], options: argparse.Namespace) -> list[Found]:
    """Return what was found, each written or printed as it comes."""
    kept = []
    with open(options.json or os.devnull, "w", encoding="utf-8") as file:
        for one in found:
            kept.append(one)
            file.write(json.dumps(asdict(one)) + "\n")
            file.flush()
            if options.laws:
                flags = "".join(letter if getattr(one, what) else "." for letter, what in _FLAGS)
                took = f"{one.turns}t {one.cpu_s:.1f}s"
                print(one.case, one.noise, flags, took, one.equation, one.params, flush=True)
    return kept


def main() -> None:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description="How often does a policy find the law?")
    parser.add_argument("suite", choices=("odebench", "systems", "files"))
    parser.add_argument("--folder", type=Path, help="of files of measurements")
    parser.add_argument("--policy", default="search")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.01, 0.05])
    parser.add_argument("--drop", type=float, default=0.0, help="share of ODEBench's points left out")
    parser.add_argument("--seeds", type=int, default=1, help="noise seeds, or tasks per system")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--cases", nargs="+", help="ids of systems, or numbers of ODEBench's laws")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", metavar="FILE", help="also write what was found, one object a line")
    parser.add_argument("--laws", action="store_true", help="also print every law")
    options = parser.parse_args()
    if options.suite == "files":
        if options.folder is None:
            parser.error("files: name a --folder")
        paths = sorted(options.folder.glob("*.csv"))
        repeated = {
            path
            for path in paths
            if path.with_stem(path.stem[:-2] + "_1") in paths and path.stem[-2:] == "_2"
        }
        paths = [p for p in paths if p not in repeated and (not options.cases or p.stem in options.cases)]
        with Pool(options.jobs) as pool:
            for line in pool.imap(file_found, [(path, options.policy) for path in paths], chunksize=1):
                print(line, flush=True)
        return
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    with Pool(options.jobs) as pool:
        if options.suite == "odebench":
            cases = [c for c in odebench().cases if not options.cases or c.id[-2:] in options.cases]
            jobs = [
                (c, s, options.drop, seed, options.policy)
                for s in options.noise
                for seed in seeds
                for c in cases
            ]
            found = _told(pool.imap(ode_found, jobs), options)
        else:
            ids = options.cases or list(SYSTEMS)
            plays = [(i, s, seed, options.policy) for s in options.noise for i in ids for seed in seeds]
            found = _told(pool.imap(system_found, plays), options)
            for noise in options.noise:
                own = [one for one in found if one.noise == noise]
                _print(f"{options.policy}, noise {noise}", own, by="case")
    _print(f"{options.suite}, {options.policy}", found, by="noise")


if __name__ == "__main__":
    main()
