"""Norm and margin measures: over n for true, partially corrupted and random labels, and whether they order the runs."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from rethink.complexity.rank_correlation import Correlation, correlate
from rethink.models.names import label
from rethink.report.estimates import Estimate, sampling_error
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.results import Results
from rethink.report.rows import fewest, grouped
from rethink.report.style import Style, randomization_style
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Verdict, counted
from rethink.report.wording import sentence
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
_DRAWN = ("frobenius_product", "spectral_product", "path_norm_l2", "distance", "sharpness", "pac_bayes_distance")
FINDING = """
{% for network in networks %}
Of {{ network.measures | length }} norm and margin measures of {{ network.label }}, as the test error does,
{% for compared, words in (("labels", "over labels at equal n"), ("n", "over n with the same labels")) %}
{{ words }}
{% for answer, count in network.counts(compared).items() %}
{{ count }} {{ {"orders": "order the runs", "does not order": "do not", "reversed": "do in reverse"}[answer] }}
{{ ", " if not loop.last }}
{% else %}
too few runs tell
{% endfor %}
{{ "." if loop.last else ";" }}
{% endfor %}
{% endfor %}
"""


@dataclass(frozen=True)
class Measured:
    """A run with its measures and errors."""

    run: Run
    measures: Mapping[str, float | None]
    test_error: float
    gap: float

    @property
    def corruption(self) -> float:
        """Probability of label corruption."""
        return self.run.corruption or 0.0


# How runs are compared: all with all, or those only that are alike in something.
_COMPARED: dict[str, Callable[[Measured], Hashable] | None] = {
    "labels": lambda measured: measured.run.train_size,
    "n": lambda measured: measured.corruption,
    "all": None,
}


@dataclass(frozen=True)
class Ordering:
    """Kendall's tau of a measure and the test error, and the generalization gap, by how the runs are compared."""

    name: str
    error: Mapping[str, Correlation]
    gap: Mapping[str, Correlation]

    @property
    def words(self) -> str:
        """What the measure is called."""
        return (NAMES | CONTROL)[self.name]

    def orders(self, compared: str) -> bool | None:
        """Whether it orders the runs as their test error does; None if that is open."""
        answer = self.error[compared].answer
        return None if answer == "cannot tell" else answer == "orders"


@dataclass(frozen=True)
class Network:
    """The measured runs of a network, and how each measure orders them; last that which is for comparison."""

    label: str
    runs: Sequence[Measured]
    orderings: Sequence[Ordering]

    @property
    def measures(self) -> Sequence[Ordering]:
        """Without that for comparison."""
        return [ordering for ordering in self.orderings if ordering.name in NAMES]

    def counts(self, compared: str) -> dict[str, int]:
        """How many measures order the runs, do not, and do in reverse."""
        answers = [ordering.error[compared].answer for ordering in self.measures]
        return {
            answer: answers.count(answer) for answer in ("orders", "does not order", "reversed") if answer in answers
        }


def rows(results: Results) -> list[Network]:
    """Of every network that has runs which were measured and evaluated."""
    measured: dict[str, list[Measured]] = {name: [] for name in results.architectures}
    for analysed in results.analysed("NormMeasures"):
        run = results.run(analysed.runs[0])
        test, train = analysed.values["test_error"], analysed.values["train_error"]
        if run and run.architecture in measured and test is not None and train is not None:
            values = analysed.values["measures"] | {"inverse_n": 1 / run.train_size}
            measured[run.architecture].append(Measured(run, values, test, test - train))
    return [
        Network(label(architecture), runs, [_ordering(runs, name) for name in NAMES | CONTROL])
        for architecture, runs in measured.items()
        if runs
    ]


def _ordering(runs: Sequence[Measured], name: str) -> Ordering:
    there = [row for row in runs if row.measures.get(name) is not None]
    values = [row.measures[name] or 0.0 for row in there]
    within = max((sampling_error(row.test_error, row.run.test_size) for row in there), default=0.0)

    def taus(errors: list[float]) -> dict[str, Correlation]:
        return {
            compared: correlate(values, errors, None if by is None else [by(row) for row in there], within)
            for compared, by in _COMPARED.items()
        }

    return Ordering(name, taus([row.test_error for row in there]), taus([row.gap for row in there]))


def charts(networks: Sequence[Network]) -> list[Chart]:
    """A chart for each network: six of the measures over n."""
    return [
        Chart(
            "measures_" + network.label.lower().replace(" ", "_"),
            f"Measures of the final weights of {network.label} against the number n of training examples, for true, "
            "partially corrupted and random labels. All axes are logarithmic.",
            [_panel(network.runs, name) for name in _DRAWN],
        )
        for network in networks
    ]


