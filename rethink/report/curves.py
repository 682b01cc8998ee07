"""How a panel of curves is drawn: the paper's thin and beneath, bands, lower bounds, the shade of the best so far."""

import itertools
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.path import Path as Outline
from matplotlib.ticker import LogFormatter

from rethink.report.panels import Panel, Series
from rethink.report.style import INK


def draw_curves(axes: Axes, panel: Panel) -> None:
    """Draws a panel's series, the paper's beneath ours, and its reference level."""
    axes.set_title(panel.title)
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    if "x" in panel.log:
        axes.set_xscale("log")
        _plain_numbers(axes.xaxis)
    if "y" in panel.log:
        axes.set_yscale("log")
        _plain_numbers(axes.yaxis)
    for series in sorted(panel.series, key=lambda series: not series.from_paper):  # the paper's beneath ours
        if series.x:
            _draw_series(axes, series)
    if panel.reference:
        level, name = panel.reference
        axes.axhline(level, color=INK, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        axes.annotate(
            name, (0, level), xycoords=("axes fraction", "data"), xytext=(4, 2), textcoords="offset points",
            ha="left", va="bottom", fontsize=8, color=INK,
        )  # fmt: skip
    if panel.x_label in ("epoch", "step") and "x" not in panel.log:
        axes.locator_params(axis="x", integer=True)
    if panel.categories:
        axes.set_xticks(range(len(panel.categories)), [name.replace(" ", "\n") for name in panel.categories])
    axes.set_ylim(*panel.y_limits)
    axes.margins(x=0.03, y=0.09 if any(any(series.censored) for series in panel.series) else None)


def _draw_series(axes: Axes, series: Series) -> None:
    if series.from_paper:
        axes.plot(series.x, series.y, color=series.color, linestyle=series.dash, linewidth=1.1, alpha=0.8)
        return
    axes.plot(
        series.x, series.y, color=series.color, linestyle=series.dash, marker=series.marker or None,
        markevery=[-1] if series.mark_last else None, markeredgewidth=0, clip_on=False, zorder=3,
    )  # fmt: skip
    if series.spread:
        low = [y - s for y, s in zip(series.y, series.spread, strict=True)]
        high = [y + s for y, s in zip(series.y, series.spread, strict=True)]
        axes.fill_between(series.x, low, high, color=series.color, alpha=0.18, linewidth=0, zorder=2)
    if series.best_so_far:
        best = list(itertools.accumulate(series.y, max))
        axes.fill_between(series.x, series.y, best, zorder=2, **hatched(series.color))
    bounds = [(x, y) for x, y, bound in zip(series.x, series.y, series.censored, strict=False) if bound]
    if bounds:
        axes.plot(
            [x for x, _ in bounds], [y for _, y in bounds], color=series.color, linestyle="", marker=UPWARDS,
            markersize=32, markerfacecolor="none", markeredgewidth=1.4, clip_on=False, zorder=3,
        )  # fmt: skip


class _PlainLogarithms(LogFormatter):
    """Numbers at the ticks where matplotlib wants some, as text: its own are formulas, which are not parsed here."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:,g}" if super().__call__(x, pos) else ""


def _plain_numbers(axis: Axis) -> None:
    axis.set_major_formatter(_PlainLogarithms())
    axis.set_minor_formatter(_PlainLogarithms(minor_thresholds=(0.7, 0.2)))


def hatched(color: str) -> dict[str, Any]:
    """What lies under the best so far: unlike a band, it is no uncertainty."""
    return {"facecolor": "none", "edgecolor": color, "hatch": "/" * 5, "linewidth": 0, "alpha": 0.7}


# From a censored point upwards, where the true value lies; a marker scales an outline about its origin.
UPWARDS = Outline(
    [(0, 0.2), (0, 1), (-0.18, 0.76), (0, 1), (0.18, 0.76)],
    [Outline.MOVETO, Outline.LINETO, Outline.MOVETO, Outline.LINETO, Outline.LINETO],
)
