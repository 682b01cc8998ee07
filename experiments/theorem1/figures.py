"""Theorem 1 and Corollary 1: networks that are written down and not trained, from 10 points to all of CIFAR-10.

Beside them the smallest networks of one hidden layer that SGD fits to random labels, and the networks of the paper.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series
from rethink.report.paper import rows
from rethink.report.results import Results
from rethink.report.style import PAPER_DASH, PAPER_INK, SOLID, level_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Quantity, Verdict, counted, fitted, ordered, summary
from rethink.runs.analysis import Analysed
from rethink.runs.run import Run

TARGETS = {"random_labels": "random labels", "real_values": "real values"}
SHORT = {"random_labels": "labels", "real_values": "real"}
PAPER_N = 50_000  # training images of the paper's networks
ROUNDING = 10  # errors of up to so many times eps * max |w| * (x_n - b_1) are those of float64


def artefact(results: Results) -> Artefact:
    """Error, weights and width of the constructions; the smallest trained networks."""
    verdicts = _verdicts(results)
    description = (
        "Left: the largest error of the networks of Theorem 1 and Corollary 1 on the points that they represent, over "
        "all seeds, and what float64 lets expect; a label is read off wrong from an error of 0.5 on. Middle: their "
        "weights, those of the smallest network of one hidden layer that SGD fitted to n random labels, and those of "
        "the networks that the paper trained. Right: neurons of the widest layer against depth."
    )
    chart = Chart("theorem1", description, [_errors(results), _weights(results), _widths(results)])
    tables = [_table(results), _trained(results), _numerics(results)]
    return results.artefact(_finding(results, verdicts), [chart], tables, verdicts, _notes(results))


def _networks(results: Results, deep: bool | None = None, **options: str) -> list[Analysed]:
    """By depth and n: those of Theorem 1 (`deep` is False), of Corollary 1 with k > 2 (True), or both (None)."""
    found = results.analysed("FiniteSampleExpressivity", **options)
    chosen = [one for one in found if deep is None or deep == (one.options["depth"] > 2)]
    return sorted(chosen, key=lambda one: (one.options["targets"], one.values["depth"], one.values["n"], one.seed))


def _name(one: Analysed) -> str:
    depth = f", depth {one.values['depth']}" if one.values["depth"] > 2 else ""
    return f"n = {one.values['n']:,}{depth}, {TARGETS[one.options['targets']]}, seed {one.seed}"


# Figure.


def _largest(networks: Sequence[Analysed], value: str) -> tuple[list[float], list[float]]:
    """n, and the largest of a value over the networks for so many points."""
    by_n: dict[int, float] = {}
    for one in networks:
        by_n[one.values["n"]] = max(by_n.get(one.values["n"], 0.0), one.values[value])
    return [*map(float, sorted(by_n))], [by_n[n] for n in sorted(by_n)]


def _errors(results: Results) -> Panel:
    labels = _networks(results, deep=False, targets="random_labels")
    kinds = [
        ("Theorem 1, random labels", labels),
        ("Theorem 1, real values", _networks(results, deep=False, targets="real_values")),
        ("Corollary 1, random labels", _networks(results, deep=True, targets="random_labels")),
    ]
    series = [Series("expected of float64", *_largest(labels, "expected_error"), PAPER_INK, PAPER_DASH)]
    for index, (name, networks) in enumerate(kinds):
        style = level_style(index, name, corrupted=index == 2)  # dotted, where it lies on another
        series.append(Series(name, *_largest(networks, "largest_error"), style.color, style.dash, "osv"[index]))
    wrong = (0.5, "a label is read off wrong")
    return Panel("Largest error", "points n", "largest error", series, reference=wrong, log="xy")


def _weights(results: Results) -> Panel:
    labels = {"targets": "random_labels"}
    theorem = level_style(0, "Theorem 1, random labels")
    corollary = level_style(2, "Corollary 1, random labels", corrupted=True)
    trained = level_style(3, "smallest MLP of one hidden layer that SGD fitted")
    paper = sorted(_paper().values())
    series = [
        Series(theorem.label, *_largest(_networks(results, False, **labels), "weights"), theorem.color, SOLID, "o"),
        Series(
            corollary.label,
            *_largest(_networks(results, True, **labels), "weights"),
            corollary.color,
            corollary.dash,
            "v",
        ),
        Series.estimates(trained, [(float(n), _smallest_weights(results, n)) for n in _sizes(results)]),
        Series("networks of the paper", [float(PAPER_N)] * len(paper), paper, PAPER_INK, PAPER_DASH, "X"),
    ]
    return Panel("Weights", "points n", "weights", series, log="xy")


def _widths(results: Results) -> Panel:
    """Of the largest sample for which there are several depths."""
    n = max((one.values["n"] for one in _networks(results, deep=True)), default=0)
    those = [one for one in _networks(results, targets="random_labels") if one.values["n"] == n]
    by_depth = {float(one.values["depth"]): float(one.values["width"]) for one in those}
    style = level_style(2, "Corollary 1, random labels", corrupted=True)
    depths = sorted(by_depth)
    series = Series(style.label, depths, [by_depth[k] for k in depths], style.color, style.dash, "v")
    return Panel(f"Width, n = {n:,}", "depth k", "neurons of the widest layer", [series], log="xy")


# What was trained, by SGD or in the paper.


def _paper() -> dict[str, float]:
    """Parameters of the paper's networks by name."""
    return {row.network: row.number("parameters") or 0.0 for row in rows("table1")}


