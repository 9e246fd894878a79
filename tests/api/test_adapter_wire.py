"""The adapters' own wire, which needs httpx alone: loaded from its file, as it is in no package of ours."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

WIRE = Path(__file__).parents[2] / "adapters/physix_adapters/wire.py"


@pytest.fixture
def wire() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("adapters_wire", WIRE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("url", ["", " , ", "localhost:8000", "http://a:1,b:2"])
async def test_what_is_no_address_of_a_server_is_named(
    wire: ModuleType, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("PHYSIX_URL", url)
    with pytest.raises(wire.PhysixServerError, match="write http://HOST:PORT"):
        await wire.start()


async def test_a_time_that_is_no_number_is_named(wire: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHYSIX_OUTAGE_S", "soon")
    with pytest.raises(wire.PhysixServerError, match="'soon' is no number of seconds"):
        await wire.start("http://127.0.0.1:9")
