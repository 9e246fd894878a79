"""The functions of the grammar: how each is computed, what it asks of units, how it is typeset."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.types import FunctionSet
from physix.limits import BASIC_FUNCTIONS, EXTENDED_FUNCTIONS

UnitsRule = Literal["pure", "log", "exp", "same", "root", "any"]


@dataclass(frozen=True, slots=True)
class Function:
    """One function of one argument, or of two where `arguments` says so.

    Attributes:
        scalar: on floats, from `math`: the same bits whatever NumPy does; raises outside its domain.
        array: on arrays and numbers; NaN or infinite outside its domain.
        units: `pure` takes and gives pure numbers; `log` and `exp` do too, yet log(x) - log(y) is
            log(x/y); `same` keeps the unit (and wants one for both arguments); `root` halves its
            exponents; `any` takes any unit and gives a pure number.
        latex: the command, or its own name.
    """

    scalar: Callable[..., float]
    array: Callable[..., FloatArray | float]
    units: UnitsRule
    latex: str
    arguments: int = 1


def _sign(value: float) -> float:
    return float(value > 0.0) - float(value < 0.0)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "sin": Function(math.sin, np.sin, "pure", r"\sin"),
    "cos": Function(math.cos, np.cos, "pure", r"\cos"),
    "tan": Function(math.tan, np.tan, "pure", r"\tan"),
    "exp": Function(math.exp, np.exp, "exp", r"\exp"),
    "log": Function(math.log, np.log, "log", r"\log"),
    "sqrt": Function(math.sqrt, np.sqrt, "root", r"\sqrt"),
    "abs": Function(abs, np.abs, "same", r"\left|"),
    "tanh": Function(math.tanh, np.tanh, "pure", r"\tanh"),
    "sign": Function(_sign, np.sign, "any", r"\operatorname{sgn}"),
    "min": Function(min, np.minimum, "same", r"\min", 2),
    "max": Function(max, np.maximum, "same", r"\max", 2),
    "atan": Function(math.atan, np.arctan, "pure", r"\arctan"),
    "sinh": Function(math.sinh, np.sinh, "pure", r"\sinh"),
    "cosh": Function(math.cosh, np.cosh, "pure", r"\cosh"),
}


def default_functions(*, measured: bool) -> FunctionSet:
    """Return the functions of a session that asks for none: measured laws saturate, stick and switch."""
    return "extended" if measured else "basic"


def allowed(functions: FunctionSet) -> tuple[str, ...]:
    """Return the names that a set of functions holds, in the order in which they are listed to agents."""
    return EXTENDED_FUNCTIONS if functions == "extended" else BASIC_FUNCTIONS
