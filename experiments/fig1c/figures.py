"""Figure 1c: test error against label corruption, on both test sets and at both epochs that the paper may mean."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rethink.report.corruption import CORRUPTED_ALIKE, SLIPS, TRUE_LABELS, error_of, paper_series
from rethink.report.corruption import rows as corruption_rows
from rethink.report.estimates import Comparison, Estimate, least_in_words, rule_in_words, sampling_error
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series, against_corruption
from rethink.report.paper import corruption_curve
from rethink.report.results import Results
from rethink.report.rows import Row, grouped
from rethink.report.tables import Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Verdict, agreeing, all_fitted, at_chance, rising, summary
from rethink.report.wording import rule_words, sentence

TEST_SETS = {
    CORRUPTED_ALIKE: ("test labels corrupted alike", "test_error"),
    TRUE_LABELS: ("true test labels", "test_error_if_clean_test"),
}  # what each is called, and its column of fig1bc.csv
WHICH_TEST_SET = (
    "The paper does not say which test labels its curves are on. Very probably they were corrupted with the same p as "
    "in training: its authors' public code corrupts the test set too, and worked back on that assumption its errors "
    "are those which others measured on true labels. Both are shown."
)
FINDING = """
Test error on true labels at the last epoch:
{% for levels in networks %}{{ levels[0].row.network }}
{% for level in [levels[0], levels[-1]] | unique(attribute="row.p") %}
{{ "%.1f %% at p = %g" % (100 * level.last.mean, level.row.p) if level.last else "no run" }}
{{ " and " if not loop.last }}
{% endfor %}{{ "; " if not loop.last }}
{% endfor %}. {{ summary }}
{% if nearer %}
From the paper's curves ours are {{ off["labels corrupted alike"].short }} points away on test labels corrupted alike
and {{ off["true labels"].short }} on true ones (mean over networks and levels between 0 and 1): the paper's are nearer
to {{ nearer }}.
{% endif %}
"""


@dataclass(frozen=True)
class Level:
    """A network at a probability p of corruption, on one of the test sets; errors are fractions."""

    row: Row
    last: Estimate | None
    """At the last epoch."""
    fitted: Estimate | None
    """At the first epoch that has fitted the training set; if there is none, at the last."""
    comparison: Comparison
    """At the last epoch beside the paper's; at p = 1 no error on true labels can be worked back."""


def rows(results: Results, metric: str) -> list[Level]:
    """On one test set, of every network of the plan every level."""
    tolerance, levels = results.judged("test_error"), []
    for row in corruption_rows(results):
        last = row.estimate(lambda run: error_of(run, metric))
        fitted = row.estimate(lambda run: error_of(run, metric, results.rule))
        theirs = corruption_curve(row.architecture, TEST_SETS[metric][1]).get(row.p)
        levels.append(Level(row, last, fitted, row.compare(last, theirs, tolerance and tolerance.scaled(0.01))))
    return levels


def started(levels: Sequence[Level]) -> list[list[Level]]:
    """The levels of each network that has runs."""
    networks = grouped(levels, lambda level: level.row.architecture).values()
    return [network for network in networks if any(level.row.runs for level in network)]


def artefact(results: Results) -> Artefact:
    """Two test sets by two epochs as a figure, a table for each test set, and which of them is nearer to the paper."""
    levels = {metric: rows(results, metric) for metric in TEST_SETS}
    chance = 1 - 1 / results.classes
    description = (
        "Test error against label corruption p, on test labels corrupted with the same p and on true ones, at the "
        f"last epoch and when the training set was first fitted ({rule_words(results.rule)}; if never, at the last "
        "epoch). In thin dashes the paper's curves: as plotted, and for true labels worked back on the assumption "
        "that they are on labels corrupted alike. A line joins neighbouring levels only."
    )
    charts = [
        Chart(
            "fig1c",
            " ".join([description, *results.draws, *results.test_images]),
            [panel(levels[m], m, when, chance) for when in ("last", "fitted") for m in TEST_SETS],
        )
    ]
    judged = verdicts(results, levels, chance)
    away = {"labels corrupted alike": distance(levels[CORRUPTED_ALIKE]), "true labels": distance(levels[TRUE_LABELS])}
    off = {labels: there for labels, there in away.items() if there}
    finding = sentence(
        FINDING,
        networks=started(levels[TRUE_LABELS]),
        summary=summary(judged),
        off=off,
        nearer=least_in_words(off) if results.full and len(off) == len(TEST_SETS) else "",
    )
    tables = [table(results, levels[metric], metric) for metric in TEST_SETS]
    return results.artefact(finding, charts, tables, judged, [WHICH_TEST_SET, SLIPS])


