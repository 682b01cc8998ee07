"""Norms of the minimum-norm solutions: which definition is the paper's, and true against random labels over n."""

import math
from collections.abc import Mapping

from experiments.table3.rows import RANDOM, TRUE, Machine, Row, machines, rows
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.results import Results
from rethink.report.style import randomization_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict, counted

NORM = "RKHS, one-hot"  # the norm of the figures: what alpha minimizes, for the targets it is solved for


def table(results: Results) -> Table:
    """Every definition for pixels and wavelets, beside the paper's 220 and 390."""
    raw, gabor = _rows(results)
    found = {name: _of_both(raw, gabor, name) for name in _definitions(results)}
    cells: list[list[Cell]] = []
    for name, (pixels, wavelets) in found.items():
        ratio = wavelets / pixels if pixels and wavelets else None
        cells.append([name, pixels, wavelets, ratio, _off(results, pixels, wavelets)])
    theirs = _paper(raw), _paper(gabor)
    cells.append(["the paper's", *theirs, theirs[1] / theirs[0], None])
    columns = [
        *(
            Column.text("norm", "norm"),
            Column("pixels", "raw", format=".4g"),
            Column("wavelets", "gabor", format=".4g"),
        ),
        *(Column("ratio", "ratio", format=".2f"), Column("times off", "off", format=".2f")),
    ]
    notes = [
        "RKHS: the square root of tr(Y' K^-1 Y), which is the l2 norm of w = X' alpha, all classes together; "
        "coefficients: |alpha|. Targets Y: one-hot, ±1 (one against the rest), one-hot less 0.1, or the class as a "
        "number. Times off: the larger of the two factors between ours and the paper's.",
        "The norm with wavelets depends on the bank and the bandwidth, which the paper does not give.",
    ]
    if not results.full:
        notes.append("On a subset norms are smaller than the paper's, and are not compared with them.")
    return Table(columns, cells, "Norms of the minimum-norm solution on MNIST", notes, "norm_definitions")


def finding(results: Results) -> str:
    """Which definition comes nearest to the paper's two numbers; empty where they cannot be compared."""
    raw, gabor = _rows(results)
    known = {}
    for name in _definitions(results):
        pixels, wavelets = _of_both(raw, gabor, name)
        off = _off(results, pixels, wavelets)
        alone = _off(results, pixels, _paper(gabor))
        if off is not None and alone is not None:
            known[name] = (off, alone, pixels, wavelets)
    if not known:
        return ""
    name = min(known, key=lambda each: known[each][0])
    off, _, pixels, wavelets = known[name]
    of_pixels = min(known, key=lambda each: known[each][1])
    said = (
        f"Of {len(known)} definitions of the norm, {name} ({pixels:.0f} with pixels, {wavelets:.0f} with wavelets) is "
        f"nearest to the paper's {_paper(raw):.0f} and {_paper(gabor):.0f}, by a factor of {off:.2f} at most"
    )
    return f"{said}; for pixels alone it is {of_pixels} ({known[of_pixels][2]:.0f})."


def _off(results: Results, pixels: float | None, wavelets: float | None) -> float | None:
    if not results.full or not pixels or not wavelets:
        return None
    raw, gabor = _rows(results)
    return math.exp(max(abs(math.log(pixels / _paper(raw))), abs(math.log(wavelets / _paper(gabor)))))


def _rows(results: Results) -> tuple[Row, Row]:
    """The rows of the paper that have a norm: MNIST without and with wavelets."""
    raw, gabor = (row for row in rows(results) if row.paper and row.paper.cells["norm"])
    return raw, gabor


def _paper(row: Row) -> float:
    value = row.paper.number("norm") if row.paper else None
    assert value is not None, "only rows with a norm are asked"
    return value


def _definitions(results: Results) -> list[str]:
    return [*_norms(machines(results)[0], TRUE)] if machines(results) else []


def _of_both(raw: Row, gabor: Row, name: str) -> tuple[float | None, float | None]:
    pixels, wavelets = (row.estimate(lambda machine: _norms(machine, TRUE)[name]) for row in (raw, gabor))
    return pixels and pixels.mean, wavelets and wavelets.mean


def _norms(machine: Machine, labels: str) -> Mapping[str, float]:
    norms: Mapping[str, float] = machine.solution(labels)["norms"]
    return norms


def charts(results: Results) -> list[Chart]:
    """The norm over n, true against random labels, of each machine without l2."""
    found = machines(results, regularized=False)
    described = (
        f"Norm of the minimum-norm solution ({NORM} targets, all classes together) against the number of training "
        "images, with true and with random labels."
    )
    return [Chart("norms", described, [_panel(each) for each in found])] if found else []


def _panel(machine: Machine) -> Panel:
    series = []
    for labels, randomization in ((TRUE, "TrueLabels"), (RANDOM, "RandomLabels")):
        look, solutions = randomization_style(randomization), machine.over_n(labels)
        x, y = [one["n"] for one in solutions], [one["norms"][NORM] for one in solutions]
        series.append(Series(look.label, x, y, look.color, look.dash, look.marker))
    return Panel(machine.name, "training images", "norm", series, log="xy")


def verdicts(results: Results) -> list[Verdict]:
    """Random labels take a larger norm; with wavelets the norm is larger and the error smaller."""
    larger = [
        (f"{machine.name}, {true['n']:,} images", random["norms"][NORM] > true["norms"][NORM])
        for machine in machines(results, regularized=False)
        for true, random in zip(machine.over_n(TRUE), machine.over_n(RANDOM), strict=True)
    ]
    raw, gabor = _rows(results)
    errors = raw.test_error, gabor.test_error
    both: list[tuple[str, bool | None]] = []
    for name in _definitions(results):
        norms = _of_both(raw, gabor, name)
        if errors[0] and errors[1] and norms[0] and norms[1]:
            both.append((name, norms[1] > norms[0] and errors[1].mean < errors[0].mean))
    return [
        counted("Random labels take a larger norm than true ones", [*larger], "pairs"),
        counted(
            "With wavelets the norm on MNIST is larger and the test error smaller", both, "definitions of the norm"
        ),
    ]
