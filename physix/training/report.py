"""The report of a nano model: every table from fresh episodes, every curve from the run's own files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time

import anyio
from threadpoolctl import threadpool_limits

from physix.engine.ports import Policy
from physix.engine.systems.splits import TRAINING_SYSTEMS
from physix.policies import make_policy
from physix.policies.nano.policy import NanoModel, NanoPolicy, load_nano, untrained_twin
from physix.training.evaluate import (
    CONDITIONS,
    METRICS,
    Condition,
    Played,
    check_paired,
    measure,
    mismatch_ablation,
    paired_difference,
    save_outcomes,
    summarise,
)
from physix.training.intervals import mean_difference, mean_interval, share_interval
from physix.training.runs import MetricLine, read_metrics

_UNTRAINED_EPISODES = 20  # per system: it never writes an equation, and takes eight turns to do so
_ABLATION_EPISODES = 60
_TAUGHT, _OWN = "ablation", "own mistakes"
_ARMS = 3  # of what is told; each plays at most one episode a task
_CURVES = (
    "loss eval/match eval/solved@1 eval/solved@8 reward match match_dense correctness simplicity format "
    "solved@1 solved turns entropy completions/mean_length"
).split()


def write_report(
    weights: Path,
    out: Path,
    runs: Sequence[Path],
    episodes: int,
    search_episodes: int,
    other_episodes: int | None = None,
    sindy_episodes: int = 0,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Measure, write `report.md`, `outcomes.json` and the plots into `out`, and return the report's path.

    Args:
        weights: what `physix train nano` leaves.
        out: is made.
        runs: folders of training runs to draw.
        episodes: per system, in distribution.
        search_episodes, sindy_episodes: the same for `search` and PySINDy; 0 leaves them out.
        other_episodes: per system, under every other condition; None for as many.
        say: is told how many episodes there are, and after each part how far it is and what it took.
    """
    model = load_nano(weights)
    out.mkdir(parents=True, exist_ok=True)
    baselines = {"search": search_episodes, "sindy": sindy_episodes}
    parts = [*_parts(model, episodes, other_episodes or episodes, baselines), *_ablations(model, episodes)]
    with threadpool_limits(limits=1, user_api="blas"):
        arms = _played(parts, say)
    found = {name: outcomes[""] for name, outcomes in arms.items() if "" in outcomes}
    taught, own = arms[_TAUGHT], arms[_OWN]
    told = {f"{part}: {arm}": outcomes for part in (_TAUGHT, _OWN) for arm, outcomes in arms[part].items()}
    save_outcomes(out / "outcomes.json", {**found, **told})
    plots = [plot_run(folder, out) for folder in runs]
    path = out / "report.md"
    path.write_text(_text(model, found, taught, own, [p.name for p in plots]), encoding="utf-8")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Some of what a report measures: outcomes by arm, of which a condition has one, without a name."""

    name: str
    episodes: int
    play: Callable[[], Awaitable[dict[str, list[Played]]]]


def _parts(
    model: NanoModel, episodes: int, other_episodes: int, baselines: dict[str, int]
) -> Iterator[_Part]:
    first = CONDITIONS[0]
    for condition in CONDITIONS:
        count = episodes if condition is first else other_episodes
        yield _part("nano", _maker("nano", model), condition, count)
    twin = untrained_twin(model, seed=0)
    untrained = _maker("nano-untrained", twin)
    yield _part("nano-untrained", untrained, first, min(episodes, _UNTRAINED_EPISODES))
    for name, count in baselines.items():
        if count:
            yield _part(name, partial(make_policy, name), first, count)


def _part(policy: str, make: Callable[[], Policy], condition: Condition, episodes: int) -> _Part:
    async def play() -> dict[str, list[Played]]:
        return {"": await measure(make, condition, episodes)}

    name = f"{policy} | {condition.name}"
    return _Part(name=name, episodes=episodes * len(condition.systems), play=play)


def _ablations(model: NanoModel, episodes: int) -> Iterator[_Part]:
    make, systems, few = _maker("nano", model), len(TRAINING_SYSTEMS), min(episodes, _ABLATION_EPISODES)
    yield _Part(
        name=_TAUGHT,
        episodes=_ARMS * few * systems,
        play=partial(mismatch_ablation, make, few),
    )
    yield _Part(
        name=_OWN,
        episodes=_ARMS * episodes * systems,
        play=partial(mismatch_ablation, make, episodes, own_mistakes=True),
    )


def _played(parts: Sequence[_Part], say: Callable[[str], None]) -> dict[str, dict[str, list[Played]]]:
    total, done, began = sum(part.episodes for part in parts), 0, process_time()
    say(f"{total} episodes in {len(parts)} parts")
    found = {}
    for part in parts:
        found[part.name] = anyio.run(part.play)
        done += part.episodes
        say(f"{part.name}: {done} of {total} episodes, {(process_time() - began) / 60.0:.1f} CPU minutes")
    return found


def _maker(name: str, model: NanoModel) -> Callable[[], Policy]:
    return lambda: NanoPolicy(name, model)


def _text(
    model: NanoModel,
    found: dict[str, list[Played]],
    arms: dict[str, list[Played]],
    own: dict[str, list[Played]],
    plots: Sequence[str],
) -> str:
    lines = [
        "# Report of the nano model",
        "",
        f"Model `{model.name}`, greedy, budget of 8 turns, profile classic. Seeds were never trained on.",
        "With 95 % intervals over episodes (shares Wilson, means bootstrap; [–]: all values are equal); an",
        "unsolved episode counts nine turns.",
        "`generalisation` is R² on hidden trajectories; `recovered`: the true structure, field within 10 %.",
        "",
        *_table(found),
        "",
        "## By system, noise 2 %",
        "",
        *_by_system(found[f"nano | {CONDITIONS[0].name}"]),
        "",
        "## What the hint is worth",
        "",
        *_hints(found),
        "",
        "## Does it use the mismatch?",
        "",
        "Turn 1 is the teacher's mistake, the same in every arm; the model plays turn 2 knowing of it what",
        "the arm says.",
        "",
        *_ablation(arms),
        "",
        "Turn 1 is the model's own mistake, under a misleading hint. Without history it is asked the same",
        "question again and, being greedy, gives the same answer.",
        "",
        *_ablation(own),
        "",
        "### Episodes that turn 1 did not solve",
        "",
        *_later_turns(found),
    ]
    if plots:
        lines += ["", "## Curves", "", *[f"![{name}]({name})" for name in plots]]
    return "\n".join(lines) + "\n"


def _table(found: dict[str, list[Played]]) -> list[str]:
    names = list(METRICS)
    lines = ["| policy, condition | episodes | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 2)]
    for key, outcomes in found.items():
        summary = summarise(outcomes)
        cells = " | ".join(str(summary[name]) for name in names)
        lines.append(f"| {key.replace(' | ', ', ')} | {len(outcomes)} | {cells} |")
    return lines


def _by_system(outcomes: Sequence[Played]) -> list[str]:
    shown = ("R² turn 1", "generalisation", "recovered", "solved@1", "solved@8", "turns")
    lines = ["| system | episodes | " + " | ".join(shown) + " |", "|" + "---|" * (len(shown) + 2)]
    for system in dict.fromkeys(o.system_id for o in outcomes):
        own = [o for o in outcomes if o.system_id == system]
        summary = summarise(own)
        lines.append(f"| `{system}` | {len(own)} | " + " | ".join(str(summary[n]) for n in shown) + " |")
    return lines


def _hints(found: dict[str, list[Played]]) -> list[str]:
    base = found[f"nano | {CONDITIONS[0].name}"]
    lines = ["| change against the true hint, paired | solved@1 | solved@8 | turns |", "|---|---|---|---|"]
    for name in ("hint removed", "hint misleading"):
        other = found[f"nano | {name}"]
        # Both draw the same tasks in the same order; the shorter one ends earlier.
        same = base[: len(other)]
        cells = [paired_difference(m, other, same) for m in ("solved@1", "solved@8", "turns")]
        lines.append(f"| {name} | " + " | ".join(str(cell) for cell in cells) + " |")
    return lines


def _ablation(arms: dict[str, list[Played]]) -> list[str]:
    def second(outcome: Played) -> float:
        return outcome.matches[1] if len(outcome.matches) > 1 else 0.0

    count = len(arms["true"])
    if not count:
        return ["Turn 1 solved every task."]
    lines = [
        f"{count} tasks that turn 1 did not solve, paired.",
        "",
        "| told about turn 1 | solved at turn 2 | R² of turn 2 | paired gain in R² of the true mismatch |",
        "|---|---|---|---|",
    ]
    for name, outcomes in arms.items():
        check_paired(arms["true"], outcomes)
        solved = share_interval([o.outcome.turns_to_solve == 2 for o in outcomes])
        match = mean_interval(list(map(second, outcomes)))
        told = mean_difference(list(map(second, arms["true"])), list(map(second, outcomes)))
        gain = "" if name == "true" else str(told)
        lines.append(f"| {name} | {solved} | {match} | {gain} |")
    return lines


def _later_turns(found: dict[str, list[Played]]) -> list[str]:
    """Return what became of the episodes whose first turn failed, under every condition of the model."""
    lines = [
        "| condition | not solved at turn 1 | solved by turn 2 | by turn 4 | by turn 8 |",
        "|---|---|---|---|---|",
    ]
    for key, outcomes in found.items():
        policy, condition = key.split(" | ")
        left = [o for o in outcomes if not o.solved_within(1)]
        if policy != "nano" or not left:
            continue
        shares = [share_interval([o.solved_within(n) for o in left]) for n in (2, 4, 8)]
        cells = " | ".join(str(share) for share in shares)
        lines.append(f"| {condition} | {len(left)} of {len(outcomes)} | {cells} |")
    return lines


def plot_run(folder: Path, out: Path) -> Path:
    """Draw a run's curves to `out/<run>.png` and return the path."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    lines = read_metrics([folder.parent], folder.name)
    names = [name for name in _CURVES if any(line.get(name) is not None for line in lines)]
    columns = min(4, max(1, len(names)))
    rows = max(1, -(-len(names) // columns))
    figure, axes = plt.subplots(rows, columns, figsize=(3.2 * columns, 2.4 * rows), squeeze=False)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis, name in zip(axes.flat, names, strict=False):
        steps, values = _series(lines, name)
        axis.plot(steps, values, color="#c9c2b6", linewidth=0.8)
        axis.plot(steps, _smooth(values), color="#b4532a", linewidth=1.6)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("step", fontsize=8)
        axis.tick_params(labelsize=7)
    figure.suptitle(folder.name, fontsize=10)
    figure.tight_layout()
    path = out / f"{folder.name}.png"
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
    return path


def _series(lines: Sequence[MetricLine], name: str) -> tuple[list[float], list[float]]:
    points = [(float(line["step"] or 0), line[name]) for line in lines if line.get(name) is not None]
    return [step for step, _ in points], [float(value or 0.0) for _, value in points]


def _smooth(values: Sequence[float]) -> list[float]:
    """Return an exponential mean over about ten points."""
    smooth: list[float] = []
    for value in values:
        smooth.append(value if not smooth else 0.85 * smooth[-1] + 0.15 * value)
    return smooth