def _sizes(results: Results) -> list[int]:
    """Training sets that networks were trained on."""
    return sorted({run.train_size for run in results.runs})


def fits(run: Run) -> bool:
    """Whether it has every label right at the end."""
    return run.final("train/accuracy") == 1.0


def parameters(run: Run) -> int:
    """Weights and biases of its network."""
    return int(run.record["model"]["parameters"])


class Smallest(NamedTuple):
    """The smallest network tried that fits, or where none `fits` the largest; whether a smaller one failed to."""

    weights: int
    fits: bool
    smaller_failed: bool


def _by_seed(results: Results, n: int) -> dict[int, Smallest]:
    found = {}
    for seed in sorted({run.seed for run in results.runs if run.train_size == n}):
        runs = sorted((run for run in results.runs if run.train_size == n and run.seed == seed), key=parameters)
        chosen = next(filter(fits, runs), runs[-1])
        found[seed] = Smallest(parameters(chosen), fits(chosen), chosen is not runs[0])
    return found


def _smallest_weights(results: Results, n: int) -> Estimate | None:
    """Over seeds; a lower bound where a seed has no network that fits."""
    found = [*_by_seed(results, n).values()]
    return Estimate.of([float(one.weights) for one in found], not all(one.fits for one in found))


def _dimension(results: Results) -> int | None:
    """d of the images that both kinds of networks have."""
    there = {one.values["d"] for one in _networks(results, dataset="cifar10")}
    return there.pop() if there else None


# Tables.


def _groups(results: Results) -> list[list[Analysed]]:
    """The networks of all seeds for the same targets, depth and n."""
    keyed = groupby(_networks(results), key=lambda one: (one.options["targets"], one.values["depth"], one.values["n"]))
    return [[*group] for _, group in keyed]


def _first(group: list[Analysed]) -> list[Cell]:
    return [SHORT[group[0].options["targets"]], group[0].values["depth"], group[0].values["n"]]