def _panel(runs: Sequence[Measured], name: str) -> Panel:
    series = []
    for corruption, alike in sorted(grouped(runs, lambda row: row.corruption).items()):
        by_size = sorted(grouped(alike, lambda row: row.run.train_size).items())
        points = [(float(n), Estimate.of([row.measures.get(name) for row in group])) for n, group in by_size]
        series.append(Series.estimates(_style(corruption), points))
    return Panel(NAMES[name], "n", "", series, log="xy")


def _style(corruption: float) -> Style:
    ends = {0.0: "TrueLabels", 1.0: "RandomLabels"}
    style = randomization_style(ends.get(corruption, "PartiallyCorruptedLabels"))
    return style if corruption in ends else replace(style, label=f"label corruption {corruption:g}")


def table(networks: Sequence[Network], gap: bool = False) -> Table:
    """For each measure: does it order the runs as their test error (or gap) does, over labels, over n, and all runs."""
    error = "generalization gap" if gap else "test error"
    columns = [Column.text("network", "architecture"), Column.text("measure", "measure")]
    for compared, words in (("labels", "over labels, n fixed"), ("n", "over n, labels fixed"), ("all", "all runs")):
        columns += [Column.text(words, f"tau_{compared}"), Column.text("so it", f"answer_{compared}")]
    no_better = "order the runs no better than 1/n does, which knows nothing of the network"
    notes = [
        f"Kendall's tau of the measure and the {error} on true test labels, with its 95 % interval (bootstrap over "
        "runs): 1 where the larger measure always goes with the larger error, -1 where it never does. orders, "
        "reversed: the interval is above, or under, 0; does not order: it holds 0 and reaches 0.5 in neither "
        "direction; cannot tell: too wide, or fewer than ten pairs of runs.",
        "Over labels: among runs on as many examples. Over n: among runs on the same kind of labels. Pairs of runs "
        "whose errors differ by less than two standard deviations on this many test images are left out.",
        "Margin: that of all but 10 % of the training set. Batch norm is folded into the weights. The PAC-Bayes terms "
        "are divided by n" + (f", and over n {no_better}." if _no_better(networks, gap) else "."),
    ]
    return Table(
        columns,
        [
            [
                *(network.label, ordering.words),
                *(
                    cell
                    for tau in (ordering.gap if gap else ordering.error).values()
                    for cell in (str(tau), tau.answer)
                ),
            ]
            for network in networks
            for ordering in network.orderings
        ],
        f"Does the measure order the runs as their {error} does?",
        notes,
        name="ordering_gap" if gap else "ordering",
    )


def _no_better(networks: Sequence[Network], gap: bool) -> bool:
    """Over n neither PAC-Bayes term orders the runs of any network better than 1/n does."""
    answers = []
    for network in networks:
        taus = {ordering.name: (ordering.gap if gap else ordering.error)["n"].tau for ordering in network.orderings}
        control = taus["inverse_n"]
        pac_bayes = (taus["pac_bayes"], taus["pac_bayes_distance"])
        answers += [tau is not None and control is not None and tau <= control for tau in pac_bayes]
    return bool(answers) and all(answers)


def verdicts(networks: Sequence[Network]) -> list[Verdict]:
    """Over labels measures may order the runs; a measure that explained generalization would do so over n as well."""
    judged = []
    for network in networks:
        over_labels = [(ordering.words, ordering.orders("labels")) for ordering in network.measures]
        not_both: list[tuple[str, bool | None]] = []
        for ordering in network.measures:
            answers = [ordering.orders(compared) for compared in ("labels", "n")]
            not_both.append((ordering.words, True if False in answers else None if None in answers else False))
        trend = f"At equal n, measures order the runs as their test error does ({network.label})"
        n = fewest(measured.run for measured in network.runs)
        judged.append(_judged(trend, over_labels, n))
        trend = f"No measure orders the runs as their test error does both over labels and over n ({network.label})"
        verdict = _judged(trend, not_both, n)
        counterexample = any(answer is False for _, answer in not_both)
        judged.append(replace(verdict, outcome="not shown") if counterexample else verdict)
    return judged


def _judged(trend: str, answers: Sequence[tuple[str, bool | None]], n: int) -> Verdict:
    if all(answer is None for _, answer in answers):
        return Verdict(trend, "cannot tell", "There are too few runs: no interval is narrow enough.")
    return counted(trend, answers, "measures", n=n)


def finding(networks: Sequence[Network]) -> str:
    """Which measures order the runs, by network."""
    return sentence(FINDING, networks=networks)
