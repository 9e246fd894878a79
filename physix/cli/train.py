"""`physix train`: supervised training, GRPO, and the nano model from nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from physix.cli.exits import POLICY_FAILED
from physix.errors import BadInputError, InfrastructureError, PolicyError

train_app = typer.Typer(help="Train models (needs the extra `train`).", no_args_is_help=True)
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def _need_torch() -> None:
    import importlib.util

    missing = [n for n in ("torch", "transformers", "trl") if importlib.util.find_spec(n) is None]
    if missing:
        raise BadInputError(f"Training needs {', '.join(missing)}: pip install 'physix-live[train]'.")


@train_app.command("sft", context_settings=_PASS_ON, add_help_option=False)
def sft(context: typer.Context) -> None:
    """Fine-tune on mined turns: the flags of `python -m physix.training.sft`."""
    _need_torch()
    from physix.training.sft import run

    sys.stdout.write(f"{run(context.args)}\n")


@train_app.command("grpo", context_settings=_PASS_ON, add_help_option=False)
def grpo(context: typer.Context) -> None:
    """Reinforce on whole episodes: the flags of `python -m physix.training.loop`."""
    _need_torch()
    from physix.training.loop import run

    sys.stdout.write(f"{run(context.args)}\n")


@train_app.command("nano")
def nano(
    out: Annotated[Path, typer.Option(help="Folder for logs, datasets, checkpoints and weights.")] = Path(
        "runs/nano"
    ),
    episodes: Annotated[int, typer.Option(min=60, help="Teacher episodes per shard (of two).")] = 14_000,
    steps: Annotated[int, typer.Option(min=1, help="Steps of supervised training.")] = 1_700,
    system: Annotated[
        list[str] | None,
        typer.Option(
            "--system", metavar="ID", help="With demonstrations; may be repeated. [default: all six]"
        ),
    ] = None,
    early: Annotated[
        bool, typer.Option(help="The shipped tokenizer, four bits a number: with few steps, `nano-early`.")
    ] = False,
) -> None:
    """Make the nano model: teacher episodes, mined rows, training, weights."""
    _need_torch()
    from physix.engine.systems.splits import TRAINING_SYSTEMS
    from physix.training.folders import check_folder
    from physix.training.nano.plan import NanoPlan, make
    from physix.training.nano.sft import NanoSftConfig

    check_folder(out)
    plan = NanoPlan(
        out=out,
        episodes=episodes,
        systems=tuple(system or TRAINING_SYSTEMS),
        sft=NanoSftConfig(steps=steps),
        early=early,
    )
    sys.stdout.write(f"{make(plan)}\n")


@train_app.command("gguf")
def gguf(
    model: Annotated[Path, typer.Option(help="Folder of a merged model, or of a LoRA adapter.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    name: Annotated[str, typer.Option(help="What the file is called, without .gguf.")],
) -> None:
    """Write a Llama or Qwen2 model, or an adapter of one, as GGUF for llama.cpp and Ollama."""
    _need_torch()
    from physix.training.export import export_gguf

    sys.stdout.write(f"{export_gguf(model, out, name=name)}\n")


@train_app.command("report")
def report(
    weights: Annotated[Path, typer.Option(help="Nano weights, as `physix train nano` leaves them.")],
    out: Annotated[Path, typer.Option(help="Folder for the report, its numbers and its plots.")],
    runs: Annotated[
        list[Path] | None, typer.Option("--run", help="Folder of a training run to draw; may be repeated.")
    ] = None,
    episodes: Annotated[int, typer.Option(min=2, help="Episodes per system and condition.")] = 200,
    other_episodes: Annotated[
        int | None, typer.Option(min=2, help="Under the other conditions. [default: as many]")
    ] = None,
    search_episodes: Annotated[
        int,
        typer.Option(
            min=0,
            help="The same for `search`, at about a CPU second an episode: 34 of each of six systems "
            "take about four minutes. 0 leaves it out.",
        ),
    ] = 34,
    sindy_episodes: Annotated[int, typer.Option(min=0, help="The same for PySINDy (extra `sindy`).")] = 0,
) -> None:
    """Measure weights on fresh episodes and write the tables and curves.

    With the defaults some 12,000 episodes and a quarter of an hour of CPU; it says how far it is.
    """
    _need_torch()
    from physix.training.folders import check_folder
    from physix.training.report import write_report
    from physix.training.runs import read_manifest

    check_folder(out)
    for run in runs or []:
        if read_manifest(run / "run.json") is None:
            raise BadInputError(f"{run} holds no training run: there is no run.json in it that can be read.")
    path = write_report(
        weights,
        out,
        runs or [],
        episodes,
        search_episodes,
        other_episodes,
        sindy_episodes,
        say=lambda line: typer.echo(line, err=True),
    )
    sys.stdout.write(f"{path}\n")


@train_app.command("measure")
def measure(
    arms: Annotated[Path, typer.Option(help="JSON: [{policy, suite, hint, told, episodes}, ...].")],
    out: Annotated[Path, typer.Option(help="The tables, as Markdown, written after every arm.")],
    db: Annotated[str, typer.Option(metavar="URL", help="The log; what it holds is not played again.")],
    temperature: Annotated[float, typer.Option(min=0.0, max=2.0, help="Of language models' replies.")] = 0.7,
    grammar: Annotated[bool, typer.Option(help="Hand models a grammar of the task's replies.")] = False,
) -> None:
    """Measure policies on whole episodes, structure alone and strict; hints and findings can be taken.

    Code 3 where a policy cannot play, before anything is played, or its server broke episodes off: these
    are in no table, and the same command plays them.
    """
    from physix.settings import Settings
    from physix.training.arms import arms_from
    from physix.training.small_report import measure_arms, table

    settings = Settings(temperature=temperature, grammar="on" if grammar else "off", retry_wait_s=0.0)
    try:
        outcomes = measure_arms(db, arms_from(arms), out, settings)
    except (PolicyError, InfrastructureError) as error:
        sys.stderr.write(f"physix: {error}\n")
        raise typer.Exit(POLICY_FAILED) from error
    sys.stdout.write(f"{table(outcomes)}\n")


@train_app.command("transfer")
def transfer(
    before: Annotated[Path, typer.Option(help="The model folder that every run began from.")],
    after: Annotated[list[Path], typer.Option("--after", help="A trained model folder; one a seed.")],
    out: Annotated[Path, typer.Option(help="Folder for the tables and the outcomes.")],
    demonstrated: Annotated[list[str], typer.Option("--demonstrated", metavar="ID", help="May be repeated.")],
    episodes: Annotated[int, typer.Option(min=2, help="Per system without demonstrations.")] = 200,
    other_episodes: Annotated[int, typer.Option(min=2, help="Per system with them.")] = 200,
) -> None:
    """Compare models before and after reinforcement on the same fresh tasks, over several seeds."""
    _need_torch()
    from physix.engine.systems.splits import TRAINING_SYSTEMS
    from physix.training.folders import check_folder
    from physix.training.nano.transfer import write_transfer

    check_folder(out)
    path = write_transfer(
        before,
        after,
        out,
        episodes=episodes,
        other_episodes=other_episodes,
        demonstrated=demonstrated,
        systems=TRAINING_SYSTEMS,
    )
    sys.stdout.write(f"{path}\n")