def panel(levels: Sequence[Level], metric: str, when: str, chance: float) -> Panel:
    """Error against corruption on one test set, at one epoch: `last` or `fitted`."""
    name, column = TEST_SETS[metric]
    networks = started(levels)
    theirs = [paper_series(network[0].row.architecture, column) for network in networks]
    ours = [
        Series.estimates(network[0].row.style, [(level.row.p, getattr(level, when)) for level in network])
        for network in networks
    ]
    title = f"{name.capitalize()}, {'when fitted' if when == 'fitted' else 'last epoch'}"
    return against_corruption(title, "test error", [*theirs, *ours], chance, (0, 1))


def table(results: Results, levels: Sequence[Level], metric: str) -> Table:
    """Every level on one test set beside the paper's."""
    name, column = TEST_SETS[metric]
    tolerance = results.judged("test_error")
    columns = [
        *(Column.text("network", "architecture"), Column("p", "p", format="g")),
        *comparison_columns("test_error"),
        Column.estimates("ours when fitted", "test_error_when_fitted"),
    ]
    notes = [
        f"When fitted: at the first epoch with {rule_words(results.rule)}; if there is none, at the last.",
        *results.draws,
        *results.test_images,
    ]
    if column.endswith("if_clean_test"):
        notes.append(
            "Paper: e in plotted = (1 - p) e + 0.9 p, if its test labels were corrupted with p as in training."
        )
    notes += [rule_in_words(f"{tolerance} points")] if tolerance else []
    return Table(
        columns,
        [
            [level.row.network, level.row.p, *comparison_cells(level.comparison), level.fitted]
            for network in started(levels)
            for level in network
        ],
        f"Test error on {name} at the last epoch, mean ± s.d. over n seeds",
        notes,
        name="corrupted_alike" if metric == CORRUPTED_ALIKE else "true_labels",
    )


def distance(levels: Sequence[Level]) -> Estimate | None:
    """Mean distance of our errors at the last epoch from the paper's plotted ones, over networks and 0 < p < 1.

    Its interval is the mean of theirs: no wider, whatever their signs.
    """
    away = [
        (abs(level.last.mean - curve[level.row.p]), level.last)
        for level in levels
        if level.last
        and 0 < level.row.p < 1
        and level.row.p in (curve := corruption_curve(level.row.architecture, "test_error"))
    ]
    if not away:
        return None
    halves = [ours.interval or 0.0 for _, ours in away]
    half = statistics.fmean(halves) if any(halves) else None
    mean = statistics.fmean(off for off, _ in away)
    return Estimate.single(100 * mean, half=half and 100 * half, seeds=min(ours.n for _, ours in away))


def verdicts(results: Results, levels: dict[str, list[Level]], chance: float) -> list[Verdict]:
    """All is fitted; the error grows with corruption up to chance; and whether it agrees with the paper's."""
    trend = "Whatever share of its labels is corrupted, every training set is fitted"
    judged = [all_fitted(trend, results.all, results.rule)]
    examples = min((run.test_size for run in results.runs), default=1)
    true = levels[TRUE_LABELS]
    for network in started(true):
        percent = [(level.row.p, level.last and level.last.scaled(100)) for level in network]
        means = [level.last.mean for level in network if level.last]
        within = sampling_error(statistics.fmean(means), examples) if means else 0.0
        trend = f"Test error on true labels grows with label corruption ({network[0].row.network})"
        judged.append(rising(trend, percent, 100 * within, " %"))
    ends = [level for level in true if level.row.p == 1]
    right = [
        (level.row.network, Estimate(tuple(1 - error for error in level.last.values))) for level in ends if level.last
    ]
    absent = [level.row.network for level in ends if not level.last]
    judged.append(at_chance("With random labels the test is at chance", right, 1 - chance, examples, absent))
    for metric, (name, _) in TEST_SETS.items() if results.full else ():
        compared = [
            (f"{level.row.network} at p = {level.row.p:g}", level.comparison)
            for level in levels[metric]
            if level.comparison.paper is not None
        ]
        papers = "the paper's" if metric == CORRUPTED_ALIKE else "what is worked back from the paper's"
        judged.append(agreeing(f"Test error on {name} agrees with {papers}", compared))
    return judged
