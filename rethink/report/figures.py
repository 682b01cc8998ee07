"""A figure of the report, as PNG, SVG and CSV, and on the page as a wide drawing and a narrow one for phones.

A `Chart` says what is drawn, in panels; matplotlib comes in only when it is drawn. The values under the reader's
pointer are those of the drawing. The same chart gives the same bytes.
"""

import csv
import io
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from rethink.files import write_bytes, write_text
from rethink.report.curves import ONE_SEED, UPWARDS, draw_curves, draw_nothing, hatched
from rethink.report.dots import draw_rows, height, hollow
from rethink.report.panels import DERIVED, Panel, Series
from rethink.report.pictures import draw_picture
from rethink.report.style import DERIVED_DASH, INK, PAPER_DASH, PAPER_INK, RISING


@dataclass(frozen=True)
class Chart:
    """A figure of the report: its file name, what a reader who cannot see it is told, and its panels."""

    name: str
    description: str
    panels: Sequence[Panel]

    def save(self, folder: Path) -> None:
        """Write `name.png` (160 dpi, white), `name.svg` and, if it has any, its values as `name.csv` into `folder`."""
        png = io.BytesIO()
        with matplotlib.rc_context(_STYLE):
            self._drawn.savefig(png, format="png", dpi=160, facecolor=_FACE, metadata={"Software": None})
        write_bytes(folder / f"{self.name}.png", png.getvalue(), durable=False)
        write_text(folder / f"{self.name}.svg", self._svg, durable=False)
        if not _only_pictures(self.panels):
            write_text(folder / f"{self.name}.csv", self.to_csv(), durable=False)

    @cached_property
    def _drawn(self) -> Figure:
        """In as many columns as there is room for: for the files and, once more, for the page."""
        return draw(self.panels, self.columns)

    @cached_property
    def _svg(self) -> str:
        """For the file and, with the card of the page behind it, as the wide drawing."""
        return _svg(self._drawn, salt=self.name)

    @property
    def columns(self) -> int:
        """Panels beside each other where there is room: three at most, and four in a square."""
        return 2 if len(self.panels) == 4 else min(max(len(self.panels), 1), 3)

    def to_csv(self) -> str:
        """The values: a row per point of a series. `sd` over `n` seeds; a `censored` y is a lower bound."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("panel", "series", "paper", "x", "y", "sd", "n", "censored"))
        for panel in self.panels:
            for series in panel.series:
                points = itertools.zip_longest(series.x, series.y, series.spread, series.counts, series.censored)
                writer.writerows(
                    (
                        *(panel.title, series.label, int(series.from_paper), panel.name_of(x), f"{y:.9g}"),
                        *("" if spread is None else f"{spread:.9g}", n or series.n, int(bool(censored))),
                    )
                    for x, y, spread, n, censored in points
                )
        return file.getvalue()

    def drawings(self) -> list["Drawing"]:
        """For the page: side by side for a screen and for print, one under the other for a phone."""
        return [Drawing.of(self, "wide", self.columns), Drawing.of(self, "narrow", columns=1)]


@dataclass(frozen=True)
class Drawing:
    """A chart as inline SVG, and where its values lie, as fractions of width and height from the top left."""

    layout: str
    width: float  # inches
    svg: str
    values: list[dict[str, Any]]

    @classmethod
    def of(cls, chart: Chart, layout: str, columns: int) -> "Drawing":
        figure = chart._drawn if columns == chart.columns else draw(chart.panels, columns)
        svg = chart._svg if layout == "wide" else _svg(figure, salt=f"{chart.name}-{layout}")
        values = [
            _values(axes, panel, series)
            for axes, panel in zip(figure.axes, chart.panels, strict=True)
            for series in panel.series
        ]
        return cls(layout, figure.get_figwidth(), _inline(svg), values)


_FACE = "#fffffe"  # white, and nothing else in a figure: on the page it is none

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
    "hatch.linewidth": 0.7,
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
    heights = [max(map(height, panels[first : first + columns])) for first in range(0, len(panels), columns)] or [1.0]
    size = (size[0], sum(heights) + 0.5) if any(panel.rows or panel.picture for panel in panels) else size
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.08))
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(rows, columns, height_ratios=heights) if panels else None
        for index, panel in enumerate(panels):
            axes = figure.add_subplot(grid[index // columns, index % columns] if grid else 111)
            if panel.empty:
                draw_nothing(axes, panel)
            elif panel.picture:
                draw_picture(axes, panel.title, panel.picture)
            elif panel.rows:
                draw_rows(axes, panel, named=index % columns == 0 or panel.rows != panels[index - 1].rows)
            else:
                draw_curves(axes, panel)
        if not _only_pictures(panels):
            _draw_legend(figure, _legend(panels))
        figure.draw_without_rendering()
        # The layout is done: PNG, SVG and the values share one geometry. "none" would draw each of them twice.
        figure.set_layout_engine(None)
    return figure


def _only_pictures(panels: Sequence[Panel]) -> bool:
    """Whether there is nothing to put into a legend or a CSV."""
    return bool(panels) and all(panel.picture for panel in panels)


def _draw_legend(figure: Figure, handles: list[Line2D | Patch]) -> None:
    """As many entries beside each other as fit; in inches, a letter of the legend takes about 0.075."""
    widest = max(0.65 + 0.075 * len(str(handle.get_label())) for handle in handles)
    per_row = max(1, min(len(handles), int(figure.get_figwidth() / widest)))
    figure.legend(handles=handles, loc="outside lower center", ncols=per_row, fontsize=8.5)


def _legend(panels: Sequence[Panel]) -> list[Line2D | Patch]:
    """One entry per label over all panels, and one each for the band, censored points and the paper."""
    every = [series for panel in panels for series in panel.series if series.x]
    in_rows = {id(series) for panel in panels if panel.rows for series in panel.series}
    apart = {id(series) for panel in panels if not panel.joined for series in panel.series}
    beneath = [series for series in every if series.from_paper and series.dash in (PAPER_DASH, DERIVED_DASH)]
    named: dict[str, Series] = {}
    for series in every:
        if series not in beneath:
            named.setdefault(series.one_of or series.label.removesuffix(", paper"), series)
    lines = {
        series.one_of or series.label
        for series in every
        if id(series) not in apart and any(len(series.x[part]) > 1 for part in series.parts)
    }
    handles: list[Line2D | Patch] = [
        Line2D(
            [], [], color=series.color, linestyle=series.dash if series.label in lines or label in lines else "",
            marker=series.marker or None, markeredgewidth=0, label=label,
        )
        for label, series in named.items()
    ]  # fmt: skip
    if any(series.one_of for series in every):
        handles.append(Line2D([], [], color=PAPER_INK, label="a thin line: one seed, to its end", **ONE_SEED))
    for band in dict.fromkeys(series.band for series in every if series.spread):
        those = [series for series in every if series.spread and series.band == band]
        counts = sorted({series.n for series in those})
        label = f"{band}, {'where n > 1' if 0 in counts else 'n = ' + ' or '.join(map(str, counts))}"
        if all(id(series) in apart or not any(len(stretch) > 1 for stretch in series.bands) for series in those):
            handles.append(Line2D([], [], color=PAPER_INK, linewidth=1.5, label=label))
        else:
            handles.append(Patch(color=PAPER_INK, alpha=0.3, linewidth=0, label=label))
    if any(series.best_so_far for series in every):
        handles.append(Patch(label="up to the best so far", **hatched(PAPER_INK)))
    if any(any(series.censored) for series in every):
        bound = Line2D(
            [], [], color=PAPER_INK, linestyle="", marker=UPWARDS, markersize=16, markerfacecolor="none",
            markeredgewidth=1.4, label="not reached when the run ended",
        )  # fmt: skip
        handles.append(bound)
    if any(id(series) in in_rows for series in beneath):
        handles.append(Line2D([], [], label="paper", **hollow(PAPER_INK)))
    dashes = {series.dash for series in beneath if id(series) not in in_rows}
    for dash, label in ((PAPER_DASH, "paper"), (DERIVED_DASH, DERIVED)):
        if dash in dashes:
            handles.append(Line2D([], [], color=PAPER_INK, linestyle=dash, linewidth=1.1, label=label))
    return handles or [Line2D([], [], linestyle="", label="no runs yet")]


def _svg(figure: Figure, salt: str) -> str:
    file = io.StringIO()
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt}):
        # None for each: no date, no version, no address in the file.
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(file, format="svg", facecolor=_FACE, metadata=nothing)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _inline(svg: str) -> str:
    """An SVG file as an element of the page: fluid in size, text and axes in the page's own colour."""
    body = svg[svg.index("<svg") :].replace(f"fill: {_FACE}", "fill: none", 1)
    body = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 aria-hidden="true">', body, count=1)
    # Several drawings share a page, and `axes_1` would stand in it several times. Nothing refers to such an
    # id; those of clip paths and markers, which are referred to, are hashes with the drawing's own salt.
    body = re.sub(r' id="[a-zA-Z]+[a-zA-Z0-9.]*_\d+"', "", body)
    body = re.sub(r"(fill|stroke): (#[0-9a-f]{6})", _on_the_page, body)
    return body.replace(INK, "currentColor")


def _on_the_page(declaration: re.Match[str]) -> str:
    """A level's colour as it is on the page, after the one for browsers that cannot mix."""
    name, color = declaration.groups()
    return f"{declaration[0]}; {name}: {RISING[color]}" if color in RISING else declaration[0]


def _values(axes: Axes, panel: Panel, series: Series) -> dict[str, Any]:
    """What the page's script shows under the pointer: for each finite point its place and its two values."""
    width, height = axes.figure.bbox.size
    censored = [*series.censored, *[False] * (len(series.x) - len(series.censored))]
    points = []
    for x, y, bound in zip(series.x, series.y, censored, strict=True):
        if math.isfinite(x) and math.isfinite(y):
            left, bottom = axes.transData.transform((y, x) if panel.rows else (x, y))
            place = [round(float(left / width), 4), round(float(1 - bottom / height), 4)]
            name = panel.name_of(x)
            points.append([*place, name if isinstance(name, str) else f"{x:g}", ("> " if bound else "") + f"{y:.4g}"])
    return {
        "label": series.label if series.n < 2 else f"{series.label} (mean of {series.n})",
        "color": RISING.get(series.color, series.color),
        "x": panel.x_label,
        "y": panel.y_label,
        "points": points,
    }
