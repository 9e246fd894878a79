"""What JSON the server reads."""

import json

import pytest

from physix.api.openenv.wire import MAX_DEPTH, WireFaultError, strict_json


def nested(levels: int, *, lists: bool) -> str:
    opening, closing = ("[", "]") if lists else ('{"a":', "}")
    return opening * levels + "1" + closing * levels


@pytest.mark.parametrize("lists", [True, False])
def test_json_is_read_down_to_its_bound_and_no_deeper(lists: bool) -> None:
    assert strict_json(nested(MAX_DEPTH, lists=lists)) == json.loads(nested(MAX_DEPTH, lists=lists))
    for levels in (MAX_DEPTH + 1, 1_000, 100_000):
        with pytest.raises(WireFaultError):
            strict_json(nested(levels, lists=lists))


@pytest.mark.parametrize(
    "raw",
    ["NaN", "[Infinity]", '{"a": -Infinity}', "1e999", '"\\ud800"', "", "{", "{'a': 1}", b"\xff", "1 2"],
)
def test_what_is_no_json_is_refused(raw: str | bytes) -> None:
    with pytest.raises(WireFaultError):
        strict_json(raw)
