"""The paper's kinds of figure: a value against step (Figures 1a, 2b) or against label corruption (1b, 1c).

A `Chart` says what is drawn, in panels of series; matplotlib comes in only when it is drawn. So one chart
becomes a PNG, an SVG, and on the page a wide drawing, a narrow one for phones, and the values under the
reader's pointer. The same chart gives the same bytes.
"""

import io
import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.path import Path as Outline

from rethink.report.style import INK, PAPER_DASH, PAPER_INK, SOLID, Dash, Style

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One curve.

    `spread` is a half-width around y, the s.d. over `n` seeds; points that are `censored` are lower bounds of
    y. The marker stands at every point, or with `mark_last` where the curve ends.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    color: str
    dash: Dash = SOLID
    marker: str = ""
    mark_last: bool = False
    spread: Sequence[float] = ()
    n: int = 1
    censored: Sequence[bool] = ()
    from_paper: bool = False

    @classmethod
    def mean(cls, style: Style, curves: Sequence[tuple[Sequence[float], Sequence[float]]]) -> "Series":
        """Mean ± s.d. of one curve per seed, at the x that every seed has."""
        by_x = [dict(zip(x, y, strict=True)) for x, y in curves]
        shared = sorted(set.intersection(*(set(curve) for curve in by_x)))
        values = [[curve[x] for curve in by_x] for x in shared]
        n = len(curves)
        return cls(
            style.label,
            shared,
            [statistics.fmean(at_x) for at_x in values],
            style.color,
            style.dash,
            style.marker,
            mark_last=True,
            spread=[statistics.stdev(at_x) for at_x in values] if n > 1 else (),
            n=n,
        )

    @classmethod
    def paper(cls, style: Style, x: Sequence[float], y: Sequence[float]) -> "Series":
        """The paper's own curve, drawn thin and dashed beneath ours in the same tint."""
        return cls(f"{style.label}, paper", x, y, style.color, PAPER_DASH, from_paper=True)


