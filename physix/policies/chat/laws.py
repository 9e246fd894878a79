"""From a model's words about an equation to the law in the grammar, or to the reason why it is none.

What is read is said back in canonical form. Nothing that could change the law is ever left out: a
factor before the derivative is brought to the other side, a helper line is put in, and a text that
could mean two laws, or none, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from physix.engine.systems.targets import targets
from physix.engine.systems.task import InputVariable, StateVariable
from physix.engine.verifier.grammar import names_in, parse
from physix.engine.verifier.tree import Name, Node, ParsedHypothesis, show, walk
from physix.limits import CONSTANTS, MAX_PARAMS, RESERVED_WORDS, TIME
from physix.policies.chat.algebra import UnreadableError, solve, substitute
from physix.policies.chat.expression import (
    Token,
    Vocabulary,
    is_symbol,
    is_unit,
    read_expression,
    tokenize,
)
from physix.policies.chat.notation import plain

_COMMENT = re.compile(r"(?:^|\s)(?:#|//)[^\n]*")
_LABEL = re.compile(r"\s*(?:\(\s*(\d{1,2})\s*\)|(\d{1,2})[.)])\s+")
_ASIDE = re.compile(r"\(\s*([^()=≈]{1,60}[=≈][^()=≈]{1,60})\)")
_BREAK = re.compile(
    r"(?:[,.?:](?=\s|$)|\s(?:where|with|and|when|given|using|for|because|since|which|while|so|but|if|is|are|"
    r"here|let|at|near|describes|models)(?=\s|$))"
)
_PIECEWISE = re.compile(r"\b(?:otherwise|else|cases|piecewise)\b|\bif\b[^,;\n]*[<>]", re.IGNORECASE)
_START = re.compile(r"\s*[A-Za-z]\w*'{0,2}\s*\(\s*(?:t\s*=\s*)?0(?:\.0*)?\s*\)\s*[=≈]")
_DENIED = re.compile(
    r"\b(?:wrong|incorrect|false|rejected|impossible)\b"
    r"|(?:\bnot|n't|\bnever|\bcannot)\s+(?:\w+\s+)?(?:correct|right|valid|true|holds?|fits?|works?|match\w*)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\s*(?:let\s+)?(?P<name>[A-Za-z]\w{0,31})\s*[=≈]\s*"
    r"(?P<value>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>.*)",
    re.DOTALL | re.ASCII,
)
_MARKS = frozenset(".,:;()[]\"'?!<>-/*+=≈")
# Words that do what a sign does: a law may not end before them.
_ARITHMETIC = frozenset("plus minus times over mod modulo divided multiplied squared cubed cross dot".split())
_ENDS = frozenset(".,:;")
_OPERATORS = frozenset({"+", "-", "*", "/", "**", "=", "≈"})
_MAX_CLAUSE = 2_048


class NoLawError(UnreadableError):
    """The text speaks of none of the task's derivatives."""


@dataclass(frozen=True, slots=True)
class Law:
    """What a text says: the equations in the grammar, and constants whose numbers stand beside them."""

    equation: str
    numbers: dict[str, float]


def tidy(
    equation: str,
    variables: Sequence[StateVariable],
    *,
    inputs: Sequence[InputVariable] = (),
    params: Iterable[str] = (),
) -> str:
    """Return the equations in the grammar, separated by `; `; as they came where they cannot be read.

    Args:
        equation: at most 4,096 characters in any notation.
        variables: the task's state variables; they say what `y'` on a right side is.
        inputs: the task's inputs.
        params: names that the equation may use besides.
    """
    try:
        return read_law(equation, variables, inputs=inputs, params=params).equation
    except UnreadableError:
        return "; ".join(part.strip() for part in re.split(r"[;\n]", equation) if part.strip())


def read_law(
    text: str,
    variables: Sequence[StateVariable],
    *,
    inputs: Sequence[InputVariable] = (),
    params: Iterable[str] = (),
    prose: bool = False,
) -> Law:
    """Return the law that a text states.

    Args:
        text: at most 4,096 characters.
        variables: the task's state variables.
        inputs: the task's inputs.
        params: names that the reply gives numbers to, apart from those in the text.
        prose: the text is a whole reply, not an equation alone: what says nothing about the task's
            derivatives is passed over, and of two laws the last counts.

    Raises:
        UnreadableError: it states none, or not clearly; says why.
    """
    names = frozenset(params)
    exact = None if prose else _as_written(text, variables, inputs, names)
    return exact or _Reader(variables, inputs, names, prose=prose).law(text)


