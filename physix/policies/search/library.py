"""Candidate terms for right-hand sides, built from a task's variables alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.targets import Target
from physix.engine.systems.task import StateVariable, Task

Columns = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One term that a coefficient multiplies.

    Attributes:
        text: the factor in the grammar, "" for a constant.
        letter: what its coefficient is called.
        linear: a constant or a plain variable.
        evaluate: columns of samples to the term's samples.
    """

    text: str
    letter: str
    linear: bool
    evaluate: Callable[[Columns], FloatArray]


def candidates(task: Task, target: Target, *, wide: bool) -> list[Candidate]:
    """Return the terms worth trying for one equation; `wide` adds products, cubes and cosines."""
    by_name = {v.name: v for v in task.variables}
    found = [Candidate("", "a", True, _ones)]
    own_first = sorted(task.variables, key=lambda v: v.name not in (target.variable, target.driven))
    for variable in own_first:
        found.append(_plain(variable))
    for variable in own_first:
        if variable.unit == "rad":
            found.append(_function("sin", variable.name, "w"))
            if wide:
                found.append(_function("cos", variable.name, "u"))
    speeds = [v.name for v in task.variables if v.rate_of is not None]
    if target.variable != target.driven:
        found += _drag(target.driven, speeds)
    if target.variable == target.driven or wide:
        found += _products([v.name for v in task.variables])
    if wide:
        found.append(_power(target.variable, 3, "d"))
        if by_name[target.variable].unit is None:
            found.append(_function("sin", target.variable, "w"))
    return list({candidate.text: candidate for candidate in found}.values())


def _ones(columns: Columns) -> FloatArray:
    return np.ones_like(next(iter(columns.values())))


def _plain(variable: StateVariable) -> Candidate:
    name = variable.name
    return Candidate(name, "b" if variable.rate_of else "k", True, lambda columns: columns[name])


def _function(function: str, name: str, letter: str) -> Candidate:
    apply = {"sin": np.sin, "cos": np.cos}[function]
    return Candidate(f"{function}({name})", letter, False, lambda columns: apply(columns[name]))


def _power(name: str, exponent: int, letter: str) -> Candidate:
    return Candidate(f"{name}**{exponent}", letter, False, lambda columns: columns[name] ** exponent)


def _drag(own: str, speeds: list[str]) -> list[Candidate]:
    """Return resistances that grow with the square of the speed."""
    if len(speeds) == 1:
        return [
            _power(own, 2, "c"),
            Candidate(f"{own}*abs({own})", "c", False, lambda columns: columns[own] * np.abs(columns[own])),
        ]
    inside = " + ".join(f"{name}**2" for name in speeds)

    def along(columns: Columns) -> FloatArray:
        speed: FloatArray = np.sqrt(sum(columns[name] ** 2 for name in speeds))
        return columns[own] * speed

    return [Candidate(f"{own}*sqrt({inside})", "c", False, along)]


def _products(names: list[str]) -> list[Candidate]:
    def product(first: str, second: str) -> Candidate:
        text = f"{first}**2" if first == second else f"{first}*{second}"
        return Candidate(text, "p", False, lambda columns: columns[first] * columns[second])

    return [product(first, second) for first, second in combinations_with_replacement(names, 2)]
