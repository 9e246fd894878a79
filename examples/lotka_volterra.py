"""Predators and prey in four tanks: one law for several runs, judged on a run that the search never saw.

    python examples/lotka_volterra.py

One run hardly tells one law from another: the same motion can be drawn by many. Runs from other starts do.
"""

from __future__ import annotations

from pathlib import Path

import physix

FILE = Path(__file__).parent / "data" / "lotka_volterra_runs.csv"


def main() -> physix.Found:
    """Find one law for all runs; one run in four is held back by itself."""
    found = physix.discover(
        FILE,
        runs="run",
        time="day",
        first_order=["prey", "predators"],
        hint="Two species share a tank: one eats the other.",
    )
    print(found)
    for equation in found.best.sympy():
        print(equation)
    print("The held-back run is told with R² =", round(found.generalisation or 0.0, 4))

    # What would happen with ten times the predators?
    motion = found.best.simulate({"prey": 12.0, "predators": 50.0}, until=10.0, points=5)
    print({name: values.round(2).tolist() for name, values in motion.items()})
    return found


if __name__ == "__main__":
    main().report("lotka_volterra.html")
