"""Equations as people and models write them, brought into the verifier's grammar.

`d²y/dt²`, `y''`, `\\ddot{y}`, `θ`, `^`, `·`, `2x` are notation; none of it changes which law is
meant. What is ambiguous stays as it is, and the verifier says what is wrong with it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from physix.engine.systems.task import StateVariable

_FUNCTIONS = "sin|cos|tan|exp|log|sqrt|abs"
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau "
    "upsilon phi chi psi omega"
).split()
_LETTERS = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", _GREEK, strict=True)) | {
    "ς": "sigma",
    "ϑ": "theta",
    "ϕ": "phi",
    "ϵ": "epsilon",
}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SIGNS = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "—": "-",
        "‐": "-",
        "‑": "-",
        "·": "*",
        "⋅": "*",
        "×": "*",
        "∙": "*",
        "•": "*",
        "∗": "*",
        "÷": "/",
        "∕": "/",
        "⁄": "/",
        "＝": "=",
        "≈": "=",
        "′": "'",
        "’": "'",
        "‘": "'",
        "″": "''",
        "ʹ": "'",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\u200b": "",
    }
)
_LATEX_WORDS = (
    (
        re.compile(r"\\(?:left|right|bigl?|bigr?|Bigl?|Bigr?|displaystyle|,|;|!|:|quad|qquad)(?![A-Za-z])"),
        " ",
    ),
    (re.compile(r"\\(?:cdot|times|ast)(?![A-Za-z])"), "*"),
    (re.compile(r"\\(?:text|mathrm|mathit|operatorname)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\(?:var)?(" + "|".join(_GREEK) + r")(?![A-Za-z])"), r" \1 "),
    (re.compile(r"\\(" + _FUNCTIONS + r"|ln)(?![A-Za-z])"), r"\1"),
)
_DOTS = re.compile(
    r"\\(?P<dots>d{1,2})ot\s*(?:\{\s*\\?(?P<braced>[A-Za-z]\w*)\s*\}|\\?(?P<bare>[A-Za-z]\w*))"
)
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}")
_NAME = r"[A-Za-z]\w{0,31}"
_SECOND = re.compile(
    rf"\bd\s*(?:\^|\*\*)?\s*\(?2\)?\s*\*?\s*(?:\(\s*)?(?P<name>{_NAME}?)(?:\s*\(t\))?(?:\s*\))?\s*/\s*\(?\s*"
    r"(?:d\s*\*?\s*t\s*(?:\^|\*\*)?\s*\(?2\)?|\(\s*d\s*t\s*\)\s*(?:\^|\*\*)\s*2|d\s*2\s*t)\s*\)?(?!\w)",
    re.ASCII,
)
_SECOND_OPERATOR = re.compile(
    rf"\bd\s*(?:\^|\*\*)?\s*2\s*/\s*d\s*t\s*(?:\^|\*\*)?\s*2\s*\(?\s*(?P<name>{_NAME})(?:\(t\))?\s*\)?",
    re.ASCII,
)
_FIRST = re.compile(rf"\bd\s*\(?\s*(?P<name>{_NAME}?)(?:\s*\(t\))?\s*\)?\s*/\s*d\s*t(?![\w*^])", re.ASCII)
_FIRST_OPERATOR = re.compile(rf"\bd\s*/\s*d\s*t\s*\(?\s*(?P<name>{_NAME})(?:\(t\))?\s*\)?", re.ASCII)
_PRIMES = re.compile(rf"(?<!\w)(?P<name>{_NAME}?)(?P<primes>'{{1,2}})(?:\s*\(t\))?", re.ASCII)
_COMMENT = re.compile(r"\s*(?:#|//).*$", re.MULTILINE)
_MODULE = re.compile(r"\b(?:np|numpy|math|Math|sp|sympy|jnp|torch)\.(?=[a-z])")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|.))"
)


def ascii_name(text: str) -> str:
    """Return a name in ASCII: Greek letters spelled out, LaTeX and index marks removed."""
    plain = "".join(_LETTERS.get(letter.lower(), letter) for letter in text.translate(_SUBSCRIPTS))
    return re.sub(r"[\\${}\s]", "", plain)


def tidy(equation: str, variables: Sequence[StateVariable]) -> str:
    """Return the equations in the grammar's notation, separated by `; `.

    Args:
        equation: at most 4,096 characters in any notation.
        variables: the task's state variables; they say what `y'` on a right side is.
    """
    text = _unicode(_latex(_dotted(_COMMENT.sub("", equation))))
    lines = [line for part in re.split(r"[;\n]|\\\\", text) for line in _split_commas(part)]
    written = [_one(line, variables) for line in lines if line.strip(" ,.&")]
    return "; ".join(_without_kinematics(written, variables))


def _latex(text: str) -> str:
    text = re.sub(r"\\[\[\]()]|\$|`", " ", text)
    text = re.sub(r"\\begin\{[a-z*]+\}|\\end\{[a-z*]+\}", " ", text)
    for pattern, plain in _LATEX_WORDS:
        text = pattern.sub(plain, text)
    text = re.sub(r"\^\s*\{([^{}]*)\}", r"^\1", text)
    text = re.sub(r"_\s*\{([^{}]*)\}", r"_\1", text)
    for _ in range(4):  # innermost first, so that nesting unfolds
        text = _ROOT.sub(r"sqrt(\1)", text)
        text = _FRACTION.sub(_fraction, text)
    return text


def _fraction(match: re.Match[str]) -> str:
    above, below = match[1].strip(), match[2].strip()
    if re.match(r"d(\W|\d|[A-Za-z])", above) and re.fullmatch(r"d\s*t\s*(\^?\s*2)?", below):
        return f"{above}/{below}"
    return f"(({above})/({below}))"


