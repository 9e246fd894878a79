import asyncio
import json
from itertools import pairwise

import httpx
import pytest

from physix.errors import BadInputError, ConflictError, InfrastructureError
from physix.training.doors.outage import Door, pauses
from physix.training.doors.trl import PhysiXEpisode

SEEN: dict[str, object] = {"instructions": "i", "hint": "h", "variables": [], "table": "t y"}


class Clock:
    """Time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def door(
    *answers: int | Exception, outage_s: float = 5.0
) -> tuple[Door, list[dict[str, object]], list[float]]:
    """A door whose server gives these answers in turn, and the last one for ever."""
    sent: list[dict[str, object]] = []
    slept: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        now = answers[min(len(sent), len(answers) - 1)]
        sent.append(json.loads(request.content))
        if isinstance(now, Exception):
            raise now
        return httpx.Response(
            now, json={"observation": SEEN, "done": False} if now == 200 else {"detail": "why"}
        )

    transport = httpx.MockTransport(answer)
    made = Door("http://there", outage_s=outage_s, sleep=slept.append, transport=transport)
    return made, sent, slept


def test_pauses_grow_to_a_limit_and_end_with_the_outage() -> None:
    clock = Clock()
    waits = []
    for wait in pauses(120.0, clock=clock):
        clock.sleep(wait)
        waits.append(wait)
    assert clock.now == pytest.approx(120.0)
    assert 0.125 <= waits[0] <= 0.25
    assert max(waits) <= 10.0
    assert all(later > earlier / 2 for earlier, later in pairwise(waits[:-1]))
    assert 12 <= len(waits) <= 32
    assert list(pauses(0.0, clock=clock)) == []


@pytest.mark.parametrize("away", [429, 502, 503, 504, httpx.ConnectError("no"), httpx.ReadTimeout("late")])
def test_an_outage_is_waited_out_with_the_same_request(away: int | Exception) -> None:
    made, sent, slept = door(away, away, 200)
    assert made.post("/step", {"request_id": "r"}) == {"observation": SEEN, "done": False}
    assert sent == [{"request_id": "r"}] * 3
    assert len(slept) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, BadInputError), (413, BadInputError), (422, BadInputError), (409, ConflictError)]
    + [(status, InfrastructureError) for status in (401, 403, 404, 500)],
)
def test_an_answer_is_not_asked_for_twice(status: int, error: type[Exception]) -> None:
    made, sent, _ = door(status)
    # What a model may be shown is the sentence alone.
    said = "^why$" if error is BadInputError else f"{status}.*why"
    with pytest.raises(error, match=said):
        made.post("/step", {})
    assert len(sent) == 1


def test_a_server_that_stays_away_is_an_infrastructure_failure() -> None:
    made, sent, _ = door(httpx.ConnectError("refused"), outage_s=0.0)
    with pytest.raises(InfrastructureError, match=r"http://there.*refused.*physix serve"):
        made.post("/step", {})
    assert len(sent) == 1


def episode(monkeypatch: pytest.MonkeyPatch, made: Door) -> PhysiXEpisode:
    monkeypatch.setattr("physix.training.doors.trl.Door", lambda *_args, **_options: made)
    return PhysiXEpisode()


def test_a_reset_whose_answer_was_lost_is_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    made, sent, _ = door(httpx.ReadTimeout("late"), 409, 200)
    assert "t y" in episode(monkeypatch, made).reset(system_id="free_fall")
    first, again, resumed = sent
    assert first == again
    assert first["system_id"] == "free_fall"
    own = {name: first[name] for name in ("episode_id", "token")}
    assert resumed == {**own, "resume": True}


def test_an_episode_that_an_outage_broke_off_has_no_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _, _ = door(200, httpx.ConnectError("gone"), outage_s=0.0)
    played = episode(monkeypatch, made)
    played.reset()
    assert played.get_reward() == 0.0
    with pytest.raises(InfrastructureError):
        asyncio.run(played.submit_hypothesis("d2y/dt2 = 0"))
    with pytest.raises(InfrastructureError):
        played.get_reward()


def servers(**answers: int | Exception) -> tuple[Door, list[str]]:
    """A door to several servers, each of which always answers alike."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        now = answers[request.url.host]
        if isinstance(now, Exception):
            raise now
        return httpx.Response(now, json={"from": request.url.host} if now == 200 else {"detail": "why"})

    url = ",".join(f"http://{name}:8000" for name in answers)
    return Door(url, outage_s=0.0, transport=httpx.MockTransport(answer)), asked


def test_an_episode_stays_with_its_server_and_episodes_spread_over_all() -> None:
    made, asked = servers(a=200, b=200, c=200)
    for number in range(60):
        homes = {made.post("/step", {"episode_id": f"e{number}"})["from"] for _ in range(3)}
        assert len(homes) == 1
    assert set(asked) == {"a", "b", "c"}
    assert min(asked.count(name) for name in "abc") >= 30


@pytest.mark.parametrize("away", [503, httpx.ConnectError("no")])
def test_another_server_stands_in_while_the_home_is_away(away: int | Exception) -> None:
    made, asked = servers(a=away, b=200)
    assert {made.post("/step", {"episode_id": f"e{n}"})["from"] for n in range(20)} == {"b"}
    assert "a" in asked


def test_a_server_that_does_not_know_the_episode_is_passed_over() -> None:
    made, _ = servers(a=404, b=200)
    assert {made.post("/step", {"episode_id": f"e{n}"})["from"] for n in range(20)} == {"b"}
    nowhere, _ = servers(a=404, b=404)
    with pytest.raises(InfrastructureError, match="404"):
        nowhere.post("/step", {"episode_id": "e"})
    perhaps, _ = servers(a=404, b=503)
    with pytest.raises(InfrastructureError, match="Cannot reach"):
        perhaps.post("/step", {"episode_id": "e"})


@pytest.mark.parametrize("url", ["", " , ", "localhost:8000", "http://a:1,b:2"])
def test_what_is_no_address_is_refused_with_what_is_one(url: str) -> None:
    with pytest.raises(BadInputError, match="http://HOST:PORT"):
        Door(url)
