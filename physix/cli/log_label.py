"""`physix log label`: tags and a note on an episode, from the terminal."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import anyio
import typer

from physix.errors import BadInputError


def log_label(
    episode: Annotated[str, typer.Argument(metavar="EPISODE", help="Running or ended.")],
    labels: Annotated[
        list[str] | None, typer.Argument(metavar="[TAG|NAME=VALUE]...", help="What to put on it.")
    ] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="The same as note=TEXT.")] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A label to take away; may be repeated.")
    ] = None,
    db: Annotated[str | None, typer.Option("--db", metavar="URL", help="The event log.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tag an episode, write a note on it, or take labels away; say which it has then."""
    from physix.engine.labels import NOTE
    from physix.settings import Settings

    pairs = (one.partition("=") for one in labels or [])
    wanted: dict[str, str | None] = {name: value for name, _, value in pairs}
    wanted |= {NOTE: note} if note is not None else {}
    if both := wanted.keys() & set(remove or []):
        raise BadInputError(f"{', '.join(sorted(both))} cannot be put on it and taken away at once.")
    wanted |= dict.fromkeys(remove or [])
    if not wanted:
        raise BadInputError("Say what to put on it (a tag, or name=value), --note TEXT or --remove NAME.")
    now = anyio.run(_label, Settings.with_flags(db=db).db, episode, wanted)
    if as_json:
        sys.stdout.write(json.dumps({"episode_id": episode, "labels": now}, sort_keys=True) + "\n")
        return
    for name, value in sorted(now.items()):
        sys.stdout.write(f"{name} = {value}\n" if value else f"{name}\n")


async def _label(url: str, episode_id: str, wanted: dict[str, str | None]) -> dict[str, str]:
    from physix.engine import EpisodeEngine
    from physix.store import open_log

    async with open_log(url) as log:
        return dict((await EpisodeEngine(log).label(episode_id, wanted)).labels)
