"""`physix simplify` and `physix same`: laws as algebra. No part of any verdict."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Seconds = Annotated[float, typer.Option("--timeout", min=0.1, max=600.0, help="Seconds to think.")]


def simplify(
    law: Annotated[str, typer.Argument(metavar="LAW", help='E.g. "d2x/dt2 = -k*x/m - k*x/m".')],
    timeout_s: _Seconds = 10.0,
    as_json: _Json = False,
) -> None:
    """Write a law with fewer operators, where algebra finds a way. Every name is a real number."""
    from physix.engine.verifier.symbolic import simplify as simplified

    found = simplified(law, timeout_s=timeout_s)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
        return
    sys.stdout.write(found.equation + "\n")
    if found.outcome != "simplified":
        why = "no simpler form was found" if found.outcome == "unchanged" else "gave up: it takes too long"
        sys.stderr.write(f"physix: {why}\n")


def same(
    first: Annotated[str, typer.Argument(metavar="LAW")],
    second: Annotated[str, typer.Argument(metavar="LAW")],
    timeout_s: _Seconds = 10.0,
    as_json: _Json = False,
) -> None:
    """Tell whether two laws are the same function of the same names: same, different or undecided."""
    from physix.engine.verifier.symbolic import same_law

    found = same_law(first, second, timeout_s=timeout_s)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
    else:
        sys.stdout.write(f"{found.verdict}: {found.reason}\n")
