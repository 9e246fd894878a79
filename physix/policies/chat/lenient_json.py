"""Reading the JSON that language models write: single quotes, bare keys, trailing commas, cut short.

A reader of our own rather than repairs by regular expression: it knows where the text was cut,
and a value that was cut is never taken for a whole one. Nothing is evaluated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MAX_DEPTH = 12
_CLOSING = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019", "\u201e": "\u201d"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_NUMBER = re.compile(r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_BARE = re.compile(r"[^\s,:;{}\[\]\"']+")
_SKIP = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*|/\*.*?\*/)+", re.DOTALL)
_CALL = re.compile(r"[A-Za-z_]\w{0,40}\((?=\s{0,20}(?:equations?|params|rationale|ode|hypothesis)\s{0,4}=)")
_LATEX = re.compile(
    r"(?:nu|neq|nabla|theta|times|tau|text|tan|tfrac|beta|begin|bar|big|bigl|bigr|frac|rho|right)(?![A-Za-z])"
)
_WORDS: dict[str, object] = {
    "null": None,
    "None": None,
    "none": None,
    "true": True,
    "True": True,
    "false": False,
    "False": False,
}

Value = object  # None, bool, float, str, list[Value], dict[str, Value], or CUT


class Cut:
    """Stands for a value that the end of the text cut off."""


CUT = Cut()


class NotJsonError(ValueError):
    """The text at this place is no object."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object in a text; `cut` if the text ended before it did."""

    value: dict[str, Value]
    start: int
    end: int
    cut: bool


def find_objects(text: str, *, limit: int = 24) -> list[Found]:
    """Return the outermost objects in the text, in order; at most `limit` places are tried."""
    found: list[Found] = []
    position = tried = 0
    while tried < limit:
        position = text.find("{", position)
        if position < 0:
            break
        tried += 1
        reader = _Reader(text, position)
        try:
            value = reader.object(0)
        except NotJsonError:
            position += 1
            continue
        found.append(Found(value, position, reader.at, reader.cut))
        position = max(reader.at, position + 1)
    return found


def find_calls(text: str, *, limit: int = 8) -> list[Found]:
    """Return calls with keywords, `submit(equation="...", params={...})`, as objects, in order."""
    found: list[Found] = []
    for match in list(_CALL.finditer(text))[-limit:]:
        reader = _Reader(text, match.end() - 1)
        try:
            value = reader.object(0, "()")
        except NotJsonError:
            continue
        found.append(Found(value, match.start(), reader.at, reader.cut))
    return found


class _Reader:
    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self.at = at
        self.cut = False
        self._ends = ",}]\n"  # of a scalar

    def object(self, depth: int, brackets: str = "{}") -> dict[str, Value]:
        self._enter(brackets[0], depth)
        self._ends = ",}]\n" if brackets == "{}" else ",}])\n"
        items: dict[str, Value] = {}
        while not self._closes(brackets[1]):
            key = self._key()
            if key is None:
                break
            self._skip()
            if self._ended():
                break
            if self._text[self.at] not in ":=":
                raise NotJsonError
            self.at += 1
            items[key] = self._value(depth + 1)
            self._separator(brackets[1])
        return items

    def _array(self, depth: int) -> list[Value]:
        self._enter("[", depth)
        items: list[Value] = []
        while not self._closes("]"):
            items.append(self._value(depth + 1))
            self._separator("]")
        return items

    def _enter(self, opening: str, depth: int) -> None:
        if depth > _MAX_DEPTH or self._text[self.at] != opening:
            raise NotJsonError
        self.at += 1

    def _closes(self, closing: str) -> bool:
        self._skip()
        if self._ended():
            return True
        if self._text[self.at] == closing:
            self.at += 1
            return True
        return False

    def _separator(self, closing: str) -> None:
        self._skip()
        if self._ended() or self._text[self.at] == closing:
            return
        if self._text[self.at] in ",;":
            self.at += 1
        elif self._text[self.at] not in _CLOSING:  # a forgotten comma before the next key
            raise NotJsonError

    def _key(self) -> str | None:
        self._skip()
        if self._ended():
            return None
        if self._text[self.at] in _CLOSING:
            key = self._string()
            return None if self.cut else key
        bare = _BARE.match(self._text, self.at)
        if bare is None or bare[0][0] in "\\^":
            raise NotJsonError
        word = bare[0].partition("=")[0]
        self.at += len(word)
        if not word:
            raise NotJsonError
        return word

    def _value(self, depth: int) -> Value:
        self._skip()
        if self._ended():
            return CUT
        first = self._text[self.at]
        if first == "{":
            return self.object(depth)
        if first == "[":
            return self._array(depth)
        if self._text.startswith("dict(", self.at):
            self.at += 4
            return self.object(depth, "()")
        if first in _CLOSING:
            text = self._string()
            return CUT if self.cut else text
        return self._scalar()

    def _scalar(self) -> Value:
        end = self.at
        while end < len(self._text) and self._text[end] not in self._ends:
            end += 1
        text = self._text[self.at : end].split("//")[0].split("#")[0].strip()
        if not text:
            raise NotJsonError
        self.at = end
        if end == len(self._text):
            self.cut = True  # `9.8` may have been on its way to 9.81
            return CUT
        if text in _WORDS:
            return _WORDS[text]
        number = _NUMBER.fullmatch(text)
        return float(text.replace("_", "")) if number else text

    def _string(self) -> str:
        closing = _CLOSING[self._text[self.at]]
        parts: list[str] = []
        i = self.at + 1
        while i < len(self._text):
            character = self._text[i]
            if character == "\\" and i + 1 < len(self._text):
                i = self._escape(i + 1, parts)
                continue
            if character == closing and not self._is_prime(i, closing):
                self.at = i + 1
                return "".join(parts)
            parts.append(character)
            i += 1
        self.at, self.cut = len(self._text), True
        return "".join(parts)

    def _is_prime(self, i: int, closing: str) -> bool:
        """Tell whether this quote is the prime of a derivative in a text in single quotes."""
        if closing != "'":
            return False
        rest = self._text[i + 1 : i + 40].lstrip()
        return bool(rest) and rest[0] not in ",}]:\n"

    def _escape(self, i: int, parts: list[str]) -> int:
        letter = self._text[i]
        if letter == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", self._text[i + 1 : i + 5]):
            parts.append(chr(int(self._text[i + 1 : i + 5], 16)))
            return i + 5
        if letter in "\"'\\/`":
            parts.append(letter)
        elif letter in _ESCAPES and not _LATEX.match(self._text, i):
            parts.append(_ESCAPES[letter])
        else:
            parts.append("\\" + letter)  # LaTeX with its backslashes unescaped
        return i + 1

    def _skip(self) -> None:
        skipped = _SKIP.match(self._text, self.at)
        if skipped:
            self.at = skipped.end()

    def _ended(self) -> bool:
        if self.at >= len(self._text):
            self.cut = True
        return self.cut
