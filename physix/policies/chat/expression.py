"""One side of an equation in plain characters, read as a person reads it: `2x`, `v|v|`, `sin^2 x`, `e^-t`.

A parser beside the grammar's, because an agent must write the grammar and a model's reply must only
be understood. It never guesses: where two readings are possible (`k/2m`, `sin a b`) it raises. Words
that are no variable, param or function end the expression; `rest` says where, for the caller to judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from physix.engine.greek import GREEK
from physix.engine.systems.targets import left_side, targets
from physix.engine.systems.task import InputVariable, StateVariable
from physix.engine.verifier.functions import FUNCTIONS
from physix.engine.verifier.tree import Binary, Call, Extremum, Name, Negate, Node, Number
from physix.limits import CONSTANTS, MAX_EQUATION_DEPTH, MAX_EQUATION_TOKENS, MAX_NUMBER, TIME
from physix.policies.chat.algebra import UnreadableError

_NAME = r"[A-Za-z]\w{0,31}"
_OF_T = r"(?:\s*\(\s*t\s*\))?"
_TWO = r"(?:\^|\*\*)?\s*(?:\(\s*2\s*\)|2)"
_TWICE = r"(?:t\s*,\s*2|t\s*,\s*t|\(\s*t\s*,\s*2\s*\))"
_D2 = rf"d\s*{_TWO}\s*\*?\s*\(?\s*(?P<name>{_NAME}?){_OF_T}\s*\)?\s*/\s*"
_DT = r"(?:\(\s*d\s*t\s*\)|d\s*\(?\s*t(?:(?<=\(t)\))?)(?!\w|\s*\^|\s*\*\*)"
# Every way to write a derivative, each with the order it means and its variable.
_DERIVATIVES: tuple[tuple[int, re.Pattern[str]], ...] = tuple(
    (order, re.compile(pattern, re.ASCII))
    for order, pattern in (
        (2, _D2 + rf"d\s*(?:\(\s*t\s*\)|t)\s*{_TWO}(?!\w)"),
        (2, _D2 + rf"\(\s*d\s*t\s*{_TWO}\s*\)(?!\w)"),
        (2, _D2 + r"d\s*2\s*t(?!\w)"),
        (2, rf"\(?\s*d\s*{_TWO}\s*/\s*d\s*t\s*{_TWO}\s*\)?\s*\*?\s*\(\s*(?P<name>{_NAME}){_OF_T}\s*\)"),
        (2, rf"d\s*{_TWO}\s*/\s*d\s*t\s*{_TWO}\s*\*?\s*(?P<name>{_NAME}){_OF_T}"),
        (2, rf"d\s*\(\s*d\s*(?P<name>{_NAME}?)\s*/\s*dt\s*\)\s*/\s*dt(?!\w)"),
        (2, rf"d\s*/\s*dt\s*\(\s*d\s*(?P<name>{_NAME}?)\s*/\s*dt\s*\)"),
        (2, rf"(?:diff|Derivative|D)\s*\(\s*(?P<name>{_NAME}){_OF_T}\s*,\s*{_TWICE}\s*\)"),
        (1, rf"(?:diff|Derivative|D)\s*\(\s*(?P<name>{_NAME}){_OF_T}\s*,\s*t\s*\)"),
        (1, rf"d\s*/\s*d\s*t\s*\*?\s*\(\s*(?P<name>{_NAME}){_OF_T}\s*\)"),
        (1, rf"d\s*/\s*d\s*t\s*\*?\s*(?P<name>{_NAME}){_OF_T}"),
        (1, rf"d\s*\(\s*(?P<name>{_NAME}){_OF_T}\s*\)\s*/\s*{_DT}"),
        (1, rf"\(\s*d\s*(?P<name>{_NAME}?){_OF_T}\s*\)\s*/\s*{_DT}"),
        (1, rf"d\s*(?P<name>{_NAME}?){_OF_T}\s*/\s*{_DT}"),
        (2, rf"(?P<name>{_NAME}?)''(?!'){_OF_T}(?![A-Za-z])"),
        (1, rf"(?P<name>{_NAME}?)'(?!'){_OF_T}(?![A-Za-z])"),
        (2, rf"(?:ddot_?\s*\(?|dd_)(?P<name>{_NAME})(?:(?<=\w)\))?"),
        (2, rf"(?P<name>{_NAME}?)(?:_?ddot|_dd|_tt){_OF_T}(?!\w)"),
        (1, rf"(?P<name>{_NAME}?)_?dot{_OF_T}(?!\w)"),
    )
)  # fmt: skip
_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+(?![\w.]))?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|.)",
    re.ASCII,
)
_POWER_OF_TEN = re.compile(r"(\d+\.?\d*|\.\d+)\s*\*\s*10\s*(?:\^|\*\*)\s*\(?\s*([+-]?\d{1,3})\s*\)?(?!\w)")
_MODULE = re.compile(r"\b(?:np|numpy|math|Math|sp|sympy|jnp|torch)\.(?=[a-z])")
_SYMBOL = re.compile(rf"(?:[A-Za-z]|{'|'.join(GREEK.values())})(?:_?\d{{1,3}}|_\w{{1,12}})?", re.ASCII)
_UNIT = frozenset(
    "m s kg g N J W Hz rad cm mm km ms deg per second seconds squared meter meters metre metres".split()
)
_ALIASES = {
    "ln": "log",
    "arctan": "atan",
    "fabs": "abs",
    "absolute": "abs",
    "sgn": "sign",
    "signum": "sign",
    "minimum": "min",
    "maximum": "max",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an equation; `tight`: nothing stands between it and the piece before."""

    kind: str  # "number", "name", "derivative", "sign"
    text: str
    tight: bool
    order: int = 0


