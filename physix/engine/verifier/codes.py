"""The complete vocabulary of rejections. Agents learn from these words: codes never change meaning."""

from __future__ import annotations

from typing import Final

CODES: Final[dict[str, str]] = {
    "not_text": "The equation is no string.",
    "empty": "The text holds no equation.",
    "too_long": "The text has more characters, tokens or nested levels than allowed.",
    "caret": "`^` is no power here; write `**`.",
    "unicode_minus": "A typographic minus; write `-`.",
    "greek_letter": "A Greek letter; write its ASCII name, such as `theta`.",
    "not_ascii": "A character outside ASCII.",
    "illegal_character": "A character that no equation uses.",
    "bad_left_side": "The left side is neither `d2q/dt2 =` nor `dq/dt =`.",
    "wrong_order": "The derivative exists, but this variable is written with another order.",
    "unknown_target": "The left side names no state variable of the task.",
    "duplicate_equation": "The same derivative is defined twice.",
    "missing_equation": "A state variable has no equation.",
    "unknown_name": "A name that is no state variable, `t`, `pi` or declared param.",
    "unknown_function": "A call of something that is no allowed function.",
    "function_without_call": "A function's name without parentheses.",
    "expected_operand": "A number, a name or `(` should stand here.",
    "expected_operator": "An operator should stand here; multiplication is always written `*`.",
    "unbalanced_parenthesis": "A parenthesis is not closed or not opened.",
    "number_too_large": "A number beyond 1e30 in magnitude.",
    "bad_params": "The params are no mapping of names to numbers.",
    "too_many_params": "More params than allowed.",
    "bad_param_name": "A param's name is no plain identifier.",
    "param_shadows": "A param has the name of a state variable, function or constant.",
    "undetermined_param": "A param is null, but the episode's rules do not fit constants.",
    "bad_param_value": "A param's value is no finite real number within 1e30.",
}
