"""A law as a person writes it, in any notation: into the grammar, and which of its names are constants."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from physix.engine.systems.task import Task
from physix.engine.verifier.functions import allowed
from physix.engine.verifier.grammar import names_in
from physix.engine.verifier.types import FunctionSet
from physix.limits import CONSTANTS, TIME
from physix.policies.chat.algebra import UnreadableError
from physix.policies.chat.laws import read_law

_LIKE = 0.66  # how alike a name must be to be taken for a slip of the pen


def understood(text: str, task: Task, params: Iterable[str] = ()) -> str:
    """Return an equation in the grammar: carets, primes, Greek letters and LaTeX become what they mean.

    What cannot be read stays as it is, for the parser to name the column; a left side that can be is not
    what it complains of.
    """
    try:
        return read_law(text, task.variables, inputs=task.inputs, params=params).equation
    except UnreadableError:
        left, _, right = text.partition("=")
    try:
        alone = read_law(f"{left} = 0", task.variables, inputs=task.inputs).equation
    except UnreadableError:
        return text
    return f"{alone.partition('=')[0].rstrip()} ={right}" if right.strip() else text


def constants_in(equation: str, task: Task) -> list[str]:
    """Return the names on the right sides that are neither of the task nor of the language, in order."""
    sides = " ".join(part.partition("=")[2] for part in re.split(r"[;\n]", equation))
    own = {*_columns(task), TIME, *CONSTANTS}
    found = re.findall(r"(?<![\w.])[A-Za-z_]\w*(?!\w|\s*\()", sides, re.ASCII)
    return [name for name in dict.fromkeys(found) if name in names_in(name) - own]


def slips(equation: str, task: Task, functions: FunctionSet) -> dict[str, str]:
    """Return names that are none of the task's or the language's, though nearly: `thta` for `theta`."""
    words = [*_columns(task), *allowed(functions)]
    sides = " ".join(part.partition("=")[2] for part in re.split(r"[;\n]", equation))
    meant = {}
    for name in sorted(names_in(sides) - set(words) - {TIME, *CONSTANTS}):
        close = get_close_matches(name, [word for word in words if len(word) > 2], n=1, cutoff=_LIKE)
        if len(name) > 2 and close:
            meant[name] = close[0]
    return meant


def _columns(task: Task) -> list[str]:
    return [*(one.name for one in task.variables), *(one.name for one in task.inputs)]
