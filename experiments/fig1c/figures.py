"""Figure 1c: test error against label corruption, on both test sets and at both epochs that the paper may mean."""

import statistics

from rethink.report.corruption import (
    CORRUPTED_ALIKE,
    ONE_DRAW,
    SLIPS,
    TRUE_LABELS,
    error_of,
    levels,
    networks,
    paper,
    paper_series,
)
from rethink.report.estimates import Comparison, Estimate, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series, against_corruption
from rethink.report.results import Results, rule_words, run_name
from rethink.report.style import architecture_style
from rethink.report.tables import Cell, Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Quantity, Verdict, agreeing, at_chance, fitted, rising, sampling_error, summary

TEST_SETS = {
    CORRUPTED_ALIKE: ("test labels corrupted alike", "test_error"),
    TRUE_LABELS: ("true test labels", "test_error_if_clean_test"),
}  # what each is called, and its column of fig1bc.csv
WHICH_TEST_SET = (
    "The paper does not say which test labels its curves are on. Very probably they were corrupted with the same p as "
    "in training: its authors' public code corrupts the test set too, and worked back on that assumption its errors "
    "are those which others measured on true labels. Both are shown."
)


def artefact(results: Results) -> Artefact:
    """Two test sets by two epochs as a figure, a table for each test set, and which of them is nearer to the paper."""
    verdicts = _verdicts(results)
    charts = [
        Chart(
            "fig1c",
            "Test error against label corruption p, on test labels corrupted with the same p and on true ones, at the "
            f"last epoch and when the training set was first fitted ({rule_words(results.rule)}; if never, at the last "
            "epoch). In thin dashes the paper's curves: as plotted, and for true labels worked back on the assumption "
            f"that they are on labels corrupted alike. A line joins neighbouring levels only. {ONE_DRAW}",
            [_panel(results, metric, rule) for rule in (None, results.rule) for metric in TEST_SETS],
        )
    ]
    tables = [_table(results, metric) for metric in TEST_SETS]
    return results.artefact(_finding(results, verdicts), charts, tables, verdicts, [WHICH_TEST_SET, SLIPS])


def error(results: Results, network: str, p: float, metric: str, rule: str | None = None) -> Estimate | None:
    """Test error over the seeds of a network at a level of corruption."""
    return results.estimate(lambda run: error_of(run, metric, rule), architecture=network, corruption=p)


def _panel(results: Results, metric: str, rule: str | None) -> Panel:
    ours, theirs = [], []
    for network in networks(results):
        points = [(p, error(results, network, p, metric, rule)) for p in levels(results, network)]
        ours.append(Series.estimates(architecture_style(network), points))
        theirs.append(paper_series(network, TEST_SETS[metric][1]))
    title = f"{TEST_SETS[metric][0].capitalize()}, {'when fitted' if rule else 'last epoch'}"
    return against_corruption(title, "test error", [*theirs, *ours], _chance(results), (0, 1))


def _chance(results: Results) -> float:
    return 1 - 1 / max((run.num_classes for run in results.runs), default=10)


def _comparison(results: Results, network: str, p: float, metric: str, column: str = "") -> Comparison:
    """Ours at the last epoch beside the paper's; at p = 1 no error on true labels can be worked back."""
    tolerance = results.tolerance("test_error").scaled(0.01) if results.full else None
    theirs = paper(network, column or TEST_SETS[metric][1]).get(p)
    lost = results.lost(architecture=network, corruption=p)
    return Comparison(error(results, network, p, metric), theirs, tolerance, lost=lost)


