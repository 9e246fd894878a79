"""Which policies there are, and making one by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from physix.engine.ports import Policy
from physix.errors import UnknownPolicyError

DEFAULT_POLICY = "search"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInfo:
    """A policy as a list shows it; `reason` and `command` help where it is not reachable."""

    name: str
    title: str
    description: str
    reachable: bool
    reason: str | None = None
    command: str | None = None
    is_default: bool = False


def list_policies() -> list[PolicyInfo]:
    """Return the named policies with their reachability right now."""
    return [
        PolicyInfo(
            name="search",
            title="Structure search",
            description="Sparse regression and refitted constants, one refinement a turn; no model needed.",
            reachable=True,
            is_default=True,
        ),
        *_embedded(),
    ]


def make_policy(name: str, *, allow_files: bool = False) -> Policy:
    """Return a fresh policy.

    Args:
        name: `search`, or `scripted:<file>` where files are allowed.
        allow_files: whether the name may point at a file. Never for names from the network.

    Raises:
        UnknownPolicyError: no such policy.
        BadInputError: the script cannot be read.
    """
    if name in ("nano", "nano-untrained"):
        from physix.policies.nano import make_nano_policy

        return make_nano_policy(name)
    if name == "search":
        from physix.policies.search import SearchPolicy

        return SearchPolicy()
    if allow_files and name.startswith("scripted:"):
        from physix.policies.scripted import ScriptedPolicy

        return ScriptedPolicy.from_file(Path(name.removeprefix("scripted:")))
    known = [info.name for info in list_policies()]
    raise UnknownPolicyError(name, [*known, "scripted:<file>"] if allow_files else known)


def _embedded() -> list[PolicyInfo]:
    """Return the models that come with the package."""
    return [
        PolicyInfo(
            name="nano",
            title="Nano, trained",
            description="A language model of a million parameters, trained by this package; in process.",
            reachable=True,
        ),
        PolicyInfo(
            name="nano-untrained",
            title="Nano, untrained",
            description="The same network before training, to show what training did.",
            reachable=True,
        ),
    ]
