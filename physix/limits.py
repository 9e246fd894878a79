"""Every maximum that more than one room needs, in one place.

Names and texts are refused by these before any work is spent on them.
"""

from __future__ import annotations

from typing import Final

# The grammar of equations ---------------------------------------------------------------------

MAX_EQUATION_CHARACTERS: Final = 1_024
MAX_EQUATION_TOKENS: Final = 256
MAX_EQUATION_DEPTH: Final = 24
MAX_NUMBER: Final = 1e12  # magnitude of a literal or a param
MAX_PARAMS: Final = 16
MAX_NAME_CHARACTERS: Final = 32

TIME: Final = "t"
CONSTANTS: Final = ("pi",)
BASIC_FUNCTIONS: Final = ("sin", "cos", "tan", "exp", "log", "sqrt", "abs")
EXTENDED_FUNCTIONS: Final = (*BASIC_FUNCTIONS, "tanh", "sign", "min", "max", "atan", "sinh", "cosh")
# What no variable, input or param of a task may be called, whichever functions its episodes allow.
RESERVED_WORDS: Final = frozenset({TIME, *CONSTANTS, *EXTENDED_FUNCTIONS})
