"""Leave-one-out retraining with shared randomness: largest and mean changes, true against random labels."""

from dataclasses import dataclass

from rethink.complexity.stability import stability_bound, useful_stability
from rethink.report.dots import Dot, dots
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.results import Results
from rethink.report.style import randomization_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Quantity, Verdict, counted, extreme_by_seed
from rethink.runs.analysis import Analysed

_LABELS = ("TrueLabels", "RandomLabels")


@dataclass(frozen=True)
class Case:
    """The analyses of a data set, a number of examples and a kind of labels, one per seed."""

    data: str
    examples: int
    randomization: str
    analyses: tuple[Analysed, ...]

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
        return Estimate.of([each.values["largest"] for each in self.analyses])

    @property
    def largest_of_all(self) -> float:
        """Over all seeds: each is a data set and an algorithm's randomness on its own."""
        return max(float(each.values["largest"]) for each in self.analyses)

    def mean(self, what: str) -> Estimate | None:
        """A mean change over the left-out examples."""
        return Estimate.of([each.values["mean"][what] for each in self.analyses])


def cases(results: Results) -> list[Case]:
    """Those that were analysed, true labels first."""
    found: dict[tuple[str, int, str], list[Analysed]] = {}
    for analysed in results.analysed("UniformStability"):
        run = results.run(analysed.runs[0])
        if run is not None:
            key = analysed.values["data"], int(analysed.values["train_size"]), run.randomization
            found.setdefault(key, []).append(analysed)
    ordered = sorted(found, key=lambda key: (key[1], key[0], key[2] != _LABELS[0]))
    return [Case(*key, tuple(found[key])) for key in ordered]


def chart(results: Results) -> Chart:
    """The largest change, and the mean ones that depend on the labels."""
    found = cases(results)
    panels = [
        dots(title, "change of the loss", [_dot(case, case.mean(what) if what else case.largest) for case in found])
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


def table(results: Results) -> Table:
    """Largest and mean changes, and the bound by uniform stability that is left."""
    rows: list[list[Cell]] = []
    every = cases(results)
    for case in every:
        beta = max(other.largest_of_all for other in every if other.data_name == case.data_name)
        means = (
            case.mean(f"{where}_{loss}") for where in ("itself", "others", "test") for loss in ("probability", "error")
        )
        counts = len(case.analyses[0].values["left_out"]), len(case.analyses)
        limit = useful_stability(case.examples)
        bounds = [case.largest_of_all, beta, limit, stability_bound(beta, case.examples)]
        rows.append([case.data_name, case.labels, *counts, *bounds, *means])
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
    return Table(columns, rows, "Leaving out one example, all else drawn alike", notes, name="left_out")


def verdicts(results: Results) -> list[Verdict]:
    """The largest change leaves no bound; the mean change depends on the labels."""
    found = cases(results)
    vacuous: list[tuple[str, bool | None]] = [
        (case.name, stability_bound(case.largest_of_all, case.examples) >= 1) for case in found
    ]
    judged = [
        counted(
            "The largest change on leaving out one example makes a bound by uniform stability vacuous", vacuous, "cases"
        )
    ]
    for data_name in dict.fromkeys(case.data_name for case in found):
        by_seed: dict[int, dict[str, Quantity]] = {}
        for case in found:
            if case.data_name == data_name:
                for each in case.analyses:
                    change = Quantity(float(each.values["mean"]["itself_probability"]))
                    by_seed.setdefault(each.seed, {})[case.labels] = change
        names = [randomization_style(labels).label for labels in _LABELS]
        trend = f"The mean change on the left-out example is larger with random than with true labels ({data_name})"
        judged.append(extreme_by_seed(trend, names[1], names[:1], by_seed, largest=True))
    return judged


def finding(results: Results) -> str:
    """What is seen, and what that can and cannot say."""
    found = cases(results)
    if not found:
        return ""
    largest = ", ".join(f"{case.largest_of_all:.2f} ({case.name})" for case in found)
    there = {(case.data_name, case.randomization) for case in found}
    both = [case for case in found if all((case.data_name, labels) in there for labels in _LABELS)]
    means = ", ".join(f"{mean.mean:.2f} ({case.name})" for case in both if (mean := case.mean("itself_error")))
    said = (
        f"Leaving out one example changes the probability of some label by up to {largest}, of at most 1. Uniform "
        "stability is a supremum over data sets and cannot tell true from random labels by definition."
    )
    if means:
        said += f" The mean change of the 0-1 loss on the left-out example may depend on the labels: {means}."
    return said
