"""Options that say by which rules an episode is judged."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

ConstantsOption = Annotated[
    Literal["declared", "fitted"] | None,  # as in the engine, which `physix --version` must not import
    typer.Option(
        metavar="WHO",
        help="declared: a law brings its numbers; fitted: the verifier finds those left open. "
        "[default: what a policy is made for, else declared]",
    ),
]
