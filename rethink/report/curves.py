"""How a panel of curves is drawn: the paper's thin and beneath, bands, lower bounds, the shade of the best so far."""

import itertools
import math
import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.path import Path as Outline
from matplotlib.ticker import LogLocator, NullFormatter

from rethink.report.panels import Panel, Series
from rethink.report.style import REFERENCE


def draw_curves(axes: Axes, panel: Panel) -> None:
    """Draws a panel's series, the paper's beneath ours, and its reference level."""
    bounds = any(any(series.censored) for series in panel.series)
    axes.set_title(panel.title, pad=16 if bounds else None)  # an arrow upwards may start at the upper end
    axes.set_xlabel(below(panel, panel.x_label))
    axes.set_ylabel(panel.y_label)
    if "x" in panel.log:
        axes.set_xscale("log")
    if "y" in panel.log:
        axes.set_yscale("log")
    for series in sorted(panel.series, key=lambda series: not series.from_paper):  # the paper's beneath ours
        if series.x:
            _draw_series(axes, panel, series)
    if panel.reference:
        axes.axhline(panel.reference[0], **REFERENCE)
    if panel.x_label in ("epoch", "step") and "x" not in panel.log:
        axes.locator_params(axis="x", integer=True)
    if panel.categories:
        axes.set_xticks(range(len(panel.categories)), [name.replace(" ", "\n") for name in panel.categories])
    axes.set_ylim(*panel.y_limits)
    axes.margins(x=0.03, y=0.09 if bounds else None)
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        if name in panel.log:
            _plain_numbers(axis)


def draw_nothing(axes: Axes, panel: Panel) -> None:
    """A panel without a value says so: axes of nothing would be invented."""
    axes.set_title(panel.title)
    axes.set_axis_off()
    axes.text(0.5, 0.5, "no values yet", transform=axes.transAxes, ha="center", va="center")


def below(panel: Panel, label: str) -> str:
    """What stands under the axes, where it hides nothing: their label, what the reference is, what has no value."""
    lines = [label, f"thin dotted line: {panel.reference[1]}" if panel.reference and panel.reference[1] else ""]
    absent = ", ".join(panel.without_value)
    lines += textwrap.wrap(f"without a value: {absent}", 46) if absent else []
    return "\n".join(filter(None, lines))


def _draw_series(axes: Axes, panel: Panel, series: Series) -> None:
    if series.from_paper:
        axes.plot(series.x, series.y, color=series.color, linestyle=series.dash, linewidth=1.1, alpha=0.8)
        return
    for part in series.parts:
        axes.plot(
            series.x[part], series.y[part], color=series.color, linestyle=series.dash if panel.joined else "",
            marker=series.marker or None, markevery=[-1] if series.mark_last else None, markeredgewidth=0,
            clip_on=False, zorder=3, **(ONE_SEED if series.one_of else {}),
        )  # fmt: skip
    for stretch in series.bands:
        x = [x for x, _, _ in stretch]
        low, high = zip(*(panel.within(y, half) for _, y, half in stretch), strict=True)
        if len(x) > 1 and panel.joined:
            axes.fill_between(x, low, high, color=series.color, alpha=0.18, linewidth=0, zorder=2)
        else:  # a level by itself has no band
            axes.vlines(x, low, high, color=series.color, linewidth=1.2, zorder=2)
    if series.best_so_far:
        best = list(itertools.accumulate(series.y, max))
        axes.fill_between(series.x, series.y, best, zorder=2, **hatched(series.color))
    bounds = [(x, y) for x, y, bound in zip(series.x, series.y, series.censored, strict=False) if bound]
    if bounds:
        axes.plot(
            [x for x, _ in bounds], [y for _, y in bounds], color=series.color, linestyle="", marker=UPWARDS,
            markersize=32, markerfacecolor="none", markeredgewidth=1.4, clip_on=False, zorder=3,
        )  # fmt: skip


ONE_SEED: dict[str, Any] = {"linewidth": 1.0, "markersize": 4.2}
"""Of matplotlib, for one seed of several."""


def _plain_numbers(axis: Axis) -> None:
    """Numbers as text: matplotlib's own are formulas, which are not parsed here. Two or more, on a short axis too."""
    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low) if low > 0 else 9.0
    axis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2 else (1.0, 2.0, 5.0) if decades > 0.9 else _TENTHS))
    axis.set_major_formatter(lambda value, _: f"{value:,g}")
    axis.set_minor_formatter(NullFormatter())


_TENTHS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)


def hatched(color: str) -> dict[str, Any]:
    """What lies under the best so far: unlike a band, it is no uncertainty."""
    return {"facecolor": "none", "edgecolor": color, "hatch": "/" * 5, "linewidth": 0, "alpha": 0.7}


# From a censored point upwards, where the true value lies; a marker scales an outline about its origin.
UPWARDS = Outline(
    [(0, 0.2), (0, 1), (-0.18, 0.76), (0, 1), (0.18, 0.76)],
    [Outline.MOVETO, Outline.LINETO, Outline.MOVETO, Outline.LINETO, Outline.LINETO],
)