def _as_written(
    text: str, variables: Sequence[StateVariable], inputs: Sequence[InputVariable], params: frozenset[str]
) -> Law | None:
    """Return a text that is of the grammar already, word for word."""
    words = Vocabulary(variables, inputs, params)
    sides = " ".join(part.partition("=")[2] for part in re.split(r"[;\n]", text))
    used = names_in(sides) - words.columns
    if "e" in used - params or len(used) > MAX_PARAMS:
        return None
    if any(words.name(name) != name or words.split(name) for name in used - params):
        return None
    if any(token.kind == "derivative" for token in tokenize(sides, words)):
        return None  # `b*dx/dt` is of the grammar, too, with constants called dx and dt
    parsed = parse(text, dict.fromkeys(used, 1.0), variables, inputs=inputs, functions="extended")
    if not isinstance(parsed, ParsedHypothesis):
        return None
    return Law("; ".join(part.strip() for part in re.split(r"[;\n]", text) if part.strip()), {})


@dataclass(slots=True)
class _Reader:
    """Reads one text, clause by clause."""

    variables: Sequence[StateVariable]
    inputs: Sequence[InputVariable]
    params: frozenset[str]
    prose: bool
    words: Vocabulary = field(init=False)
    numbers: dict[str, float] = field(default_factory=dict)
    equations: dict[str, Node] = field(default_factory=dict)
    helpers: dict[str, Node] = field(default_factory=dict)
    trouble: str = ""  # the first clause of prose that could not be read
    related: set[str] = field(default_factory=set)  # names in relations that define nothing

    def law(self, text: str) -> Law:
        said = list(_clauses(text, prose=self.prose))
        if any(len(clause) > _MAX_CLAUSE and "=" in clause for clause, _ in said):
            raise UnreadableError(f"an equation has more than {_MAX_CLAUSE} characters")
        clauses = [clause for clause, _ in said]
        self.words = Vocabulary(self.variables, self.inputs, self.params)
        numbers = {clause for clause in clauses if self._is_number(clause)}
        known = self.params | self.numbers.keys()
        self.words = Vocabulary(self.variables, self.inputs, known)
        aliases = dict(filter(None, (self._alias(clause) for clause in clauses)))
        self.words = Vocabulary(self.variables, self.inputs, known, aliases)
        last: str | None = None
        for clause, same_sentence in said:
            last = last if same_sentence else None
            if clause in numbers:
                continue
            try:
                if _DENIED.search(clause):
                    self.equations.pop(last or "", None)
                    raise UnreadableError("the text says that the equation does not hold")
                last = self._read(clause) or last
            except UnreadableError as problem:
                if not self.prose:
                    raise
                self.trouble = self.trouble or str(problem)
        return self._written()

    def _is_number(self, clause: str) -> bool:
        """Note `k = 2.5 N/m`."""
        match = _NUMBER.fullmatch(clause)
        if match is None or match["name"] in self.words.columns or match["name"] in RESERVED_WORDS:
            return False
        unit = tokenize(match["unit"], self.words)
        if unit and (unit[0].text in _OPERATORS or not (is_unit(unit) or self._says_nothing(unit))):
            return False  # `k = 2*x` is no number
        self.numbers[self.words.name(match["name"])] = float(match["value"])
        return True

    def _says_nothing(self, tokens: list[Token]) -> bool:
        known = self.words.known
        return not tokens[0].tight and _only_words(tokens) and all(one.text not in known for one in tokens)

    def _alias(self, clause: str) -> tuple[str, str] | None:
        """Return the name that a text gives to a rate, `v` in `dx/dt = v`, and the rate."""
        match _without_preamble(_tokens(clause, self.words), self.words):
            case [Token("derivative", rate), Token(text="="), Token("name", name)]:
                pass
            case [Token("name", name), Token(text="="), Token("derivative", rate)]:
                pass
            case _:
                return None
        if rate in self.words.columns and self.words.name(name) not in self.words.known:
            return name, rate
        return None

    def _read(self, clause: str) -> str | None:
        """Take a clause in; return the left side that it gives, if it gives one."""
        if _START.match(clause):
            return None  # where the motion begins is no part of the law
        tokens = _tokens(clause, self.words)
        signs = [i for i, token in enumerate(tokens) if token.text in ("=", "≈") and token.kind == "sign"]
        if not signs or any(token.text in ("<", ">", "!") for token in tokens):
            self._pass_over(tokens)
            return None
        derived = [token.text for token in tokens if token.kind == "derivative"]
        wanted = {text for text in derived if text in self.words.lefts}
        try:
            left, right = self._sides(tokens, signs)
        except UnreadableError:
            for one in wanted:
                self.equations.pop(one, None)  # what was said of it last is not understood
            raise
        if any(text not in self.words.lefts and text not in self.words.columns for text in derived):
            raise UnreadableError(f"{', '.join(sorted(set(derived)))}: not all are derivatives of the task")
        if len(wanted) > 1:
            raise UnreadableError(f"one equation holds {' and '.join(sorted(wanted))}")
        if wanted:
            return self._add(wanted.pop(), left, right)
        if isinstance(left, Name):
            self._define(left.name, right, rate=bool(derived) and tokens[0].kind == "derivative")
        else:
            self.related |= _undeclared(left, self.words) | _undeclared(right, self.words)
        return None

    def _left(self, tokens: list[Token]) -> Node:
        """Read a left side, whatever words lead up to it."""
        tokens = _without_preamble(tokens, self.words)
        read = read_expression(tokens, self.words)
        if read.rest and not _only_words(read.rest):
            raise UnreadableError(f"{read.rest[0].text!a} stands before the =")
        return read.node

    def _sides(self, tokens: list[Token], signs: list[int]) -> tuple[Node, Node]:
        """Read both sides; of a chain of equal ones that with the derivative, and the first that is known."""
        sides = [self._left(tokens[: signs[0]])]
        for start, end in zip(signs, [*signs[1:], len(tokens)], strict=True):
            read = read_expression(tokens[start + 1 : end], self.words)
            self._check_rest(read.node, read.rest)
            sides.append(read.node)
        if len(sides) == 2:
            return sides[0], sides[1]
        if any(tokens[i].text == "≈" for i in signs[1:]):
            raise UnreadableError("one side is only about equal to the next")
        derived = [side for side in sides if _names(side) & self.words.lefts]
        known = [side for side in sides if side not in derived and not _undeclared(side, self.words)]
        if len(derived) > 1 or not known:
            raise UnreadableError("of several equal sides it is not clear which one is meant")
        return (derived or sides)[0], known[0]

    def _check_rest(self, node: Node, rest: list[Token]) -> None:
        if not rest:
            return
        first = rest[0]
        if first.kind == "sign" and first.tight and first.text not in _ENDS:
            raise UnreadableError(f"{first.text!a} has no meaning here")
        if not is_unit(rest) and not _only_words(rest, self.words):
            raise UnreadableError(f"the equation goes on after {rest[0].text!a}")
        strange = [name for name in sorted(_undeclared(node, self.words)) if not is_symbol(name)]
        if strange and not is_unit(rest):
            raise UnreadableError(f"{strange[0]} is no variable, param or function")

    def _pass_over(self, tokens: list[Token]) -> None:
        """Words that are no equation change nothing; anything like mathematics would."""
        if self.prose or is_unit(tokens) or _only_words(tokens, self.words):
            return
        raise UnreadableError(f"{' '.join(token.text for token in tokens)[:40]!a} is no equation")

    def _add(self, target: str, left: Node, right: Node) -> str:
        found = solve(left, right, target)
        if target in self.equations and self.equations[target] != found and not self.prose:
            raise UnreadableError(f"{target} is given twice")
        self.equations[target] = found
        return target

    def _define(self, name: str, right: Node, *, rate: bool) -> None:
        if name in self.words.columns:
            if rate and right != Name(name):
                raise UnreadableError(f"{name} is measured, and the text gives it as {show(right)[:40]}")
            return  # `dx/dt = vx`, or a solution: no law
        if name in self.params:
            return
        if name in self.helpers and self.helpers[name] != right and not self.prose:
            raise UnreadableError(f"{name} is given twice")
        self.helpers[name] = right

    def _written(self) -> Law:
        lefts = [target.left for target in targets(self.variables)]
        law = {
            left: substitute(self.equations[left], self.helpers) for left in lefts if left in self.equations
        }
        if not law:
            reason = f"the text gives no {' or '.join(lefts)}"
            raise UnreadableError(self.trouble) if self.trouble else NoLawError(reason)
        loose = set().union(*(_undeclared(node, self.words) for node in law.values()))
        if loose & self.related:
            raise UnreadableError(f"{min(loose & self.related)} is given only by another relation")
        return Law("; ".join(f"{left} = {show(node)}" for left, node in law.items()), self.numbers)


