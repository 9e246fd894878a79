"""`python -m physix.api.openapi` prints the API's OpenAPI document, without OpenEnv's routes."""

from __future__ import annotations

import json
import sys

from physix.api.app import create_app
from physix.settings import Settings

if __name__ == "__main__":
    document = create_app(Settings(), openenv=False).openapi()
    sys.stdout.write(json.dumps(document, indent=2, sort_keys=True) + "\n")
