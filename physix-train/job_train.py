# /// script
# requires-python = ">=3.11"
# dependencies = ["physix-live[train]"]
#
# [tool.uv.sources]
# physix-live = { path = ".." }
# ///
"""SFT, GRPO, evaluation and push in one job.

In a checkout `uv run physix-train/job_train.py` installs the package from the folder above. Where there is
no checkout the job must be told where the package is, for it is on no index: `python
physix-train/job_train.py --script job.py --source SOURCE` writes a copy that says so, for `uv run job.py` or
`hf jobs uv run job.py`. SOURCE is a wheel (a path or a URL) or a git reference, such as that of the
Space's own repository: `git+https://HOST/OWNER/NAME@REVISION`.

`--dry-run` prints the plan and exits. `--smoke` runs on a CPU in a few minutes: GRPO of a toy through the
reward path of instruct models, whose reward must rise, its evaluation, and every stage with a tiny nano.
The stages are the package's own commands: nothing is done here that they do not do.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_HEADER = re.compile(r"# /// script\n.*?# ///\n", re.DOTALL)
_TOY_LAWS: list[tuple[str, dict[str, float | None]]] = [
    ("d2y/dt2 = -10.0", {}),  # roughly right on every planet of the tasks
    ("d2y/dt2 = 10.0", {}),  # wrong, and readable
    ("d2y/dt2 = (", {}),  # unreadable
]


class RewardPathError(RuntimeError):
    """A toy was trained on real episodes and its reward did not rise as it must."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the job will do."""

    profile: str
    out: str
    episodes: int
    sft_steps: int
    grpo_steps: int
    eval_episodes: int
    group: int | None
    prompts_per_step: int | None
    backend: str
    save_method: str
    hub_repo_id: str | None
    seed: int
    smoke: bool

    def stages(self) -> list[str]:
        """Return the stages in words, in their order."""
        nano = self.profile == "nano"
        tables = "report" if nano else "measured.md"
        log, rows = (
            ("teacher-0.db and teacher-1.db", "dataset-0 and dataset-1") if nano else ("log.db", "dataset")
        )
        found = [
            *(["train a toy, whose reward must rise, and evaluate it"] if self.smoke else []),
            f"play {self.episodes} teacher episodes into {self.out}/{log}",
            f"mine them into {self.out}/{rows}",
            f"SFT of {self.profile}, {self.sft_steps} steps, backend {self.backend}",
            f"GRPO on whole episodes, {self.grpo_steps} steps",
            f"evaluate on fresh seeds into {self.out}/{tables}",
        ]
        return [*found, f"push to {self.hub_repo_id}"] if self.hub_repo_id else found