def _table(results: Results) -> Table:
    cells: list[list[Cell]] = []
    for group in _groups(results):
        found = [one.values for one in group]
        right = [value["labels_right"] for value in found if value["labels_right"] is not None]
        sizes = [max(value[name] for value in found) for name in ("weights", "weights_bound", "width")]
        error = max(value["largest_error"] for value in found)
        gap = min((value["smallest_gap"] for value in found if value["smallest_gap"] is not None), default=None)
        cells.append([*_first(group), *sizes, min(right) if right else None, error, gap])
    columns = [
        *(Column.text("targets", "targets"), Column("depth", "depth"), Column("n", "n", format=",")),
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
    dimensions = " or ".join(f"{d:,}" for d in sorted({one.values["d"] for one in _networks(results)}))
    return Table(columns, cells, f"Networks that are written down, d = {dimensions}", notes)


def _numerics(results: Results) -> Table:
    cells: list[list[Cell]] = []
    for group in _groups(results):
        found = [one.values for one in group]
        names = ("largest_error", "expected_error", "median_error", "largest_weight")
        largest = [max(value[name] for value in found) for name in names]
        cells.append([*_first(group), *largest, min(value["smallest_eigenvalue"] for value in found)])
    columns = [
        *(Column.text("targets", "targets"), Column("depth", "depth"), Column("n", "n", format=",")),
        *(Column("error", "largest_error", format=".1e"), Column("expected", "expected_error", format=".1e")),
        *(Column("median", "median_error", format=".0e"), Column("max |w|", "largest_weight", format=".0e")),
        Column("eigenvalue", "smallest_eigenvalue", format=".0e"),
    ]
    notes = [
        "Error: the largest. Expected: eps max |w| (x_n - b_1), in float64. Median: of the errors of all points. "
        "Eigenvalue: the smallest of the triangular matrix, min x_i - b_i (Lemma 1). Of several seeds the worst.",
    ]
    return Table(columns, cells, "Numerics of these networks", notes, name="numerics")


def _trained(results: Results) -> Table:
    d = _dimension(results)
    cells: list[list[Cell]] = []
    for n in _sizes(results):
        runs = [run for run in results.runs if run.train_size == n]
        widths = sorted({int(run.architecture.rpartition("x")[2]) for run in runs})
        budget = max(int(run.record["budget"]["max_epochs"]) for run in runs)
        ours = _smallest_weights(results, n)
        construction = 2 * n + d if d else None
        ratio = ours.scaled(1 / construction) if ours and construction else None
        tried = ", ".join(map(str, widths))
        cells.append([n, tried, budget, len(_by_seed(results, n)), ours, construction, ratio])
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
    return Table(columns, cells, "Networks of one hidden layer, trained on random labels", notes, name="trained")


# Words.


def _verdicts(results: Results) -> list[Verdict]:
    every, shallow, deep = (_networks(results, kind) for kind in (None, False, True))
    labels = [one for one in every if one.values["labels_right"] is not None]
    missing = [f"{len(results.missing_analyses)} networks"] if results.missing_analyses else []
    verdicts = [
        fitted(
            "Every network has every label right",
            [(_name(one), one.values["labels_right"] == 1) for one in labels],
            missing,
        ),
        fitted(
            f"Every output is its target up to rounding, {ROUNDING} eps max |w| (x_n - b_1), real values too",
            [(_name(one), one.values["largest_error"] <= ROUNDING * one.values["expected_error"]) for one in every],
            missing,
        ),
        fitted(
            "Theorem 1 takes exactly 2n + d weights",
            [(_name(one), one.values["weights"] == 2 * one.values["n"] + one.values["d"]) for one in shallow],
            missing,
        ),
        fitted(
            "Corollary 1: depth k takes no more than 2n + d + 4k weights and a width of n/(k - 1) + 4",
            [(_name(one), _within(one)) for one in deep],
            missing,
        ),
    ]
    whole = [float(one.values["weights"]) for one in shallow if one.values["n"] == PAPER_N]
    ours = Quantity(max(whole)) if whole else None
    named = [("Theorem 1", ours), ("the smallest of the paper", Quantity(min(_paper().values())))]
    verdicts.append(ordered(f"For {PAPER_N:,} images it takes fewer weights than the paper's networks have", named))
    verdicts.append(_economical(results))
    return verdicts


def _within(one: Analysed) -> bool:
    n, d, depth = (one.values[name] for name in ("n", "d", "depth"))
    return bool(one.values["weights"] <= 2 * n + d + 4 * depth and one.values["width"] < n / (depth - 1) + 4)


def _economical(results: Results) -> Verdict:
    """Seed by seed; open where it has more and a smaller one was not tried, or none fits and a larger one might."""
    d = _dimension(results)
    answers: list[tuple[str, bool | None]] = []
    for n in _sizes(results):
        for seed, smallest in _by_seed(results, n).items():
            more = None if d is None else smallest.weights > 2 * n + d
            # One that fails is a lower bound; one that fits with few weights settles it, whatever smaller ones do.
            known = smallest.smaller_failed or not more if smallest.fits else more
            answers.append((f"n = {n:,}, seed {seed}", more if known else None))
    trend = "The smallest network that SGD fits to n random labels, of those tried, has more than 2n + d weights"
    return counted(trend, answers, "cases")


def _finding(results: Results, verdicts: list[Verdict]) -> str:
    shallow = _networks(results, deep=False, targets="random_labels")
    if not shallow:
        return f"No network was built yet. {summary(verdicts)}"
    n = max(one.values["n"] for one in shallow)
    most = [one.values for one in shallow if one.values["n"] == n]
    right, error = min(one["labels_right"] for one in most), max(one["largest_error"] for one in most)
    said = (
        f"Written down and not trained, a two-layer network of {most[0]['weights']:,} weights has {100 * right:g} % of "
        f"{n:,} random labels right, with a largest error of {error:.1g}"
    )
    paper = sorted(_paper().values())
    if n == PAPER_N:
        less = [weights / most[0]["weights"] for weights in (paper[0], paper[-1])]
        said += f"; the paper's networks have {less[0]:.0f} to {less[1]:.0f} times as many weights"
    deep = [one for one in _networks(results, deep=True) if one.values["n"] == n]
    if deep:
        last = max(deep, key=lambda one: one.values["depth"]).values
        said += f". With depth {last['depth']} it is {last['width']:,} wide and has {last['weights']:,} weights"
    d = _dimension(results)
    trained = [(size, _smallest_weights(results, size)) for size in _sizes(results)]
    ratios = [
        f"{'more than ' if ours.censored else ''}{ours.mean / (2 * size + d):.1f} for n = {size:,}"
        for size, ours in trained
        if ours and d
    ]
    if ratios:
        said += (
            f". The smallest network of one hidden layer that SGD fitted has 2n + d weights times {', '.join(ratios)}"
        )
    return f"{said}. {summary(verdicts)}"


def _notes(results: Results) -> list[str]:
    found = [one.values for one in _networks(results, deep=False, targets="random_labels")]
    sizes = sorted({value["n"] for value in found})
    if len(sizes) < 2:
        return []
    ends = [[value for value in found if value["n"] == n] for n in (sizes[0], sizes[-1])]
    gap, last_gap = (min(value["smallest_eigenvalue"] for value in those) for those in ends)
    error, last_error = (max(value["largest_error"] for value in those) for those in ends)
    return [
        f"Numerics, in float64: from n = {sizes[0]:,} to {sizes[-1]:,} the smallest gap between points on the line "
        f"falls from {gap:.1g} to {last_gap:.1g}, for there are n^2 pairs, and the largest error grows from "
        f"{error:.1g} to {last_error:.1g}: steep pieces need large weights that cancel."
    ]