class Vocabulary:
    """What the names in a reply may mean: the task's columns, its derivatives, the reply's constants."""

    def __init__(
        self,
        variables: Iterable[StateVariable],
        inputs: Iterable[InputVariable] = (),
        params: Iterable[str] = (),
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        variables = tuple(variables)
        wanted = targets(variables)
        self.columns = {v.name for v in variables} | {v.name for v in inputs}
        self.params = frozenset(params)
        self.aliases = dict(aliases or {})  # a name that the reply gives to a rate: "v" for "vx"
        self.lefts = {target.left for target in wanted}
        self._second = {target.variable: target.driven for target in wanted if target.order == 2}
        self._position = {driven: variable for variable, driven in self._second.items()}
        self._bare = {name.replace("_", ""): name for name in (*self.columns, *self.params)}

    @property
    def known(self) -> frozenset[str]:
        """Every name that has a meaning without being called."""
        return self.params | self.columns | {TIME, *CONSTANTS} | self.aliases.keys()

    def name(self, text: str) -> str:
        """Return the name that is meant: `omega_0` for `omega0`, `vx` for an alias `v`."""
        if text in self.aliases:
            return self.aliases[text]
        return text if text in self.known else self._bare.get(text.replace("_", ""), text)

    def derivative(self, text: str, order: int) -> str:
        """Return a left side of the task, or the name of the rate that a first derivative is."""
        name = self.name(text)
        if order == 1 and name in self._second:
            return self._second[name]
        if order == 1 and name in self._position:
            return left_side(self._position[name], 2)
        return left_side(name, order)

    def split(self, text: str) -> list[str] | None:
        """Return the known names that are run together in `kx`; None unless there is exactly one way."""
        known = self.known
        ways: list[list[str]] = []

        def extend(at: int, parts: list[str]) -> None:
            if at == len(text):
                ways.append(parts)
            elif len(parts) < 4 and len(ways) < 2:
                for end in range(at + 1, len(text) + 1):
                    if text[at:end] in known:
                        extend(end, [*parts, text[at:end]])

        if len(text) <= 12 and "_" not in text:
            extend(0, [])
        return ways[0] if len(ways) == 1 and len(ways[0]) > 1 else None


def is_symbol(text: str) -> bool:
    """Tell whether a name looks like a constant's (`k`, `omega0`, `g_eff`) rather than like a word."""
    return _SYMBOL.fullmatch(text) is not None


def function_name(text: str) -> str | None:
    """Return the grammar's name of a function, None if it has none like it."""
    low = text if text in FUNCTIONS else text.lower()
    name = _ALIASES.get(low, low)
    return name if name in FUNCTIONS else None


def tokenize(text: str, words: Vocabulary) -> list[Token]:
    """Return the pieces of a text in plain characters, derivatives among them as one piece each."""
    text = _POWER_OF_TEN.sub(r"\1e\2", _MODULE.sub("", text))
    tokens: list[Token] = []
    at, tight = 0, True
    while at < len(text):
        if text[at].isspace():
            at, tight = at + 1, False
            continue
        found = _derivative(text, at, words) if text[at].isalpha() or text[at] == "(" else None
        if found is not None:
            token, at = found
            tokens.append(Token("derivative", token.text, tight, token.order))
        else:
            match = _TOKEN.match(text, at)
            if match is None:
                raise UnreadableError(f"{text[at]!a} is no sign of an equation")
            tokens.append(Token(match.lastgroup or "sign", "**" if match[0] == "^" else match[0], tight))
            at = match.end()
        tight = True
    return tokens


def _derivative(text: str, at: int, words: Vocabulary) -> tuple[Token, int] | None:
    whole = re.compile(_NAME, re.ASCII).match(text, at)
    if (
        whole is not None
        and whole[0] in words.known
        and text[whole.end() : whole.end() + 1] not in ("'", "/")
    ):
        return None  # a column may be called x_dot
    for order, pattern in _DERIVATIVES:
        match = pattern.match(text, at)
        if match is not None and match["name"]:
            return Token("derivative", words.derivative(match["name"], order), True, order), match.end()
    return None


@dataclass(frozen=True, slots=True)
class Read:
    """An expression, and the words after it that are none of it."""

    node: Node
    rest: list[Token]


def read_expression(tokens: list[Token], words: Vocabulary) -> Read:
    """Return what the pieces mean.

    Raises:
        UnreadableError: they are no expression, or could be more than one.
    """
    if len(tokens) > MAX_EQUATION_TOKENS:
        raise UnreadableError(f"it has more than {MAX_EQUATION_TOKENS} parts")
    parser = _Parser(tokens, words)
    node = parser.sum()
    return Read(node, tokens[parser.at :])


def is_unit(tokens: list[Token]) -> bool:
    """Tell whether the pieces spell a unit: `m/s**2`, `rad / s`, `(m/s)`."""
    return any(token.kind == "name" for token in tokens) and all(
        token.text in _UNIT
        or token.text in ("/", "*", "**", "-", "(", ")", "[", "]", ".")
        or token.text in ("1", "2", "3", "4")
        or _numbered_unit(token.text)
        for token in tokens
    )


def _numbered_unit(text: str) -> bool:
    return text[:-1] in _UNIT and text[-1:] in "234"


class _Parser:
    """Precedence climbing, with products that are not written."""

    def __init__(self, tokens: list[Token], words: Vocabulary) -> None:
        self._tokens = tokens
        self._words = words
        self._depth = 0
        self._bars = 0
        self.at = 0

    def _peek(self, ahead: int = 0) -> Token | None:
        index = self.at + ahead
        return self._tokens[index] if index < len(self._tokens) else None

    def _is(self, *texts: str) -> bool:
        token = self._peek()
        return token is not None and token.kind == "sign" and token.text in texts

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > 2 * MAX_EQUATION_DEPTH:
            raise UnreadableError("it is nested too deep")

    def sum(self) -> Node:
        self._deeper()
        node = self._product()
        while self._is("+", "-"):
            operator = self._tokens[self.at].text
            self.at += 1
            node = Binary(operator, node, self._product())
        self._depth -= 1
        return node

    def _product(self) -> Node:
        node = self._signed()
        divided = False
        while True:
            if self._is("*", "/"):
                divided = self._tokens[self.at].text == "/"
                operator = self._tokens[self.at].text
                self.at += 1
                node = Binary(operator, node, self._signed())
                continue
            if not self._multiplies():
                return node
            if divided and self._tokens[self.at].tight:
                raise UnreadableError(f"{self._tokens[self.at].text} may or may not stand below the fraction")
            node = Binary("*", node, self._power())

    def _multiplies(self) -> bool:
        """Tell whether what follows is one more factor; words and units are none."""
        token = self._peek()
        if token is None or token.kind == "sign":
            if token is not None and token.text == "|":
                return self._bars == 0
            return token is not None and token.text in ("(", "[", "{") and not self._is_remark()
        if token.kind == "number":
            if not token.tight:
                raise UnreadableError(f"no sign stands before {token.text}")
            return True
        if token.kind == "derivative" or self._has_meaning(token.text):
            return True
        if token.tight:
            return True
        return self._goes_on(token) and not is_unit(self._tokens[self.at :])

    def _goes_on(self, token: Token) -> bool:
        """Tell whether a name is one more factor rather than the first of some words."""
        if self._has_meaning(token.text) or token.tight:
            return True
        return is_symbol(token.text) and not self._words_follow()

    def _has_meaning(self, text: str) -> bool:
        words = self._words
        return (
            words.name(text) in words.known
            or function_name(text) is not None
            or text == "pow"
            or words.split(text) is not None
        )

    def _words_follow(self) -> bool:
        """Tell whether the run of names from here holds a word."""
        for token in self._tokens[self.at :]:
            if token.kind == "sign":
                return False
            if token.kind == "name" and not self._has_meaning(token.text) and not is_symbol(token.text):
                return True
        return False

    def _is_remark(self) -> bool:
        """Tell whether a parenthesis after a gap holds words, a unit, or the equation's number."""
        token = self._tokens[self.at]
        if token.tight:
            return False
        inner, depth = [], 0
        for piece in self._tokens[self.at :]:
            depth += (piece.text in "([{") - (piece.text in ")]}") if piece.kind == "sign" else 0
            inner.append(piece)
            if depth == 0:
                break
        content = inner[1:-1]
        if len(content) == 1 and content[0].kind == "number" and len(inner) == len(self._tokens) - self.at:
            raise UnreadableError(f"({content[0].text}) may be a factor or the equation's number")
        names = [piece for piece in content if piece.kind == "name"]
        wordy = any(not self._has_meaning(one.text) and not is_symbol(one.text) for one in names)
        unknown = names and not any(self._has_meaning(one.text) for one in names)
        return wordy or bool(unknown and is_unit(content))

    def _signed(self) -> Node:
        self._deeper()
        if self._is("-", "+"):
            minus = self._tokens[self.at].text == "-"
            self.at += 1
            inner = self._signed()
            self._depth -= 1
            return Negate(inner) if minus else inner
        node = self._power()
        self._depth -= 1
        return node

    def _power(self) -> Node:
        base = self._atom()
        if not self._is("**"):
            return base
        self.at += 1
        exponent = self._signed()
        if base == Name("e") and "e" not in self._words.known:
            return Call("exp", exponent)
        return Binary("**", base, exponent)

    def _atom(self) -> Node:
        token = self._peek()
        if token is None:
            raise UnreadableError("it ends where a number or a name should stand")
        self.at += 1
        if token.kind == "number":
            value = float(token.text)
            if not value <= MAX_NUMBER:
                raise UnreadableError(f"{token.text[:24]} is too large")
            return Number(value)
        if token.kind == "derivative":
            return Name(token.text)
        if token.kind == "name":
            return self._name(token)
        if token.text in ("(", "[", "{"):
            return self._closed(token.text, self._apart(self.sum))
        if token.text == "|":
            self._bars += 1
            node = self.sum()
            self._bars -= 1
            if not self._is("|"):
                raise UnreadableError("a bar | is not closed")
            self.at += 1
            return Call("abs", node)
        raise UnreadableError(f"{token.text!a} stands where a number or a name should")

    def _apart(self, inner: Callable[[], Node]) -> Node:
        """Read inside a parenthesis, where a bar opens anew."""
        bars, self._bars = self._bars, 0
        node = inner()
        self._bars = bars
        return node

    def _closed(self, opening: str, node: Node) -> Node:
        if not self._is({"(": ")", "[": "]", "{": "}"}[opening]):
            token = self._peek()
            raise UnreadableError(f"{token.text!a} stands in a parenthesis" if token else "a ( is not closed")
        self.at += 1
        return node

    def _name(self, token: Token) -> Node:
        following = self._peek()
        opens = following is not None and following.kind == "sign" and following.text in ("(", "[", "{")
        name = self._words.name(token.text)
        if name in self._words.known or name in self._words.columns:
            if opens and following is not None and following.tight:
                self._check_argument(name)
            return Name(name)
        if token.text in ("pow", "power") and opens:
            return self._arguments(2, lambda a, b: Binary("**", a, b))
        function = function_name(token.text)
        if function is not None:
            return self._call(function)
        parts = self._words.split(token.text)
        if parts is not None:
            node: Node = Name(self._words.name(parts[0]))
            for part in parts[1:]:
                node = Binary("*", node, Name(self._words.name(part)))
            if self._is("**"):
                raise UnreadableError(f"{token.text} is a product, and the power may be of all of it")
            return node
        if opens and following is not None and following.tight:
            raise UnreadableError(f"{token.text} is no function")
        return Name(token.text)

    def _check_argument(self, name: str) -> None:
        """Take the `(t)` of `x(t)`; `x(0)` is a start, and a constant of t is none."""
        inner = [self._peek(1), self._peek(2)]
        if inner[0] is None or inner[1] is None:
            return
        if inner[1].text not in (")", "]"):
            if inner[0].text == TIME and name in self._words.columns:
                raise UnreadableError(f"{name} is taken at another time")
            return
        if inner[0].text == TIME and name in self._words.columns:
            self.at += 3
        elif inner[0].text == TIME or inner[0].kind == "number":
            raise UnreadableError(f"{name}({inner[0].text}) is no quantity of the task")

    def _call(self, function: str) -> Node:
        power: Node | None = None
        if self._is("**"):
            self.at += 1
            power = self._exponent_of_function()
        if self._is("(", "[", "{"):
            if FUNCTIONS[function].arguments == 2:
                return self._arguments(2, lambda a, b: Extremum(function, a, b))
            node: Node = self._arguments(1, lambda a, _: Call(function, a))
        else:
            node = Call(function, self._bare_argument(function))
        return node if power is None else Binary("**", node, power)

    def _exponent_of_function(self) -> Node:
        closed = self._is("(")
        self.at += closed
        token = self._peek()
        if token is None or token.kind != "number" or token.text not in ("2", "3", "4"):
            raise UnreadableError("the power of a function's name is not 2, 3 or 4")
        self.at += 1 + closed
        return Number(float(token.text))

    def _arguments(self, count: int, build: Callable[[Node, Node], Node]) -> Node:
        opening = self._tokens[self.at].text
        self.at += 1
        first = self._apart(self.sum)
        second = first
        if count == 2:
            if not self._is(","):
                raise UnreadableError("a function of two arguments has one")
            self.at += 1
            second = self._apart(self.sum)
        return self._closed(opening, build(first, second))

    def _bare_argument(self, function: str) -> Node:
        """Return what `sin theta`, `cos 2x` or `cos omega t` is taken of; longer runs are ambiguous."""
        run: list[Node] = []
        while len(run) < 4:
            token = self._peek()
            if token is None or token.kind == "sign" or (token.kind == "name" and function_name(token.text)):
                break
            if run and token.kind == "name" and not self._goes_on(token):
                break
            run.append(self._power())
        if not run:
            raise UnreadableError(f"{function} is taken of nothing")
        if len(run) > 1 and run[-1] != Name(TIME) and not (len(run) == 2 and isinstance(run[0], Number)):
            raise UnreadableError(f"{function} may be taken of one factor or of several")
        node = run[0]
        for factor in run[1:]:
            node = Binary("*", node, factor)
        return node
