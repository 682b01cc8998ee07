"""Leave-one-out retraining with shared randomness: largest and mean changes, true against random labels."""

from collections.abc import Sequence
from dataclasses import dataclass

from rethink.complexity.stability import stability_bound, useful_stability
from rethink.report.dots import Dot, dots
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.results import Results
from rethink.report.rows import grouped
from rethink.report.style import randomization_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict, counted, extreme_by_seed
from rethink.report.wording import sentence
from rethink.runs.analysis import FinishedAnalysis

_LABELS = ("TrueLabels", "RandomLabels")


FINDING = """
{% if cases %}
Leaving out one example changes the probability of some label by up to
{% for case in cases %}{{ "%.2f" % case.largest_of_all }} ({{ case.name }}){{ ", " if not loop.last }}{% endfor %},
of at most 1. Uniform stability is a supremum over data sets and cannot tell true from random labels by definition.
{% for case in both if case.mean("itself_error") %}
{{ "The mean change of the 0-1 loss on the left-out example may depend on the labels:" if loop.first }}
{{ "%.2f" % case.mean("itself_error").mean }} ({{ case.name }}){{ "." if loop.last else "," }}
{% endfor %}
{% endif %}
"""


@dataclass(frozen=True)
class Case:
    """The analyses of a data set, a number of examples and a kind of labels, one per seed."""

    data: str
    examples: int
    randomization: str
    analyses: tuple[FinishedAnalysis, ...]

    @property
    def data_name(self) -> str:
        return f"{ {'CIFAR10': 'CIFAR-10'}.get(self.data, self.data) }, n = {self.examples:,}"

    @property
    def labels(self) -> str:
        return randomization_style(self.randomization).label

    @property
    def name(self) -> str:
        return f"{self.data_name}, {self.labels}"

    @property
    def largest(self) -> Estimate | None:
        """Largest change of the probability loss seen."""
        return Estimate.of([analysis.values["largest"] for analysis in self.analyses])

    @property
    def largest_of_all(self) -> float:
        """Over all seeds: each is a data set and an algorithm's randomness on its own."""
        return max(float(analysis.values["largest"]) for analysis in self.analyses)

    def mean(self, what: str) -> Estimate | None:
        """A mean change over the left-out examples."""
        return Estimate.of([analysis.values["mean"][what] for analysis in self.analyses])


def rows(results: Results) -> list[Case]:
    """Those that were analysed, true labels first."""
    analyses: dict[tuple[str, int, str], list[FinishedAnalysis]] = {}
    for analysed in results.analysed("UniformStability"):
        run = results.run(analysed.runs[0])
        if run is not None:
            key = analysed.values["data"], int(analysed.values["train_size"]), run.randomization
            analyses.setdefault(key, []).append(analysed)
    ordered = sorted(analyses, key=lambda key: (key[1], key[0], key[2] != _LABELS[0]))
    return [Case(*key, tuple(analyses[key])) for key in ordered]


def chart(cases: Sequence[Case]) -> Chart:
    """The largest change, and the mean ones that depend on the labels."""
    panels = [
        dots(title, "change of the loss", [_dot(case, case.mean(what) if what else case.largest) for case in cases])
        for title, what in (
            ("Largest, of all", ""),
            ("Mean, on the left-out example", "itself_probability"),
            ("Mean, on the test set", "test_probability"),
        )
    ]
    return Chart(
        "stability",
        "What leaving out one training example changes when all else is drawn alike: the loss is 1 minus the "
        "probability of the label, in [0, 1]. Largest: over all left-out examples, images and labels, a lower bound on "
        "the constant of uniform stability. Means: over the left-out examples, the signed change on that "
        "example, and of the absolute change on the test set, with labels of the same kind.",
        panels,
    )


def _dot(case: Case, estimate: Estimate | None) -> Dot:
    return Dot(case.name, randomization_style(case.randomization), estimate)


def table(cases: Sequence[Case]) -> Table:
    """Largest and mean changes, and the bound by uniform stability that is left."""
    cells: list[list[Cell]] = []
    for case in cases:
        beta = max(other.largest_of_all for other in cases if other.data_name == case.data_name)
        means = (
            case.mean(f"{where}_{loss}") for where in ("itself", "others", "test") for loss in ("probability", "error")
        )
        counts = len(case.analyses[0].values["left_out"]), len(case.analyses)
        limit = useful_stability(case.examples)
        bounds = [case.largest_of_all, beta, limit, stability_bound(beta, case.examples)]
        cells.append([case.data_name, case.labels, *counts, *bounds, *means])
    columns = [
        *(Column.text("data", "data"), Column.text("labels", "randomization")),
        *(Column("left out", "left_out"), Column("seeds", "n")),
        Column("largest change", "largest", format=".3f"),
        Column("stability from", "uniform_stability_from", format=".3f"),
        Column("allowed", "allowed", format=".2g"),
        Column("bound on the gap", "bound", format=",.0f"),
        *(
            Column.estimates(f"{words}, {loss}", f"{name}_{loss}", "", 1, ".3f")
            for name, words in (("itself", "itself"), ("others", "others"), ("test", "test set"))
            for loss in ("probability", "error")
        ),
    ]
    notes = [
        "Largest change: of the probability of a label at any image of the training or test set, by leaving out one "
        "example. Stability from: the constant of uniform stability is a supremum over data sets, labels included, so "
        "it is one number for true and random labels by definition, and no smaller than the larger of the two. "
        "Allowed: the largest constant with which the bound of Bousquet and Elisseeff (2002) on the gap would be under "
        "1.",
        "Itself, others, test set: mean change of the loss on the left-out example, and mean absolute changes on the "
        "other training examples and on the test set with labels of the same kind. Losses: 1 minus the probability of "
        "the label, and the 0-1 loss.",
    ]
    return Table(columns, cells, "Leaving out one example, all else drawn alike", notes, name="left_out")


def verdicts(cases: Sequence[Case]) -> list[Verdict]:
    """The largest change leaves no bound; the mean change depends on the labels."""
    judged = [
        counted(
            "The largest change on leaving out one example makes a bound by uniform stability vacuous",
            [(case.name, stability_bound(case.largest_of_all, case.examples) >= 1) for case in cases],
            "cases",
            n=min((len(case.analyses) for case in cases), default=0),
        )
    ]
    for data_name, alike in grouped(cases, lambda case: case.data_name).items():
        by_seed: dict[int, dict[str, Estimate]] = {}
        for case in alike:
            for analysis in case.analyses:
                change = Estimate.single(float(analysis.values["mean"]["itself_probability"]))
                by_seed.setdefault(analysis.seed, {})[case.labels] = change
        names = [randomization_style(labels).label for labels in _LABELS]
        trend = f"The mean change on the left-out example is larger with random than with true labels ({data_name})"
        judged.append(extreme_by_seed(trend, names[1], names[:1], by_seed, largest=True))
    return judged


def finding(cases: Sequence[Case]) -> str:
    """What is seen, and what that can and cannot say; empty if nothing was analysed."""
    there = {(case.data_name, case.randomization) for case in cases}
    both = [case for case in cases if all((case.data_name, labels) in there for labels in _LABELS)]
    return sentence(FINDING, cases=cases, both=both)
