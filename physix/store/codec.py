"""Events to small JSON beside raw float64, and back: exact, no NaN, old schema versions upcast on read.

Trajectories are nearly all of an event's bytes. As JSON they are 2.7 times as large and several
times slower, so they leave the payload (where an empty list stands) for a blob: two little-endian
uint32 (arrays that belong to the shown trajectories or predictions; arrays in all), rows and
columns of each as uint32, then all numbers as little-endian float64, row by row. A trajectory's
first column is time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from physix.engine.events import SCHEMA_VERSION, EpisodeStarted, Event, SimulationRun
from physix.errors import StorageError
from physix.store.upcasters import UPCASTERS, Payload, Upcaster
from physix.systems.task import Trajectory
from physix.verifier.types import Prediction

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event as it is stored."""

    type: str
    payload: str
    blob: bytes | None


def encode(event: Event) -> Encoded:
    """Return the event as JSON and blob.

    Raises:
        StorageError: a number is NaN or infinite, or text is not valid Unicode.
    """
    light, blob = event, None
    match event:
        case EpisodeStarted(task=task, truth=truth):
            light = replace(event, task=replace(task, shown=()), truth=replace(truth, hidden=()))
            blob = _pack([_rows(x) for x in task.shown], [_rows(x) for x in truth.hidden], event.type)
        case SimulationRun(simulation=simulation):
            light = replace(event, simulation=replace(simulation, predictions=()))
            blob = _pack([_plain(x) for x in simulation.predictions], [], event.type)
        case _:
            pass
    # orjson writes NaN as null in silence; a log must not hold a null that was a number.
    if not _finite(light):
        raise _not_finite(event.type)
    try:
        return Encoded(event.type, orjson.dumps(light).decode(), blob)
    except orjson.JSONEncodeError as error:
        raise StorageError(f"{event.type} cannot be recorded: {error}.") from error


def decode(
    type_name: str,
    schema_version: int,
    payload: str | bytes,
    blob: bytes | None,
    upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
) -> Event:
    """Return the event that was recorded, upcast to the current schema.

    Raises:
        StorageError: the schema version is newer than this program, or the row is damaged.
    """
    if schema_version > SCHEMA_VERSION:
        raise StorageError(
            f"{type_name} was recorded with schema {schema_version}; "
            f"this program reads up to {SCHEMA_VERSION}. Update PhysiX-Live."
        )
    try:
        if schema_version == SCHEMA_VERSION:
            return _with_arrays(_EVENT.validate_json(payload), blob)
        current: Payload = orjson.loads(payload)
        for version in range(schema_version, SCHEMA_VERSION):
            upcast = upcasters.get((type_name, version))
            current = upcast(current) if upcast else current
        return _with_arrays(_EVENT.validate_python(current), blob)
    except (ValueError, IndexError) as error:
        raise StorageError(f"A recorded {type_name} is damaged: {str(error)[:300]}") from error


def _with_arrays(event: Event, blob: bytes | None) -> Event:
    if blob is None:
        return event
    shown, hidden = _unpack(blob)
    match event:
        case EpisodeStarted(task=task, truth=truth):
            task = replace(task, shown=tuple(map(_trajectory, shown)))
            return replace(event, task=task, truth=replace(truth, hidden=tuple(map(_trajectory, hidden))))
        case SimulationRun(simulation=simulation):
            predictions = tuple(Prediction(states=_tuples(array)) for array in shown)
            return replace(event, simulation=replace(simulation, predictions=predictions))
        case _:
            raise ValueError("an array where none belongs")


def _rows(trajectory: Trajectory) -> _Array:
    return np.column_stack([trajectory.t, np.array(trajectory.states)])


def _plain(prediction: Prediction) -> _Array:
    array = np.array(prediction.states, dtype="<f8")
    return array if array.ndim == 2 else array.reshape(0, 0)


def _trajectory(array: _Array) -> Trajectory:
    return Trajectory(t=tuple(array[:, 0].tolist()), states=_tuples(array[:, 1:]))


def _tuples(array: _Array) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, array.tolist()))


def _pack(first: Sequence[_Array], second: Sequence[_Array], where: str) -> bytes:
    arrays = [*first, *second]
    if not all(np.isfinite(array).all() for array in arrays):
        raise _not_finite(where)
    header = [len(first), len(arrays), *(size for array in arrays for size in array.shape)]
    return b"".join(
        [
            np.array(header, dtype="<u4").tobytes(),
            *(array.astype("<f8", copy=False).tobytes() for array in arrays),
        ]
    )


def _unpack(blob: bytes) -> tuple[list[_Array], list[_Array]]:
    shown, total = np.frombuffer(blob, dtype="<u4", count=2).tolist()
    sizes = np.frombuffer(blob, dtype="<u4", count=2 * total, offset=8).reshape(total, 2).tolist()
    offset = 8 + 8 * total
    if len(blob) != offset + 8 * sum(rows * columns for rows, columns in sizes):
        raise ValueError(f"a blob of {len(blob)} bytes holds other than its header says")
    arrays = []
    for rows, columns in sizes:
        flat = np.frombuffer(blob, dtype="<f8", count=rows * columns, offset=offset)
        arrays.append(flat.reshape(rows, columns))
        offset += flat.nbytes
    return arrays[:shown], arrays[shown:]


def _not_finite(where: str) -> StorageError:
    return StorageError(f"{where} holds a number that is not finite; nothing was recorded.")


def _finite(value: Any) -> bool:
    kind = type(value)
    if kind is float:
        return bool(value - value == 0.0)
    if kind is str or kind is int or kind is bool or value is None:
        return True
    if kind is dict:
        return all(map(_finite, value.values()))
    if kind is tuple or kind is list:
        return all(map(_finite, value))
    return all(_finite(getattr(value, name)) for name in value.__slots__)
