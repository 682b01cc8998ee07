"""Norm and margin measures: over n for true, partially corrupted and random labels, and whether they order the runs."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from rethink.complexity.rank_correlation import Correlation, correlate
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.results import Results
from rethink.report.style import Style, architecture_style, randomization_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict, counted, sampling_error
from rethink.runs.run import Run

NAMES = {
    "inverse_margin": "1 / margin",
    "frobenius_product": "Frobenius norms / margin",
    "spectral_product": "spectral norms / margin",
    "path_norm_l1": "l1 path norm / margin",
    "path_norm_l2": "l2 path norm / margin",
    "parameter_norm": "norm of the parameters",
    "distance": "distance from initialization",
    "spectral_distance": "the same, spectral",
    "sharpness": "expected sharpness",
    "relative_sharpness": "the same, relative noise",
    "pac_bayes": "PAC-Bayes, about 0",
    "pac_bayes_distance": "PAC-Bayes, about initialization",
}
CONTROL = {"inverse_n": "1 / n, for comparison"}  # knows nothing of the network
_NO_BETTER = "order the runs no better than 1/n does, which knows nothing of the network"
_DRAWN = ("frobenius_product", "spectral_product", "path_norm_l2", "distance", "sharpness", "pac_bayes_distance")


@dataclass(frozen=True)
class Measured:
    """A run with its measures and errors."""

    run: Run
    measures: dict[str, float | None]
    test_error: float
    gap: float

    @property
    def corruption(self) -> float:
        return self.run.corruption or 0.0


# How runs are compared: all with all, or those only that are alike in something.
_COMPARED: dict[str, Callable[[Measured], Hashable] | None] = {
    "labels": lambda measured: measured.run.train_size,
    "n": lambda measured: measured.corruption,
    "all": None,
}


def measured(results: Results, architecture: str) -> list[Measured]:
    """The runs of a network that were measured and evaluated."""
    found = []
    for analysed in results.analysed("NormMeasures"):
        run = results.run(analysed.runs[0])
        test, train = analysed.values["test_error"], analysed.values["train_error"]
        if run is not None and run.architecture == architecture and test is not None and train is not None:
            values = analysed.values["measures"] | {"inverse_n": 1 / run.train_size}
            found.append(Measured(run, values, test, test - train))
    return found


def networks(results: Results) -> list[str]:
    """Those with measured runs."""
    return [name for name in results.architectures if measured(results, name)]


def ordering(runs: list[Measured], name: str, compared: str, gap: bool = False) -> Correlation:
    """Kendall's tau of a measure and the test error, or the generalization gap, among runs that are compared so."""
    known = [each for each in runs if each.measures.get(name) is not None]
    by = _COMPARED[compared]
    errors = [each.test_error for each in known]
    return correlate(
        [each.measures[name] or 0.0 for each in known],
        [each.gap for each in known] if gap else errors,
        None if by is None else [by(each) for each in known],
        max(
            (sampling_error(error, each.run.test_size) for error, each in zip(errors, known, strict=True)), default=0.0
        ),
    )


def charts(results: Results) -> list[Chart]:
    """A chart for each network: six of the measures over n."""
    found = []
    for architecture in networks(results):
        runs = measured(results, architecture)
        label = architecture_style(architecture).label
        file = "measures_" + label.lower().replace(" ", "_")
        description = (
            f"Measures of the final weights of {label} against the number n of training examples, for true, partially "
            "corrupted and random labels. All axes are logarithmic."
        )
        found.append(Chart(file, description, [_panel(runs, name) for name in _DRAWN]))
    return found


def _panel(runs: list[Measured], name: str) -> Panel:
    series = []
    for corruption in sorted({each.corruption for each in runs}):
        here = [each for each in runs if each.corruption == corruption]
        sizes = sorted({each.run.train_size for each in here})
        points = [
            (float(n), Estimate.of([each.measures.get(name) for each in here if each.run.train_size == n]))
            for n in sizes
        ]
        series.append(Series.estimates(_style(corruption), points))
    return Panel(NAMES[name], "n", "", series, log="xy")


def _style(corruption: float) -> Style:
    ends = {0.0: "TrueLabels", 1.0: "RandomLabels"}
    style = randomization_style(ends.get(corruption, "PartiallyCorruptedLabels"))
    return (
        style
        if corruption in ends
        else Style(f"label corruption {corruption:g}", style.color, style.dash, style.marker)
    )


