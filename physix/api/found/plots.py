"""Plots as SVG: small, without a library, and the same bytes for the same data."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from physix.engine.discovery import Residuals
from physix.engine.floats import FloatArray

if TYPE_CHECKING:
    from physix.api.found.result import Result

_W, _H = 660.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 12.0, 26.0, 40.0
_POINTS = 1_200  # of one curve
RUNS = 6  # that are drawn
DATA, LAW, HELD = "#1f2937", "#c2410c", "#e0f2fe"


@dataclass(slots=True)
class Plot:
    """One pair of axes; what is added is drawn in order."""

    title: str
    x: str
    y: str
    low: tuple[float, float]
    high: tuple[float, float]
    width: float = _W
    parts: list[str] = field(default_factory=list)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return a point on the drawing."""
        across = (x - self.low[0]) / (self.high[0] - self.low[0])
        up = (y - self.low[1]) / (self.high[1] - self.low[1])
        return (
            _LEFT + across * (self.width - _LEFT - _RIGHT),
            _H - _BOTTOM - min(1.1, max(-0.1, up)) * (_H - _TOP - _BOTTOM),
        )

    def line(self, x: FloatArray, y: FloatArray, colour: str, *, dashed: bool = False) -> None:
        """Add a curve; NaN breaks it."""
        step = max(1, len(x) // _POINTS)
        runs: list[list[str]] = [[]]
        for a, b in zip(x[::step].tolist(), y[::step].tolist(), strict=True):
            if math.isfinite(b):
                runs[-1].append("{:.1f},{:.1f}".format(*self.at(a, b)))
            elif runs[-1]:
                runs.append([])
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts += [
            f'<polyline points="{" ".join(run)}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'
            for run in runs
            if len(run) > 1
        ]

    def dots(self, x: FloatArray, y: FloatArray, colour: str) -> None:
        """Add points."""
        step = max(1, len(x) // _POINTS)
        there = [
            (a, b) for a, b in zip(x[::step].tolist(), y[::step].tolist(), strict=True) if math.isfinite(b)
        ]
        placed = [self.at(a, b) for a, b in there]
        self.parts.append(
            f'<g fill="{colour}" fill-opacity=".55">'
            + "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="1.9"/>' for a, b in placed)
            + "</g>"
        )

    def band(self, first: float, last: float, label: str) -> None:
        """Shade a part of the horizontal axis."""
        (left, top), (right, bottom) = self.at(first, self.high[1]), self.at(last, self.low[1])
        self.parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(0.0, right - left):.1f}" '
            f'height="{bottom - top:.1f}" fill="{HELD}"/>'
            f'<text x="{right - 4:.1f}" y="{top + 12:.1f}" text-anchor="end" class="s">{html.escape(label)}'
            "</text>"
        )

    def level(self, y: float) -> None:
        """Add a thin horizontal line."""
        (left, height), (right, _) = self.at(self.low[0], y), self.at(self.high[0], y)
        self.parts.append(
            f'<line x1="{left:.1f}" y1="{height:.1f}" x2="{right:.1f}" y2="{height:.1f}" stroke="#9ca3af" '
            'stroke-dasharray="3 3"/>'
        )

    def bars(self, x: Sequence[float], y: Sequence[float], colour: str) -> None:
        """Add thin bars from zero."""
        for a, b in zip(x, y, strict=True):
            (left, top), (_, zero) = self.at(a, b), self.at(a, 0.0)
            self.parts.append(
                f'<line x1="{left:.1f}" y1="{zero:.1f}" x2="{left:.1f}" y2="{top:.1f}" stroke="{colour}" '
                'stroke-width="5"/>'
            )

    def svg(self) -> str:
        """Return the drawing."""
        title = html.escape(self.title)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:.0f} {_H:.0f}" role="img" '
            f'aria-label="{title}" '
            f'style="max-width:{self.width:.0f}px;width:100%;font:11px system-ui,sans-serif">'
            f'<text x="{_LEFT}" y="15" style="font-weight:600">{title}</text>'
            f"{''.join(self.parts)}{self._axes()}</svg>"
        )

    def _axes(self) -> str:
        (left, bottom), (right, top) = self.at(*self.low), self.at(*self.high)
        drawn = [
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" '
            'fill="none" stroke="#9ca3af"/>'
        ]
        for value in ticks(self.low[0], self.high[0]):
            place, _ = self.at(value, self.low[1])
            drawn.append(
                f'<text x="{place:.1f}" y="{bottom + 14:.1f}" text-anchor="middle">{value:g}</text>'
                f'<line x1="{place:.1f}" y1="{bottom:.1f}" x2="{place:.1f}" y2="{bottom + 4:.1f}" '
                'stroke="#9ca3af"/>'
            )
        for value in ticks(self.low[1], self.high[1], most=5):
            _, place = self.at(self.low[0], value)
            drawn.append(
                f'<text x="{left - 6:.1f}" y="{place + 4:.1f}" text-anchor="end">{value:g}</text>'
                f'<line x1="{left - 4:.1f}" y1="{place:.1f}" x2="{left:.1f}" y2="{place:.1f}" '
                'stroke="#9ca3af"/>'
            )
        middle = (top + bottom) / 2
        drawn.append(
            f'<text x="{(left + right) / 2:.1f}" y="{_H - 8:.1f}" text-anchor="middle">{html.escape(self.x)}'
            "</text>"
            f'<text x="14" y="{middle:.1f}" text-anchor="middle" transform="rotate(-90 14 {middle:.1f})">'
            f"{html.escape(self.y)}</text>"
        )
        return "".join(drawn)


