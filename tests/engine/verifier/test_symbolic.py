"""SymPy as a tool, and as an oracle for what the verifier computes by itself."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import sympy
from sympy.parsing.latex import parse_latex

from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.verifier import parse, verify
from physix.engine.verifier.latex import latex
from physix.engine.verifier.symbolic import (
    _compare,
    _simplified,
    from_sympy,
    read_law,
    same_law,
    simplify,
    to_sympy,
)
from physix.engine.verifier.tree import Binary, Call, Name, Negate, Node, Number, ParsedHypothesis, show
from physix.engine.verifier.types import Hypothesis, Rejection, VerifierConfig
from physix.errors import BadInputError


def expression(text: str) -> sympy.Expr:
    return to_sympy(read_law(f"dx/dt = {text}").equations[0].expression)


def random_node(rng: random.Random, depth: int) -> Node:
    """Draw an expression over x, y, k_1 and omega."""
    if depth == 0 or rng.random() < 0.15:
        leaves: list[Node] = [*map(Name, ("x", "y", "k1", "omega")), *map(Number, (2.0, 0.5, 3.25))]
        return rng.choice(leaves)
    kind = rng.random()
    if kind < 0.15:
        return Negate(random_node(rng, depth - 1))
    if kind < 0.3:
        return Call(rng.choice(["sin", "cos", "sqrt"]), random_node(rng, depth - 1))
    if kind < 0.4:
        return Binary("**", random_node(rng, depth - 1), Number(rng.choice([2.0, 3.0])))
    operator = rng.choice("+-*/")
    return Binary(operator, random_node(rng, depth - 1), random_node(rng, depth - 1))


def drawn(count: int) -> list[ParsedHypothesis]:
    rng = random.Random(5)  # noqa: S311  # no secret
    return [read_law(f"dx/dt = {show(random_node(rng, 3))}") for _ in range(count)]


@pytest.mark.parametrize("law", drawn(60), ids=lambda law: law.canonical)
def test_latex_reads_as_the_same_expression(law: ParsedHypothesis) -> None:
    right = latex(law).partition(" = ")[2].replace("k_{1}", "q").replace(r"\omega", "w")
    # Our thin space multiplies; the reader would take a name before a parenthesis for a function.
    right = right.replace(r"\,", r" \cdot ")
    read = parse_latex(right, backend="lark")
    ours = to_sympy(law.equations[0].expression)
    names = {
        sympy.Symbol("k1", real=True): sympy.Symbol("q"),
        sympy.Symbol("omega", real=True): sympy.Symbol("w"),
    }
    ours = ours.subs(names | {sympy.Symbol(n, real=True): sympy.Symbol(n) for n in "xy"})
    # The reader gives all readings of what it finds ambiguous, `k f(x)` for a product above all.
    readings = read.children if hasattr(read, "data") else [read]
    point = {sympy.Symbol(n): v for n, v in zip("xyqw", (1.3, 0.7, 1.9, 2.3), strict=True)}

    def value(e: sympy.Expr) -> complex:
        return complex(e.subs(point).evalf(20))

    expected = value(ours)
    if abs(expected) > 1e15 or expected != expected:
        pytest.skip("a pole")
    assert any(abs(value(r) - expected) <= 1e-9 * (1 + abs(expected)) for r in readings)


@pytest.mark.parametrize("law", drawn(60), ids=lambda law: law.canonical)
def test_there_and_back_is_the_same_function(law: ParsedHypothesis) -> None:
    before = to_sympy(law.equations[0].expression)
    if before.has(sympy.zoo, sympy.nan, sympy.I):
        pytest.skip("undefined everywhere")
    after = to_sympy(from_sympy(before))
    assert sympy.simplify(before - after) == 0


@pytest.mark.parametrize(
    ("law", "simple"),
    [
        ("d2y/dt2 = -g*sin(y)*cos(y)*2 + 0.1 - 0.1", "d2y/dt2 = -g*sin(2*y)"),
        ("d2x/dt2 = -(k/m)*x - (k/m)*x", "d2x/dt2 = -2*k*x/m"),
        ("dx/dt = (a**2 - b**2)/(a - b)*x/x", "dx/dt = a + b"),
        ("dx/dt = sqrt(x**2)*exp(-x)/exp(x)", "dx/dt = exp(-2*x)*abs(x)"),
        ("dx/dt = 2*x + 3*x - min(x, y)*a**-2", "dx/dt = 5*x - min(x, y)/a**2"),
        ("dx/dt = sin(x)**2 + cos(x)**2; dy/dt = x - y", "dx/dt = 1; dy/dt = x - y"),
        ("dx/dt = x*0.333 + x/3", "dx/dt = 1999*x/3000"),
        ("dx/dt = x + x", "dx/dt = 2*x"),
        ("dx/dt = x*x/y", "dx/dt = x**2/y"),
        ("dx/dt = 1/0*x", "dx/dt = 1/0*x"),
    ],
)
def test_a_law_is_written_with_fewer_operators(law: str, simple: str) -> None:
    assert _simplified(law)["law"] == simple


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("dx/dt = sin(2*x)", "dx/dt = 2*sin(x)*cos(x)", "same"),
        ("dx/dt = sqrt(x**2)", "dx/dt = abs(x)", "same"),
        ("dx/dt = a*(b + c)", "dx/dt = a*c + a*b", "same"),
        ("dx/dt = x", "dx/dt = x + 0.000000001*x", "different"),
        ("dx/dt = sin(x)", "dx/dt = x", "different"),
        ("dx/dt = 1", "dx/dt = 2", "different"),
        ("dx/dt = x/y", "dx/dt = x*y", "different"),
    ],
)
def test_laws_are_compared_as_functions(first: str, second: str, verdict: str) -> None:
    assert _compare(first, second)["verdict"] == verdict
    assert _compare(second, first)["verdict"] == verdict


def test_a_tower_of_powers_is_given_up_and_leaves_this_process_alone() -> None:
    found = simplify("dx/dt = 9**9**9**9*x", timeout_s=1.0)
    assert (found.outcome, found.equation) == ("gave_up", "dx/dt = 9**9**9**9*x")
    compared = same_law("dx/dt = 9**9**9**9", "dx/dt = 9**9**9**8", timeout_s=1.0)
    assert compared.verdict == "undecided"


def test_a_process_of_its_own_answers() -> None:
    found = simplify("d2x/dt2 = x + x", timeout_s=60.0)
    assert (found.outcome, found.equation, found.latex) == (
        "simplified",
        "d2x/dt2 = 2*x",
        r"\ddot{x} = 2\,x",
    )


def test_what_needs_no_algebra_asks_no_process() -> None:
    assert same_law("dx/dt = 9**9**9**9", "dx/dt=9**9**9**9").verdict == "same"
    assert same_law("dx/dt = x", "d2x/dt2 = x").verdict == "different"


@pytest.mark.parametrize(
    "text", ["", "x + 1", "dx/dt = ", "dx/dt = __import__(x)", "dx/dt = x.y", "d" * 5_000]
)
def test_what_is_no_law_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match=r"law"):
        simplify(text)


@pytest.mark.parametrize("system_id", list(SYSTEMS))
def test_rewriting_the_true_law_leaves_it_exact(system_id: str) -> None:
    task, truth = sample_task(system_id, 3)
    law = parse(truth.equation or "", truth.params, task.variables)
    assert not isinstance(law, Rejection)
    for rewrite in (sympy.expand, sympy.factor, sympy.simplify):
        equations = [
            f"{e.target} = {show(from_sympy(rewrite(to_sympy(e.expression))))}" for e in law.equations
        ]
        hypothesis = Hypothesis(equation="; ".join(equations), params=truth.params)
        found = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig()).correctness
        assert found is not None
        assert found.verdict == "exact"


def test_the_command_line_says_it_too(tmp_path: Path) -> None:
    def physix(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "physix.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert physix("simplify", "dx/dt = x + x").stdout == "dx/dt = 2*x\n"
    compared = physix("same", "dx/dt = x + x", "dx/dt = 2*x", "--json")
    assert json.loads(compared.stdout)["verdict"] == "same"
    wrong = physix("simplify", "dx/dt = (x")
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
