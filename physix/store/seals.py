"""The chain over a log: what nobody can recompute cannot be altered, left out or moved unseen.

The last event of every transaction holds its seal: 32 bytes of SHA-256 over the seal before it and
everything the transaction wrote (place, type, time, text and arrays of each event, and the command that
asked for it), then, for every event, short checks of its parts. The chain proves; the checks only name
which part was altered, so four bytes each will do. A chain cannot tell that its end was cut off or that
all of it was sealed anew: for that a head is noted elsewhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import orjson

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

START = bytes(32)  # what the first seal follows
_HEAD = 32
_COUNT = struct.Struct("<I")


class Sealed(NamedTuple):
    """An event as it lies in the database."""

    position: int
    stream: int
    version: int
    type: str
    schema_version: int
    recorded_at: int
    episode_id: str | None
    payload: str
    blob: bytes | None
    command: str  # that it is the first event of: "" if of none


class Checks(NamedTuple):
    """Short checks of the parts of one event."""

    place: int
    recorded_at: int
    command: int
    payload: int
    blob: int
    fields: tuple[int, ...]


def command_text(command_id: str, digest: str, first_version: int, last_version: int) -> str:
    """Return a command as the seal of its first event holds it."""
    return f"{command_id}\0{digest}\0{first_version}\0{last_version}"


def seal(previous: bytes, batch: Sequence[Sealed]) -> bytes:
    """Return the seal of one transaction's events, in order of position.

    Args:
        previous: the seal before, or its first 32 bytes; `START` for the first.
        batch: at least one event.
    """
    chain = _chain(previous)
    checks = [_COUNT.pack(len(batch))]
    for one in batch:
        place, payload, blob = _link(chain, one)
        fields = [crc32(content) for _, content in _fields(one)]
        count = len(fields)
        checks.append(
            _checks(count).pack(
                crc32(place),
                one.recorded_at & 0xFFFFFFFF,
                crc32(one.command.encode()),
                int.from_bytes(payload[:4], "little"),
                int.from_bytes(blob[:4], "little"),
                *fields,
                count,
            )
        )
    told = b"".join(checks)
    chain.update(told)
    return chain.digest() + told


@cache
def _checks(fields: int) -> struct.Struct:
    return struct.Struct(f"<{5 + fields}IB")


def holds(previous: bytes, batch: Sequence[Sealed], told: bytes) -> bool:
    """Tell whether `told` is what `seal` returns for the batch.

    Its checks are part of what is hashed, so they need not be computed anew: a twentieth of the work.
    """
    chain = _chain(previous)
    for one in batch:
        _link(chain, one)
    chain.update(told[_HEAD:])
    return chain.digest() == told[:_HEAD] and covered(told) == len(batch)


def _chain(previous: bytes) -> Hash:
    return sha256(previous[:_HEAD])


def _link(chain: Hash, one: Sealed) -> tuple[bytes, bytes, bytes]:
    """Take one event into the chain; return its place and the hashes of its payload and its arrays."""
    position, stream, version, kind, schema_version, recorded_at, episode_id, text, arrays, command = one
    place = f"{position} {stream} {version} {kind} {schema_version} {episode_id}".encode()
    head = place + f"\0{recorded_at}\0{command}".encode()
    payload = sha256(text.encode()).digest()
    blob = b"" if arrays is None else sha256(arrays).digest()
    chain.update(b"%d %d %b%b%b" % (len(head), len(blob), head, payload, blob))
    return place, payload, blob


def head_of(sealed: bytes) -> str:
    """Return the part of a seal that is noted elsewhere, in hexadecimal."""
    return sealed[:_HEAD].hex()


def covered(sealed: bytes) -> int:
    """Return how many events a seal says it covers, 0 if it is none."""
    return int(_COUNT.unpack_from(sealed, _HEAD)[0]) if len(sealed) >= _HEAD + 4 else 0


def differing(recorded: bytes, batch: Mapping[int, Sealed], last: int) -> Iterator[tuple[int, str]]:
    """Yield position and part of what a seal's checks say was altered.

    Args:
        recorded: the seal that does not hold any more.
        batch: what is there now, by position.
        last: position of the event with the seal.
    """
    checks = _unpacked(recorded)
    for position, told in zip(range(last - len(checks) + 1, last + 1), checks, strict=True):
        if position in batch:
            one = batch[position]
            found = _unpacked(seal(START, [one]))[0]
            yield from ((position, part) for part in _parts(one, told, found))


def _parts(one: Sealed, told: Checks, found: Checks) -> Iterator[str]:
    if told.place != found.place:
        yield "place"  # position, stream, version, type, schema version or episode
    if told.recorded_at != found.recorded_at:
        yield "recorded_at"
    if told.command != found.command:
        yield "command"
    if told.blob != found.blob:
        yield "trajectories"
    if told.payload != found.payload:
        names = [name for name, _ in _fields(one)]
        pairs = zip(names, told.fields, found.fields, strict=False)
        altered = [name for name, old, new in pairs if old != new]
        if len(told.fields) != len(found.fields) or not altered:
            yield one.type  # a field came or went, or one that can be recomputed: the replay names it
        else:
            yield from (f"{one.type}.{name}" for name in altered)


def _unpacked(sealed: bytes) -> list[Checks]:
    """Read checks from their end, where each event says how many fields it has."""
    end, found = len(sealed), []
    for _ in range(covered(sealed)):
        fields = sealed[end - 1]
        start = end - 1 - 4 * (5 + fields)
        if start < _HEAD + 4:
            return []
        place, at, command, payload, blob, *told, _ = _checks(fields).unpack_from(sealed, start)
        found.append(Checks(place, at, command, payload, blob, tuple(told)))
        end = start
    return found[::-1]


# What a replay can compute anew, and so can name, has no checks of its own.
_RECOMPUTED = {"HypothesisSubmitted": frozenset({"turn", "parse"})}
_WITHOUT_FIELDS = frozenset({"SimulationRun", "RewardComputed"})


def _fields(one: Sealed) -> Iterator[tuple[str, bytes]]:
    """Yield name and JSON of the fields that an event keeps checks of, in the order of its payload."""
    if one.type in _WITHOUT_FIELDS:
        return
    try:
        payload = orjson.loads(one.payload)
    except orjson.JSONDecodeError:
        return
    if not isinstance(payload, dict):
        return
    if one.type == "EpisodeStarted":
        yield from _inner(payload)
        return
    left_out = _RECOMPUTED.get(one.type, frozenset())
    for name, value in payload.items():
        if name not in left_out:
            yield name, orjson.dumps(value)


def _inner(payload: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    for name, value in payload.items():
        if isinstance(value, dict):
            for inner, content in value.items():
                yield f"{name}.{inner}", orjson.dumps(content)
        else:
            yield name, orjson.dumps(value)
