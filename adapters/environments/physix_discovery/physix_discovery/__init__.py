"""What verifiers loads for the id `physix-discovery`."""

from physix_adapters.verifiers import PhysixTaskset

__all__ = ["PhysixTaskset"]
