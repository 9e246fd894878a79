"""A task file for Inspect: `inspect eval adapters/examples/physix_eval.py -T limit=20`."""

from inspect_ai import Task, task
from physix_adapters.inspect import physix


@task
def discovery(split: str = "test", limit: int = 20) -> Task:
    """Discover laws of motion; `PHYSIX_URL` names the server."""
    return physix(split=split, limit=limit)