@dataclass(frozen=True)
class Panel:
    """One pair of axes. `reference` is a horizontal line with its name, such as chance."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    y_limits: tuple[float | None, float | None] = (None, None)
    reference: tuple[float, str] | None = None


@dataclass(frozen=True)
class Chart:
    """A figure of the report: its file name, what a reader who cannot see it is told, and its panels."""

    name: str
    description: str
    panels: Sequence[Panel]

    def save(self, folder: Path) -> None:
        """Write `name.png` (160 dpi, white) and `name.svg` into `folder`."""
        figure = draw(self.panels, columns=len(self.panels))
        with matplotlib.rc_context(_STYLE):
            figure.savefig(folder / f"{self.name}.png", dpi=160, facecolor="white", metadata={"Software": None})
        (folder / f"{self.name}.svg").write_text(_svg(figure, salt=self.name, face="white"), encoding="utf-8")

    def drawings(self) -> list["Drawing"]:
        """For the page: side by side for a screen and for print, one under the other for a phone."""
        return [
            Drawing.of(self, "wide", columns=len(self.panels)),
            Drawing.of(self, "narrow", columns=1),
        ]


@dataclass(frozen=True)
class Drawing:
    """A chart as inline SVG, and where its values lie, as fractions of width and height from the top left."""

    layout: str
    width: float  # inches
    svg: str
    values: list[dict[str, Any]]

    @classmethod
    def of(cls, chart: Chart, layout: str, columns: int) -> "Drawing":
        figure = draw(chart.panels, columns)
        values = [
            _values(axes, panel, series)
            for axes, panel in zip(figure.axes, chart.panels, strict=True)
            for series in panel.series
        ]
        return cls(layout, figure.get_figwidth(), _inline(_svg(figure, salt=f"{chart.name}-{layout}")), values)


def against_step(title: str, y_label: str, series: Sequence[Series], x_label: str = "step") -> Panel:
    """Loss or accuracy against training step, as in Figures 1a and 2b."""
    return Panel(title, x_label, y_label, series, y_limits=(0, None))


def against_corruption(
    title: str,
    y_label: str,
    series: Sequence[Series],
    chance: float | None = None,
    y_limits: Any = (None, None),
) -> Panel:
    """A value against the probability of label corruption, as in Figures 1b and 1c."""
    reference = None if chance is None else (chance, "chance")
    return Panel(title, "label corruption p", y_label, series, y_limits, reference)


# --- matplotlib ---------------------------------------------------------------------------------------------

_STYLE: Any = {  # Any: the type of the keys changed between the releases of matplotlib
    "font.family": ["DejaVu Sans", "sans-serif"],  # DejaVu comes with matplotlib: the same layout everywhere
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.14,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "lines.linewidth": 1.9,
    "lines.markersize": 5.2,
    "svg.fonttype": "none",  # text stays text: small, sharp, and readable for a screen reader
}


def draw(panels: Sequence[Panel], columns: int) -> Figure:
    """The panels in a grid of `columns`, with one legend below for all of them."""
    rows = math.ceil(len(panels) / columns)
    size = (4.3 * columns + 0.4, 3.3 * rows + 0.5) if columns > 1 else (5.0 if rows == 1 else 4.4, 3.1 * rows + 0.5)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.08))
        FigureCanvasAgg(figure)
        for index, panel in enumerate(panels):
            _draw_panel(figure.add_subplot(rows, columns, index + 1), panel)
        handles = _legend(panels)
        # As many entries beside each other as fit; in inches, a letter of the legend takes about 0.075.
        widest = max(0.65 + 0.075 * len(str(handle.get_label())) for handle in handles)
        per_row = max(1, min(len(handles), int(size[0] / widest)))
        figure.legend(handles=handles, loc="outside lower center", ncols=per_row, fontsize=8.5)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the layout is done: PNG, SVG and the values share one geometry
    return figure


def _draw_panel(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title)
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
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
    bounds = [(x, y) for x, y, bound in zip(series.x, series.y, series.censored, strict=False) if bound]
    if bounds:
        axes.plot(
            [x for x, _ in bounds], [y for _, y in bounds], color=series.color, linestyle="", marker=_UPWARDS,
            markersize=32, markerfacecolor="none", markeredgewidth=1.4, clip_on=False, zorder=3,
        )  # fmt: skip


# From a censored point upwards, where the true value lies; a marker scales an outline about its origin.
_UPWARDS = Outline(
    [(0, 0.2), (0, 1), (-0.18, 0.76), (0, 1), (0.18, 0.76)],
    [Outline.MOVETO, Outline.LINETO, Outline.MOVETO, Outline.LINETO, Outline.LINETO],
)


def _legend(panels: Sequence[Panel]) -> list[Line2D | Patch]:
    """One entry per label over all panels, and one each for the band, censored points and the paper."""
    every = [series for panel in panels for series in panel.series if series.x]
    ours: dict[str, Series] = {}
    for series in every:
        if not series.from_paper:
            ours.setdefault(series.label, series)
    handles: list[Line2D | Patch] = [
        Line2D(
            [], [], color=series.color, linestyle=series.dash, marker=series.marker or None,
            markeredgewidth=0, label=label,
        )
        for label, series in ours.items()
    ]  # fmt: skip
    if counts := sorted({series.n for series in every if series.spread}):
        label = f"mean ± s.d., n = {' or '.join(map(str, counts))}"
        handles.append(Patch(color=PAPER_INK, alpha=0.3, linewidth=0, label=label))
    if any(any(series.censored) for series in every):
        bound = Line2D(
            [], [], color=PAPER_INK, linestyle="", marker=_UPWARDS, markersize=16, markerfacecolor="none",
            markeredgewidth=1.4, label="not fitted in budget",
        )  # fmt: skip
        handles.append(bound)
    if any(series.from_paper for series in every):
        handles.append(Line2D([], [], color=PAPER_INK, linestyle=PAPER_DASH, linewidth=1.1, label="paper"))
    return handles or [Line2D([], [], linestyle="", label="no runs yet")]


def _svg(figure: Figure, salt: str, face: str = "none") -> str:
    file = io.StringIO()
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt}):
        # None for each: no date, no version, no address in the file.
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(file, format="svg", facecolor=face, metadata=nothing)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _inline(svg: str) -> str:
    """An SVG file as an element of the page: fluid in size, text and axes in the page's own colour."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 aria-hidden="true">', body, count=1)
    # Several drawings share a page, and `axes_1` would stand in it several times. Nothing refers to such an
    # id; those of clip paths and markers, which are referred to, are hashes with the drawing's own salt.
    body = re.sub(r' id="[a-zA-Z]+[a-zA-Z0-9.]*_\d+"', "", body)
    return body.replace(INK, "currentColor")


def _values(axes: Axes, panel: Panel, series: Series) -> dict[str, Any]:
    """What the page's script shows under the pointer: for each finite point its place and its two values."""
    width, height = axes.figure.bbox.size
    censored = [*series.censored, *[False] * (len(series.x) - len(series.censored))]
    points = []
    for x, y, bound in zip(series.x, series.y, censored, strict=True):
        if math.isfinite(x) and math.isfinite(y):
            left, bottom = axes.transData.transform((x, y))
            place = [round(float(left / width), 4), round(float(1 - bottom / height), 4)]
            points.append([*place, f"{x:g}", ("> " if bound else "") + f"{y:.4g}"])
    return {
        "label": series.label if series.n == 1 else f"{series.label} (mean of {series.n})",
        "color": series.color,
        "x": panel.x_label,
        "y": panel.y_label,
        "points": points,
    }