def _tokens(clause: str, words: Vocabulary) -> list[Token]:
    return tokenize(re.sub(r":=|=+", "=", clause), words)


def _clauses(text: str, *, prose: bool) -> Iterator[tuple[str, bool]]:
    """Yield the clauses of a text, and whether each goes on in the sentence of the one before.

    Clauses are lines, parts of lists, what stands after `where` and in asides.
    """
    lines = _joined(re.split(r"[;\n]", plain(_COMMENT.sub(" ", text))))
    bullets = sum(line.lstrip().startswith(("- ", "* ")) for line in lines)
    numbered = 0
    for line in lines:
        if _PIECEWISE.search(line):
            raise UnreadableError("the law has several cases")
        label = _LABEL.match(line)
        if label is not None:
            number = int(label[1] or label[2])
            if number > 1 and number != numbered + 1:
                raise UnreadableError(f"{label[0].strip()} may be a factor or a label")
            numbered, line = number, line[label.end() :]
        stripped = line.lstrip()
        if stripped.startswith("* ") or (prose and stripped.startswith("- ") and bullets > 1):
            line = stripped[2:]
        elif prose and stripped.startswith("- "):
            raise UnreadableError("- may be a sign or the mark of a list")
        yield from _parts(_ASIDE.sub(r", \1, ", line))


