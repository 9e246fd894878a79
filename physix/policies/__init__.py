"""Whatever proposes hypotheses."""

from physix.policies.registry import (
    DEFAULT_POLICY,
    PolicyInfo,
    constants_for,
    discover_policies,
    list_policies,
    make_policy,
    open_policy,
)

__all__ = [
    "DEFAULT_POLICY",
    "PolicyInfo",
    "constants_for",
    "discover_policies",
    "list_policies",
    "make_policy",
    "open_policy",
]
