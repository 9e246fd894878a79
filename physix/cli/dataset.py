"""`physix dataset sft` and `physix rollout`: fill the log with episodes, mine it for rows."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import anyio
import typer

from physix.cli.executors import CpusOption, RayOption, WorkersOption, episodes_bar, executor_for
from physix.errors import BadInputError
from physix.settings import Settings

dataset_app = typer.Typer(help="Make datasets from the event log.", no_args_is_help=True)

Db = Annotated[str | None, typer.Option("--db", metavar="URL", help="The event log. [default: $PHYSIX_DB]")]


@dataset_app.command("sft")
def dataset_sft(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")],
    db: Db = None,
    render: Annotated[str, typer.Option(help="chat (English), tool (tool calls) or nano.")] = "chat",
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="NAME=VALUE", help="A mining rule; may be given several times."),
    ] = None,
    workers: WorkersOption = 1,
    ray: RayOption = None,
    cpus: CpusOption = None,
) -> None:
    """Mine turns worth imitating: Parquet, a dataset card and a manifest."""
    from physix.training.data.files import write_sft
    from physix.training.data.mining import rules_from

    pairs = {"render": render}
    for text in where or []:
        name, sign, value = text.partition("=")
        if not sign:
            raise BadInputError(f"--where {text[:60]!r} is no NAME=VALUE.")
        pairs[name] = value
    url = db or Settings().db
    # One process alone reads the log from end to end, which is less work than episode by episode.
    executor = executor_for(workers, ray, cpus, url) if workers > 1 or ray or cpus else None
    report = anyio.run(write_sft, url, rules_from(pairs), out, executor)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


@dataset_app.command("lessons")
def dataset_lessons(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")],
    db: Db = None,
    synthetic: Annotated[int, typer.Option(min=0, help="Random laws, one episode each.")] = 1_150,
    systems: Annotated[int, typer.Option(min=0, help="Episodes on tiers 1 and 2.")] = 250,
    first_seed: Annotated[int, typer.Option(min=0, help="Other lessons: another seed.")] = 10_000,
    plane_firsts: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of first turns to learn, laws of two equations.")
    ] = 0.3,
    line_firsts: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The same for laws of one equation.")
    ] = 0.3,
    system_firsts: Annotated[float, typer.Option(min=0.0, max=1.0, help="The same for tiers 1 and 2.")] = 1.0,
    lines: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the repairs of a single equation.")
    ] = 1.0,
    begin: Annotated[
        Literal["plain", "even"],
        typer.Option(help="First laws of two equations: what is plain, springs too, or even pulls alone."),
    ] = "even",
    run_id: Annotated[str, typer.Option("--run-id", help="Repeating it continues it.")] = "lessons-1",
) -> None:
    """Play lessons on random laws into the log and write their rows: what a small model learns from."""
    from physix.training.data.files import write_lessons
    from physix.training.data.lessons import LessonPlan

    plan = LessonPlan(
        synthetic=synthetic,
        systems=systems,
        first_seed=first_seed,
        plane_firsts=plane_firsts,
        line_firsts=line_firsts,
        system_firsts=system_firsts,
        lines=lines,
        begin=begin,
    )
    report = anyio.run(write_lessons, db or Settings().db, plan, run_id, out)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


def rollout(
    policy: Annotated[str, typer.Option(metavar="NAME", help="teacher, or a name from `physix policies`.")],
    episodes: Annotated[int, typer.Option(min=1, help="How many, over all systems together.")],
    system: Annotated[
        list[str] | None,
        typer.Option("--system", metavar="ID", help="May be repeated. [default: the training systems]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The first task's seed.")] = 0,
    noise: Annotated[
        list[float] | None, typer.Option(help="May be repeated: levels to choose from. [default: 0.02]")
    ] = None,
    hint: Annotated[
        str, typer.Option(help="given, removed, misleading, or mostly (a sixth removed).")
    ] = "given",
    run_id: Annotated[
        str, typer.Option("--run-id", help="Names the rollout; repeating it continues it.")
    ] = "",
    workers: WorkersOption = 1,
    ray: RayOption = None,
    cpus: CpusOption = None,
    batch: Annotated[int, typer.Option(min=1, max=256, help="Episodes that a worker plays together.")] = 8,
    db: Db = None,
) -> None:
    """Play episodes in bulk and append them to the log.

    Stopped and started again under the same --run-id, it goes on where it stopped.
    """
    from physix.engine.systems.splits import TRAINING_SYSTEMS
    from physix.training.rollout import TaskPlan, roll_out_by_name

    plan = TaskPlan(
        systems=tuple(system or TRAINING_SYSTEMS),
        episodes=episodes,
        first_seed=seed,
        noises=tuple(noise or [0.02]),
        hint=hint,
    )
    url = db or Settings().db
    executor = executor_for(workers, ray, cpus, url)
    with episodes_bar(episodes) as told:
        tally = anyio.run(
            partial(
                roll_out_by_name,
                url,
                plan,
                policy,
                run_id or policy,
                executor=executor,
                batch=batch,
                tell=lambda tally: told(tally.episodes),
            )
        )
    sys.stdout.write(json.dumps(asdict(tally)) + "\n")
    if tally.failed:
        sys.stderr.write(
            f"physix: {tally.failed} episodes broke off ({tally.error}). Run the same command again: "
            "what the log holds is not played twice.\n"
        )
        raise typer.Exit(1)