def parse(arguments: list[str] | None = None) -> tuple[Job, argparse.Namespace]:
    """Return the job, and what was asked for besides: its plan alone, a copy of the script."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--profile", default="qwen2.5-1.5b", choices=("qwen2.5-1.5b", "qwen2.5-3b", "nano"))
    p.add_argument("--out", default="runs/job")
    p.add_argument("--episodes", type=int, default=12_000)
    p.add_argument("--sft-steps", type=int, default=600)
    p.add_argument("--grpo-steps", type=int, default=300)
    p.add_argument(
        "--eval-episodes",
        type=int,
        default=40,
        help="a suite, of SFT and of SFT + GRPO; 200 a system of nano",
    )
    p.add_argument("--backend", default="auto", choices=("auto", "unsloth", "peft", "full"))
    p.add_argument("--save-method", default="merged_16bit", choices=("lora", "merged_16bit"))
    p.add_argument("--hub-repo-id")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--dry-run", action="store_true")
    p.add_argument("--smoke", action="store_true")
    p.add_argument("--script", type=Path, metavar="FILE", help="write a copy of this script and exit")
    p.add_argument("--source", help="where the copy takes the package from: a wheel or a git reference")
    g = p.parse_args(arguments)
    if (g.script is None) != (g.source is None):
        p.error("--script FILE and --source SOURCE go together")
    job = Job(
        profile="nano" if g.smoke else g.profile,
        out=g.out,
        episodes=120 if g.smoke else g.episodes,
        sft_steps=30 if g.smoke else g.sft_steps,
        grpo_steps=2 if g.smoke else g.grpo_steps,
        eval_episodes=2 if g.smoke else g.eval_episodes,
        group=4 if g.smoke else None,
        prompts_per_step=2 if g.smoke else None,
        backend="full" if g.smoke else g.backend,
        save_method=g.save_method,
        hub_repo_id=g.hub_repo_id,
        seed=g.seed,
        smoke=g.smoke,
    )
    return job, g


def with_source(script: str, source: str) -> str:
    """Return the script with another header, whose package comes from `source`.

    Raises:
        ValueError: the source is neither a wheel nor a git reference, or is a wheel that is not there.
    """
    if re.search(r"[\s\"\\]", source):
        raise ValueError(f"{source[:80]!r} holds spaces, quotes or backslashes.")
    remote = source.startswith(("git+https://", "git+ssh://", "git+file://", "https://", "http://"))
    if not remote:
        wheel = Path(source).resolve()
        if wheel.suffix != ".whl" or not wheel.is_file():
            raise ValueError(
                f"{source[:80]!r} is no wheel that is here; give a .whl file, the URL of one, or git+https://..."
            )
        source = wheel.as_uri()
    header = (
        '# /// script\n# requires-python = ">=3.11"\n'
        f'# dependencies = ["physix-live[train] @ {source}"]\n# ///\n'
    )
    return _HEADER.sub(lambda _: header, script, count=1)


def run(job: Job) -> dict[str, str]:
    """Run every stage and return where each left its result.

    Raises:
        RewardPathError: in a smoke run, the reward path is broken.
    """
    if job.smoke:
        toy = rewarded_toy(Path(job.out) / "toy")
        return {"measured": str(_evaluate([toy], ["tiers 1 and 2"], job)), **_run_nano(job)}
    return _run_nano(job) if job.profile == "nano" else _run_instruct(job)


def rewarded_toy(out: Path, *, steps: int = 12) -> Path:
    """Train a toy with the GRPO of instruct models and return its folder.

    Raises:
        RewardPathError: its reward did not rise.
    """
    from physix.training import loop
    from physix.training.runs import read_metrics
    from physix.training.toy import make_toy

    toy = make_toy(out / "start", _TOY_LAWS)
    options = ["--backend", "full", "--model", str(toy), "--output-dir", str(out / "grpo")]
    options += ["--num-steps", str(steps), "--group", "8", "--prompts-per-step", "1", "--max-turns", "1"]
    options += ["--learning-rate", "1e-2", "--system", "free_fall", "--noise", "0"]
    model = loop.run([*options, "--db", f"sqlite:///{(out / 'grpo.db').resolve()}"])
    wrong = what_is_wrong(read_metrics([out], "grpo"))
    if wrong is not None:
        raise RewardPathError(f"The reward path is broken: {wrong}")
    return model


def what_is_wrong(lines: Sequence[Mapping[str, float | None]]) -> str | None:
    """Return why the metrics of the toy's run are not those of a working reward path, None if they are.

    Two things, because each alone can happen by luck or by half a path: what it proposes must have become
    readable (tasks differ in what they pay, not in what can be read), and the match must be paid for it.
    """
    lines = [line for line in lines if line.get("reward") is not None]
    third = len(lines) // 3
    if third == 0:
        return f"only {len(lines)} steps have a reward."

    def mean(name: str, part: Sequence[Mapping[str, float | None]]) -> float:
        return sum(line.get(name) or 0.0 for line in part) / len(part)

    for name, least in (("format", 0.1), ("match_dense", 0.05), ("reward", 0.05)):
        first, last = mean(name, lines[:third]), mean(name, lines[-third:])
        if last - first < least:
            steps = len(lines)
            return f"`{name}` went from {first:.3f} to {last:.3f} in {steps} steps; it must rise by {least}."
    return None


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
    model = loop.run(grpo)
    measured = _evaluate([tuned, model], ["tiers 1 and 2", "tier 3"], job)
    if job.hub_repo_id:
        from physix.training.export import push

        push(model, job.hub_repo_id)
    return {"sft": str(tuned), "grpo": str(model), "measured": str(measured)}


def _evaluate(models: Sequence[Path], suites: Sequence[str], job: Job) -> Path:
    """Play fresh tasks with the models, as `physix train measure` does, and return the tables' file."""
    from physix.settings import Settings
    from physix.training.arms import Arm, Row
    from physix.training.small_report import measure_arms

    arms = [
        Row(arm=Arm(policy=f"hf:{model.resolve()}", suite=suite), episodes=job.eval_episodes)
        for model in models
        for suite in suites
    ]
    out = Path(job.out) / "measured.md"
    measure_arms(f"sqlite:///{Path(job.out).resolve()}/measured.db", arms, out, Settings(retry_wait_s=0.0))
    return out


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
    """Print the plan, write a copy of the script, or run the job."""
    job, asked = parse()
    if asked.script is not None:
        try:
            written = with_source(Path(__file__).read_text(encoding="utf-8"), asked.source)
            asked.script.write_text(written, encoding="utf-8")
        except (ValueError, OSError) as error:
            sys.exit(f"job_train: {error}")
        sys.stdout.write(f"{asked.script}\n")
        return
    if asked.dry_run:
        sys.stdout.write(json.dumps({"job": asdict(job), "stages": job.stages()}, indent=2) + "\n")
        return
    from physix.errors import PhysixError

    try:
        sys.stdout.write(json.dumps(run(job), indent=2) + "\n")
    except (RewardPathError, PhysixError, OSError) as error:
        sys.exit(f"job_train: {error}")


if __name__ == "__main__":
    main()
