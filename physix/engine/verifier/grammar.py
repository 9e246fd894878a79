"""From untrusted text to a `ParsedHypothesis`, or to the reason why not.

A tokenizer and a precedence-climbing parser of our own rather than Python's `ast`: every
rejection gets its exact column, full-width letters are never folded into ASCII names, and no
literal ever becomes anything but a float. Nothing is evaluated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from physix.engine.greek import GREEK
from physix.engine.systems.targets import Target, left_side, targets
from physix.engine.systems.task import InputVariable, StateVariable
from physix.engine.verifier.functions import FUNCTIONS, allowed
from physix.engine.verifier.tree import (
    Binary,
    Call,
    Equation,
    Extremum,
    Name,
    Negate,
    Node,
    Number,
    ParsedHypothesis,
)
from physix.engine.verifier.types import FunctionSet, Rejection
from physix.limits import (
    CONSTANTS,
    MAX_EQUATION_CHARACTERS,
    MAX_EQUATION_DEPTH,
    MAX_EQUATION_TOKENS,
    MAX_NAME_CHARACTERS,
    MAX_NUMBER,
    MAX_PARAMS,
    RESERVED_WORDS,
    TIME,
)

_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<operator>\*\*|[-+*/(),])"
)
_EQUATION = r"[^;\n]+"
_LEFT_SIDE = re.compile(
    r"\s*(?:d2(?P<second>[A-Za-z_]\w*?)\s*/\s*dt2|d(?P<first>[A-Za-z_]\w*?)\s*/\s*dt)\s*=", re.ASCII
)
_IDENTIFIER = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{MAX_NAME_CHARACTERS - 1}}}", re.ASCII)
_LAYOUT = str.maketrans("\t\r\n", "   ")
_MINUS_SIGNS = "−–—‐‑‒"  # these are the characters that are refused


class _RejectedError(Exception):
    """Leaves the recursive parser with a reason; never leaves this module."""

    def __init__(self, code: str, message: str, position: int, found: str) -> None:
        self.rejection = Rejection(
            code=code, message=f"{code}: {message}", column=position + 1, found=found[:40]
        )
        super().__init__(code)


class _Token(NamedTuple):
    kind: str  # "number", "name", "operator", "end"
    text: str
    position: int  # 0-based in the whole text


def parse(
    equation: str,
    params: Mapping[str, float | None],
    variables: Sequence[StateVariable],
    *,
    inputs: Sequence[InputVariable] = (),
    functions: FunctionSet = "basic",
    fit_nulls: bool = False,
) -> ParsedHypothesis | Rejection:
    """Return the parsed hypothesis, or the first reason why it is none. Never raises.

    Args:
        equation: equations separated by `;` or newlines, at most 1,024 ASCII characters.
        params: names and values the equations may use. Like `equation` it may in truth be
            anything an agent sent: the wrong type is a rejection.
        variables: the task's state variables.
        inputs: the task's inputs: names that equations may use and none is asked for.
        functions: which functions may be called, and which names are therefore no params.
        fit_nulls: let a param be None, which makes it `free`; otherwise that is a rejection.
    """
    try:
        _check_characters(equation)
        data = {*(v.name for v in variables), *(v.name for v in inputs), TIME, *CONSTANTS}
        calls = allowed(functions)
        checked = _check_params(params, data | {*calls}, fit_nulls=fit_nulls)
        free = tuple(name for name in checked if params[name] is None)
        equations = _parse_equations(equation, data | {*checked}, calls, variables)
        return ParsedHypothesis(equations, checked, tuple(variables), tuple(inputs), free)
    except _RejectedError as rejected:
        return rejected.rejection


def stated(text: str) -> tuple[tuple[str, int, str], ...]:
    """Return variable, order and right side of every equation of a law that no task has asked for.

    Nothing is judged: what begins with no left side is passed over, and `parse` says what is wrong.
    """
    found = []
    for segment in re.findall(_EQUATION, text):
        if match := _LEFT_SIDE.match(segment):
            variable, order = _derivative(match)
            found.append((variable, order, segment[match.end() :]))
    return tuple(found)


def names_in(text: str) -> set[str]:
    """Return the names in expressions that are no function, constant or `t`."""
    return set(re.findall(r"(?<![\w.])[A-Za-z_]\w*", text, re.ASCII)) - RESERVED_WORDS


def _derivative(match: re.Match[str]) -> tuple[str, int]:
    return (match["second"], 2) if match["second"] else (match["first"], 1)


def _check_characters(text: object) -> None:
    if not isinstance(text, str):
        raise _RejectedError("not_text", f"the equation is {_shown(text)}; send a string", -1, "")
    if len(text) > MAX_EQUATION_CHARACTERS:
        raise _RejectedError(
            "too_long",
            f"{len(text)} characters; at most {MAX_EQUATION_CHARACTERS} are allowed",
            MAX_EQUATION_CHARACTERS,
            ascii(text[MAX_EQUATION_CHARACTERS : MAX_EQUATION_CHARACTERS + 8]),
        )
    # All at once first: a text with nothing wrong is the usual one.
    plain = text.isascii() and "^" not in text and text.translate(_LAYOUT).isprintable()
    for position, character in enumerate("" if plain else text):
        if not character.isascii():
            raise _not_ascii(character, position)
        if character == "^":
            raise _RejectedError(
                "caret", f"'^' at column {position + 1}; write ** for a power", position, "^"
            )
        if not character.isprintable() and character not in "\t\r\n":
            # They would end up in messages, logs and terminals.
            raise _illegal(character, position)
    if not text.strip(" \t\r\n;"):
        raise _RejectedError("empty", "no equation; write for example dx/dt = -k*x", 0, "")


def _not_ascii(character: str, position: int) -> _RejectedError:
    where = f"{character!a} at column {position + 1}"
    if character in _MINUS_SIGNS:
        return _RejectedError("unicode_minus", f"{where}; write the ASCII sign -", position, ascii(character))
    name = GREEK.get(character.lower())
    if name is not None:
        return _RejectedError("greek_letter", f"{where}; write {name}", position, ascii(character))
    return _RejectedError(
        "not_ascii", f"{where}; only ASCII characters are allowed", position, ascii(character)
    )


def _illegal(character: str, position: int) -> _RejectedError:
    return _RejectedError(
        "illegal_character",
        f"{character!a} at column {position + 1}; use names, numbers, + - * / ** and parentheses",
        position,
        ascii(character),
    )


def _check_params(params: object, taken: set[str], *, fit_nulls: bool) -> dict[str, float]:
    if not isinstance(params, Mapping):
        raise _RejectedError(
            "bad_params", f"params are {_shown(params)}; send an object of names and numbers", -1, ""
        )
    if len(params) > MAX_PARAMS:
        raise _RejectedError("too_many_params", f"{len(params)} params; at most {MAX_PARAMS}", -1, "")
    checked: dict[str, float] = {}
    for name, value in params.items():
        if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
            raise _RejectedError(
                "bad_param_name",
                f"{_shown(name)}; use ASCII letters, digits and _, at most 32, not starting with a digit",
                -1,
                _shown(name),
            )
        if name in taken:
            raise _RejectedError(
                "param_shadows", f"param '{name}' has the name of something else; rename it", -1, name
            )
        checked[name] = 1.0 if value is None and fit_nulls else _check_value(name, value)
    return checked


def _check_value(name: str, value: object) -> float:
    if value is None:
        raise _RejectedError(
            "undetermined_param",
            f"param '{name}' is null; give it a number, as nothing is fitted here",
            -1,
            name,
        )
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number) or abs(number) > MAX_NUMBER:
        raise _RejectedError(
            "bad_param_value",
            f"param '{name}' is {_shown(value)}; use a finite real number within {MAX_NUMBER:g}",
            -1,
            name,
        )
    return number


def _shown(value: object) -> str:
    """Name an untrusted value; only text and small numbers are printed, as `repr` may fail or never end."""
    match value:
        case bool() | None:
            return repr(value)
        case str():
            return ascii(value[:40])
        case float():
            return repr(float(value))
        case int() if abs(value) < 10**15:
            return repr(int(value))
        case int():
            return "an integer beyond 1e15"
        case _:
            return f"of type {type(value).__name__[:40]}"


def _parse_equations(
    text: str, names: set[str], functions: tuple[str, ...], variables: Sequence[StateVariable]
) -> tuple[Equation, ...]:
    expected = targets(variables)
    found: dict[str, Equation] = {}
    tokens_left = MAX_EQUATION_TOKENS
    for match in re.finditer(_EQUATION, text):
        if not match.group().strip():
            continue
        variable, order, start = _parse_left_side(match.group(), match.start(), expected, variables)
        if variable in found:
            target = left_side(variable, order)
            raise _RejectedError(
                "duplicate_equation", f"{target} is defined twice; keep one", match.start(), target
            )
        tokens = _tokenize(text, start, match.end(), commas=_take_two(functions))
        tokens_left -= len(tokens)
        if tokens_left < 0:
            raise _RejectedError("too_long", f"more than {MAX_EQUATION_TOKENS} tokens", start, "")
        found[variable] = Equation(variable, order, _Parser(tokens, names, functions).parse())
    missing = [target.left for target in expected if target.variable not in found]
    if missing:
        raise _RejectedError(
            "missing_equation", f"no equation for {', '.join(missing)}; add it after a ;", len(text) - 1, ""
        )
    return tuple(found[target.variable] for target in expected)


@lru_cache(maxsize=8)
def _take_two(functions: tuple[str, ...]) -> bool:
    return any(FUNCTIONS[name].arguments == 2 for name in functions)


def _parse_left_side(
    segment: str, offset: int, expected: Sequence[Target], variables: Sequence[StateVariable]
) -> tuple[str, int, int]:
    """Return variable, order, and where the right side starts in the whole text."""
    match = _LEFT_SIDE.match(segment)
    if match is not None:
        variable, order = _derivative(match)
        target = left_side(variable, order)
        if any(one.left == target for one in expected):
            return variable, order, offset + match.end()
    wanted = ", ".join(target.left for target in expected)
    indent = len(segment) - len(segment.lstrip())
    if match is None:
        raise _RejectedError(
            "bad_left_side",
            f"'{segment.strip()[:24]}' at column {offset + indent + 1}; start with {wanted} =",
            offset + indent,
            segment.strip(),
        )
    known = variable in {v.name for v in variables}
    raise _RejectedError(
        "wrong_order" if known else "unknown_target",
        f"'{target}' at column {offset + indent + 1}; this task needs {wanted}",
        offset + indent,
        target,
    )


def _tokenize(text: str, start: int, end: int, *, commas: bool) -> list[_Token]:
    tokens = []
    position = start
    for match in _TOKEN.finditer(text, start, end):
        found, first = match[0], match.start()
        if first != position and (skipped := text[position:first].lstrip(" \t\r")):
            raise _illegal(skipped[0], first - len(skipped))
        if found == "," and not commas:
            raise _illegal(found, first)
        tokens.append(_Token(match.lastgroup or "", found, first))
        position = match.end()
    if rest := text[position:end].lstrip(" \t\r"):
        raise _illegal(rest[0], end - len(rest))
    tokens.append(_Token("end", "", end))
    return tokens


class _Parser:
    """Precedence climbing with Python's rules: ** binds tighter than a sign on its left."""

    def __init__(self, tokens: list[_Token], names: set[str], functions: tuple[str, ...]) -> None:
        self._names = names
        self._functions = functions
        self._depth = 0
        self._next = iter(tokens).__next__
        self._token = self._next()  # the one that is to be taken

    def parse(self) -> Node:
        node = self._sum()
        token = self._token
        if token.kind != "end":
            self._take()
            if token.text == ")":
                raise _RejectedError(
                    "unbalanced_parenthesis",
                    f"')' at column {token.position + 1} closes nothing",
                    token.position,
                    ")",
                )
            raise _RejectedError(
                "expected_operator",
                f"'{token.text}' at column {token.position + 1}; put one of + - * / ** before it",
                token.position,
                token.text,
            )
        return node

    def _take(self) -> _Token:
        token = self._token
        if token.text == ",":  # the one that parts two arguments is taken by `_extremum`
            raise _illegal(",", token.position)
        if token.kind != "end":
            self._token = self._next()
        return token

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_EQUATION_DEPTH:
            token = self._token
            raise _RejectedError(
                "too_long", f"nested deeper than {MAX_EQUATION_DEPTH} levels", token.position, token.text
            )

    def _sum(self) -> Node:
        self._deeper()
        node = self._product()
        while self._token.text in ("+", "-"):
            node = Binary(self._take().text, node, self._product())
        self._depth -= 1
        return node

    def _product(self) -> Node:
        node = self._signed()
        while self._token.text in ("*", "/"):
            node = Binary(self._take().text, node, self._signed())
        return node

    def _signed(self) -> Node:
        self._deeper()
        node: Node
        if self._token.text == "-":
            self._take()
            node = Negate(self._signed())
        elif self._token.text == "+":
            self._take()
            node = self._signed()
        else:
            node = self._power()
        self._depth -= 1
        return node

    def _power(self) -> Node:
        base = self._atom()
        if self._token.text != "**":
            return base
        self._take()
        return Binary("**", base, self._signed())

    def _atom(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return _number(token)
        if token.kind == "name":
            return self._name(token)
        if token.text == "(":
            node = self._sum()
            self._close(token)
            return node
        found = f"'{token.text}'" if token.text else "the end"
        raise _RejectedError(
            "expected_operand",
            f"{found} at column {token.position + 1}; expected a number, a name or (",
            token.position,
            token.text,
        )

    def _name(self, token: _Token) -> Node:
        called = self._token.text == "("
        if token.text in self._functions:
            if not called:
                raise _RejectedError(
                    "function_without_call",
                    f"'{token.text}' at column {token.position + 1}; write {token.text}(...)",
                    token.position,
                    token.text,
                )
            opening = self._take()
            argument = self._sum()
            if FUNCTIONS[token.text].arguments == 2:
                return self._extremum(token.text, argument, opening)
            self._close(opening)
            return Call(token.text, argument)
        if token.text not in self._names:
            if called:
                raise _RejectedError(
                    "unknown_function",
                    f"'{token.text[:40]}' at column {token.position + 1}; "
                    f"use one of {', '.join(self._functions)}",
                    token.position,
                    token.text,
                )
            raise _RejectedError(
                "unknown_name",
                f"'{token.text[:40]}' at column {token.position + 1}; "
                f"declare it in params or use one of {', '.join(sorted(self._names))}",
                token.position,
                token.text,
            )
        return Name(token.text)

    def _extremum(self, function: str, left: Node, opening: _Token) -> Node:
        comma = self._token
        if comma.text != ",":
            found = f"'{comma.text}'" if comma.text else "the end"
            raise _RejectedError(
                "expected_operand",
                f"{found} at column {comma.position + 1}; {function} takes two arguments: {function}(a, b)",
                comma.position,
                comma.text,
            )
        self._token = self._next()
        right = self._sum()
        self._close(opening)
        return Extremum(function, left, right)

    def _close(self, opening: _Token) -> None:
        token = self._take()
        if token.text == ")":
            return
        if token.kind == "end":
            raise _RejectedError(
                "unbalanced_parenthesis",
                f"'(' at column {opening.position + 1} is never closed",
                opening.position,
                "(",
            )
        raise _RejectedError(
            "expected_operator",
            f"'{token.text}' at column {token.position + 1}; put an operator before it or close the (",
            token.position,
            token.text,
        )


def _number(token: _Token) -> Number:
    value = float(token.text)
    if value > MAX_NUMBER:
        raise _RejectedError(
            "number_too_large",
            f"{token.text[:24]} at column {token.position + 1}; at most {MAX_NUMBER:g}",
            token.position,
            token.text,
        )
    return Number(value)
