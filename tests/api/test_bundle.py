from pathlib import Path

import pytest

from physix.api.bundle import read_episodes, write_bundle
from physix.errors import BadInputError, EpisodeNotFoundError
from physix.store import open_log
from physix.store.demo import read_demo, shipped_demos


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "assets" / "index.js").write_text("")
    (folder / "index.html").write_text('<meta charset="utf-8" /><script src="/assets/index.js"></script>')
    return folder


def test_a_bundle_names_its_files_relatively_and_carries_a_policy(tmp_path: Path, page: Path) -> None:
    streams = read_demo(shipped_demos()[0]).members
    out = tmp_path / "out"
    written = write_bundle(streams, out, page=page)
    html = (out / "index.html").read_text()
    assert 'src="./assets/index.js"' in html
    assert "Content-Security-Policy" in html
    assert written.episodes == len(streams)
    assert all((out / "data" / f"{one[0].episode_id}.events.json").is_file() for one in streams)


def test_a_folder_with_files_is_left_alone(tmp_path: Path, page: Path) -> None:
    with pytest.raises(BadInputError, match="not an empty folder"):
        write_bundle([], page, page=page)


async def test_an_unknown_or_odd_id_is_refused() -> None:
    async with open_log("memory://") as log:
        with pytest.raises(EpisodeNotFoundError):
            await read_episodes(log, ["none"])
        with pytest.raises(BadInputError):
            await read_episodes(log, ["../none"])
