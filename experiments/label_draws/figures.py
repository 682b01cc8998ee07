"""Is the spread over training seeds, at one draw of the random labels, also that over draws?"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rethink.report.estimates import Estimate
from rethink.report.page import Artefact
from rethink.report.results import Results
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Outcome, Verdict
from rethink.report.wording import rule_words
from rethink.runs.run import Run

_F = {1: 647.8, 2: 39.0, 4: 9.60, 6: 5.82}  # 97.5 % points of F with as many degrees of freedom above and below

Grid = Mapping[tuple[int, int], float]
"""(draw, training seed) -> an accuracy in per cent, or epochs."""


@dataclass(frozen=True)
class Quantity:
    """A number of each run: what it is called, in which unit its spread is, and its column."""

    name: str
    unit: str
    column: Column
    grid: Grid


def rows(results: Results) -> list[Quantity]:
    """Training and test accuracy, and the time to fit, which is Figure 1b's."""
    rule = results.rule
    accuracies = {"train/accuracy": "training accuracy", "test/accuracy": "test accuracy"}
    quantities = [
        Quantity(name, "points", Column.estimates(name, metric, scale=1), _grid(results, partial(_percent, metric)))
        for metric, name in accuracies.items()
    ]
    name = f"time to {rule_words(rule)}"
    return [*quantities, Quantity(name, "epochs", Column.times(name, rule), _grid(results, partial(_epochs, rule)))]


def artefact(results: Results) -> Artefact:
    """Each number by draw, and its spread over seeds at one draw beside that over draws at one seed."""
    quantities = rows(results)
    verdicts = [_verdict(quantity.name, quantity.grid, quantity.unit) for quantity in quantities]
    tables = [_by_draw(quantities), _spreads(quantities)]
    return results.artefact(finding=_finding(quantities), tables=tables, verdicts=verdicts)


def _percent(metric: str, run: Run) -> float | None:
    value = run.final(metric)
    return None if value is None else 100 * value


def _epochs(rule: str, run: Run) -> float | None:
    """None where it was not fitted when the run ended."""
    crossing = run.crossing(rule)
    return None if crossing.censored else float(crossing.epoch)


def _grid(results: Results, measure: Callable[[Run], float | None]) -> Grid:
    values = {(int(run.record["randomization"].get("seed", 0)), run.seed): measure(run) for run in results.runs}
    return {place: value for place, value in sorted(values.items()) if value is not None}


def spread(grid: Grid, over: int) -> tuple[float, int] | None:
    """Pooled s.d. of the numbers that differ in one of (draw, seed) only, and its degrees of freedom.

    Args:
        grid: The numbers.
        over: 0 over draws at one seed, 1 over seeds at one draw.
    """
    groups: dict[int, list[float]] = {}
    for place, value in grid.items():
        groups.setdefault(place[1 - over], []).append(value)
    several = [group for group in groups.values() if len(group) > 1]
    degrees = sum(len(group) - 1 for group in several)
    squares = sum((len(group) - 1) * statistics.variance(group) for group in several)
    return (math.sqrt(squares / degrees), degrees) if degrees else None


def _verdict(name: str, grid: Grid, unit: str = "points") -> Verdict:
    trend = f"Other draws of the labels spread the {name} more than other training seeds do"
    draws, seeds = spread(grid, 0), spread(grid, 1)
    if draws is None or seeds is None or draws[1] != seeds[1]:
        return Verdict(trend, "cannot tell", "Missing: runs of other draws.")
    ratio = (draws[0] / seeds[0]) ** 2 if seeds[0] else math.inf
    bound = _F.get(draws[1], 4.0)
    outcome: Outcome = "shown" if ratio > bound else "not shown" if ratio < 1 / bound else "cannot tell"
    detail = f"s.d. {draws[0]:.2f} {unit} over draws, {seeds[0]:.2f} over seeds; the variances' ratio {ratio:.2f}, "
    detail += f"by chance alone up to {bound:g} or down to {1 / bound:.2f} (95 %)."
    return Verdict(trend, outcome, detail, draws[1] + 1)


def _by_draw(quantities: Sequence[Quantity]) -> Table:
    cells: list[list[Cell]] = []
    for draw in sorted({draw for quantity in quantities for draw, _ in quantity.grid}):
        means = [Estimate.of([v for (d, _), v in quantity.grid.items() if d == draw]) for quantity in quantities]
        cells.append([draw, max(mean.n for mean in means if mean), *means])
    columns = [Column("draw", "randomization_seed"), Column("n", "n"), *(quantity.column for quantity in quantities)]
    return Table(columns, cells, "Random labels by draw: mean ± s.d. over n training seeds")


def _spreads(quantities: Sequence[Quantity]) -> Table:
    cells: list[list[Cell]] = []
    for quantity in quantities:
        over = [spread(quantity.grid, which) for which in (1, 0)]
        cells.append([quantity.name, quantity.unit, *(value for pooled in over for value in (pooled or (None, None)))])
    columns = [
        *(Column.text("of the", "metric"), Column.text("in", "unit")),
        *(Column("over seeds", "sd_seeds", format=".2f"), Column("d.f.", "df_seeds")),
        *(Column("over draws", "sd_draws", format=".2f"), Column("d.f.", "df_draws")),
    ]
    notes = ["A run that was not fitted when it ended has no time: it is left out there."]
    caption = "Pooled s.d. over training seeds at one draw, and over draws at one seed"
    return Table(columns, cells, caption, notes, name="spreads")


def _finding(quantities: Sequence[Quantity]) -> str:
    places = {place for quantity in quantities for place in quantity.grid}
    draws = len({draw for draw, _ in places})
    text = f"{len(places)} runs of {draws} draw{'s' if draws != 1 else ''} of the labels."
    for quantity in quantities:
        over = [spread(quantity.grid, which) for which in (1, 0)]
        words = ["not known" if pooled is None else f"{pooled[0]:.2f} {quantity.unit}" for pooled in over]
        text += f" S.d. of the {quantity.name}: over seeds {words[0]}, over draws {words[1]}."
    return text
