"""`physix systems` and `physix policies`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import anyio

from physix.cli.tables import lines
from physix.engine.systems import SYSTEMS
from physix.policies import discover_policies


def print_systems(*, as_json: bool) -> None:
    """Print every system with its tier and variables."""
    if as_json:
        known = [
            {
                "id": system.id,
                "title": system.title,
                "tier": system.tier,
                "held_out": system.held_out,
                "variables": [asdict(variable) for variable in system.variables],
            }
            for system in SYSTEMS.values()
        ]
        sys.stdout.write(json.dumps(known) + "\n")
        return
    rows = []
    for system in SYSTEMS.values():
        variables = ", ".join(f"{v.name} ({v.unit})" for v in system.variables)
        tier = f"{system.tier}, held out" if system.held_out else str(system.tier)
        rows.append((system.id, tier, system.title, variables))
    lines(("system", "tier", "what moves", "variables"), rows)


def print_policies(*, as_json: bool) -> None:
    """Print every policy with its reachability, the reason when not, and the command that helps."""
    infos = anyio.run(discover_policies)
    if as_json:
        sys.stdout.write(json.dumps([asdict(info) for info in infos]) + "\n")
        return
    rows = [
        (info.name, "yes" if info.reachable else f"no: {info.reason}", info.description, info.command or "")
        for info in infos
    ]
    lines(("policy", "reachable", "what it is", "to use it"), rows)
