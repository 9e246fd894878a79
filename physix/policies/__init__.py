"""Whatever proposes hypotheses."""

from physix.policies.registry import DEFAULT_POLICY, PolicyInfo, list_policies, make_policy

__all__ = ["DEFAULT_POLICY", "PolicyInfo", "list_policies", "make_policy"]