def ticks(low: float, high: float, *, most: int = 8) -> list[float]:
    """Return round values between two, `most` at most."""
    span = high - low
    if not (math.isfinite(span) and span > 0.0):
        return []
    raw = span / most
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1.0, 2.0, 5.0, 10.0) if unit * factor >= raw)
    first = math.ceil(low / step)
    return [round(step * (first + i), 12) for i in range(math.floor(high / step) - first + 1)]


def fits(result: Result, *, most: int = RUNS * 8) -> Iterator[str]:
    """Yield a plot for each run and measured variable: data, law, and what was held back."""
    drawn = 0
    task = result.task
    curves = result.examined.curves
    for run, curve in enumerate(curves[:RUNS]):
        for d, variable in enumerate(task.variables):
            if variable.estimated or not np.isfinite(curve.observed[:, d]).any() or drawn == most:
                continue
            drawn += 1
            rows = len(curve.predicted)
            name = variable.label or variable.name
            plot = framed(
                f"{name}, run {run + 1}" if len(curves) > 1 else name,
                _named("t", task.time_unit),
                _named(name, variable.unit),
                curve.t,
                curve.observed[:, d],
            )
            if curve.shown_rows < len(curve.t):
                plot.band(float(curve.t[curve.shown_rows]), float(curve.t[-1]), "held back")
            plot.dots(curve.t, curve.observed[:, d], DATA)
            plot.line(curve.t[:rows], curve.predicted[:, d], LAW)
            yield plot.svg()


def residuals_in_time(result: Result) -> Iterator[str]:
    """Yield what is left over, in units of the noise, for each run and measured variable."""
    task = result.task
    curves = result.examined.curves
    for run, curve in enumerate(curves[:RUNS]):
        off = (curve.observed[: len(curve.predicted)] - curve.predicted) / curve.sigma[: len(curve.predicted)]
        t = curve.t[: len(off)]
        for d, variable in enumerate(task.variables):
            if variable.estimated or not np.isfinite(off[:, d]).any():
                continue
            name = variable.label or variable.name
            title = f"Residuals of {name}" + (f", run {run + 1}" if len(curves) > 1 else "")
            seen = np.append(off[:, d], [3.0, -3.0])
            plot = framed(title, _named("t", task.time_unit), "observed − law, in σ", t, seen)
            if curve.shown_rows < len(t):
                plot.band(float(t[curve.shown_rows]), float(t[-1]), "held back")
            for level in (-2.0, 0.0, 2.0):
                plot.level(level)
            plot.dots(t, off[:, d], DATA)
            yield plot.svg()


def autocorrelation(one: Residuals) -> str:
    """Return the autocorrelation of residuals; white noise stays within the dashed lines at 95 % of lags."""
    bound = 1.96 / math.sqrt(one.samples)
    lags = [float(i + 1) for i in range(len(one.autocorrelation))]
    high = max(1.5 * bound, *map(abs, one.autocorrelation), 0.0) * 1.1
    plot = Plot(
        f"Autocorrelation of {one.variable}",
        "lag, samples",
        "",
        (0.0, -high),
        (max(lags, default=1.0) + 1.0, high),
        320.0,
    )
    for level in (-bound, 0.0, bound):
        plot.level(level)
    plot.bars(lags, one.autocorrelation, DATA)
    return plot.svg()


def quantiles(one: Residuals) -> str:
    """Return a normal quantile plot of residuals; noise as told lies on the line."""
    n = len(one.quantiles)
    normal = [NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)]
    far = 1.1 * max(2.2, *map(abs, one.quantiles))
    plot = Plot(f"Quantiles of {one.variable}", "normal", "residual, in σ", (-2.4, -far), (2.4, far), 320.0)
    plot.line(np.array([-2.4, 2.4]), np.array([-2.4, 2.4]), LAW, dashed=True)
    plot.dots(np.array(normal), np.array(one.quantiles), DATA)
    return plot.svg()


def framed(title: str, x: str, y: str, across: FloatArray, up: FloatArray) -> Plot:
    """Return axes around some data, with a margin."""
    values = up[np.isfinite(up)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    first, last = float(across[0]), float(across[-1])
    return Plot(title, x, y, (first, low - margin), (last if last > first else first + 1.0, high + margin))


def _named(name: str, unit: str | None) -> str:
    return f"{name} ({unit})" if unit and unit != "1" else name
