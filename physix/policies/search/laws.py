"""From chosen terms to a law in the grammar, and from its fitted constants back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from physix.engine.systems.targets import Target
from physix.engine.systems.task import Task
from physix.engine.verifier import parse
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import FunctionSet
from physix.limits import MAX_PARAMS, RESERVED_WORDS
from physix.policies.search.selection import Chosen, Structure

Choice = tuple[Structure, ...]  # one right-hand side per equation
Place = tuple[int, int]  # an equation, and a term in it
Slot = tuple[int, int, int]  # and its coefficient (0) or one of its inner constants (from 1)
Ties = Mapping[Slot, Slot]  # constants that are an earlier one: coefficients by their size


@dataclass(frozen=True, slots=True)
class Written:
    """A law in the grammar, and which of its params is what."""

    parsed: ParsedHypothesis
    coefficients: Mapping[Place, tuple[str, float]]  # name and sign
    inner: Mapping[Place, tuple[str, ...]]

    def name(self, slot: Slot) -> str:
        """Return what a constant is called."""
        place, k = slot[:2], slot[2]
        return self.inner[place][k - 1] if k else self.coefficients[place][0]

    def read(self, choice: Choice, values: Mapping[str, float]) -> Choice:
        """Return the choice with these values of the params."""
        equations = []
        for i, structure in enumerate(choice):
            chosen = []
            for j, one in enumerate(structure.chosen):
                name, sign = self.coefficients[i, j]
                inner = tuple(values[n] for n in self.inner.get((i, j), ()))
                chosen.append(Chosen(one.term, inner, sign * values[name]))
            equations.append(replace(structure, chosen=tuple(chosen)))
        return tuple(equations)


def write(
    task: Task,
    wanted: Sequence[Target],
    choice: Choice,
    ties: Ties,
    functions: FunctionSet,
    *,
    digits: int | None = None,
) -> Written | None:
    """Return the law with one named param a constant; None where it would be too long or have too many."""
    params: dict[str, float] = {}
    taken = {*RESERVED_WORDS, *(v.name for v in task.variables), *(v.name for v in task.inputs)}
    coefficients: dict[Place, tuple[str, float]] = {}
    inner: dict[Place, tuple[str, ...]] = {}
    equations = []
    for i, (target, structure) in enumerate(zip(wanted, choice, strict=True)):
        parts = []
        for j, one in enumerate(structure.chosen):
            sign = -1.0 if one.coefficient < 0.0 else 1.0
            if (i, j, 0) in ties:
                name = coefficients[ties[i, j, 0][:2]][0]
            else:
                name = _free_name(one.term.letter, taken)
                params[name] = _rounded(abs(one.coefficient), digits)
            coefficients[i, j] = (name, sign)
            own = []
            for k, (letter, value) in enumerate(zip(("h", "s"), one.inner, strict=False), 1):
                if (i, j, k) in ties:
                    first = ties[i, j, k]
                    own.append(inner[first[:2]][first[2] - 1])
                else:
                    own.append(_free_name(letter, taken))
                    params[own[-1]] = _rounded(value, digits)
            inner[i, j] = tuple(own)
            text = one.term.text.format(*own)
            parts.append(f"{'-' if sign < 0 else '+'} {_product(name, text)}")
        right = " ".join(parts).removeprefix("+ ") or "0"
        equations.append(f"{target.left} = {'-' + right[2:] if right.startswith('- ') else right}")
    if len(params) > MAX_PARAMS:
        return None
    parsed = parse("; ".join(equations), params, task.variables, inputs=task.inputs, functions=functions)
    return Written(parsed, coefficients, inner) if isinstance(parsed, ParsedHypothesis) else None


def _product(name: str, text: str) -> str:
    if text == "1":
        return name
    return f"{name}/{text[2:]}" if text.startswith("1/") else f"{name}*{text}"


def _rounded(value: float, digits: int | None) -> float:
    return value if digits is None else float(f"{value:.{digits}g}")


def _free_name(letter: str, taken: set[str]) -> str:
    name = (
        letter
        if letter not in taken
        else next(f"{letter}{i}" for i in range(2, 99) if f"{letter}{i}" not in taken)
    )
    taken.add(name)
    return name
