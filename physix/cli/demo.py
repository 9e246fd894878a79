"""`physix demo`: record comparisons into files, check them, list them."""

from __future__ import annotations

import json
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import anyio
import typer

from physix.cli.measured import TableOptions, takes_table
from physix.cli.rules import ConstantsOption

demo_app = typer.Typer(help="Recorded comparisons: record, verify, list.", no_args_is_help=True)


@demo_app.command("record")
@takes_table()
def record(
    options: TableOptions,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write, e.g. spring.jsonl.")],
    policies: Annotated[str, typer.Option(help="Who plays, separated by commas; see `physix policies`.")],
    title: Annotated[str, typer.Option(help="What the list shows.")],
    system: Annotated[str | None, typer.Option("--system", metavar="ID", help="A system.")] = None,
    seed: Annotated[int, typer.Option(help="Draws the task.")] = 0,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Or a CSV of your own.")] = None,
    hint: Annotated[str, typer.Option(help="CSV: one sentence about the motion.")] = "",
    description: Annotated[str, typer.Option(help="Two sentences on what there is to see.")] = "",
    note: Annotated[str, typer.Option(help="What a viewer should know about these policies.")] = "",
    max_turns: Annotated[int, typer.Option(help="Turn budget.")] = 8,
    profile: Annotated[Literal["classic", "strict"], typer.Option(help="Of the verdict.")] = "classic",
    constants: ConstantsOption = None,
) -> None:
    """Play the same task under each policy, for real, and write what happened."""
    from physix.cli.episode import RunRequest, task_of
    from physix.store.demo import DemoHeader
    from physix.version import __version__

    request = RunRequest(
        system_id=system,
        seed=seed,
        policy="",
        csv=csv,
        csv_options=options,
        hint=hint,
        noise=None,
        max_turns=max_turns,
        profile=profile,
    )
    task, truth = task_of(request)
    names = tuple(name.strip() for name in policies.split(",") if name.strip())
    header = DemoHeader(
        id=out.stem,
        title=title,
        description=description,
        note=note,
        policies=names,
        system_id=task.system_id,
        seed=task.seed,
        comparison_id=uuid.uuid4().hex,
        recorded_with=f"PhysiX-Live {__version__}",
        recorded_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )

    async def play() -> None:
        from physix.engine import EpisodeConfig, EpisodeEngine
        from physix.engine.comparison import load_members, member_id
        from physix.engine.verifier.types import VerifierConfig
        from physix.policies import constants_for, open_policy
        from physix.store import open_log
        from physix.store.demo import write_demo

        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            verifier = VerifierConfig(profile=profile, constants=constants_for(names, constants))
            for index, name in enumerate(names):
                policy = await open_policy(name, log, allow_files=True)
                episode = await engine.start(
                    task,
                    truth,
                    config=EpisodeConfig(max_turns=max_turns, verifier=verifier),
                    policy=policy.name,
                    door="cli",
                    episode_id=member_id(header.comparison_id, index),
                    comparison_id=header.comparison_id,
                )
                await engine.run(episode.episode_id, policy)
            write_demo(out, header, await load_members(log, header.comparison_id))

    anyio.run(play)
    sys.stdout.write(f"{out}: {out.stat().st_size} bytes\n")


@demo_app.command("verify")
def verify(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Demos. [default: those shipped]")
    ] = None,
) -> None:
    """Check checksums and play every recorded turn again; exit code 1 on any difference."""
    from physix.store.demo import read_demo, shipped_demos
    from physix.store.verify import verify_stream

    differences = 0
    for path in files or shipped_demos():
        demo = read_demo(path)
        reports = [verify_stream(events[0].episode_id, events) for events in demo.members]
        for report in reports:
            for one in report.differences:
                sys.stdout.write(
                    f"{path.name} {one.episode_id} turn {one.turn} {one.field}: recorded {one.recorded}, "
                    f"now {one.recomputed}\n"
                )
                differences += 1
        turns = sum(report.turns for report in reports)
        exact = "bit for bit" if all(report.same_environment for report in reports) else "within tolerance"
        how = f"played again, {exact}"
        older = sorted({report.rules for report in reports if not report.recomputed})
        if older:
            how = f"recorded under rules {', '.join(map(str, older))}, checked but not recomputed"
        sys.stdout.write(f"{path.name}: {len(reports)} episodes, {turns} turns {how}\n")
    if differences:
        raise typer.Exit(1)


@demo_app.command("list")
def list_demos(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of a table.")] = False,
) -> None:
    """List the demos that come with the package."""
    from dataclasses import asdict

    from physix.cli.tables import lines
    from physix.store.demo import read_demo, shipped_demos

    demos = [read_demo(path) for path in shipped_demos()]
    if as_json:
        rows = [{**asdict(demo.header), "bytes": demo.bytes, "sha256": demo.sha256} for demo in demos]
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    lines(
        ("demo", "policies", "what there is to see", "note"),
        [(one.header.id, ", ".join(one.header.policies), one.header.title, one.header.note) for one in demos],
    )
