"""`physix models`: the language models that run in this process."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from physix.cli.tables import lines

models_app = typer.Typer(help="Fetch language models that run in this process.", no_args_is_help=True)
_MEGABYTE = 1_000_000


@models_app.command("list")
def models_list(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead of a table.")] = False,
) -> None:
    """List the models with their licences, and where they are kept."""
    from physix.policies.local.models import MODELS

    if as_json:
        told = [
            {
                "name": model.name,
                "title": model.title,
                "licence": model.licence,
                "source": model.source,
                "bytes": model.size,
                "sha256": model.sha256,
                "present": model.present,
                "path": str(model.path),
            }
            for model in MODELS.values()
        ]
        sys.stdout.write(json.dumps(told) + "\n")
        return
    rows = [
        (
            m.name,
            m.title,
            m.licence,
            f"{m.size / _MEGABYTE:.0f} MB",
            str(m.path) if m.present else "not here yet",
        )
        for m in MODELS.values()
    ]
    lines(("model", "what it is", "licence", "size", "where"), rows)


@models_app.command("pull")
def models_pull(
    name: Annotated[str, typer.Argument(help="A name from `physix models list`.")],
    unpack: Annotated[
        bool, typer.Option("--unpack", help="Also make the Transformers folder that training reads.")
    ] = False,
) -> None:
    """Fetch a model, check it, and keep it in the cache folder ($PHYSIX_MODELS)."""
    from physix.policies.local.models import cache_folder, model_named, pull

    model = model_named(name)
    sys.stderr.write(f"{model.title} ({model.licence}), {model.source}\n")
    fetched = False

    def tell(doing: str, done: int, total: int) -> None:
        nonlocal fetched
        fetched = True
        _tell(doing, done, total)

    path = pull(model, tell)
    if not fetched:
        sys.stderr.write(f"It is already in {cache_folder()}.\n")
    sys.stdout.write(f"{path}\n")
    if unpack:
        from physix.training.smollm2 import transformers_folder

        sys.stdout.write(f"{transformers_folder()}\n")


def _tell(doing: str, done: int, total: int) -> None:
    sys.stderr.write(f"\r{doing}: {done / _MEGABYTE:.0f} of {total / _MEGABYTE:.0f} MB ")
    if doing == "checking":
        sys.stderr.write("\n")
