"""What a drawing may not claim: lines, bands and axes of what was not run, and names over marks; its shades of grey."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from rethink.report.dots import Dot, dots
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart, Drawing, draw
from rethink.report.panels import Panel, Series, accuracies, against_corruption, against_step
from rethink.report.style import INK, RISING, architecture_style, ordinal_style, randomization_style

STYLE = randomization_style("TrueLabels")
THREE, OTHERS, ONE = Estimate((1.0, 2.0, 3.0)), Estimate((4.0, 5.0, 6.0)), Estimate((2.0,))


def drawn(*panels: Panel, columns: int = 1) -> Figure:
    return draw(panels, columns)


def lines(axes: Axes) -> list[list[tuple[float, float]]]:
    """The stretches that are joined by ink, each as its points."""
    joined = [line for line in axes.lines if line.get_linestyle() != "None" and len(line.get_xydata()) > 1]
    return [[(float(x), float(y)) for x, y in line.get_xydata()] for line in joined]


def bands(axes: Axes) -> list[tuple[float, float, float, float]]:
    """(left, right, low, high) of each band."""
    return [_extent(path.vertices) for part in axes.collections if isinstance(part, PolyCollection)
            for path in part.get_paths()]  # fmt: skip


def bars(axes: Axes) -> list[tuple[float, float, float, float]]:
    return [_extent(np.array(bar)) for part in axes.collections if isinstance(part, LineCollection)
            for bar in part.get_segments()]  # fmt: skip


def _extent(points: np.ndarray) -> tuple[float, float, float, float]:
    (left, low), (right, high) = points.min(axis=0), points.max(axis=0)
    return float(left), float(right), float(low), float(high)


# --- lines and bands ----------------------------------------------------------------------------------------


def test_a_band_has_several_seeds_at_both_ends_and_a_level_by_itself_a_bar() -> None:
    levels = [(0.0, THREE), (0.1, ONE), (0.2, THREE), (0.3, OTHERS), (0.4, ONE)]
    (axes,) = drawn(against_corruption("t", "y", [Series.estimates(STYLE, levels)])).axes
    assert bands(axes) == [(0.2, 0.3, 1.0, 6.0)]
    assert bars(axes) == [(0.0, 0.0, 1.0, 3.0)]
    assert [len(line) for line in lines(axes)] == [5]  # a mean of one seed is a value like the others


def test_no_line_and_no_band_leads_to_a_lower_bound() -> None:
    bound = Estimate((3.0, 3.0, 3.0), censored=True)
    levels = [(0.0, THREE), (0.1, THREE), (0.2, bound), (0.3, bound), (0.4, OTHERS), (0.5, OTHERS)]
    series = Series.estimates(STYLE, levels)
    (axes,) = drawn(against_corruption("t", "y", [series])).axes
    assert [[x for x, _ in line] for line in lines(axes)] == [[0.0, 0.1], [0.4, 0.5]]
    assert [(left, right) for left, right, _, _ in bands(axes)] == [(0.0, 0.1), (0.4, 0.5)]
    assert bars(axes) == []  # the s.d. of lower bounds says nothing
    assert series.spread[2] is None


def test_no_line_and_no_band_goes_over_a_level_that_was_not_run() -> None:
    levels = [(0.0, THREE), (0.1, None), (0.2, THREE), (0.3, OTHERS)]
    (axes,) = drawn(against_corruption("t", "y", [Series.estimates(STYLE, levels)])).axes
    assert [[x for x, _ in line] for line in lines(axes)] == [[0.2, 0.3]]
    assert [(left, right) for left, right, _, _ in bands(axes)] == [(0.2, 0.3)]
    assert [left for left, _, _, _ in bars(axes)] == [0.0]


def test_names_without_an_order_are_not_joined() -> None:
    series = Series.estimates(STYLE, [(0.0, THREE), (1.0, OTHERS)])
    panels = [Panel("t", "", "y", [series], categories=["a", "b"], ordered=ordered) for ordered in (False, True)]
    apart, ordered = drawn(*panels).axes
    assert (lines(apart), bands(apart), len(bars(apart))) == ([], [], 2)
    assert (len(lines(ordered)), len(bands(ordered))) == (1, 1)


def test_a_band_stays_within_what_the_value_can_be() -> None:
    seeds = [([1, 2], [0.9, 1.0]), ([1, 2], [0.1, 0.6])]
    (axes,) = drawn(accuracies("t", "step", [Series.mean(STYLE, seeds)], 10)).axes
    assert bands(axes) == [(1.0, 2.0, 0.0, 1.0)]
    (axes,) = drawn(against_step("t", "loss", [Series.mean(STYLE, [([1, 2], [0.0, 0.1]), ([1, 2], [2.0, 0.1])])])).axes
    assert min(low for _, _, low, _ in bands(axes)) == 0
    marks = [Dot("row", architecture_style("MLP 1x512"), Estimate((99.0, 100.0)))]
    (axes,) = drawn(dots("t", "per cent", marks, possible=(0, 100))).axes
    assert max(x for line in axes.lines for x in line.get_xdata()) == 100


# --- seeds that end at different steps ----------------------------------------------------------------------


def test_every_seed_is_drawn_to_its_own_end() -> None:
    seeds = [([1, 2, 3], [3.0, 1.0, 0.1]), ([1, 2], [3.0, 0.05])]
    series = Series.over_seeds(STYLE, seeds)
    (axes,) = drawn(against_step("t", "loss", series)).axes
    assert [line[-1] for line in lines(axes)] == [(3.0, 0.1), (2.0, 0.05)]
    assert axes.get_xlabel() == "step"  # none is without a value
    assert bands(axes) == []
    chart = Chart("x", "", [against_step("t", "loss", series)])
    assert [row.rsplit(",", 6)[0] for row in chart.to_csv().splitlines()[3:5]] == [
        't,"true labels, 1 of 2 seeds"',
        't,"true labels, 2 of 2 seeds"',
    ]
    svg = Drawing.of(chart, "wide", 1).svg
    assert svg.count(">true labels<") == 1  # in the legend
    assert "a thin line: one seed, to its end" in svg


def test_seeds_that_end_together_are_a_mean() -> None:
    seeds = [([1, 2], [3.0, 1.0]), ([1, 2], [1.0, 0.0]), ([], [])]
    assert Series.over_seeds(STYLE, seeds) == [Series.mean(STYLE, seeds)]
    assert Series.over_seeds(STYLE, []) == [Series.mean(STYLE, [])]


# --- names, and what is not there ---------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 2])
def test_no_name_of_a_level_lies_over_a_mark(columns: int) -> None:
    series = Series("s", [0, 1], [0.1, 0.1], STYLE.color)
    marks = [Dot(row, STYLE, Estimate((10.0,)), 10.5) for row in ("a", "b")]
    panels = [
        accuracies("t", "step", [series], 10),
        dots("t", "per cent", marks, limits=(0, 100), reference=(10, "chance")),
    ]
    figure = drawn(*panels, columns=columns)
    for axes in figure.axes:
        inside = axes.get_window_extent()
        texts = [*axes.texts, axes.xaxis.label, axes.title]
        assert any("chance" in text.get_text() for text in texts)
        assert not any(text.get_window_extent().overlaps(inside) for text in texts if text.get_text())


def test_a_panel_without_values_has_no_axes() -> None:
    nothing = Panel("Loss", "step", "loss", [Series.estimates(STYLE, [(0.0, None)])])
    rows = dots("Rows", "points", [Dot("a", STYLE, None)], reference=(0, "the paper"))
    for axes in drawn(nothing, rows).axes:
        assert not axes.axison
        assert [text.get_text() for text in axes.texts] == ["no values yet"]
    there = Panel("Loss", "step", "loss", [Series("s", [1, 2], [2, 1], "#000000")])
    assert drawn(there).axes[0].axison


def test_what_has_no_value_in_a_panel_is_named_under_it() -> None:
    there, absent = (architecture_style(name) for name in ("MLP 1x512", "SmallAlexNet"))
    series = [Series.estimates(there, [(0.0, ONE), (1.0, ONE)]), Series.estimates(absent, [(0.0, None), (1.0, None)])]
    (axes,) = drawn(against_corruption("t", "y", series)).axes
    assert axes.get_xlabel() == "label corruption p\nwithout a value: small AlexNet"


# --- shades -------------------------------------------------------------------------------------------------


def lightness(color: str) -> float:
    """CIE L* of a colour, 0 black to 100 white: what is left of it in a grey print."""
    return 116 * luminance(color) ** (1 / 3) - 16


def luminance(color: str) -> float:
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_a_higher_level_is_darker_on_white_and_lighter_on_the_dark_page() -> None:
    levels = [ordinal_style(p / 10, "").color for p in range(11)]
    assert all(before - after > 3 for before, after in pairwise(map(lightness, levels)))
    assert min(contrast(color, "#ffffff") for color in levels) > 3
    dark = [_mixed(RISING[color], text="#e4e6e9") for color in levels]
    assert all(after - before > 2 for before, after in pairwise(map(lightness, dark)))
    assert min(contrast(color, "#1b1f25") for color in dark) > 3
    assert _mixed(RISING[levels[5]], text=INK) == levels[5]  # one colour in the file and on the white page


def _mixed(css: str, text: str) -> str:
    """What a browser makes of `color-mix(in srgb, #xxxxxx N%, currentColor)`."""
    _, color, percent, _ = css.replace(",", " ").replace("(in srgb", "").split()
    share = int(percent.rstrip("%")) / 100
    parts = [share * int(color[i : i + 2], 16) + (1 - share) * int(text[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part):02x}" for part in parts)


def test_the_page_mixes_a_level_with_its_own_text_colour_and_the_file_does_not() -> None:
    style = ordinal_style(0.4, "p = 0.4")
    chart = Chart("x", "", [against_step("t", "loss", [Series.mean(style, [([1, 2], [2.0, 1.0])])])])
    drawing = Drawing.of(chart, "wide", 1)
    assert f"stroke: {style.color}; stroke: {RISING[style.color]}" in drawing.svg
    assert drawing.values[0]["color"] == RISING[style.color]


# --- the drawing of the page --------------------------------------------------------------------------------


@pytest.mark.parametrize("panels", [1, 3])
def test_the_wide_drawing_of_the_page_is_that_of_the_file_without_its_white(panels: int, tmp_path: Path) -> None:
    chart = Chart("x", "", [against_step("t", "loss", [Series("s", [1, 2], [2.0, 1.0], STYLE.color)])] * panels)
    chart.save(tmp_path)
    file = (tmp_path / "x.svg").read_text()
    wide, narrow = chart.drawings()
    assert file.count("#fffffe") == 1
    assert "#fffffe" not in wide.svg + narrow.svg
    paths = [re.findall(r' d="([^"]*)"', svg) for svg in (file, wide.svg)]
    assert paths[0] == paths[1]
    ids = [set(re.findall(r' id="([^"]*)"', drawing.svg)) for drawing in (wide, narrow)]
    assert ids[0]
    assert not ids[0] & ids[1]
