"""Problems that others published, as data that ships with the package: today the 63 laws of ODEBench.

A suite is a JSON file beside this module, with its source and licence inside.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from physix.engine.systems.task import StateVariable


class OdeCase(BaseModel):
    """One published law: first order in every variable, with one value for each parameter.

    Attributes:
        id: `odebench-07`.
        family: cases of one family have the same form and other constants.
        variables: name to meaning, in the order of the state.
        equation: in the verifier's grammar, over the variables and the parameters.
        starts: two initial states; the first is shown, the second tests generalisation.
        t_end: the motion is sampled from 0 to here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    family: str
    title: str
    variables: dict[str, str]
    parameters: dict[str, float]
    equation: str
    starts: tuple[tuple[float, ...], tuple[float, ...]]
    t_end: float
    chaotic: bool
    note: str = ""

    @property
    def state_variables(self) -> tuple[StateVariable, ...]:
        """Return the state as a task declares it; units are not known."""
        return tuple(
            StateVariable(name=name, unit=None, symbol=name, description=meaning)
            for name, meaning in self.variables.items()
        )


class Suite(BaseModel):
    """A named list of cases, with where they come from and the licence under which they are passed on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    suite: str
    about: str
    notice: str
    cases: tuple[OdeCase, ...]


@cache
def odebench() -> Suite:
    """Return ODEBench: 23 laws of one variable, 28 of two, 10 of three and 2 of four.

    Source: S. d'Ascoli et al., "ODEFormer", ICLR 2024, arXiv:2310.05573; MIT.
    """
    return Suite.model_validate_json((files(__package__ or "") / "odebench.json").read_bytes())
