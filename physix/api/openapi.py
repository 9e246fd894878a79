"""`python -m physix.api.openapi` prints the API's OpenAPI document, without OpenEnv's routes.

The page's client types are made of it, so it says more than `/openapi.json`: pydantic marks a field
with a default as optional in both directions, although the server sends every field it has.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from physix.api.app import create_app
from physix.settings import Settings

_PREFIX = "#/components/schemas/"


def require_what_is_sent(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with every property of a schema that only answers use marked as required."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    calls = [call for path in document["paths"].values() for call in path.values()]
    asked = _reachable([call.get("requestBody") for call in calls], schemas)
    sent = _reachable([call["responses"] for call in calls], schemas) - asked
    complete = {
        name: schema | {"required": sorted(schema["properties"])}
        if name in sent and "properties" in schema
        else schema
        for name, schema in schemas.items()
    }
    return document | {"components": document["components"] | {"schemas": complete}}


def without_refusals(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without the problems that any route may answer: the page reads all alike."""
    paths = {
        path: {
            method: call | {"responses": {s: told for s, told in call["responses"].items() if s < "4"}}
            for method, call in calls.items()
        }
        for path, calls in document["paths"].items()
    }
    return document | {"paths": paths}


def _reachable(node: object, schemas: dict[str, Any]) -> set[str]:
    """Return the names of the schemas that `node` refers to, at any depth."""
    found: set[str] = set()
    left = [node]
    while left:
        match left.pop():
            case {"$ref": str(ref)} if ref.startswith(_PREFIX) and ref.removeprefix(_PREFIX) not in found:
                name = ref.removeprefix(_PREFIX)
                found.add(name)
                left.append(schemas[name])
            case dict() as inner:
                left.extend(inner.values())
            case list() as items:
                left.extend(items)
    return found


if __name__ == "__main__":
    document = require_what_is_sent(without_refusals(create_app(Settings(), openenv=False).openapi()))
    sys.stdout.write(json.dumps(document, indent=2, sort_keys=True) + "\n")
