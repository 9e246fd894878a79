"""How events of older schemas become events of the current one: pure functions, applied on read.

What is on disk is never rewritten. `tests/store/fixtures` keeps every old version.

| schema | what changed |
|---|---|
| 1 | trajectories as JSON arrays inside the payload |
| 2 | trajectories in a blob; labels and resume token; fitted constants; match_dense and correctness |
| 3 | rules of the verdict; inputs, noise per variable, sigma and missing samples; fitted starts and errors |
| 4 | what a search found, with the turn that first proposes from it: 3 has none, so nothing to make of it |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Payload = dict[str, Any]
Upcaster = Callable[[Payload], Payload]


def _started_1(payload: Payload) -> Payload:
    verifier = {"constants": "declared", **payload["config"]["verifier"]}
    config = {**payload["config"], "verifier": verifier}
    return {"token_sha256": None, "labels": {}, **payload, "config": config}


def _submitted_1(payload: Payload) -> Payload:
    return {**payload, "provenance": {"prompt_version": None, **payload["provenance"]}}


def _simulated_1(payload: Payload) -> Payload:
    return {**payload, "simulation": {"fitted": {}, "fit_evaluations": 0, **payload["simulation"]}}


def _rewarded_1(payload: Payload) -> Payload:
    return {"match_dense": math.sqrt(payload["reward"]["match"]), "correctness": None, **payload}


def _started_2(payload: Payload) -> Payload:
    return {"rules": 1, **payload}


# (type, schema version) to the function that makes the next version of it.
UPCASTERS: Mapping[tuple[str, int], Upcaster] = {
    ("EpisodeStarted", 1): _started_1,
    ("HypothesisSubmitted", 1): _submitted_1,
    ("SimulationRun", 1): _simulated_1,
    ("RewardComputed", 1): _rewarded_1,
    ("EpisodeStarted", 2): _started_2,
}
