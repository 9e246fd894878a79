"""The report of a law: one HTML file without scripts or links, which prints to PDF."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from physix.api.found import plots, tables
from physix.version import __version__

if TYPE_CHECKING:
    from physix.api.found.result import Result

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:720px;margin:2em auto;padding:0 1em}
body{color:#111;background:#fff}
h1{font-size:1.5em;margin:.2em 0}
h2{font-size:1.15em;margin:1.6em 0 .4em;border-bottom:1px solid #d1d5db}
.law{font:600 1.1em ui-monospace,monospace;background:#f3f4f6;padding:.6em .8em}
.law{overflow-wrap:anywhere;white-space:pre-wrap}
.verdict{font-weight:600}
.s,.small{font-size:.85em;color:#4b5563}
table{border-collapse:collapse;width:100%;margin:.4em 0 1em;font-size:.92em}
caption{text-align:left;font-weight:600}
th,td{text-align:left;padding:.2em .6em;border-bottom:1px solid #e5e7eb}
th,td{overflow-wrap:anywhere;vertical-align:top}
.n{text-align:right;white-space:nowrap}
.pair{display:flex;flex-wrap:wrap;gap:8px}
.pair svg{width:320px}
svg{break-inside:avoid;display:block}
@media print{
body{margin:0;max-width:none;font-size:11pt}
h2{break-after:avoid}
table{break-inside:avoid}
@page{margin:16mm}
}
"""


def report_html(result: Result) -> str:
    """Return the report: the same bytes for the same episode."""
    task = result.task
    title = task.title or "Your data"
    sections = [
        ("What was found", _found(result)),
        ("Constants", _grids(result, "Constants")),
        ("Data and law", "".join(plots.fits(result)) + _more_runs(result)),
        ("Held back", _held_back(result)),
        ("What is left over", _left_over(result)),
        ("Other laws", _grids(result, "Front", "Rivals")),
        ("How sure the terms are", _grids(result, "Terms")),
        ("What to measure next", _next(result)),
        ("How the data were read", _read(result)),
    ]
    body = "".join(f"<section><h2>{name}</h2>{inside}</section>" for name, inside in sections if inside)
    hint = f"<p>{html.escape(task.hint)}</p>" if task.hint else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}: a law of motion</title><style>{_STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1>{hint}{body}{_colophon(result)}</body></html>\n"
    )


def _found(result: Result) -> str:
    law = html.escape(tables.headline(result).replace("; ", "\n"))
    first, *rest = tables.paragraphs(result) or [""]
    said = "".join(f"<p>{html.escape(line)}</p>" for line in rest)
    found = result.examined
    chi2 = ""
    if found.chi2 is not None:
        chi2 = f"<p>chi² per sample {found.chi2:.3g} over {found.samples} samples shown.</p>"
    return f'<p class="law">{law}</p><p class="verdict">{html.escape(first)}</p>{said}{chi2}'


def _grids(result: Result, *titles: str) -> str:
    chosen = [grid for grid in tables.grids(result) if grid.title.startswith(titles)]
    return "".join(map(tables.html_table, chosen))


def _more_runs(result: Result) -> str:
    more = len(result.examined.curves) - plots.RUNS
    return f'<p class="small">{more} further runs are not drawn.</p>' if more > 0 else ""


def _held_back(result: Result) -> str:
    if not result.truth.hidden:
        return (
            "<p>Nothing was held back, so nothing says that the law carries over. Measure again, from "
            "another start if you can, and give the second file as held back.</p>"
        )
    rows = sum(len(one.t) for one in result.truth.hidden)
    r2 = result.generalisation
    told = "" if r2 is None else f" R² there is {r2:.4f}."
    verdict = result.examined.verdict
    return f"<p>{rows} rows were held back from the search, shaded above.{told} {verdict}</p>"


def _left_over(result: Result) -> str:
    drawn = "".join(plots.residuals_in_time(result))
    for one in result.examined.residuals:
        drawn += (
            f'<div class="pair">{plots.autocorrelation(one)}{plots.quantiles(one)}</div>'
            f'<p class="small">{html.escape(one.variable)}: chi² per sample {one.chi2:.3g} over '
            f"{one.samples}; the largest residual is {one.worst:+.1f} σ at t = {one.worst_t:.4g}.</p>"
        )
    if not drawn:
        return ""
    return (
        "<p>Noise alone scatters within ±2 σ, without memory, and lies on the line of the quantiles.</p>"
        + drawn
    )


def _next(result: Result) -> str:
    told = result.discovery
    if told is None or told.next_measurement is None:
        return ""
    one = told.next_measurement
    return (
        f"<p>{html.escape(one.sentence)}</p><p class=small>There the chosen law says {one.variable} = "
        f"{one.chosen_value:.4g}, the rival {one.rival_value:.4g}.</p>"
    )


def _read(result: Result) -> str:
    task = result.task
    noises = task.noises or ()
    rows = tuple(
        (
            v.label or v.name,
            v.name,
            v.unit or "–",
            "estimated from its position" if v.estimated else "state",
            "–" if v.estimated or not noises else _noise(noises[i].absolute, noises[i].relative),
        )
        for i, v in enumerate(task.variables)
    ) + tuple((v.label or v.name, v.name, v.unit or "–", "input", "–") for v in task.inputs)
    grid = tables.Grid("Columns", ("column", "name", "unit", "role", "noise"), rows)
    shown = sum(len(one.t) for one in task.shown)
    said = "".join(f"<li>{html.escape(str(note))}</li>" for note in result.notes)
    runs = f"{len(task.shown)} runs, " if len(task.shown) > 1 else ""
    return f"<p>{runs}{shown} rows shown.</p>{tables.html_table(grid)}" + (f"<ul>{said}</ul>" if said else "")


def _noise(absolute: float, relative: float) -> str:
    parts = [f"{absolute:.3g}"] if absolute > 0.0 or relative == 0.0 else []
    parts += [f"{100 * relative:.3g} % of the value"] if relative > 0.0 else []
    return " and ".join(parts)


def _colophon(result: Result) -> str:
    when = f"{result.events[0].recorded_at:%d %B %Y, %H:%M} UTC, " if result.events else ""
    return (
        f'<p class="small">{when}PhysiX-Live {__version__}, episode {html.escape(result.episode_id)}. '
        "The verdict is arithmetic on simulated trajectories: anyone can recompute it from the episode.</p>"
    )
