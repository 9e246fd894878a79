"""The nano model from nothing: teacher episodes, mined rows, supervised training, weights, report.

`make nano` (or `physix train nano`) runs every stage; a stage whose result is there is not run again,
and an interrupted one goes on. Two processes play the teacher's episodes, one trains.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path

import anyio
import numpy as np
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits
from transformers import Qwen2ForCausalLM

from physix.engine.systems.splits import TRAINING_SYSTEMS
from physix.policies.nano.policy import NanoModel, NanoPolicy
from physix.policies.nano.tokenizer import NanoTokenizer
from physix.store import open_log
from physix.training.continuing import begin_run
from physix.training.data.files import write_sft
from physix.training.data.mined import MANIFEST, PARQUET, read_mined
from physix.training.data.mining import NANO_RULES, SftRow
from physix.training.data.teacher import TeacherPolicy
from physix.training.evaluate import METRICS, WATCHED, WATCHED_HELD_OUT, Played, measure
from physix.training.manifest import new_manifest
from physix.training.nano.export import export_nano
from physix.training.nano.files import load_nano_folder, save_nano
from physix.training.nano.model import NanoSize, make_nano
from physix.training.nano.rollout import shape_of, weights_of
from physix.training.nano.sft import NanoSftConfig, prompts_of, tokenise, train_nano
from physix.training.nano.vocabulary import train_tokenizer
from physix.training.rollout import RolloutOptions, TaskPlan, roll_out

_VOCABULARY_ROWS = 6_000
_WATCHED_METRICS = ("format", "solved@1", "solved@8", "turns")
_SEEDS_PER_SHARD = 2_400


@dataclass(frozen=True, slots=True, kw_only=True)
class NanoPlan:
    """The sizes of a run. The shipped weights come from the defaults.

    Attributes:
        episodes: of the teacher, per shard; a shard is a process and a log of its own.
        systems: those with demonstrations; leaving some out asks what transfers.
        early: the tokenizer of the shipped weights, and four bits a number: so `nano-early` was made.
        watched_episodes: whole episodes per system that the model plays every `watch_every` steps of SFT.
    """

    out: Path = Path("runs/nano")
    shards: int = 2
    episodes: int = 14_000
    systems: tuple[str, ...] = TRAINING_SYSTEMS
    size: NanoSize = field(default_factory=NanoSize)
    sft: NanoSftConfig = field(default_factory=lambda: NanoSftConfig(steps=1_700))
    seed: int = 0
    early: bool = False
    watched_episodes: int = 5
    watch_every: int = 250


def teacher_plan(plan: NanoPlan, shard: int) -> TaskPlan:
    """Return a shard's tasks: default noise twice as often as any from 0 to 5 %, a sixth without hint."""
    return TaskPlan(
        systems=TRAINING_SYSTEMS,
        episodes=plan.episodes,
        first_seed=shard * max(_SEEDS_PER_SHARD, plan.episodes // len(TRAINING_SYSTEMS) + 1),
        noises=(0.02, 0.02, None),
        hint="mostly",
    )


async def play_shard(plan: NanoPlan, shard: int) -> int:
    """Play a shard's episodes into its log and return how many there are."""
    count = 0
    async with open_log(_db(plan, shard)) as log:
        options = RolloutOptions(run_id="teacher-1", concurrency=16)
        async for _ in roll_out(log, teacher_plan(plan, shard), TeacherPolicy, options):
            count += 1
    return count


def _db(plan: NanoPlan, shard: int) -> str:
    return f"sqlite:///{(plan.out / f'teacher-{shard}.db').resolve()}"


def play_teacher(plan: NanoPlan) -> None:
    """Play every shard, each in a process of its own."""
    plan.out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "physix.training.nano.plan", "--shard"]
    size = ["--out", str(plan.out), "--episodes", str(plan.episodes)]
    running = [subprocess.Popen([*command, str(n), *size]) for n in range(plan.shards)]  # noqa: S603  # this module again, no shell
    codes = [process.wait() for process in running]
    if any(codes):
        raise RuntimeError(f"A teacher process ended with {codes}; run again to go on.")


def mine_rows(plan: NanoPlan) -> tuple[list[SftRow], str]:
    """Mine the logs, once, and return the rows with a hash of them all."""
    rows: list[SftRow] = []
    digests = []
    for shard in range(plan.shards):
        folder = plan.out / f"dataset-{shard}"
        if not (folder / MANIFEST).exists():
            anyio.run(write_sft, _db(plan, shard), NANO_RULES, folder)
        digests.append(read_mined(folder).sha256)
        rows += [SftRow(**row) for row in pq.read_table(folder / PARQUET).to_pylist()]
    return rows, "+".join(digest[:16] for digest in digests)


