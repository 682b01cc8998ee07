"""Theorem 1 and Corollary 1: networks that are written down and not trained, from 10 points to all of CIFAR-10.

Beside them the smallest networks of one hidden layer that SGD fits to random labels, and the networks of the paper.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from experiments.theorem1.rows import Construction, Trained, constructions, trained
from rethink.report import paper
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series
from rethink.report.results import Results
from rethink.report.rows import grouped
from rethink.report.style import PAPER_DASH, PAPER_INK, Style, level_style
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Verdict, counted, fitted, ordered, summary
from rethink.report.wording import sentence

SHORT = {"random_labels": "labels", "real_values": "real"}
PAPER_N = 50_000  # training images of the paper's networks
ROUNDING = 10  # errors of up to so many times eps * max |w| * (x_n - b_1) are those of float64
FINDING = """
{% if most %}
Written down and not trained, a two-layer network of {{ "{:,}".format(most.values[0].weights) }} weights has
{{ "%g" % (100 * most.smallest("labels_right")) }} % of {{ "{:,}".format(most.n) }} random labels right, with a largest
error of {{ "%.1g" % most.largest("largest_error") }}
{% if most.n == paper_n %}; the paper's networks have {{ "%.0f" % (papers[0] / most.values[0].weights) }} to
{{ "%.0f" % (papers[-1] / most.values[0].weights) }} times as many weights{% endif %}.
{% if deepest %}
With depth {{ deepest.depth }} it is {{ "{:,}".format(deepest.values[0].width) }} wide and has
{{ "{:,}".format(deepest.values[0].weights) }} weights.
{% endif %}
{% for row in trained if row.weights and d %}
{{ "The smallest network of one hidden layer that SGD fitted has 2n + d weights times" if loop.first }}
{{ "more than" if row.weights.censored }} {{ "%.1f" % (row.weights.mean / (2 * row.n + d)) }} for
n = {{ "{:,}".format(row.n) }}{{ "." if loop.last else "," }}
{% endfor %}
{% else %}
No network was built yet.
{% endif %}
{{ summary }}
"""


def artefact(results: Results) -> Artefact:
    """Error, weights and width of the constructions; the smallest trained networks."""
    networks, sgd = constructions(results), trained(results)
    d = next(iter({a.values["d"] for a in results.analysed("FiniteSampleExpressivity", dataset="cifar10")}), None)
    papers = sorted({row.network: row.number("parameters") or 0.0 for row in paper.rows("table1")}.values())
    missing = [f"{len(results.missing_analyses)} networks"] if results.missing_analyses else []
    judged = [*verdicts(networks, papers[0], missing), economical(sgd, d)]
    most = max(chosen(networks, False, "random_labels"), key=lambda row: row.n, default=None)
    same = [row for row in networks if row.deep and most and row.n == most.n]
    finding = sentence(
        FINDING,
        most=most,
        deepest=max(same, key=lambda row: row.depth, default=None),
        paper_n=PAPER_N,
        papers=papers,
        trained=sgd,
        d=d,
        summary=summary(judged),
    )
    description = (
        "Left: the largest error of the networks of Theorem 1 and Corollary 1 on the points that they represent, over "
        "all seeds, and what float64 lets expect; a label is read off wrong from an error of 0.5 on. Middle: their "
        "weights, those of the smallest network of one hidden layer that SGD fitted to n random labels, and those of "
        "the networks that the paper trained. Right: neurons of the widest layer against depth. A line joins two "
        "numbers of points only if Theorem 1 was computed for none between them."
    )
    chart = Chart("theorem1", description, [errors(networks), weights(networks, sgd, papers), widths(networks)])
    tables = [table(networks), trained_table(sgd, d), numerics(networks)]
    return results.artefact(finding, [chart], tables, judged, notes(networks))


def chosen(networks: Sequence[Construction], deep: bool, targets: str) -> list[Construction]:
    """Those of Theorem 1, or with `deep` of Corollary 1."""
    return [row for row in networks if row.deep == deep and row.targets == targets]


# Figure.


def _largest(networks: Sequence[Construction], value: str) -> dict[int, Estimate]:
    """By n the largest of a value over the networks for so many points."""
    return {
        n: Estimate.single(max(row.largest(value) for row in rows))
        for n, rows in grouped(networks, lambda row: row.n).items()
    }


def _over_n(style: Style, by_n: Mapping[int, Estimate | None], levels: Iterable[int]) -> Series:
    """Against n, by a line where no level of Theorem 1 lies between two of its own."""
    return Series.estimates(style, [(float(n), by_n.get(n)) for n in sorted({*by_n, *levels})])


def errors(networks: Sequence[Construction]) -> Panel:
    """The largest error against n."""
    labels = chosen(networks, False, "random_labels")
    kinds = [
        ("Theorem 1, random labels", labels),
        ("Theorem 1, real values", chosen(networks, False, "real_values")),
        ("Corollary 1, random labels", chosen(networks, True, "random_labels")),
    ]
    levels = [row.n for row in labels]
    expected = Style("expected of float64", PAPER_INK, PAPER_DASH, "")
    series = [_over_n(expected, _largest(labels, "expected_error"), levels)]
    for index, (name, rows) in enumerate(kinds):
        style = level_style(index, name, corrupted=index == 2)  # dotted, where it lies on another
        series.append(_over_n(replace(style, marker="osv"[index]), _largest(rows, "largest_error"), levels))
    wrong = (0.5, "a label is read off wrong")
    return Panel("Largest error", "points n", "largest error", series, reference=wrong, log="xy")


def weights(networks: Sequence[Construction], sgd: Sequence[Trained], papers: Sequence[float]) -> Panel:
    """Weights against n."""
    theorem, corollary = (_largest(chosen(networks, deep, "random_labels"), "weights") for deep in (False, True))
    by_sgd = level_style(3, "smallest MLP of one hidden layer that SGD fitted")
    apart = range(1, len(papers))
    series = [
        _over_n(level_style(0, "Theorem 1, random labels"), theorem, theorem),
        _over_n(level_style(2, "Corollary 1, random labels", corrupted=True), corollary, theorem),
        _over_n(by_sgd, {row.n: row.weights for row in sgd}, theorem),
        Series("networks of the paper", [float(PAPER_N)] * len(papers), papers, PAPER_INK, marker="X", gaps=apart),
    ]
    return Panel("Weights", "points n", "weights", series, log="xy")


def widths(networks: Sequence[Construction]) -> Panel:
    """Width against depth, of the largest sample for which there are several depths."""
    n = max((row.n for row in networks if row.deep), default=0)
    by_depth = {
        float(row.depth): float(row.values[-1]["width"])
        for row in networks
        if row.n == n and row.targets == "random_labels"
    }
    style = level_style(2, "Corollary 1, random labels", corrupted=True)
    depths = sorted(by_depth)
    series = Series(style.label, depths, [by_depth[k] for k in depths], style.color, style.dash, "v")
    return Panel(f"Width, n = {n:,}", "depth k", "neurons of the widest layer", [series], log="xy")


# Tables.

_FIRST = [Column.text("targets", "targets"), Column("depth", "depth"), Column("n", "n", format=",")]


def table(networks: Sequence[Construction]) -> Table:
    """Weights, width, labels right and error."""
    columns = [
        *_FIRST,
        *(Column("weights", "weights", format=","), Column("bound", "weights_bound", format=",")),
        Column("width", "width", format=","),
        Column("right", "labels_right", "%", 100, "g"),
        *(Column("error", "largest_error", format=".1e"), Column("gap", "smallest_gap", format=".1e")),
    ]
    notes = [
        "Bound on the weights: 2n + d for depth 2 (Theorem 1), 2n + d + 4k for depth k (Corollary 1). Width: neurons "
        "of the widest layer, n for depth 2, at most n/(k - 1), rounded up, + 3 for depth k. Right: labels to which "
        "the output is nearest. Error: the largest. Gap: the smallest between points on the line. Of several seeds "
        "the worst.",
    ]
    dimensions = " or ".join(f"{d:,}" for d in sorted({values["d"] for row in networks for values in row.values}))
    return Table(
        columns,
        [
            [
                *(SHORT[row.targets], row.depth, row.n),
                *map(row.largest, ("weights", "weights_bound", "width")),
                *(row.smallest("labels_right"), row.largest("largest_error"), row.smallest("smallest_gap")),
            ]
            for row in networks
        ],
        f"Networks that are written down, d = {dimensions}",
        notes,
    )


def numerics(networks: Sequence[Construction]) -> Table:
    """Errors beside what float64 lets expect."""
    columns = [
        *_FIRST,
        *(Column("error", "largest_error", format=".1e"), Column("expected", "expected_error", format=".1e")),
        *(Column("median", "median_error", format=".0e"), Column("max |w|", "largest_weight", format=".0e")),
        Column("eigenvalue", "smallest_eigenvalue", format=".0e"),
    ]
    notes = [
        "Error: the largest. Expected: eps max |w| (x_n - b_1), in float64. Median: of the errors of all points. "
        "Eigenvalue: the smallest of the triangular matrix, min x_i - b_i (Lemma 1). Of several seeds the worst.",
    ]
    return Table(
        columns,
        [
            [
                *(SHORT[row.targets], row.depth, row.n),
                *map(row.largest, ("largest_error", "expected_error", "median_error", "largest_weight")),
                row.smallest("smallest_eigenvalue"),
            ]
            for row in networks
        ],
        "Numerics of these networks",
        notes,
        name="numerics",
    )


def trained_table(sgd: Sequence[Trained], d: int | None) -> Table:
    """The smallest networks that SGD fitted, beside 2n + d."""
    columns = [
        *(Column("n", "n", format=","), Column.text("widths tried", "widths"), Column("epochs", "max_epochs")),
        *(Column("seeds", "seeds"), Column.times("smallest that fits, weights", "weights", ",.0f")),
        *(Column("2n + d", "construction", format=","), Column.times("ratio", "ratio", ".1f")),
    ]
    notes = [
        "Of the widths tried, the smallest that SGD fitted to all n random labels within so many epochs: mean ± s.d. "
        "over seeds (> n: a seed fitted with none of them). Other widths, a longer training or another recipe may fit "
        "with fewer weights: this is what SGD found, and no bound.",
    ]
    return Table(
        columns,
        [
            [
                *(row.n, ", ".join(map(str, row.widths)), row.epochs, len(row.by_seed), row.weights),
                2 * row.n + d if d else None,
                row.weights.scaled(1 / (2 * row.n + d)) if row.weights and d else None,
            ]
            for row in sgd
        ],
        "Networks of one hidden layer, trained on random labels",
        notes,
        name="trained",
    )


# Words.


def verdicts(networks: Sequence[Construction], smallest_of_paper: float, missing: Sequence[str]) -> list[Verdict]:
    """The theorem and its corollary hold of every network, in numbers."""
    every = [(name, values) for row in networks for name, values in zip(row.names, row.values, strict=True)]
    shallow = [(name, values) for name, values in every if values["depth"] == 2]
    n = min((len(row.analyses) for row in networks), default=0)
    judged = [
        fitted(
            "Every network has every label right",
            [(name, v["labels_right"] == 1) for name, v in every if v["labels_right"] is not None],
            missing,
            n,
        ),
        fitted(
            f"Every output is its target up to rounding, {ROUNDING} eps max |w| (x_n - b_1), real values too",
            [(name, v["largest_error"] <= ROUNDING * v["expected_error"]) for name, v in every],
            missing,
            n,
        ),
        fitted(
            "Theorem 1 takes exactly 2n + d weights",
            [(name, v["weights"] == 2 * v["n"] + v["d"]) for name, v in shallow],
            missing,
            n,
        ),
        fitted(
            "Corollary 1: depth k takes no more than 2n + d + 4k weights and a width of n/(k - 1) + 4",
            [
                (
                    name,
                    v["weights"] <= 2 * v["n"] + v["d"] + 4 * v["depth"] and v["width"] < v["n"] / (v["depth"] - 1) + 4,
                )
                for name, v in every
                if v["depth"] > 2
            ],
            missing,
            n,
        ),
    ]
    whole = [float(v["weights"]) for _, v in shallow if v["n"] == PAPER_N]
    ours = Estimate.single(max(whole), seeds=len(whole)) if whole else None
    papers = Estimate.single(smallest_of_paper, seeds=len(whole))  # a count: of no seed
    named = [("Theorem 1", ours), ("the smallest of the paper", papers)]
    return [*judged, ordered(f"For {PAPER_N:,} images it takes fewer weights than the paper's networks have", named)]


def economical(sgd: Sequence[Trained], d: int | None) -> Verdict:
    """Seed by seed; open where it has more and a smaller one was not tried, or none fits and a larger one might."""
    answers: list[tuple[str, bool | None]] = []
    for row in sgd:
        for seed, smallest in row.by_seed.items():
            more = None if d is None else smallest.weights > 2 * row.n + d
            # One that fails is a lower bound; one that fits with few weights settles it, whatever smaller ones do.
            settled = smallest.smaller_failed or not more if smallest.fits else more
            answers.append((f"n = {row.n:,}, seed {seed}", more if settled else None))
    trend = "The smallest network that SGD fits to n random labels, of those tried, has more than 2n + d weights"
    return counted(trend, answers, "cases", n=min((len(row.by_seed) for row in sgd), default=0))


def notes(networks: Sequence[Construction]) -> list[str]:
    """How the numerics change from few points to many."""
    rows = sorted(chosen(networks, False, "random_labels"), key=lambda row: row.n)
    if len(rows) < 2:
        return []
    first, last = rows[0], rows[-1]
    return [
        f"Numerics, in float64: from n = {first.n:,} to {last.n:,} the smallest gap between points on the line "
        f"falls from {first.smallest('smallest_eigenvalue'):.1g} to {last.smallest('smallest_eigenvalue'):.1g}, for "
        f"there are n^2 pairs, and the largest error grows from {first.largest('largest_error'):.1g} to "
        f"{last.largest('largest_error'):.1g}: steep pieces need large weights that cancel."
    ]
