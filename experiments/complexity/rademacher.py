"""The empirical Rademacher complexity over n, from networks that were trained on random signs."""

from collections.abc import Sequence
from dataclasses import dataclass

from rethink.complexity.rademacher import (
    correlation,
    estimation_error,
    linear_complexity,
    rademacher_bound,
    rademacher_estimate,
)
from rethink.models.names import label
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.results import Results
from rethink.report.rows import Row, grouped
from rethink.report.style import PAPER_INK, Dash, architecture_style
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Verdict, counted
from rethink.report.wording import sentence
from rethink.runs.run import Run

NEAR_ONE = 0.95
_GUESSING = 0.5  # error in two classes: a bound on the gap from here on is vacuous
_LINEAR: Dash = (0, (1.1, 1.3))


FINDING = """
Networks trained on random signs reach a correlation with them of {{ "%.3f" % least.value }} at the least
({{ least.name }}; n is up to {{ "{:,}".format(largest.examples) }}), where 1 is the largest possible.
{% if says_something %}
Near 1 would mean that a bound by the Rademacher complexity is vacuous.
{% else %}
With what chance can do taken off, a bound by the empirical Rademacher complexity is vacuous.
{% endif %}
"""


@dataclass(frozen=True)
class Estimated:
    """What the runs of a network on n examples say of R_n; `draws` of the signs, each fitted by one run or more."""

    architecture: str
    examples: int
    draws: int
    runs: int
    value: float

    @property
    def at_least(self) -> float:
        """R_n is no less, with 95 % probability."""
        return self.value - estimation_error(self.examples, self.draws)

    @property
    def bound(self) -> float:
        """On the gap, by the smallest R_n that the runs leave."""
        return rademacher_bound(self.at_least, self.examples)

    @property
    def network(self) -> str:
        """In a sentence."""
        return label(self.architecture)

    @property
    def name(self) -> str:
        """Network and n."""
        return _name(self.architecture, self.examples)


def _name(architecture: str, examples: int | None) -> str:
    return f"{label(architecture)} at n = {examples:,}" if examples else f"{label(architecture)} on all images"


def rows(results: Results) -> list[Estimated]:
    """For every network and n that has runs."""
    estimates = []
    runs = [run for run in results.row(randomization="RandomSigns").runs if run.final("train/accuracy") is not None]
    for architecture in results.architectures:
        of_network = sorted((run for run in runs if run.architecture == architecture), key=lambda run: run.train_size)
        for examples, alike in grouped(of_network, lambda run: run.train_size).items():
            by_signs = grouped(alike, lambda run: int(run.record["randomization"]["seed"]))
            value = rademacher_estimate([[_correlation(run) for run in draw] for draw in by_signs.values()])
            estimates.append(Estimated(architecture, examples, len(by_signs), len(alike), value))
    return estimates


def _correlation(run: Run) -> float:
    return correlation(run.final("train/accuracy") or 0.0)


def chart(estimates: Sequence[Estimated]) -> Chart:
    """R_n over n, and what it is at most for linear functions."""
    series = []
    for architecture, rows_of_network in grouped(estimates, lambda row: row.architecture).items():
        style = architecture_style(architecture)
        x, y = [row.examples for row in rows_of_network], [row.value for row in rows_of_network]
        series.append(Series(style.label, x, y, style.color, style.dash, style.marker))
    if estimates:
        sizes = sorted({row.examples for row in estimates})
        bound = [linear_complexity(n) for n in sizes]
        series.append(Series("linear functions, at most", sizes, bound, PAPER_INK, _LINEAR))
    panel = Panel(
        "Rademacher complexity, at least",
        "n",
        "mean correlation with random signs",
        series,
        (0, 1.08),
        (1.0, "largest possible: the bound is vacuous"),
        log="x",
    )
    return Chart(
        "rademacher",
        "Mean correlation of trained networks with the random signs that they were trained on, against the number n of "
        "signs: a lower bound on the empirical Rademacher complexity R_n, which is at most 1. For comparison what it "
        "is at most for linear functions with values of at most 1, 1 / sqrt(n).",
        [panel],
    )


def table(estimates: Sequence[Estimated]) -> Table:
    """R_n, what is sure of it, and the bound by it."""
    columns = [
        Column.text("network", "architecture"),
        Column("n", "n", format=","),
        *(Column("draws of signs", "draws"), Column("runs", "runs")),
        *(Column("R_n, estimate", "estimate", format=".3f"), Column("R_n at least", "at_least", format=".3f")),
        Column("bound on the gap", "bound", format=".2f"),
        Column("linear, at most", "linear", format=".3f"),
    ]
    notes = [
        "Estimate: mean over the draws of the signs of the largest correlation that a run reached. Training finds no "
        "supremum, so it is never too large but by chance; R_n at least: less what chance can do, with 95 % "
        "probability.",
        "Bound on the gap between training and test error of a classifier into two classes, with 95 % probability, by "
        "the smallest R_n that these runs leave: guessing has an error of 0.5, so from there on the bound says "
        "nothing.",
    ]
    return Table(
        columns,
        [
            [
                *(row.network, row.examples, row.draws, row.runs, row.value, row.at_least, row.bound),
                linear_complexity(row.examples),
            ]
            for row in estimates
        ],
        "Empirical Rademacher complexity from random signs",
        notes,
        name="correlations",
    )


def verdicts(estimates: Sequence[Estimated], signs: Row) -> list[Verdict]:
    """Whether the signs are fitted at every n, and whether what is sure of R_n leaves a bound."""
    there = {(run.setting.architecture, run.setting.train_size) for run in signs.runs}
    without = [run.setting for run in signs.missing] + [run.setting for run in signs.unmeasured]
    cases = dict.fromkeys((setting.architecture, setting.train_size) for setting in without)
    missing: list[tuple[str, bool | None]] = [(_name(*case), None) for case in cases if case not in there]
    more = f"{len(without)} runs are missing." if without else ""
    fits = [(row.name, row.value >= NEAR_ONE) for row in estimates]
    vacuous = [(row.name, row.bound >= _GUESSING) for row in estimates]
    reach = f"Networks reach a mean correlation of at least {NEAR_ONE:g} with random signs"
    bound = "A bound by the smallest Rademacher complexity that random signs leave is vacuous"
    n = min((row.runs for row in estimates), default=0)  # of other seeds, or other signs
    return [
        counted(trend, [*answers, *missing], "cases", more, n) for trend, answers in ((reach, fits), (bound, vacuous))
    ]


def finding(estimates: Sequence[Estimated]) -> str:
    """Two sentences, or that nothing was run."""
    if not estimates:
        return "No network was trained on random signs yet."
    return sentence(
        FINDING,
        least=min(estimates, key=lambda row: row.value),
        largest=max(estimates, key=lambda row: row.examples),
        says_something=any(row.bound < _GUESSING for row in estimates),
    )
