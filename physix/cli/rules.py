"""Options that say by which rules an episode is judged."""

from __future__ import annotations

from typing import Annotated

import typer

from physix.engine.verifier.types import Constants

ConstantsOption = Annotated[
    Constants | None,
    typer.Option(
        metavar="WHO",
        help="declared: a law brings its numbers; fitted: the verifier finds those left open. "
        "[default: what a policy is made for, else declared]",
    ),
]
