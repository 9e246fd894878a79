"""A folder with the page and some episodes that any static host can serve: no server behind it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import BaseModel

from physix.api.access import EVERYTHING
from physix.api.http.events import public_events
from physix.api.http.views import EpisodeList, EpisodeRowView, EpisodeView
from physix.api.page import STATIC
from physix.engine import RecordedEvent
from physix.engine.episode import fold
from physix.errors import BadInputError, EpisodeNotFoundError
from physix.limits import FILE_NAME
from physix.store import Log
from physix.store.projection import project

_CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'"
)
_HEAD = (
    f'<meta http-equiv="Content-Security-Policy" content="{_CSP}" />\n'
    '    <meta name="physix-bundle" content="physix-bundle/1" />'
)


@dataclass(frozen=True, slots=True)
class Bundled:
    """What was written."""

    episodes: int
    bytes: int


async def read_episodes(log: Log, episode_ids: Sequence[str]) -> list[Sequence[RecordedEvent]]:
    """Return the events of each episode, in the order asked for.

    Raises:
        BadInputError: an id cannot be a file name.
        EpisodeNotFoundError: there is no such episode.
    """
    return [await _read(log, episode_id) for episode_id in dict.fromkeys(episode_ids)]


def write_bundle(streams: Sequence[Sequence[RecordedEvent]], out: Path, *, page: Path = STATIC) -> Bundled:
    """Write the built page and the episodes to a new folder.

    Args:
        streams: the events of each episode, in the order of the list.
        out: the folder, which may exist if it is empty.
        page: the built page.

    Raises:
        BadInputError: the page is not built, or the folder holds files.
    """
    index = page / "index.html"
    if not index.is_file():
        raise BadInputError("The page is not built. Run `make page` first.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInputError(f"{out} is not an empty folder. Name a new one.")
    shutil.copytree(page, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".vite", "index.html"))
    (out / "index.html").write_text(_relative(index.read_text(encoding="utf-8")), encoding="utf-8")
    data = out / "data"
    data.mkdir()
    rows = [_write_episode(data, recorded) for recorded in streams]
    _write(data / "episodes.json", EpisodeList(items=rows, next_cursor=None, total=len(rows)))
    return Bundled(len(rows), sum(path.stat().st_size for path in out.rglob("*") if path.is_file()))


def _relative(html: str) -> str:
    """The page's own addresses, made relative; the policy that the server sends as a header goes inside."""
    local = re.sub(r'(src|href)="/', r'\1="./', html)
    return local.replace('<meta charset="utf-8" />', f'<meta charset="utf-8" />\n    {_HEAD}', 1)


async def _read(log: Log, episode_id: str) -> Sequence[RecordedEvent]:
    if not re.fullmatch(FILE_NAME, episode_id):
        raise BadInputError(f"Episode {episode_id[:96]!r} cannot be bundled: its id is no file name.")
    recorded = await log.read(episode_id)
    if not recorded:
        raise EpisodeNotFoundError(episode_id)
    return recorded


def _write_episode(data: Path, recorded: Sequence[RecordedEvent]) -> EpisodeRowView:
    episode = fold(recorded)
    if episode is None:
        raise BadInputError("An episode without events cannot be bundled.")
    row = project(recorded)
    _write(data / f"{row.episode_id}.json", EpisodeView.of(episode, EVERYTHING, driven=False))
    events = [one.model_dump(mode="json") for one in public_events(recorded, EVERYTHING)]
    (data / f"{row.episode_id}.events.json").write_bytes(orjson.dumps(events))
    return EpisodeRowView.of(row, EVERYTHING)


def _write(path: Path, view: BaseModel) -> None:
    path.write_bytes(orjson.dumps(view.model_dump(mode="json")))
