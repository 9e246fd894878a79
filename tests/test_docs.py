"""The examples in the documentation are run."""

import doctest
import re
from pathlib import Path

import pytest

from physix.api.app import create_app
from physix.engine.systems import sample_task
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig
from physix.settings import Settings
from physix.store.catalogue import catalogue

DOCS = Path(__file__).parents[1] / "docs"
WITH_EXAMPLES = [path for path in sorted(DOCS.glob("*.md")) if "```pycon" in path.read_text()]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.name)
def test_the_examples_print_what_they_say(path: Path) -> None:
    text = "\n".join(re.findall(r"```pycon\n(.*?)```", path.read_text(), re.DOTALL))
    test = doctest.DocTestParser().get_doctest(text, {}, path.name, str(path), 0)
    report: list[str] = []
    results = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert results.attempted > 0
    assert results.failed == 0, "".join(report)


def test_the_event_catalogue_is_the_one_the_types_give() -> None:
    text = (DOCS / "event-log.md").read_text()
    written = text.partition("<!-- catalogue -->\n")[2].partition("<!-- end -->")[0]
    assert written == catalogue()


def test_every_setting_is_told_of_as_it_is() -> None:
    told = (DOCS / "settings.md").read_text()
    rows = [
        f"| `PHYSIX_{name.upper()}` | {field.description} | {_said(field.default)} |"
        for name, field in Settings.model_fields.items()
    ]
    assert [row for row in rows if row not in told] == []


def _said(default: object) -> str:
    match default:
        case None | "" | ():
            return ""
        case tuple():
            return f"`{','.join(default)}`"
        case _:
            return f"`{default}`"


def test_every_route_is_told_of() -> None:
    told = re.sub(r"\{\w+\}", "{}", (DOCS / "api.md").read_text())
    untold = []
    for route in create_app(Settings(), openenv=False).openapi()["paths"]:
        path = re.sub(r"\{\w+\}", "{}", route)
        above, _, last = path.rpartition("/")
        beside = (
            f"`/{last}`" in told and f"{above}/" in told
        )  # a row may name several that share their beginning
        if path not in told and not beside:
            untold.append(route)
    assert untold == []


def test_the_turn_at_the_top_of_the_readme_is_what_the_verifier_says() -> None:
    told = " ".join((DOCS.parent / "README.md").read_text().replace("\\*", "*").split())
    task, truth = sample_task("damped_pendulum", 7)
    config = VerifierConfig(profile="strict", constants="fitted")
    assert task.hint in told
    first = task.shown[0]
    for t, (theta, speed) in list(zip(first.t, first.states, strict=True))[:3]:
        assert f"| {t:.2f} | {theta:.3f} | {speed:.3f} |" in told

    def judge(equation: str, *names: str) -> Verification:
        hypothesis = Hypothesis(equation=equation, params=dict.fromkeys(names))
        assert f"`{equation}`" in told
        return verify(task, truth, hypothesis, best_match=0.0, config=config)

    wrong = judge("d2theta/dt2 = -k*theta", "k")
    run = wrong.simulation
    assert f"k = {run.fitted['k']:.3f} ± {run.errors['k']:.3f}" in told
    assert "R² {:.3f} and {:.3f}".format(*(fit.r2 or 0.0 for fit in wrong.fits.values())) in told
    assert wrong.mismatch.partition("too low. ")[2] in told
    right = judge("d2theta/dt2 = -k*sin(theta) - c*dtheta", "k", "c")
    run = right.simulation
    constants = f"k = {run.fitted['k']:.3f} ± {run.errors['k']:.3f}, c = {run.fitted['c']:.4f}"
    assert f"{constants} ± {run.errors['c']:.4f}" in told
    assert right.mismatch in told
    assert right.solved
    assert f"R² is {right.generalisation:.6f}" in told
