"""What JSON the server reads, and how quotas count."""

import json

import pytest

from physix.api.openenv.wire import MAX_DEPTH, Quota, WireFaultError, strict_json


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


def test_a_quota_counts_each_client_and_kind_apart_for_a_minute() -> None:
    now = [0.0]
    quota = Quota(sessions=2, turns=3, clock=lambda: now[0])

    def allowed(client: str, kind: str, number: int = 1) -> bool:
        return quota.refuse(client, kind, number) is None  # type: ignore[arg-type]  # one of the two

    assert [allowed("a", "sessions") for _ in range(3)] == [True, True, False]
    assert [allowed("a", "turns") for _ in range(4)] == [True, True, True, False]
    assert allowed("b", "sessions")
    now[0] = 59.9
    assert not allowed("a", "sessions")
    now[0] = 60.0
    assert allowed("a", "sessions")
    assert not allowed("a", "sessions", 2)  # one is left: nothing is counted of what is refused
    assert allowed("a", "sessions", 1)
    assert not allowed("c", "turns", 4)
