"""From a phone video of a pendulum to its law: the length of the string and the drag of the air, with errors.

    python examples/pendulum_video.py

The bob was marked in every frame (Tracker, or any program), which gives its place in centimetres. An
angle says more than two coordinates that a string ties together, so the angle is what we look at.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import physix

FILE = Path(__file__).parent / "data" / "pendulum_video.csv"


def main() -> physix.Found:
    """Find the law, fit one of our own beside it, and write a report."""
    video = physix.read(FILE)
    t, x, y = (video[name].values for name in ("t", "x", "y"))
    marks = {"t": t, "theta": np.arctan2(x, -y)}

    found = physix.discover(
        marks, units={"t": "s", "theta": "rad"}, hint="A weight on a string swings ever less."
    )
    print(found)

    swing = next(one for one in found.best.constants if one.value > 5.0)
    print(f"\nLength of the string: {9.81 / swing.value:.4f} m")
    longer = found.best.simulate({"theta": 1.5, "vtheta": 0.0}, until=3.0, points=4)
    print("Let go at 1.5 rad, after 0, 1, 2 and 3 s:", np.round(longer["theta"], 3))

    # Would small-angle theory have done? The verifier says what it lacks.
    small = physix.fit(marks, "theta'' = -k*theta - b*theta'", units={"t": "s", "theta": "rad"})
    print(f"\nSmall angles: {small.sentence}\n{small.missing}")
    return found


if __name__ == "__main__":
    main().report("pendulum.html")