def watch_episodes(tokenizer: NanoTokenizer, episodes: int) -> Callable[[Qwen2ForCausalLM], dict[str, float]]:
    """Return what measures a model in training: whole episodes on tasks kept for that, greedy, 8 turns.

    Its metrics are `eval/...` on the systems that are learnt from, `held-out/...` on those that never are.
    """

    def evaluate(model: Qwen2ForCausalLM) -> dict[str, float]:
        now = NanoModel(
            name="nano", weights=weights_of(model), shape=shape_of(model), tokenizer=tokenizer, sha256=""
        )

        async def play() -> list[list[Played]]:
            conditions = (WATCHED, WATCHED_HELD_OUT)
            return [await measure(lambda: NanoPolicy("nano", now), one, episodes) for one in conditions]

        with threadpool_limits(limits=1, user_api="blas"):
            learnt, held_out = anyio.run(play)
        return _means("eval", learnt) | _means("held-out", held_out)

    return evaluate


def _shipped_tokenizer() -> str:
    file = resources.files("physix.policies.nano") / "weights" / "nano.npz"
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
        return str(arrays["tokenizer"])


def _means(of: str, outcomes: Sequence[Played]) -> dict[str, float]:
    means = {name: sum(map(METRICS[name], outcomes)) / len(outcomes) for name in _WATCHED_METRICS}
    means["match"] = sum(one.outcome.best_match for one in outcomes) / len(outcomes)
    return {f"{of}/{name}": round(value, 4) for name, value in means.items()}


def train_sft(plan: NanoPlan, rows: list[SftRow], dataset_sha256: str) -> Path:
    """Train the tokenizer and the model; return the model's folder. Goes on from a checkpoint."""
    folder = plan.out / "nano-sft"
    if (folder / "model" / "config.json").exists():
        return folder / "model"
    tokenizer_json = (
        _shipped_tokenizer() if plan.early else train_tokenizer(prompts_of(rows[:_VOCABULARY_ROWS])).to_str()
    )
    tokenizer = NanoTokenizer.from_json(tokenizer_json)
    wanted = [row for row in rows if row.system_id in plan.systems]
    model = make_nano(tokenizer, plan.size, seed=plan.seed)
    manifest = new_manifest(
        run_id=folder.name,
        kind="sft",
        profile="nano",
        model="from scratch",
        seed=plan.seed,
        config={**asdict(plan.sft), **asdict(plan.size), "rows": len(wanted)},
        backend="full",
        backend_reason="the nano models are trained whole",
        dataset_sha256=dataset_sha256,
    )
    run = begin_run(folder, manifest)
    with run.ending():
        train_nano(
            model,
            tokenizer,
            tokenise(wanted, tokenizer),
            plan.sft,
            folder,
            log=run.log,
            evaluate=watch_episodes(tokenizer, plan.watched_episodes),
            evaluate_every=plan.watch_every,
        )
        save_nano(model, tokenizer_json, folder / "model")
        run.finish("finished")
    return folder / "model"


def make(plan: NanoPlan) -> Path:
    """Run every stage and return the file that the embedded policy reads."""
    weights = plan.out / "nano.npz"
    if not all((plan.out / f"dataset-{n}" / MANIFEST).exists() for n in range(plan.shards)):
        play_teacher(plan)
    rows, digest = mine_rows(plan)
    folder = train_sft(plan, rows, digest)
    model, _, tokenizer_json = load_nano_folder(folder)
    export_nano(
        model,
        tokenizer_json,
        weights,
        name="nano-early" if plan.early else "nano",
        meta={"run": folder.parent.name, "dataset": digest}
        | ({"steps": plan.sft.steps} if plan.early else {}),
        packed=plan.early,
    )
    return weights


def main() -> None:
    """`python -m physix.training.nano.plan`: one shard of the teacher's episodes, for `play_teacher`."""
    import argparse

    p = argparse.ArgumentParser(description=main.__doc__)
    p.add_argument("--shard", type=int, required=True)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--episodes", type=int, required=True)
    given = p.parse_args()
    anyio.run(play_shard, NanoPlan(out=given.out, episodes=given.episodes), given.shard)


if __name__ == "__main__":
    main()
