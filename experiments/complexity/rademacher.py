"""The empirical Rademacher complexity over n, from networks that were trained on random signs."""

from dataclasses import dataclass

from rethink.complexity.rademacher import (
    correlation,
    estimation_error,
    linear_complexity,
    rademacher_bound,
    rademacher_estimate,
)
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.results import Results
from rethink.report.style import PAPER_INK, Dash, architecture_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict, counted
from rethink.runs.run import Run

NEAR_ONE = 0.95
_GUESSING = 0.5  # error in two classes: a bound on the gap from here on is vacuous
_LINEAR: Dash = (0, (1.1, 1.3))


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
    def name(self) -> str:
        return f"{architecture_style(self.architecture).label} at n = {self.examples:,}"


def estimates(results: Results) -> list[Estimated]:
    """For every network and n that has runs."""
    found = []
    runs = [run for run in results.row(randomization="RandomSigns").runs if run.final("train/accuracy") is not None]
    for architecture in results.architectures:
        for examples in sorted({run.train_size for run in runs if run.architecture == architecture}):
            here = [run for run in runs if run.architecture == architecture and run.train_size == examples]
            by_signs: dict[int, list[float]] = {}
            for run in here:
                by_signs.setdefault(int(run.record["randomization"]["seed"]), []).append(_correlation(run))
            value = rademacher_estimate(list(by_signs.values()))
            found.append(Estimated(architecture, examples, len(by_signs), len(here), value))
    return found


def _correlation(run: Run) -> float:
    return correlation(run.final("train/accuracy") or 0.0)


def chart(results: Results) -> Chart:
    """R_n over n, and what it is at most for linear functions."""
    found = estimates(results)
    series = []
    for architecture in dict.fromkeys(each.architecture for each in found):
        style = architecture_style(architecture)
        here = [each for each in found if each.architecture == architecture]
        x, y = [each.examples for each in here], [each.value for each in here]
        series.append(Series(style.label, x, y, style.color, style.dash, style.marker))
    if found:
        sizes = sorted({each.examples for each in found})
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


def table(results: Results) -> Table:
    """R_n, what is sure of it, and the bound by it."""
    rows: list[list[Cell]] = [
        [
            architecture_style(each.architecture).label,
            *(each.examples, each.draws, each.runs, each.value, each.at_least),
            *(each.bound, linear_complexity(each.examples)),
        ]
        for each in estimates(results)
    ]
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
    return Table(columns, rows, "Empirical Rademacher complexity from random signs", notes, name="correlations")


def verdicts(results: Results) -> list[Verdict]:
    """Whether the signs are fitted at every n, and whether what is sure of R_n leaves a bound."""
    found, absent = estimates(results), results.row(randomization="RandomSigns").missing
    missing: list[tuple[str, bool | None]] = [(run.label, None) for run in absent]
    more = f"{len(absent)} runs are missing." if absent else ""
    fits = [(each.name, each.value >= NEAR_ONE) for each in found]
    vacuous = [(each.name, each.bound >= _GUESSING) for each in found]
    return [
        counted(
            f"Networks reach a mean correlation of at least {NEAR_ONE:g} with random signs",
            [*fits, *missing],
            "cases",
            more,
        ),
        counted(
            "A bound by the smallest Rademacher complexity that random signs leave is vacuous",
            [*vacuous, *missing],
            "cases",
            more,
        ),
    ]


def finding(results: Results) -> str:
    """Two sentences, or that nothing was run."""
    found = estimates(results)
    if not found:
        return "No network was trained on random signs yet."
    least = min(found, key=lambda each: each.value)
    largest = max(found, key=lambda each: each.examples)
    said = (
        f"Networks trained on random signs reach a correlation with them of {least.value:.3f} at the least "
        f"({least.name}; n is up to {largest.examples:,}), where 1 is the largest possible. "
    )
    if any(each.bound < _GUESSING for each in found):
        return f"{said}Near 1 would mean that a bound by the Rademacher complexity is vacuous."
    return f"{said}With what chance can do taken off, a bound by the empirical Rademacher complexity is vacuous."