def _table(results: Results, metric: str) -> Table:
    name, column = TEST_SETS[metric]
    cells: list[list[Cell]] = []
    for network in networks(results):
        for p in levels(results, network):
            comparison = comparison_cells(_comparison(results, network, p, metric))
            cells.append(
                [architecture_style(network).label, p, *comparison, error(results, network, p, metric, results.rule)]
            )
    columns = [
        *(Column.text("network", "architecture"), Column("p", "p", format="g")),
        *comparison_columns("test_error"),
        Column.estimates("ours when fitted", "test_error_when_fitted"),
    ]
    notes = [
        f"When fitted: at the first epoch with {rule_words(results.rule)}; if there is none, at the last.",
        ONE_DRAW,
    ]
    if column.endswith("if_clean_test"):
        notes.append(
            "Paper: e in plotted = (1 - p) e + 0.9 p, if its test labels were corrupted with p as in training."
        )
    if results.full:
        notes.append(rule_in_words(f"{results.tolerance('test_error')} points"))
    caption = f"Test error on {name} at the last epoch, mean ± s.d. over n seeds"
    return Table(columns, cells, caption, notes, name="corrupted_alike" if metric == CORRUPTED_ALIKE else "true_labels")


def distance(results: Results, metric: str) -> float | None:
    """Mean distance of our errors at the last epoch from the paper's plotted ones, over networks and 0 < p < 1."""
    found = [
        abs(ours.mean - theirs)
        for network in networks(results)
        for p, theirs in paper(network, "test_error").items()
        if 0 < p < 1 and (ours := error(results, network, p, metric)) is not None
    ]
    return statistics.fmean(found) if found else None


def _finding(results: Results, verdicts: list[Verdict]) -> str:
    parts = []
    for network in networks(results):
        planned = levels(results, network)
        ends = [(p, error(results, network, p, TRUE_LABELS)) for p in dict.fromkeys([planned[0], planned[-1]])]
        shown = ["no run" if e is None else f"{100 * e.mean:.1f} % at p = {p:g}" for p, e in ends]
        parts.append(f"{architecture_style(network).label} {' and '.join(shown)}")
    said = f"Test error on true labels at the last epoch: {'; '.join(parts)}. {summary(verdicts)}"
    alike, true = distance(results, CORRUPTED_ALIKE), distance(results, TRUE_LABELS)
    if results.full and alike is not None and true is not None:
        said += f" From the paper's curves ours are {100 * alike:.1f} points away on test labels corrupted alike and "
        said += (
            f"{100 * true:.1f} on true ones (mean over networks and levels between 0 and 1): the paper's are nearer "
        )
        said += "to " + ("labels corrupted alike." if alike < true else "true labels.")
    return said


def _verdicts(results: Results) -> list[Verdict]:
    fits = [(run_name(run), not run.crossing(results.rule).censored) for run in results.runs]
    absent = [f"{len(results.missing())} runs"] if results.missing() else []
    trend = f"Every training set is fitted to {rule_words(results.rule)}, whatever share of its labels is corrupted"
    verdicts = [fitted(trend, fits, absent)]
    examples = min((run.test_size for run in results.runs), default=1)
    for network in networks(results):
        errors = [(p, error(results, network, p, TRUE_LABELS)) for p in levels(results, network)]
        percent = [(p, Quantity.of(e and e.scaled(100))) for p, e in errors]
        known = [e.mean for _, e in errors if e]
        trend = f"Test error on true labels grows with label corruption ({architecture_style(network).label})"
        within = sampling_error(statistics.fmean(known), examples) if known else 0.0
        verdicts.append(rising(trend, percent, 100 * within, " %"))
    ends = {architecture_style(name).label: error(results, name, 1.0, TRUE_LABELS) for name in results.architectures}
    known, absent = (
        [(label, Estimate(tuple(1 - value for value in e.values))) for label, e in ends.items() if e],
        [label for label, e in ends.items() if not e],
    )
    trend = "With random labels the test is at chance"
    verdicts.append(at_chance(trend, known, 1 - _chance(results), examples, absent))
    for metric, (name, column) in TEST_SETS.items() if results.full else ():
        compared = [
            (f"{architecture_style(network).label} at p = {p:g}", _comparison(results, network, p, metric))
            for network in results.architectures
            for p in levels(results, network)
            if p in paper(network, column)
        ]
        papers = "the paper's" if metric == CORRUPTED_ALIKE else "what is worked back from the paper's"
        verdicts.append(agreeing(f"Test error on {name} agrees with {papers}", compared))
    return verdicts
