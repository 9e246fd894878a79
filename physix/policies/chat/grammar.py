"""What a reply may look like, for servers that take a grammar: made anew for each task.

Untrained, a small model writes an equation for the variable of the prompt's example, or none. With its left
sides fixed and its names limited to those of the task, every reply of equations alone parses (one of the full
prompt may still name a constant and leave it out of its params); whether it is right is another question.
`gbnf` is for llama.cpp, `json_schema` for Ollama's `format` and OpenAI's `response_format`.
"""

from __future__ import annotations

import re
from typing import Any

from physix.engine.ports import Observation
from physix.engine.systems.targets import targets
from physix.engine.verifier.functions import allowed

_SUMMANDS = 5  # more than a law of motion has: a model that loops ends here
_FACTORS = 4


def gbnf(observation: Observation, *, bare: bool) -> str:
    """Return llama.cpp's grammar for replies to this observation.

    Args:
        bare: the equations alone, as the compact prompt asks for; else the JSON object of the full prompt.
    """
    task = observation.task
    names = [*(v.name for v in task.variables), *(i.name for i in task.inputs), "t"]
    lefts = [target.left for target in targets(task.variables)]
    law = ' "; " '.join(f'"{left} = " sum' for left in lefts)
    functions = " | ".join(
        f'"{name}"' for name in allowed(observation.functions) if name not in ("min", "max")
    )
    constant = "number" if observation.constants == "declared" and bare else "constant | number"
    rules = [
        f"law ::= {law}",
        f'sum ::= "-"? product ((" + " | " - ") product){{0,{_SUMMANDS - 1}}}',
        f'product ::= power (("*" | "/") power){{0,{_FACTORS - 1}}}',
        'power ::= atom ("**" [2-4])?',
        f'atom ::= {constant} | column | function "(" inner ")" | "(" inner ")"',
        # Brackets do not nest without end: an inner sum holds names and powers alone.
        'inner ::= simple ((" + " | " - " | "*") simple){0,3}',
        f'simple ::= (column | {constant}) ("**" [2-4])?',
        f"function ::= {functions}",
        f"column ::= {' | '.join(f'{chr(34)}{name}{chr(34)}' for name in names)}",
        f"constant ::= {_constants(names)}",
        'number ::= [0-9]{1,4} ("." [0-9]{1,4})?',
    ]
    if bare:
        return "\n".join(["root ::= law", *rules])
    params = r'"{}" | "{" pair (", " pair){0,7} "}"'
    value = '"null" | "-"? number' if observation.constants == "fitted" else '"-"? number'
    root = (
        r'root ::= "{\"equation\": \"" law "\", \"params\": " params ", \"rationale\": \"" word{0,24} "\"}"'
    )
    rules += [
        f"params ::= {params}",
        rf'pair ::= "\"" constant "\": " ({value})',
        "word ::= [a-zA-Z0-9 ,.'-]",
    ]
    return "\n".join([root.replace("word{0,24}", "word{0,160}"), *rules])


def json_schema(observation: Observation) -> dict[str, Any]:
    """Return the JSON schema of the full prompt's reply: its left sides are fixed."""
    lefts = [re.escape(target.left) for target in targets(observation.task.variables)]
    law = "; ".join(rf"{left} = [A-Za-z0-9_+*/(). \-]{{1,160}}" for left in lefts)
    number: dict[str, Any] = {"type": "number"}
    value = {"anyOf": [number, {"type": "null"}]} if observation.constants == "fitted" else number
    return {
        "type": "object",
        "properties": {
            "equation": {"type": "string", "pattern": f"^{law}$"},
            "params": {"type": "object", "additionalProperties": value},
            "rationale": {"type": "string", "maxLength": 200},
        },
        "required": ["equation", "params", "rationale"],
        "additionalProperties": False,
    }


def _constants(names: list[str]) -> str:
    """Return the names of constants: a letter that is no column's, with a digit or without."""
    free = "".join(letter for letter in "abcdefghkmpqrswABCDEFGKLMR" if letter not in names)
    return f"[{free}] [2-9]?"
