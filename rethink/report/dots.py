"""The dot plot of a table: a row of the table in a row, ours filled and the paper's number hollow."""

import itertools
import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from rethink.report.curves import below
from rethink.report.estimates import Estimate
from rethink.report.panels import Panel, Series
from rethink.report.style import REFERENCE, Style


@dataclass(frozen=True)
class Dot:
    """A row of a dot plot: ours, and the paper's number, where there are."""

    row: str
    style: Style
    ours: Estimate | None
    paper: float | None = None


def abbreviated(name: str) -> str:
    """The name of a row for a narrow figure."""
    name = re.sub(r"weight decay( [\d.e-]+)?", "decay", name)
    return name.replace("w/o BatchNorm", "w/o BN").replace("random crop", "crop")


def dots(
    title: str,
    y_label: str,
    marks: Sequence[Dot],
    interval: bool = False,
    limits: tuple[float | None, float | None] = (None, None),
    reference: tuple[float, str] | None = None,
    possible: tuple[float, float] = (-math.inf, math.inf),
) -> Panel:
    """A value for each row of a table, one under the other; with `interval` ± is the 95 % interval, else the s.d."""
    series = []
    for style in {dot.style.label: dot.style for dot in marks}.values():
        here = [(x, dot) for x, dot in enumerate(marks) if dot.style.label == style.label]
        paper = [(x, dot.paper) for x, dot in here if dot.paper is not None]
        series.append(Series.paper(style, [x for x, _ in paper], [y for _, y in paper]))
        series.append(Series.estimates(style, [(x, dot.ours) for x, dot in here], interval))
    rows = [dot.row for dot in marks]
    return Panel(title, "", y_label, series, limits, reference, rows, possible=possible)


def height(panel: Panel) -> float:
    """In inches: a row of a dot plot is as high as the longest of their names."""
    if panel.picture:
        return panel.picture.height
    lines = max((name.count("\n") + 1 for name in _names(panel)), default=1)
    under = 0.15 * (bool(panel.reference and panel.reference[1]))
    return (0.07 + 0.15 * lines) * len(panel.rows) + 0.75 + under if panel.rows else 3.1


def _names(panel: Panel) -> list[str]:
    """Of the rows, in lines that leave room for the axes."""
    return [textwrap.fill(name, 50) for name in panel.rows]


def draw_rows(axes: Axes, panel: Panel, named: bool) -> None:
    """A dot plot; the paper's marks are hollow, and beneath ours."""
    axes.set_title(panel.title)
    axes.set_xlabel(below(panel, panel.y_label))
    axes.set_yticks(range(len(panel.rows)), _names(panel) if named else [""] * len(panel.rows))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for series in panel.series:
        if not series.x:
            continue  # an empty line takes the corner of the figure into the layout
        if series.from_paper:
            axes.plot(series.y, series.x, zorder=2, clip_on=False, **hollow(series.color))
            continue
        axes.plot(
            series.y, series.x, color=series.color, linestyle="", marker=series.marker or "o", markeredgewidth=0,
            clip_on=False, zorder=3,
        )  # fmt: skip
        for x, y, half in itertools.chain(*series.bands):
            ends = panel.within(y, half)
            axes.plot(ends, [x, x], color=series.color, linewidth=1.5, solid_capstyle="butt", zorder=2)
    if panel.reference:
        axes.axvline(panel.reference[0], **REFERENCE)
    axes.set_xlim(*panel.y_limits)
    axes.set_ylim(len(panel.rows) - 0.4, -0.6)


def hollow(color: str) -> dict[str, Any]:
    """How the paper's number looks in a dot plot."""
    return {
        "color": color, "linestyle": "", "marker": "D", "markersize": 6.5, "markerfacecolor": "none",
        "markeredgewidth": 1.1,
    }  # fmt: skip