def _joined(lines: list[str]) -> list[str]:
    """Put lines that begin with an operator and hold no equation of their own after the one before."""
    joined: list[str] = []
    for line in lines:
        if (
            joined
            and re.match(r"\s*[-+*/=]", line)
            and "=" in joined[-1]
            and "=" not in line.lstrip(" =")[0:]
        ):
            joined[-1] += " " + line.strip()
        elif line.strip(" \t&.,"):
            joined.append(line)
    return joined


def _parts(line: str) -> Iterator[tuple[str, bool]]:
    """Yield what stands between commas, full stops and joining words outside parentheses."""
    depth, start, same = 0, 0, False
    for match in re.finditer(r"[(\[{]|[)\]}]|" + _BREAK.pattern, line):
        if match[0] in "([{":
            depth += 1
        elif match[0] in ")]}":
            depth -= 1
        elif depth <= 0:
            if line[start : match.start()].strip(" .,:"):
                yield line[start : match.start()].strip(), same
                same = True
            same = same and match[0] not in (".", "?")
            start = match.end()
    if line[start:].strip(" .,:"):
        yield line[start:].strip().rstrip(".,:"), same


def _without_preamble(tokens: list[Token], words: Vocabulary) -> list[Token]:
    """Leave out the words that lead up to an equation; never a sign, a number or a name with a meaning."""
    while len(tokens) > 1:
        first, second = tokens[0], tokens[1]
        wordy = first.kind == "name" and words.name(first.text) not in words.known
        if wordy and second.kind != "sign" and (not is_symbol(first.text) or _is_word(second, words)):
            tokens = tokens[1:]
        elif wordy and second.text in (":", ">"):
            tokens = tokens[2:]
        elif first.kind == "sign" and first.text in (":", ">", "#"):
            tokens = tokens[1:]
        else:
            break
    return tokens


def _is_word(token: Token, words: Vocabulary) -> bool:
    return token.kind == "name" and words.name(token.text) not in words.known and not is_symbol(token.text)


def _only_words(tokens: list[Token], words: Vocabulary | None = None) -> bool:
    """Tell whether pieces are words and marks: no number or known name with an operator beside it."""
    for i, token in enumerate(tokens):
        if token.kind == "derivative" or token.text.lower() in _ARITHMETIC:
            return False
        if token.kind == "sign" and token.text not in _MARKS:
            return False
        if token.kind == "sign" and token.text in _OPERATORS:
            beside = [*tokens[max(i - 1, 0) : i], *tokens[i + 1 : i + 2]]
            known = words.known if words else frozenset()
            if not beside or any(one.kind != "name" or one.text in known for one in beside):
                return False
    first = next((token for token in tokens if token.kind != "sign"), None)
    return first is None or first.kind != "number"


def _undeclared(node: Node, words: Vocabulary) -> set[str]:
    """Return the names in an expression that nothing gives a meaning to."""
    return _names(node) - words.known - words.lefts - {TIME, *CONSTANTS}


def _names(node: Node) -> set[str]:
    return {one.name for one in walk(node) if isinstance(one, Name)}
