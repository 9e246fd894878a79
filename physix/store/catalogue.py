"""The event catalogue of `docs/event-log.md`, written from the types: `python -m physix.store.catalogue`."""

from __future__ import annotations

import sys
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from physix.engine.events import SCHEMA_VERSION, Event


def catalogue() -> str:
    """Return one Markdown table an event: every field, its type, and the types inside it."""
    parts = [f"Schema version {SCHEMA_VERSION}."]
    inner: dict[str, type] = {}
    for event in get_args(Event):
        parts.append(f"### {event.__name__}\n\n{_first_line(event)}\n\n{_table(event, inner)}")
    shown: set[str] = set()
    while set(inner) - shown:
        name = sorted(set(inner) - shown)[0]
        shown.add(name)
        inner_type = inner[name]
        parts.append(f"#### {name}\n\n{_first_line(inner_type)}\n\n{_table(inner_type, inner)}")
    return "\n\n".join(parts) + "\n"


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _table(kind: Any, inner: dict[str, type]) -> str:
    hints = get_type_hints(kind)
    rows = [
        f"| `{one.name}` | {_type(hints[one.name], inner)} |" for one in fields(kind) if one.name != "type"
    ]
    return "\n".join(["| field | type |", "|---|---|", *rows])


def _type(hint: Any, inner: dict[str, type]) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        inner[hint.__name__] = hint
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if hint is type(None):
        return "null"
    if origin in (Union, UnionType):
        return " or ".join(_type(one, inner) for one in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0], inner)}"
    if origin is dict:
        return f"{_type(arguments[0], inner)} to {_type(arguments[1], inner)}"
    if arguments:
        return ", ".join(f"`{one}`" for one in arguments)
    return {"str": "text", "int": "integer", "float": "number", "bool": "boolean"}.get(
        getattr(hint, "__name__", ""), str(hint)
    )


if __name__ == "__main__":
    sys.stdout.write(catalogue())
