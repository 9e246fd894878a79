# /// script
# requires-python = ">=3.11"
# dependencies = ["physix-live[train]"]
# ///
"""SFT, GRPO, evaluation and push in one job: `uv run job_train.py` or `hf jobs uv run job_train.py`.

`--dry-run` prints the plan and exits; `--smoke` runs every stage on a CPU with a toy model in a few
minutes. The stages are the package's own commands: nothing is done here that they do not do.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the job will do."""

    profile: str
    out: str
    episodes: int
    sft_steps: int
    grpo_steps: int
    group: int | None
    prompts_per_step: int | None
    backend: str
    save_method: str
    hub_repo_id: str | None
    seed: int
    smoke: bool

    def stages(self) -> list[str]:
        """Return the stages in words, in their order."""
        found = [
            f"play {self.episodes} teacher episodes into {self.out}/log.db",
            f"mine them into {self.out}/dataset",
            f"SFT of {self.profile}, {self.sft_steps} steps, backend {self.backend}",
            f"GRPO on whole episodes, {self.grpo_steps} steps",
            f"evaluate on fresh seeds into {self.out}/report",
        ]
        return [*found, f"push to {self.hub_repo_id}"] if self.hub_repo_id else found


def parse(arguments: list[str] | None = None) -> tuple[Job, bool]:
    """Return the job and whether only its plan is wanted."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--profile", default="qwen2.5-1.5b", choices=("qwen2.5-1.5b", "qwen2.5-3b", "nano"))
    p.add_argument("--out", default="runs/job")
    p.add_argument("--episodes", type=int, default=12_000)
    p.add_argument("--sft-steps", type=int, default=600)
    p.add_argument("--grpo-steps", type=int, default=300)
    p.add_argument("--backend", default="auto", choices=("auto", "unsloth", "peft", "full"))
    p.add_argument("--save-method", default="merged_16bit", choices=("lora", "merged_16bit"))
    p.add_argument("--hub-repo-id")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--dry-run", action="store_true")
    p.add_argument("--smoke", action="store_true")
    g = p.parse_args(arguments)
    job = Job(
        profile="nano" if g.smoke else g.profile,
        out=g.out,
        episodes=120 if g.smoke else g.episodes,
        sft_steps=30 if g.smoke else g.sft_steps,
        grpo_steps=2 if g.smoke else g.grpo_steps,
        group=4 if g.smoke else None,
        prompts_per_step=2 if g.smoke else None,
        backend="full" if g.smoke else g.backend,
        save_method=g.save_method,
        hub_repo_id=g.hub_repo_id,
        seed=g.seed,
        smoke=g.smoke,
    )
    return job, g.dry_run


def run(job: Job) -> dict[str, str]:
    """Run every stage and return where each left its result."""
    return _run_nano(job) if job.profile == "nano" else _run_instruct(job)


def _run_nano(job: Job) -> dict[str, str]:
    from physix.training.grpo import GrpoOptions, train_grpo
    from physix.training.nano.export import export_nano
    from physix.training.nano.files import load_nano_folder
    from physix.training.nano.model import NanoSize
    from physix.training.nano.plan import NanoPlan, make
    from physix.training.nano.sft import NanoSftConfig
    from physix.training.report import write_report

    out = Path(job.out)
    size = NanoSize(hidden=32, layers=2, heads=2, kv_heads=1, feed_forward=64) if job.smoke else NanoSize()
    config = NanoSftConfig(
        steps=job.sft_steps, batch=16 if job.smoke else 64, warmup=10 if job.smoke else 100
    )
    plan = NanoPlan(
        out=out,
        episodes=job.episodes // 2,
        size=size,
        sft=config,
        seed=job.seed,
        watched_episodes=1 if job.smoke else 5,
    )
    make(plan)
    options = GrpoOptions(
        model=str(out / "nano-sft" / "model"),
        output_dir=out / "grpo",
        num_steps=job.grpo_steps,
        group=job.group,
        prompts_per_step=job.prompts_per_step,
        db=f"sqlite:///{(out / 'grpo.db').resolve()}",
        seed=job.seed,
    )
    model, _, tokenizer = load_nano_folder(train_grpo(options))
    weights = out / "nano-grpo.npz"
    export_nano(model, tokenizer, weights, name="nano-grpo", meta={"run": "grpo"})
    episodes = 2 if job.smoke else 200
    report = write_report(weights, out / "report", [out / "nano-sft", out / "grpo"], episodes, 0)
    if job.hub_repo_id:
        from physix.training.export import push

        push(out / "grpo" / "model", job.hub_repo_id)
    return {"weights": str(weights), "report": str(report)}


def _run_instruct(job: Job) -> dict[str, str]:
    # Unsloth, where it is used, must come before Transformers: these two modules see to it.
    from physix.training import loop, sft

    from_log = _teacher_dataset(job)
    common = ["--profile", job.profile, "--backend", job.backend, "--seed", str(job.seed)]
    tuned = sft.run(
        [
            *common,
            "--dataset",
            str(from_log),
            "--output-dir",
            f"{job.out}/sft",
            "--num-steps",
            str(job.sft_steps),
            "--save-method",
            "merged_16bit",
        ]
    )
    grpo = [*common, "--model", str(tuned), "--output-dir", f"{job.out}/grpo"]
    grpo += ["--num-steps", str(job.grpo_steps), "--save-method", job.save_method]
    grpo += ["--db", f"sqlite:///{Path(job.out).resolve()}/grpo.db"]
    if job.hub_repo_id:
        grpo += ["--push-to-hub", "--hub-repo-id", job.hub_repo_id]
    return {"sft": str(tuned), "grpo": str(loop.run(grpo))}


def _teacher_dataset(job: Job) -> Path:
    import anyio

    from physix.training.data.files import write_sft
    from physix.training.data.mining import MiningRules
    from physix.training.rollout import TRAINING_SYSTEMS, TaskPlan, roll_out_by_name

    folder = Path(job.out) / "dataset"
    Path(job.out).mkdir(parents=True, exist_ok=True)
    db = f"sqlite:///{Path(job.out).resolve()}/log.db"
    plan = TaskPlan(systems=TRAINING_SYSTEMS, episodes=job.episodes, hint="mostly")
    anyio.run(roll_out_by_name, db, plan, "teacher", "teacher")
    anyio.run(write_sft, db, MiningRules(render="tool"), folder)
    return folder


def main() -> None:
    """Print the plan, or run it."""
    job, dry = parse()
    if dry:
        sys.stdout.write(json.dumps({"job": asdict(job), "stages": job.stages()}, indent=2) + "\n")
        return
    sys.stdout.write(json.dumps(run(job), indent=2) + "\n")


if __name__ == "__main__":
    main()
