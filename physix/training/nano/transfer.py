"""Before and after reinforcement, on the same fresh tasks, over several seeds of training.

Episodes of one trained model say nothing about the next seed, so each seed is a pair of its own: the
interval over seeds is Student's, from as many differences as there are seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio
from threadpoolctl import threadpool_limits

from physix.policies.nano.policy import NanoPolicy, load_nano
from physix.training.evaluate import (
    METRICS,
    Condition,
    Played,
    measure,
    paired_difference,
    save_outcomes,
)
from physix.training.intervals import seeds_interval
from physix.training.nano.export import export_nano
from physix.training.nano.files import load_nano_folder

_SHOWN = ("format", "R² turn 1", "generalisation", "recovered", "solved@1", "solved@8", "turns")


def play(folder: Path, episodes: dict[str, int], weights: Path) -> list[Played]:
    """Play fresh tasks with a trained folder, so many per system, and return the outcomes.

    `weights` is where the file that the embedded policy reads is left.
    """
    model, _, tokenizer_json = load_nano_folder(folder)
    export_nano(model, tokenizer_json, weights, name=folder.parent.name, meta={"run": folder.parent.name})
    nano = load_nano(weights)

    async def go() -> list[Played]:
        found: list[Played] = []
        for system, count in episodes.items():
            condition = Condition(name="fresh", systems=(system,))
            found += await measure(lambda: NanoPolicy("nano", nano), condition, count)
        return found

    with threadpool_limits(limits=1, user_api="blas"):
        return anyio.run(go)


def write_transfer(
    before: Path,
    after: Sequence[Path],
    out: Path,
    *,
    episodes: int,
    other_episodes: int,
    demonstrated: Sequence[str],
    systems: Sequence[str],
) -> Path:
    """Measure a model before and each one after, write `transfer.md` and `outcomes.json`, return the first.

    Args:
        before: folder of the model that every run began from.
        after: folders of the trained models, one a seed.
        out: is made.
        episodes: per system without demonstrations; other_episodes per system with them.
        demonstrated: the systems that the start was trained on.
        systems: all that are measured.
    """
    out.mkdir(parents=True, exist_ok=True)
    counts = {name: other_episodes if name in demonstrated else episodes for name in systems}
    found = {"before": play(before, counts, out / "before.npz")}
    for number, folder in enumerate(after):
        found[f"after, run {number}"] = play(folder, counts, out / f"after-{number}.npz")
        save_outcomes(out / "outcomes.json", found)
    path = out / "transfer.md"
    path.write_text(transfer_text(found, demonstrated), encoding="utf-8")
    return path


def transfer_text(found: dict[str, list[Played]], demonstrated: Sequence[str]) -> str:
    """Return the tables of outcomes: "before" and one entry a seed, all of the same tasks."""
    before = found["before"]
    after = [outcomes for name, outcomes in found.items() if name != "before"]
    names = list(dict.fromkeys(o.system_id for o in before))
    groups = {f"`{name}`": [name] for name in names}
    groups["all without demonstrations"] = [n for n in names if n not in demonstrated]
    groups["all with demonstrations"] = [n for n in names if n in demonstrated]
    lines = [
        "| system | episodes a seed | " + " | ".join(_SHOWN) + " |",
        "|" + "---|" * (len(_SHOWN) + 2),
    ]
    for label, systems in groups.items():
        if not systems:
            continue
        base = [o for o in before if o.system_id in systems]
        pairs = [[o for o in side if o.system_id in systems] for side in after]
        cells = " | ".join(_cell(base, pairs, name) for name in _SHOWN)
        lines.append(f"| {label} | {len(base)} | {cells} |")
    lines += ["", *_each_seed(before, after, demonstrated)]
    return "\n".join(lines) + "\n"


def _cell(base: Sequence[Played], pairs: Sequence[Sequence[Played]], name: str) -> str:
    metric = METRICS[name]
    first = sum(map(metric, base)) / len(base)
    means = [sum(map(metric, side)) / len(side) for side in pairs]
    if len(means) < 2:
        gain = paired_difference(name, pairs[0], base)
    else:
        gain = seeds_interval([mean - first for mean in means])
    return f"{first:.3f} → {sum(means) / len(means):.3f}, {gain}"


def _each_seed(
    before: Sequence[Played], after: Sequence[Sequence[Played]], demonstrated: Sequence[str]
) -> list[str]:
    lines = [
        "| run | solved@8 without demonstrations | turns without | solved@1 with demonstrations |",
        "|---|---|---|---|",
    ]
    for number, side in enumerate(after):
        cells = [
            _paired(name, before, side, wanted, demonstrated)
            for name, wanted in (("solved@8", False), ("turns", False), ("solved@1", True))
        ]
        lines.append(f"| {number} | " + " | ".join(cells) + " |")
    return lines


def _paired(
    name: str,
    before: Sequence[Played],
    after: Sequence[Played],
    with_demonstrations: bool,
    demonstrated: Sequence[str],
) -> str:
    base, side = (
        [p for p in one if (p.system_id in demonstrated) == with_demonstrations] for one in (before, after)
    )
    return str(paired_difference(name, side, base)) if base else ""
