"""Events to small JSON beside raw float64, and back: exact, no NaN, old schema versions upcast on read.

Trajectories are nearly all of an event's bytes. As JSON they are 2.7 times as large and several
times slower, so they leave the payload (where an empty list stands) for a blob: two little-endian
uint32 (arrays that belong to the shown trajectories or predictions; arrays in all), rows and
columns of each as uint32, then all numbers as little-endian float64, row by row. A trajectory's
first column is time.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Annotated, Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from physix.engine.events import (
    SCHEMA_VERSION,
    EpisodeStarted,
    Event,
    HypothesisSubmitted,
    RewardComputed,
    SimulationRun,
)
from physix.errors import StorageError
from physix.store.upcasters import UPCASTERS, Payload, Upcaster
from physix.systems.task import Trajectory
from physix.verifier.types import Prediction, Simulation

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
_SIMULATION = tuple(one.name for one in fields(Simulation))
_Array = NDArray[np.float64]
_Packed = tuple[int, int, "array[float]"]  # rows, columns, numbers


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
    content: object = event
    blob = None
    match event:
        case EpisodeStarted(task=task, truth=truth):
            content = replace(event, task=replace(task, shown=()), truth=replace(truth, hidden=()))
            blob = _pack([_rows(x) for x in task.shown], [_rows(x) for x in truth.hidden], event.type)
        case SimulationRun(simulation=simulation):
            # By hand, as replace() costs as much as all the rest.
            light = {name: getattr(simulation, name) for name in _SIMULATION}
            content = {"type": event.type, "turn": event.turn, "simulation": light | {"predictions": ()}}
            blob = _pack([_plain(x) for x in simulation.predictions], [], event.type)
        case _:
            pass
    # orjson writes NaN as null in silence; a log must not hold a null that was a number.
    if not _is_finite(event):
        raise _not_finite(event.type)
    try:
        return Encoded(event.type, orjson.dumps(content).decode(), blob)
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


def _rows(trajectory: Trajectory) -> _Packed:
    rows = [(t, *state) for t, state in zip(trajectory.t, trajectory.states, strict=True)]
    return len(rows), len(rows[0]) if rows else 0, array("d", chain.from_iterable(rows))


def _plain(prediction: Prediction) -> _Packed:
    states = prediction.states
    return len(states), len(states[0]) if states else 0, array("d", chain.from_iterable(states))


def _trajectory(array: _Array) -> Trajectory:
    return Trajectory(t=tuple(array[:, 0].tolist()), states=_tuples(array[:, 1:]))


def _tuples(array: _Array) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, array.tolist()))


def _pack(first: Sequence[_Packed], second: Sequence[_Packed], where: str) -> bytes:
    packed = [*first, *second]
    header = array("I", [len(first), len(packed)])
    for rows, columns, numbers in packed:
        header.extend((rows, columns))
        if not np.isfinite(np.frombuffer(numbers)).all():
            raise _not_finite(where)
        if sys.byteorder == "big":
            numbers.byteswap()
    if sys.byteorder == "big":
        header.byteswap()
    return b"".join([header.tobytes(), *(numbers.tobytes() for _, _, numbers in packed)])


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


def _is_finite(event: Event) -> bool:
    """Tell whether every number outside the blob is finite. Runs on every append, so it names them.

    A sum is finite only if all its terms are; a finite sum too large for a float is looked at again.
    """
    numbers: list[float | None]
    match event:
        case HypothesisSubmitted(params=params, provenance=provenance):
            numbers = [*params.values(), *provenance.sampling.values(), provenance.latency_s]
        case SimulationRun(simulation=simulation):
            numbers = [simulation.t_reached, *simulation.fitted.values()]
        case RewardComputed(reward=reward):
            numbers = [reward.match, reward.progress, reward.simplicity, reward.format, reward.total]
            numbers += [event.emitted, event.generalisation, event.match_dense]
            for fit in event.fits.values():
                numbers += [fit.r2, fit.nrmse, fit.valid_time]
            if event.correctness is not None:
                numbers.append(event.correctness.field_error)
        case _:
            return _all_finite(event)
    return math.isfinite(sum(filter(None, numbers))) or all(map(_all_finite, numbers))


def _all_finite(value: Any) -> bool:
    if value is None or isinstance(value, str | int):
        return True
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_all_finite, value.values()))
    if isinstance(value, tuple | list):
        return all(map(_all_finite, value))
    return all(_all_finite(getattr(value, one.name)) for one in fields(value))