def table(results: Results, gap: bool = False) -> Table:
    """For each measure: does it order the runs as their test error (or gap) does, over labels, over n, and all runs."""
    rows: list[list[Cell]] = []
    for architecture in networks(results):
        runs = measured(results, architecture)
        for name, words in (NAMES | CONTROL).items():
            cells: list[Cell] = [architecture_style(architecture).label, words]
            for compared in _COMPARED:
                found = ordering(runs, name, compared, gap)
                cells += [str(found), found.answer]
            rows.append(cells)
    error = "generalization gap" if gap else "test error"
    columns = [Column.text("network", "architecture"), Column.text("measure", "measure")]
    for compared, words in (("labels", "over labels, n fixed"), ("n", "over n, labels fixed"), ("all", "all runs")):
        columns += [Column.text(words, f"tau_{compared}"), Column.text("so it", f"answer_{compared}")]
    notes = [
        f"Kendall's tau of the measure and the {error} on true test labels, with its 95 % interval (bootstrap over "
        "runs): 1 where the larger measure always goes with the larger error, -1 where it never does. orders, "
        "reversed: the interval is above, or under, 0; does not order: it holds 0 and reaches 0.5 in neither "
        "direction; cannot tell: too wide, or fewer than ten pairs of runs.",
        "Over labels: among runs on as many examples. Over n: among runs on the same kind of labels. Pairs of runs "
        "whose errors differ by less than two standard deviations on this many test images are left out.",
        "Margin: that of all but 10 % of the training set. Batch norm is folded into the weights. The PAC-Bayes terms "
        "are divided by n" + (f", and over n {_NO_BETTER}." if _no_better(results, gap) else "."),
    ]
    name = "ordering_gap" if gap else "ordering"
    return Table(columns, rows, f"Does the measure order the runs as their {error} does?", notes, name=name)


def _no_better(results: Results, gap: bool) -> bool:
    """Over n neither PAC-Bayes term orders the runs of any network better than 1/n does."""
    answers = []
    for architecture in networks(results):
        runs = measured(results, architecture)
        control = ordering(runs, "inverse_n", "n", gap).tau
        for name in ("pac_bayes", "pac_bayes_distance"):
            tau = ordering(runs, name, "n", gap).tau
            answers.append(tau is not None and control is not None and tau <= control)
    return bool(answers) and all(answers)


def verdicts(results: Results) -> list[Verdict]:
    """Over labels measures may order the runs; a measure that explained generalization would do so over n as well."""
    judged = []
    for architecture in networks(results):
        runs = measured(results, architecture)
        label = architecture_style(architecture).label
        labels = [(words, _orders(ordering(runs, name, "labels"))) for name, words in NAMES.items()]
        both = []
        for name, words in NAMES.items():
            answers = [_orders(ordering(runs, name, compared)) for compared in ("labels", "n")]
            both.append((words, True if False in answers else None if None in answers else False))
        trend = f"At equal n, measures order the runs as their test error does ({label})"
        judged.append(_judged(trend, labels))
        trend = f"No measure orders the runs as their test error does both over labels and over n ({label})"
        verdict = _judged(trend, both)
        one_does = any(answer is False for _, answer in both)
        judged.append(replace(verdict, outcome="not shown") if one_does else verdict)
    return judged


def _judged(trend: str, answers: list[tuple[str, bool | None]]) -> Verdict:
    if all(answer is None for _, answer in answers):
        return Verdict(trend, "cannot tell", "There are too few runs: no interval is narrow enough.")
    return counted(trend, answers, "measures")


def _orders(correlation: Correlation) -> bool | None:
    return None if correlation.answer == "cannot tell" else correlation.answer == "orders"


def finding(results: Results) -> str:
    """Which measures order the runs, by network."""
    said = ""
    for architecture in networks(results):
        runs = measured(results, architecture)
        parts = []
        for compared, words in (("labels", "over labels at equal n"), ("n", "over n with the same labels")):
            answers = [ordering(runs, name, compared).answer for name in NAMES]
            told = [(answers.count(answer), answer) for answer in ("orders", "does not order", "reversed")]
            spoken = {"orders": "{} order the runs", "does not order": "{} do not", "reversed": "{} do in reverse"}
            counts = [spoken[answer].format(count) for count, answer in told if count]
            parts.append(f"{words} {', '.join(counts) or 'too few runs tell'}")
        label = architecture_style(architecture).label
        said += f"Of {len(NAMES)} norm and margin measures of {label}, as the test error does, {'; '.join(parts)}. "
    return said.rstrip()
