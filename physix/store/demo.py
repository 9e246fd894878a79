"""Demos: recorded comparisons as files, exports of a log whose header says what there is to see.

`physix log import` takes them too. The events are those of the log, truth included; what a page
shows of them goes through the same projection as a live episode.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from physix.engine.events import RecordedEvent
from physix.errors import BadInputError
from physix.store.transfer import FORMAT, check_file, event_line, read_lines

MAX_BYTES = 300_000
SHIPPED = Path(__file__).parent / "demos"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoHeader:
    """What a demo shows, and who played in it."""

    id: str
    title: str
    description: str
    note: str  # what the viewer should know about the policies
    policies: tuple[str, ...]
    system_id: str
    seed: int | None
    comparison_id: str
    recorded_with: str
    recorded_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo as it was read; `members` are the episodes in the order of the policies."""

    header: DemoHeader
    members: tuple[tuple[RecordedEvent, ...], ...]
    bytes: int
    sha256: str


def write_demo(path: Path, header: DemoHeader, members: Sequence[Sequence[RecordedEvent]]) -> None:
    """Write a demo.

    Raises:
        BadInputError: it would be larger than MAX_BYTES.
    """
    lines = [orjson.dumps({"format": FORMAT, "demo": asdict(header)}) + b"\n"]
    ordered = sorted((one for events in members for one in events), key=lambda one: one.position)
    lines += [event_line(recorded) for recorded in ordered]
    body = b"".join(lines)
    trailer = {"events": len(ordered), "sha256": hashlib.sha256(body).hexdigest()}
    content = body + orjson.dumps(trailer) + b"\n"
    if len(content) > MAX_BYTES:
        raise BadInputError(
            f"The demo would have {len(content)} bytes; at most {MAX_BYTES} are allowed. Record fewer "
            "policies or turns."
        )
    path.write_bytes(content)


def read_demo(path: Path) -> Demo:
    """Read a demo and check its checksum.

    Raises:
        BadInputError: the file cannot be read, was changed, or is no demo.
    """
    try:
        check_file(path)
        content = path.read_bytes()
        head = orjson.loads(content.partition(b"\n")[0])["demo"]
        header = DemoHeader(**{**head, "policies": tuple(head["policies"])})
    except OSError as error:
        raise BadInputError(f"Cannot read the demo {path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{path} is no demo: {str(error)[:200]}") from error
    events = [
        RecordedEvent(
            episode_id=line.episode_id,
            version=line.version,
            position=position,
            recorded_at=line.recorded_at,
            event=line.event,
        )
        for position, line in enumerate(read_lines(path), start=1)
    ]
    return Demo(
        header=header,
        members=_members(events),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _members(events: Sequence[RecordedEvent]) -> tuple[tuple[RecordedEvent, ...], ...]:
    ids = dict.fromkeys(one.episode_id for one in events)  # as they were started: as the policies were named
    return tuple(tuple(one for one in events if one.episode_id == episode_id) for episode_id in ids)


def shipped_demos() -> list[Path]:
    """Return the demos that come with the package, by name."""
    return sorted(SHIPPED.glob("*.jsonl"))


def find_demo(demo_id: str) -> Path:
    """Return a shipped demo's file.

    Raises:
        BadInputError: there is none of this name.
    """
    for path in shipped_demos():
        if path.stem == demo_id:
            return path
    known = ", ".join(path.stem for path in shipped_demos()) or "none"
    raise BadInputError(f"Unknown demo {demo_id[:80]!r}. Shipped demos: {known}.")
