"""The examples in the documentation are run."""

import doctest
import re
from pathlib import Path

import pytest

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
