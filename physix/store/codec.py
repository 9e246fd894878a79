"""Events to small JSON beside raw float64, and back: exact, no NaN, old schema versions upcast on read.

Trajectories are nearly all of an event's bytes. As JSON they are 2.7 times as large and several
times slower, so they leave the payload for a blob: two little-endian
uint32 (arrays that belong to the shown trajectories or predictions; arrays in all), rows and
columns of each as uint32, then all numbers as little-endian float64, row by row. The columns of a
trajectory: time, states, inputs where the task has any, and sigma, one per state, where its file gives
it. Which samples are missing stays in the payload.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from itertools import chain
from typing import Any, NamedTuple, get_args

import numpy as np
import orjson
from pydantic import TypeAdapter

from physix.engine.events import (
    SCHEMA_VERSION,
    EpisodeFinished,
    EpisodeLabelled,
    EpisodeStarted,
    Event,
    HypothesisSubmitted,
    PolicyFailed,
    Provenance,
    RewardComputed,
    SimulationRun,
)
from physix.engine.floats import FloatArray, table_of
from physix.engine.systems.task import Trajectory
from physix.engine.verifier.types import ParseReport, Prediction, Simulation
from physix.errors import StorageError
from physix.store.upcasters import UPCASTERS, Payload, Upcaster

_READERS: Mapping[str, TypeAdapter[Event]] = {kind.__name__: TypeAdapter(kind) for kind in get_args(Event)}


class _Plan(NamedTuple):
    """How a type is written: a field that equals its default is left out, and decoding puts it back.

    So the defaults are part of the schema: changing one takes a new schema version and an upcaster.
    """

    always: tuple[str, ...]
    unless_default: tuple[tuple[str, object], ...]

    @classmethod
    def of(cls, kind: type, *without: str) -> _Plan:
        always = []
        unless_default: list[tuple[str, object]] = []
        for one in fields(kind):
            if one.name in ("type", *without):
                continue
            if one.default is not MISSING:
                unless_default.append((one.name, one.default))
            elif one.default_factory is dict:
                unless_default.append((one.name, {}))
            else:
                always.append(one.name)
        return cls(tuple(always), tuple(unless_default))


_STARTED = _Plan.of(EpisodeStarted)
_SUBMITTED = _Plan.of(HypothesisSubmitted)
_PROVENANCE = _Plan.of(Provenance)
_PARSE = _Plan.of(ParseReport)
_SIMULATION = _Plan.of(Simulation, "predictions")
_REWARDED = _Plan.of(RewardComputed)
_FAILED = _Plan.of(PolicyFailed)
_FINISHED = _Plan.of(EpisodeFinished)


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
    blob = None
    content: dict[str, object]
    match event:
        case HypothesisSubmitted(provenance=told, parse=parse):
            content = _written(event, _SUBMITTED)
            content["provenance"] = _written(told, _PROVENANCE)
            content["parse"] = _written(parse, _PARSE)
        case SimulationRun(simulation=simulation):
            content = {"turn": event.turn, "simulation": _written(simulation, _SIMULATION)}
            blob = _pack([x.table for x in simulation.predictions], [], event.type)
        case EpisodeStarted(task=task, truth=truth):
            content = _written(event, _STARTED)
            content["task"] = replace(task, shown=_without_arrays(task.shown))
            content["truth"] = replace(truth, hidden=_without_arrays(truth.hidden))
            blob = _pack([_rows(x) for x in task.shown], [_rows(x) for x in truth.hidden], event.type)
        case RewardComputed():
            content = _written(event, _REWARDED)
        case PolicyFailed():
            content = _written(event, _FAILED)
        case EpisodeLabelled():
            content = {"labels": event.labels}
        case EpisodeFinished():
            content = _written(event, _FINISHED)
    try:
        payload = orjson.dumps(content)
    except orjson.JSONEncodeError as error:
        raise StorageError(f"{event.type} cannot be recorded: {error}.") from error
    # orjson writes NaN as null in silence; a log must not hold a null that was a number.
    if b"null" in payload and not _is_finite(event):
        raise _not_finite(event.type)
    return Encoded(event.type, payload.decode(), blob)


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
            return _with_arrays(_reader(type_name).validate_json(payload), blob)
        current: Payload = orjson.loads(payload)
        for version in range(schema_version, SCHEMA_VERSION):
            upcast = upcasters.get((type_name, version))
            current = upcast(current) if upcast else current
        return _with_arrays(_reader(type_name).validate_python(current), blob)
    except (ValueError, IndexError) as error:
        raise StorageError(f"A recorded {type_name} is damaged: {str(error)[:300]}") from error


def _reader(type_name: str) -> TypeAdapter[Event]:
    found = _READERS.get(type_name)
    if found is None:
        raise ValueError(f"there is no event of type {type_name[:80]!r}")
    return found


def _written(value: object, plan: _Plan) -> dict[str, object]:
    found = {name: getattr(value, name) for name in plan.always}
    for name, default in plan.unless_default:
        content = getattr(value, name)
        if content != default:
            found[name] = content
    return found


def _with_arrays(event: Event, blob: bytes | None) -> Event:
    if blob is None:
        return event
    shown, hidden = _unpack(blob)
    match event:
        case EpisodeStarted(task=task, truth=truth):
            states, inputs = len(task.variables), len(task.inputs)
            return replace(
                event,
                task=replace(task, shown=_trajectories(shown, task.shown, states, inputs)),
                truth=replace(truth, hidden=_trajectories(hidden, truth.hidden, states, inputs)),
            )
        case SimulationRun(simulation=simulation):
            predictions = tuple(Prediction(states=_tuples(array)) for array in shown)
            return replace(event, simulation=replace(simulation, predictions=predictions))
        case _:
            raise ValueError("an array where none belongs")


_EMPTY = Trajectory(t=(), states=())


def _without_arrays(trajectories: Sequence[Trajectory]) -> tuple[Trajectory, ...]:
    """Return what stays in the payload: which samples are missing; () where none is."""
    if not any(one.missing for one in trajectories):
        return ()
    return tuple(replace(_EMPTY, missing=one.missing) for one in trajectories)


def _rows(trajectory: Trajectory) -> FloatArray:
    columns = [part for part in (trajectory.states, trajectory.inputs, trajectory.sigma) if part]
    return table_of([(t, *chain(*row)) for t, *row in zip(trajectory.t, *columns, strict=True)])


def _trajectories(
    arrays: Sequence[FloatArray], kept: Sequence[Trajectory], states: int, inputs: int
) -> tuple[Trajectory, ...]:
    kept = kept or [_EMPTY] * len(arrays)
    return tuple(
        _trajectory(array, one.missing, states, inputs) for array, one in zip(arrays, kept, strict=True)
    )


def _trajectory(
    array: FloatArray, missing: tuple[tuple[int, int], ...], states: int, inputs: int
) -> Trajectory:
    given, sigma = 1 + states, 1 + states + inputs
    if array.shape[1] not in (sigma, sigma + states):
        raise ValueError(f"a trajectory of {array.shape[1]} columns, {sigma} or {sigma + states} wanted")
    return Trajectory(
        t=tuple(array[:, 0].tolist()),
        states=_tuples(array[:, 1:given]),
        inputs=_tuples(array[:, given:sigma]) if inputs else (),
        sigma=_tuples(array[:, sigma:]) if array.shape[1] > sigma else (),
        missing=missing,
    )


def _tuples(array: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, array.tolist()))


def _pack(first: Sequence[FloatArray], second: Sequence[FloatArray], where: str) -> bytes:
    arrays = [*first, *second]
    header = [len(first), len(arrays)]
    parts = [b""]
    for one in arrays:
        header += one.shape
        if not np.isfinite(one).all():
            raise _not_finite(where)
        parts.append(one.astype("<f8", copy=False).tobytes())
    parts[0] = struct.pack(f"<{len(header)}I", *header)
    return b"".join(parts)


def _unpack(blob: bytes) -> tuple[list[FloatArray], list[FloatArray]]:
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
    """Tell whether every number outside the blob is finite. Runs on many appends, so it names them.

    A sum is finite only if all its terms are; a finite sum too large for a float is looked at again.
    """
    numbers: list[float | None]
    match event:
        case HypothesisSubmitted(params=params, provenance=provenance):
            if not _all_finite(event.discovery):
                return False
            numbers = [*params.values(), *provenance.sampling.values(), provenance.latency_s]
        case SimulationRun(simulation=simulation):
            numbers = [simulation.t_reached, *simulation.fitted.values(), *simulation.errors.values()]
            numbers += chain.from_iterable(simulation.starts)
        case RewardComputed(reward=reward):
            if not _all_finite(event.findings):
                return False
            numbers = [reward.match, reward.progress, reward.simplicity, reward.format, reward.total]
            numbers += [event.emitted, event.generalisation, event.match_dense]
            for fit in event.fits.values():
                numbers += [fit.r2, fit.nrmse, fit.valid_time]
            if event.correctness is not None:
                numbers.append(event.correctness.field_error)
        case EpisodeStarted(task=task, truth=truth):
            # `_pack` has seen to the trajectories.
            return _all_finite(replace(event, task=replace(task, shown=()), truth=replace(truth, hidden=())))
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
