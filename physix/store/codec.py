"""Events to JSON and back: exact floats, no NaN, old schema versions brought up to date on read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import orjson
from pydantic import Field, TypeAdapter

from physix.engine.events import SCHEMA_VERSION, Event
from physix.errors import StorageError

Payload = dict[str, Any]
Upcaster = Callable[[Payload], Payload]

# (type, schema version) to the function that makes the next version of it.
UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def encode(event: Event) -> str:
    """Return the event as JSON.

    Raises:
        StorageError: a number is NaN or infinite, or text is not valid Unicode.
    """
    payload = _EVENT.dump_python(event, mode="python")
    _refuse_non_finite(payload, event.type)
    try:
        return orjson.dumps(payload).decode()
    except orjson.JSONEncodeError as error:
        raise StorageError(f"{event.type} cannot be recorded: {error}.") from error


def decode(
    type_name: str,
    schema_version: int,
    text: str | bytes,
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
            return _EVENT.validate_json(text)
        payload = orjson.loads(text)
        for version in range(schema_version, SCHEMA_VERSION):
            upcast = upcasters.get((type_name, version))
            payload = upcast(payload) if upcast else payload
        return _EVENT.validate_python(payload)
    except ValueError as error:
        raise StorageError(f"A recorded {type_name} is damaged: {str(error)[:300]}") from error


def _refuse_non_finite(value: object, where: str) -> None:
    # orjson writes NaN as null in silence; a log must not hold a null that was a number.
    if isinstance(value, float):
        if value - value != 0.0:
            raise StorageError(f"{where} holds {value}, which is no finite number; nothing was recorded.")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_non_finite(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_non_finite(item, where)
