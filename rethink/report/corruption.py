"""Sweeps over the probability of label corruption, ours and the paper's (Figures 1b and 1c)."""

from collections.abc import Sequence

from rethink.report.panels import Series
from rethink.report.paper import corruption_curve
from rethink.report.results import Results
from rethink.report.rows import Row
from rethink.report.style import architecture_style
from rethink.runs.run import Run

CORRUPTED_ALIKE, TRUE_LABELS = "test_randomized/accuracy", "test/accuracy"

SLIPS = (
    "To four digits the paper's points of small Inception at p = 0.9 equal those at p = 1, and its points of MLP 1x512 "
    "at p = 0.6 those at p = 0.7: probably slips in its plotted data."
)


def rows(results: Results) -> list[Row]:
    """Every planned level of every network: the networks in the order of the plan, the levels rising."""
    planned: dict[str, set[float]] = {name: set() for name in results.architectures}
    for setting in results.settings:
        if setting.corruption is not None:
            planned[setting.architecture].add(setting.corruption)
    return [
        results.row(architecture=architecture, corruption=p)
        for architecture, levels in planned.items()
        for p in sorted(levels)
    ]


def started(rows: Sequence[Row]) -> list[Row]:
    """Those of the networks that have runs."""
    networks = {row.architecture for row in rows if row.runs}
    return [row for row in rows if row.architecture in networks]


def paper_series(architecture: str, column: str) -> Series:
    """The paper's curve."""
    curve = corruption_curve(architecture, column)
    derived = column.endswith("if_clean_test")
    return Series.paper(architecture_style(architecture), list(curve), list(curve.values()), derived=derived)


def error_of(run: Run, metric: str, rule: str | None = None) -> float | None:
    """Figure 1c's y: test error at the last epoch, or at the first that passes a rule (if none does, at the last).

    Without corruption the two test sets are the same.
    """
    if metric == CORRUPTED_ALIKE and run.final(metric) is None and run.corruption == 0:
        metric = TRUE_LABELS
    fitted = run.crossing(rule) if rule else None
    accuracy = run.final(metric) if fitted is None or fitted.censored else run.at(fitted.epoch, metric)
    return None if accuracy is None else 1 - accuracy
