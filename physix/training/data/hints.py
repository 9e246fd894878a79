"""What an onlooker would say about a synthetic motion: a bank of phrases by what its law depends on."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.random import Generator

from physix.training.data.law import Law

_SPRING = (
    "A weight on a spring", "A cart held by a rubber band", "A buoy bobs on the water",
    "Something swings about its place of rest", "A glider is fastened to a wall by a spring", "A reed swings",
    "A tray hangs on elastic cords",
)  # fmt: skip
_SWING = (
    "A weight swings on a rod", "A lamp swings from the ceiling", "A bar turns to and fro about a pin",
    "A child sits on a swing", "A pendulum is let go",
)  # fmt: skip
_PUSHED = (
    "A sled is pushed evenly",
    "A stone is thrown",
    "Something falls",
    "A ball is thrown",
    "A body is pulled along",
    "A boat runs before a steady wind",
    "A ball rolls down a ramp",
    "A jug falls off a shelf",
    "A stone flies over a wall",
    "Something is dropped from a height",
    "A dart is thrown at a board",
    "A drop leaves a fountain",
)
_COASTING = (
    "A puck slides over a table",
    "A boat coasts after its motor has stopped",
    "A wheel runs down",
    "A body moves on",
)
_CENTRE = (
    "A small body goes round a heavy one",
    "Something is drawn to a centre, the less the farther it is away",
    "A comet passes a star",
)
_TWO = (
    "Two carts are joined",
    "Two bodies act on each other",
    "Two weights hang side by side",
    "Two things move together",
)
_FIRST = (
    "A cup cools",
    "A tank empties",
    "A stock grows",
    "A substance is used up",
    "Something settles down",
)
_FIRST_TWO = ("Two stocks live on each other", "Two vessels exchange what they hold", "Two substances react")

_SAID = {
    "rate": (
        "in thick oil",
        "it slows as it moves",
        "a little less each time",
        "something rubs",
        "it loses speed steadily",
    ),
    "drag": (
        "the air pushes back",
        "it is broad, so the air matters",
        "the faster, the more the air holds it back",
    ),
    "constant": (
        "a steady pull is there too",
        "its own weight pulls it",
        "a wind blows evenly",
        "it is pushed to one side",
    ),
    "cube": ("the farther out, the much harder it is held", "the spring stiffens when it is stretched far"),
    "square": ("one side is stiffer than the other", "it is held harder on one side"),
    "rate cube": ("at speed it is slowed very much", "a thick paste slows it"),
    "position friction": ("it rubs more the farther out it is", "the friction depends on where it is"),
    "time": ("the pull grows as time goes on", "it is pulled more and more"),
    "place": ("a spring pulls it back", "it is held by a band"),
    "sine": ("it swings widely", "its weight brings it back"),
    "difference": ("a spring joins the two", "the one pulls the other along", "a band runs between them"),
    "other place": ("each feels where the other is", "the one is pulled by where the other is"),
    "other rate": (
        "it is pushed sideways as it moves",
        "the table turns",
        "each feels how fast the other goes",
    ),
    "product": ("the one acts on the other where both are large", "they hinder each other"),
    "input": ("somebody shakes it", "it is driven from outside", "{input} drives it"),
    "gain": ("something feeds the motion", "it gains with every swing"),
    "square rate": ("it is slowed by the square of its speed in one direction", "it moves against a jet"),
}


def hint_for(law: Law, axes: Sequence[tuple[str, str, str]], inputs: Sequence[str], rng: Generator) -> str:
    """Return one sentence about a law: what moves, then what acts on it besides.

    Args:
        axes: place, rate ("" for first order) and unit of each coordinate.
        inputs: names of what drives it.
    """
    roles = [
        (_role(term.rest, axis, axes, inputs), term.negative)
        for (_, terms), axis in zip(law.equations, axes, strict=True)
        for term in terms
    ]
    names = list(dict.fromkeys(role for role, _ in roles))
    opening, covered = _opening(names, axes)
    said = [_one(rng, opening)]
    gains = any(role in ("rate", "drag", "rate cube") and not negative for role, negative in roles)
    for role in names:
        if role != covered and role in _SAID:
            key = "gain" if gains and role in ("rate", "drag", "rate cube") else role
            phrase = _one(rng, _SAID[key]).replace("{input}", inputs[0] if inputs else "it")
            said += [] if key == "gain" and len(said) > 1 else [phrase]
    joiner = "; " if rng.random() < 0.6 else ", and "
    return joiner.join([said[0], *said[1:4]]) + "."


def _opening(names: Sequence[str], axes: Sequence[tuple[str, str, str]]) -> tuple[tuple[str, ...], str]:
    if not axes[0][1]:
        return (_FIRST if len(axes) == 1 else _FIRST_TWO), ""
    if "centre" in names:
        return _CENTRE, "centre"
    if "difference" in names or "other place" in names:
        return _TWO, ""
    if "sine" in names:
        return _SWING, "sine"
    if "place" in names:
        return _SPRING, "place"
    if "constant" in names:
        return _PUSHED, "constant"
    return _COASTING, ""


def _role(
    rest: str, axis: tuple[str, str, str], axes: Sequence[tuple[str, str, str]], inputs: Sequence[str]
) -> str:
    place, rate, _ = axis
    others = {a[0]: "other place" for a in axes if a is not axis} | {
        a[1]: "other rate" for a in axes if a is not axis
    }
    simple = {"": "constant", place: "place", "t": "time", f"sin({place})": "sine", f"{place}**3": "cube"}
    simple |= {f"{place}**2": "square"} | dict.fromkeys(inputs, "input") | others
    if rate:
        simple |= {
            rate: "rate",
            f"{rate}**3": "rate cube",
            f"{rate}**2": "square rate",
            f"{rate}*abs({rate})": "drag",
        }
        simple |= {f"{place}**2*{rate}": "position friction"}
    if rest in simple:
        return simple[rest]
    if "/" in rest:
        return "centre"
    if " - " in rest:
        return "difference"
    return "product" if "*" in rest else "other"


def _one(rng: Generator, phrases: Sequence[str]) -> str:
    return phrases[int(rng.integers(len(phrases)))]
