"""The mutants: behaviours that matter, each with the edit that breaks it and the tests that must notice."""

from tests.mutants import api, cli, engine, policies, store, systems, training, verifier
from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *systems.MUTANTS,
    *verifier.MUTANTS,
    *engine.MUTANTS,
    *store.MUTANTS,
    *policies.MUTANTS,
    *training.MUTANTS,
    *api.MUTANTS,
    *cli.MUTANTS,
)
