"""Norms of the minimum-norm solutions: which definition is the paper's, and true against random labels over n."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from experiments.table3.rows import RANDOM, TRUE, Machine, Row
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.paper import rows as paper_rows
from rethink.report.style import randomization_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict, counted, in_order
from rethink.report.wording import sentence

NORM = "RKHS, one-hot"  # the norm of the figures: what alpha minimizes, for the targets it is solved for


FINDING = """
Of {{ definitions | length }} definitions of the norm, {{ best.name }} ({{ best.pixels.format(".0f", True) }} with
pixels, {{ best.wavelets.format(".0f", True) }} with wavelets) is nearest to the paper's {{ "%.0f" % paper[0] }} and
{{ "%.0f" % paper[1] }}, by a factor of {{ "%.2f" % best.off }} at most; for pixels alone it is {{ of_pixels.name }}
({{ of_pixels.pixels.format(".0f", True) }}).
"""


@dataclass(frozen=True)
class Definition:
    """A definition of the norm, for pixels and for wavelets; the larger factor by which they are off the paper's."""

    name: str
    pixels: Estimate | None
    wavelets: Estimate | None
    off: float | None
    off_of_pixels: float | None
    """The same where the wavelets' is the paper's own."""


def paper_norms() -> tuple[float, float]:
    """For pixels and for wavelets."""
    pixels, wavelets = (row.number("norm") or 0.0 for row in paper_rows("table3") if row.cells["norm"])
    return pixels, wavelets


def with_norm(table_rows: Sequence[Row]) -> tuple[Row, Row]:
    """The rows of the paper that have a norm: MNIST without and with wavelets."""
    raw, gabor = (row for row in table_rows if row.paper and row.paper.cells["norm"])
    return raw, gabor


def rows(table_rows: Sequence[Row], full: bool) -> list[Definition]:
    """Every definition; on a subset norms are smaller than the paper's, and are not compared with them."""
    machine = next((row.machines[0] for row in table_rows if row.machines), None)
    theirs, definitions = paper_norms(), []
    for name in machine.solution(TRUE)["norms"] if machine else ():
        norms = [row.estimate(partial(_norm, name=name)) for row in with_norm(table_rows)]
        pixels, wavelets = norms
        others = wavelets and wavelets.mean, theirs[1]
        off = [_off((pixels.mean, other), theirs) if full and pixels and other else None for other in others]
        definitions.append(Definition(name, pixels, wavelets, *off))
    return definitions


def _norm(machine: Machine, name: str) -> float:
    return float(machine.solution(TRUE)["norms"][name])


def _off(ours: tuple[float, float], theirs: tuple[float, float]) -> float:
    return math.exp(max(abs(math.log(norm / paper)) for norm, paper in zip(ours, theirs, strict=True)))


def table(definitions: Sequence[Definition], full: bool) -> Table:
    """Every definition for pixels and wavelets, beside the paper's 220 and 390."""
    cells: list[list[Cell]] = [
        [
            row.name,
            min((norm.n for norm in (row.pixels, row.wavelets) if norm), default=0),
            row.pixels,
            row.wavelets,
            row.wavelets.mean / row.pixels.mean if row.pixels and row.wavelets else None,
            row.off,
        ]
        for row in definitions
    ]
    pixels, wavelets = paper_norms()
    cells.append(["the paper's", 1, pixels, wavelets, wavelets / pixels, None])
    columns = [
        *(
            Column.text("norm", "norm"),
            Column("n", "n"),
            Column("pixels", "raw", format=".4g", estimate=True, interval=True),
            Column("wavelets", "gabor", format=".4g", estimate=True, interval=True),
        ),
        *(Column("ratio", "ratio", format=".2f"), Column("times off", "off", format=".2f")),
    ]
    notes = [
        "RKHS: the square root of tr(Y' K^-1 Y), which is the l2 norm of w = X' alpha, all classes together; "
        "coefficients: |alpha|. Targets Y: one-hot, ±1 (one against the rest), one-hot less 0.1, or the class as a "
        "number. Times off: the larger of the two factors between ours and the paper's; nearest is the least of them. "
        "n: seeds, with the 95 % interval of the mean where there are several. The paper's numbers are n = 1.",
        "The norm with wavelets depends on the bank and the bandwidth, which the paper does not give.",
    ]
    if not full:
        notes.append("On a subset norms are smaller than the paper's, and are not compared with them.")
    return Table(columns, cells, "Norms of the minimum-norm solution on MNIST", notes, "norm_definitions")


def finding(definitions: Sequence[Definition]) -> str:
    """Which definition comes nearest to the paper's two numbers; empty where they cannot be compared."""
    compared = [row for row in definitions if row.off is not None and row.off_of_pixels is not None]
    if not compared:
        return ""
    return sentence(
        FINDING,
        definitions=compared,
        paper=paper_norms(),
        best=min(compared, key=lambda row: row.off or 0.0),
        of_pixels=min(compared, key=lambda row: row.off_of_pixels or 0.0),
    )


def charts(unregularized: Sequence[Machine]) -> list[Chart]:
    """The norm over n, true against random labels, of each machine without l2."""
    description = (
        f"Norm of the minimum-norm solution ({NORM} targets, all classes together) against the number of training "
        "images, with true and with random labels."
    )
    return [Chart("norms", description, list(map(_panel, unregularized)))] if unregularized else []


def _panel(machine: Machine) -> Panel:
    series = []
    for labels, randomization in ((TRUE, "TrueLabels"), (RANDOM, "RandomLabels")):
        look, solutions = randomization_style(randomization), machine.over_n(labels)
        x, y = [solution["n"] for solution in solutions], [solution["norms"][NORM] for solution in solutions]
        series.append(Series(look.label, x, y, look.color, look.dash, look.marker))
    return Panel(machine.name, "training images", "norm", series, log="xy")


def verdicts(
    definitions: Sequence[Definition], table_rows: Sequence[Row], unregularized: Sequence[Machine]
) -> list[Verdict]:
    """Random labels take a larger norm; with wavelets the norm is larger and the error smaller."""
    larger = [
        (f"{machine.name}, {true['n']:,} images", random["norms"][NORM] > true["norms"][NORM])
        for machine in unregularized
        for true, random in zip(machine.over_n(TRUE), machine.over_n(RANDOM), strict=True)
    ]
    raw, gabor = (row.test_error for row in with_norm(table_rows))
    both = [
        (row.name, in_order([row.pixels, row.wavelets]) and in_order([gabor, raw]))
        for row in definitions
        if raw and gabor and row.pixels and row.wavelets
    ]
    n = min(raw.n, gabor.n) if raw and gabor else 0
    return [
        counted("Random labels take a larger norm than true ones", larger, "pairs"),
        counted(
            "With wavelets the norm on MNIST is larger and the test error smaller", both, "definitions of the norm", n=n
        ),
    ]
