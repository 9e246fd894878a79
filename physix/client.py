"""Where OpenEnv's AutoEnv looks for the classes of the distribution `openenv-physix`."""

from physix.api.openenv.client import PhysixAction, PhysixEnv, PhysixObservation

__all__ = ["PhysixAction", "PhysixEnv", "PhysixObservation"]
