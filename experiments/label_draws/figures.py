"""Is the spread over training seeds, at one draw of the random labels, also that over draws?"""

import math
import statistics
from collections.abc import Mapping

from rethink.report.estimates import Estimate
from rethink.report.page import Artefact
from rethink.report.results import Results
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict

METRICS = {"train/accuracy": "training", "test/accuracy": "test"}
_F = {1: 647.8, 2: 39.0, 4: 9.60, 6: 5.82}  # 97.5 % points of F with as many degrees of freedom above and below

Grid = Mapping[tuple[int, int], float]
"""(draw, training seed) -> an accuracy in per cent."""


def artefact(results: Results) -> Artefact:
    """Accuracy for each draw, and the spread over seeds at one draw beside that over draws at one seed."""
    grids: dict[str, Grid] = {metric: _grid(results, metric) for metric in METRICS}
    verdicts = [_verdict(METRICS[metric], grid) for metric, grid in grids.items()]
    return results.artefact(finding=_finding(grids), tables=[_by_draw(grids), _spreads(grids)], verdicts=verdicts)


def _grid(results: Results, metric: str) -> Grid:
    accuracies = {
        (int(run.record["randomization"].get("seed", 0)), run.seed): run.final(metric) for run in results.runs
    }
    return {place: 100 * value for place, value in sorted(accuracies.items()) if value is not None}


def spread(grid: Grid, over: int) -> tuple[float, int] | None:
    """Pooled s.d. of the accuracies that differ in one of (draw, seed) only, and its degrees of freedom.

    Args:
        grid: The accuracies.
        over: 0 over draws at one seed, 1 over seeds at one draw.
    """
    groups: dict[int, list[float]] = {}
    for place, value in grid.items():
        groups.setdefault(place[1 - over], []).append(value)
    several = [group for group in groups.values() if len(group) > 1]
    degrees = sum(len(group) - 1 for group in several)
    squares = sum((len(group) - 1) * statistics.variance(group) for group in several)
    return (math.sqrt(squares / degrees), degrees) if degrees else None


def _verdict(name: str, grid: Grid) -> Verdict:
    trend = f"Other draws of the labels spread the {name} accuracy more than other training seeds do"
    draws, seeds = spread(grid, 0), spread(grid, 1)
    if draws is None or seeds is None or draws[1] != seeds[1]:
        return Verdict(trend, "cannot tell", "Missing: runs of other draws.")
    ratio = (draws[0] / seeds[0]) ** 2 if seeds[0] else math.inf
    bound = _F.get(draws[1], 4.0)
    outcome = Verdict(trend, "shown" if ratio > bound else "not shown" if ratio < 1 / bound else "cannot tell", "")
    detail = f"s.d. {draws[0]:.2f} points over draws, {seeds[0]:.2f} over seeds; the variances' ratio {ratio:.2f}, "
    return Verdict(
        trend, outcome.outcome, f"{detail}by chance alone up to {bound:g} or down to {1 / bound:.2f} (95 %)."
    )


def _by_draw(grids: Mapping[str, Grid]) -> Table:
    draws = sorted({draw for grid in grids.values() for draw, _ in grid})
    rows: list[list[Cell]] = []
    for draw in draws:
        means = [Estimate.of([v / 100 for (d, _), v in grid.items() if d == draw]) for grid in grids.values()]
        rows.append([draw, max(mean.n for mean in means if mean), *means])
    columns = [Column("draw", "randomization_seed"), Column("n", "n")]
    columns += [Column.estimates(name, metric) for metric, name in METRICS.items()]
    return Table(columns, rows, "Accuracy on random labels by draw: mean ± s.d. over n training seeds")


def _spreads(grids: Mapping[str, Grid]) -> Table:
    rows: list[list[Cell]] = []
    for metric, grid in grids.items():
        over = [spread(grid, which) for which in (1, 0)]
        rows.append([METRICS[metric], *(value for pooled in over for value in (pooled or (None, None)))])
    columns = [
        Column.text("accuracy", "metric"),
        *(Column("over seeds", "sd_seeds", "points", format=".2f"), Column("d.f.", "df_seeds")),
        *(Column("over draws", "sd_draws", "points", format=".2f"), Column("d.f.", "df_draws")),
    ]
    return Table(
        columns, rows, "Pooled s.d. over training seeds at one draw, and over draws at one seed", name="spreads"
    )


def _finding(grids: Mapping[str, Grid]) -> str:
    grid = grids["test/accuracy"]
    draws = len({draw for draw, _ in grid})
    text = f"{len(grid)} runs of {draws} draw{'s' if draws != 1 else ''} of the labels."
    for metric, name in METRICS.items():
        over = [spread(grids[metric], which) for which in (1, 0)]
        words = ["not known" if pooled is None else f"{pooled[0]:.2f} points" for pooled in over]
        text += f" S.d. of the {name} accuracy: over seeds {words[0]}, over draws {words[1]}."
    return text
