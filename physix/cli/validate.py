"""`physix validate`: the checks of RFC 008 that `openenv validate` names and does not run here.

Ours are entry points, which it does not load; its own runtime checks it runs in a Docker image alone.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def validate(
    root: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The repository, or a staged Space.")
    ] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one check a line.")] = False,
) -> None:
    """Play what each check of ours asks for, and say what it measured; exit code 1 if one fails."""
    from physix.api.openenv.validation import validate as checks
    from physix.cli.tables import lines

    found = []
    for checked in checks(root.resolve()):
        found.append(checked)
        if as_json:
            sys.stdout.write(json.dumps(asdict(checked)) + "\n")
    if not as_json:
        rows = [(one.check, one.status, one.seconds, one.detail) for one in found]
        lines(("check", "status", "seconds", "what was found"), rows, numbers=("seconds",))
    if not all(one.passed for one in found):
        raise typer.Exit(1)
