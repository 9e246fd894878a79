"""`physix systems` and `physix policies`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import anyio
from rich.console import Console
from rich.table import Table

from physix.engine.systems import SYSTEMS
from physix.policies import discover_policies


def print_systems(*, as_json: bool) -> None:
    """Print every system with its tier and variables."""
    if as_json:
        rows = [
            {
                "id": system.id,
                "title": system.title,
                "tier": system.tier,
                "held_out": system.held_out,
                "variables": [asdict(variable) for variable in system.variables],
            }
            for system in SYSTEMS.values()
        ]
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    table = Table("system", "tier", "what moves", "variables", box=None, pad_edge=False)
    for system in SYSTEMS.values():
        variables = ", ".join(f"{v.name} ({v.unit})" for v in system.variables)
        tier = f"{system.tier}, held out" if system.held_out else str(system.tier)
        table.add_row(system.id, tier, system.title, variables)
    Console().print(table)


def print_policies(*, as_json: bool) -> None:
    """Print every policy with its reachability, the reason when not, and the command that helps."""
    infos = anyio.run(discover_policies)
    if as_json:
        sys.stdout.write(json.dumps([asdict(info) for info in infos]) + "\n")
        return
    table = Table("policy", "reachable", "what it is", "to use it", box=None, pad_edge=False)
    for info in infos:
        state = "yes" if info.reachable else f"no: {info.reason}"
        table.add_row(info.name, state, info.description, info.command or "")
    Console().print(table)
