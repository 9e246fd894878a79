import re
from pathlib import Path

import pytest

from physix.limits import EPISODE_ID, FILE_NAME

PACKAGE = Path(__file__).parents[1] / "physix"


@pytest.mark.parametrize("name", ["a", "0", "run-1", "a.b_c:d-7", "a" * 64])
def test_what_may_name_an_episode(name: str) -> None:
    assert re.fullmatch(EPISODE_ID, name)


@pytest.mark.parametrize("name", ["", ".", "-a", "_a", ":a", "a b", "a/b", "é", "a\n", "a" * 65])
def test_what_may_not(name: str) -> None:
    assert not re.fullmatch(EPISODE_ID, name)


@pytest.mark.parametrize("name", ["", "..", ".a", "a/b", "a:b", "a\0", "a" * 97])
def test_a_file_name_stays_in_its_folder(name: str) -> None:
    assert not re.fullmatch(FILE_NAME, name)


def test_no_other_module_writes_a_pattern_for_ids() -> None:
    pattern = r"\[A-Za-z0-9\]?\[?[A-Za-z0-9._:-]*\]\{[01],(63|64|95)\}"
    copies = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if path.name != "limits.py" and re.search(pattern, path.read_text())
    ]
    assert copies == []