def _dotted(text: str) -> str:
    """Write Newton's dots as primes, in LaTeX and in Unicode."""
    text = _DOTS.sub(lambda m: f"{m['braced'] or m['bare']}" + "'" * len(m["dots"]), text)
    split = unicodedata.normalize("NFD", text)
    split = re.sub("\u0308|\u0307\u0307", "''", split)
    return split.replace("\u0307", "'")


def _unicode(text: str) -> str:
    text = unicodedata.normalize("NFC", text).translate(_SIGNS)
    text = re.sub("d([⁰¹²³⁴⁵⁶⁷⁸⁹])", lambda m: "d" + m[1].translate(_SUPERSCRIPTS), text)
    text = re.sub("dt([⁰¹²³⁴⁵⁶⁷⁸⁹])", lambda m: "dt" + m[1].translate(_SUPERSCRIPTS), text)
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: "**" + m[0].translate(_SUPERSCRIPTS), text)
    text = re.sub(r"√\s*\(", "sqrt(", text)
    text = re.sub(r"√\s*(\w+)", r"sqrt(\1)", text)
    text = text.translate(_SUBSCRIPTS)
    return "".join(_LETTERS.get(letter.lower(), letter) for letter in text)


def _split_commas(line: str) -> list[str]:
    """Split `dx/dt = ..., dy/dt = ...` where a comma stands before the next left side."""
    return re.split(r",(?=[^,=]*=)", line)


def _one(line: str, variables: Sequence[StateVariable]) -> str:
    """Return one equation in the grammar's notation."""
    line = line.strip(" ,.&\t").replace("&", "").removeprefix("ODE:").removeprefix("equation:")
    line = re.sub(r"==+", "=", line)
    left, equals, right = line.partition("=")
    if not equals:
        return line
    rates = {v.rate_of: v.name for v in variables if v.rate_of is not None}
    positions = {name: position for position, name in rates.items()}
    left, rest = _left_side(left, positions)
    if rest and re.fullmatch(r"\s*[+-]?0(\.0*)?\s*", right):
        right = f"-({rest.removeprefix('+').strip()})"
    elif rest:
        left = f"{left} {rest}"
    return f"{left.strip()} = {_right_side(right, rates)}"


def _left_side(left: str, positions: Mapping[str, str]) -> tuple[str, str]:
    """Return the derivative on the left, and what else stands there."""
    for pattern, order in ((_SECOND_OPERATOR, 2), (_SECOND, 2), (_FIRST_OPERATOR, 1), (_FIRST, 1)):
        match = pattern.search(left)
        if match is not None and not left[: match.start()].strip(" -:>*"):
            return _derivative(match["name"], order, positions), left[match.end() :].strip()
    match = _PRIMES.search(left)
    if match is not None and not left[: match.start()].strip(" -:>*"):
        return _derivative(match["name"], len(match["primes"]), positions), left[match.end() :].strip()
    return left, ""


def _derivative(name: str, order: int, positions: Mapping[str, str]) -> str:
    position = positions.get(name)
    if order == 1 and position is not None:
        return f"d2{position}/dt2"
    return f"d2{name}/dt2" if order == 2 else f"d{name}/dt"


def _right_side(right: str, rates: Mapping[str, str]) -> str:
    def rate(match: re.Match[str]) -> str:
        return rates.get(match["name"], match[0])

    right = _MODULE.sub("", right)
    right = _FIRST.sub(rate, right)
    right = _PRIMES.sub(lambda m: rate(m) if len(m["primes"]) == 1 else m[0], right)
    right = right.replace("^", "**").replace("[", "(").replace("]", ")")
    right = re.sub(r"\bln\b", "log", right)
    right = re.sub(r"\|([^|]*)\|", r"abs(\1)", right)
    right = re.sub(rf"\b({_NAME})\s*\(t\)", r"\1", right)
    right = re.sub(r"\bAbs\b|\bfabs\b", "abs", right)
    right = re.sub(rf"\b({_FUNCTIONS})\s+([A-Za-z]\w*)(?!\w*\s*\()", r"\1(\2)", right)
    right = re.sub(r"(?<=\()\s+|\s+(?=\))", "", right)
    return _with_products(right.strip().rstrip(".,"))


def _with_products(text: str) -> str:
    """Write the `*` that `2x`, `k x` and `(a)(b)` leave out; spaces elsewhere stay as they were."""
    parts: list[str] = []
    before = ""
    for match in _TOKEN.finditer(text):
        piece = match[0].strip()
        if not piece:
            continue
        operand = match.lastgroup in ("number", "name") or piece[0] == "("
        after_operand = before != "" and (before[-1].isalnum() or before[-1] == ")")
        # `f(x)` without a space is a call, and a function's name never multiplies.
        called = piece[0] == "(" and before[:1].isalpha() and match[0][0] == "("
        if operand and after_operand and not called and not re.fullmatch(_FUNCTIONS, before):
            parts.append(f"*{piece}")
        else:
            parts.append(f" {piece}" if match[0][0].isspace() and parts else piece)
        before = piece
    return "".join(parts)


def _without_kinematics(written: list[str], variables: Sequence[StateVariable]) -> list[str]:
    """Leave out `dx/dt = vx`, which a second-order system written as first-order pairs repeats."""
    trivial = {f"d{v.rate_of}/dt={v.name}" for v in variables if v.rate_of is not None}
    kept = [one for one in written if one.replace(" ", "").replace("(t)", "") not in trivial]
    return kept or written
