"""Equations as people and models write them, in plain characters: LaTeX, Unicode, Newton's dots.

`d²y/dt²`, `\\ddot{y}`, `θ`, `·`, `\\frac{g}{L}` are notation; none of it changes which law is meant.
What the characters mean as an equation, `laws` reads.
"""

from __future__ import annotations

import re
import unicodedata

from physix.engine.greek import GREEK, GREEK_VARIANTS
from physix.policies.chat.algebra import UnreadableError

_LETTERS = GREEK | GREEK_VARIANTS | {"µ": "mu"}
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
        "≡": "=",
        "≃": "≈",
        "≅": "≈",
        "′": "'",
        "’": "'",
        "‘": "'",
        "″": "''",
        "ʹ": "'",
        "∂": "d",
        "½": "(1/2)",
        "¼": "(1/4)",
        "¾": "(3/4)",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\u200b": "",
        "\u2061": "",
        "\ufeff": "",
    }
)
_MAX_DEPTH = 16
_SPACES = frozenset(
    "left right big bigl bigr Big Bigl Bigr displaystyle textstyle quad qquad limits nonumber notag".split()
)
_GROUPS = frozenset(
    "text mathrm mathit mathbf mathsf boldsymbol bm operatorname boxed textbf textit textrm mbox".split()
)
_COMMANDS = {
    **{name: name for name in GREEK.values()},
    **{f"var{name}": name for name in GREEK.values()},
    **{name: name for name in "sin cos tan exp log sqrt tanh sinh cosh min max".split()},
    "ln": "log",
    "arctan": "atan",
    "partial": "d",
    "cdot": "*",
    "times": "*",
    "ast": "*",
    "div": "/",
    "lvert": "|",
    "rvert": "|",
    "vert": "|",
    "mid": "|",
    "approx": "≈",
    "simeq": "≈",
    "equiv": "=",
    "lbrace": "(",
    "rbrace": ")",
    "prime": "'",
}


def ascii_name(text: str) -> str:
    """Return a name in ASCII: Greek letters spelled out, LaTeX and index marks removed."""
    plain = "".join(_LETTERS.get(letter.lower(), letter) for letter in text.translate(_SUBSCRIPTS))
    return re.sub(r"[\\${}\s`*]", "", plain)


def plain(text: str) -> str:
    """Return an equation in plain characters; lines stay lines, and `\\\\` ends one.

    Args:
        text: at most 4,096 characters in any notation.

    Raises:
        UnreadableError: its LaTeX is nested too deep.
    """
    return _unicode(_dots(_Latex(text).plain())) if text else ""


def _dots(text: str) -> str:
    """Write combining dots as primes."""
    split = unicodedata.normalize("NFD", text)
    split = re.sub("\u0308|\u0307\u0307", "''", split)
    return unicodedata.normalize("NFC", split.replace("\u0307", "'"))


def _unicode(text: str) -> str:
    text = text.translate(_SIGNS)
    text = re.sub("d(t?)([⁰¹²³⁴⁵⁶⁷⁸⁹])", lambda m: "d" + m[1] + m[2].translate(_SUPERSCRIPTS), text)
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: f"**({m[0].translate(_SUPERSCRIPTS)})", text)
    text = re.sub(r"√\s*\(", "sqrt(", text)
    text = re.sub(r"√\s*(\w+)", r"sqrt(\1)", text)
    text = re.sub("([₀₁₂₃₄₅₆₇₈₉])(?=[A-Za-z])", r"\1 ", text)
    return _spelled(text.translate(_SUBSCRIPTS))


def _spelled(text: str) -> str:
    """Spell Greek letters out, apart from the letters they multiply: `kθ` is `k theta`."""
    parts: list[str] = []
    for i, letter in enumerate(text):
        name = _LETTERS.get(letter.lower())
        if name is None:
            parts.append(letter)
            continue
        before, after = text[i - 1 : i], text[i + 1 : i + 2]
        parts.append(" " if before.isalnum() and before not in "dD" else "")
        parts.append(name)
        parts.append(" " if after.isalpha() and not text.startswith(("dot", "ddot"), i + 1) else "")
    return "".join(parts)


class _Latex:
    """One pass over a text that may hold LaTeX; what it does not know stays, for a reader to refuse."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def plain(self) -> str:
        if "\\" not in self._text and "{" not in self._text and "$" not in self._text:
            return self._text
        return self._until("")

    def _until(self, closing: str) -> str:
        parts: list[str] = []
        while self._at < len(self._text):
            letter = self._text[self._at]
            if closing and letter == closing:
                self._at += 1
                break
            parts.append(self._piece(letter, parts))
        return "".join(parts)

    def _piece(self, letter: str, before: list[str]) -> str:
        if letter == "\\":
            return self._command(before)
        self._at += 1
        if letter == "{":
            return f"({self._nested()})"
        if letter in "^_" and self._text[self._at : self._at + 1] == "{":
            self._at += 1
            inner = self._nested()
            return f"^({inner})" if letter == "^" else "_" + re.sub(r"\s", "", inner)
        return {"$": " ", "&": " ", "~": " "}.get(letter, letter)

    def _nested(self) -> str:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise UnreadableError(f"groups are nested deeper than {_MAX_DEPTH} levels")
        inner = self._until("}")
        self._depth -= 1
        return inner

    def _argument(self) -> str:
        """Return a braced group, or the one character or command that stands for it."""
        while self._text[self._at : self._at + 1] == " ":
            self._at += 1
        letter = self._text[self._at : self._at + 1]
        if letter == "{":
            self._at += 1
            return self._nested()
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise UnreadableError(f"commands are nested deeper than {_MAX_DEPTH} levels")
        piece = self._piece(letter, []) if letter else ""
        self._depth -= 1
        return piece

    def _command(self, before: list[str]) -> str:
        match = re.compile(r"\\([A-Za-z]+|.?)", re.DOTALL).match(self._text, self._at)
        word = match[1] if match else ""
        self._at += 1 + len(word)
        if not word or not word.isalpha():
            return {"\\": "\n", "{": "(", "}": ")", "|": "|"}.get(word, " ")
        if word in ("frac", "dfrac", "tfrac"):
            return _fraction(self._argument(), self._argument())
        if word in ("dot", "ddot"):
            primes = "'" * (len(word) - 2)
            return f"{_apart(before)}{self._argument().strip()}{primes}"
        if word in ("tag", "label", "begin", "end"):
            self._argument()
            return " "
        if word in _GROUPS:
            return f"{_apart(before)}{self._argument()}"
        if word == "sqrt" and self._text[self._at : self._at + 1] == "{":
            return f"{_apart(before)}sqrt({self._argument()})"
        if word in _SPACES:
            return " " if not self._text.startswith(".", self._at) else self._dropped()
        name = _COMMANDS.get(word)
        if name is None:
            return f"\\{word} "
        tight = self._text[self._at : self._at + 1]
        gap = " " if tight.isalnum() else ""
        return f"{_apart(before) if name.isalpha() else ''}{name}{gap}"

    def _dropped(self) -> str:
        self._at += 1
        return " "


def _apart(before: list[str]) -> str:
    """Return a space where a name would otherwise run into the one before it."""
    last = "".join(before[-2:])[-1:]
    return " " if last.isalnum() and last != "d" else ""


def _fraction(above: str, below: str) -> str:
    bare = re.sub(r"\s+", " ", below).strip()
    if re.match(r"\s*d(\W|\d|[A-Za-z]|$)", above) and re.fullmatch(r"d ?t ?(\^ ?\(?2\)?)?", bare):
        return f" {above.strip()}/{bare}"
    return f"(({above})/({below}))"
