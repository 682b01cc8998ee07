"""SGD is an implicit regularizer (Section 5): where it and other algorithms end, on a part of the page of Table 3."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from rethink.kernels.analyses.implicit_regularization import (
    ADAM,
    ALGORITHMS,
    FROM_ELSEWHERE,
    FROM_ZERO,
    MINIMUM_NORM,
    PRECONDITIONED,
)
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.results import Results
from rethink.report.style import SOLID, Dash, Style, level_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Quantity, Verdict, at_most, counted
from rethink.runs.analysis import Analysed

ANALYSIS = "ImplicitRegularization"
ARRIVED = 1e-3  # of the norm of the minimum-norm interpolant: an algorithm has arrived where it converges to
ELSEWHERE = 0.1  # of the same norm: it is another solution
FITTED = 0.01  # |X w - y| / |y|: it interpolates
LONGER = 1.01  # times the least norm: SGD from zero ends at that norm up to rounding
SAME = 1e-4  # of the largest entry: two Hessians are the same, as far as the weights interpolate

_DASHES: Sequence[Dash] = (SOLID, (0, (6, 1.6)), (0, (3, 1.4)), (0, (6, 1.5, 1.2, 1.5)))
_STYLES = {  # residuals of different algorithms coincide, and the one beneath is to be seen
    name: replace(level_style(index, name), dash=dash, marker=marker)
    for index, (name, dash, marker) in enumerate(zip(ALGORITHMS, _DASHES, "os^D", strict=True))
}
_NEAREST = level_style(ALGORITHMS.index(FROM_ELSEWHERE), "SGD from elsewhere, to the nearest interpolant", True)

Setting = tuple[str, str]
"""Data set and labels."""


def charts(results: Results) -> list[Chart]:
    """Distance to the minimum-norm interpolant and residual against steps, a figure for each kind of labels."""
    found = []
    for labels in dict.fromkeys(labels for _, labels in _settings(results)):
        panels = [
            panel
            for setting in _settings(results)
            if setting[1] == labels
            for panel in (_distances(results, setting), _residuals(results, setting))
        ]
        description = (
            f"Least squares with more random features than images, {labels}. Left, distance of the weights w to the "
            "minimum-norm interpolant w*, relative to the norm of the latter, against steps: SGD from zero arrives at "
            "it; SGD from elsewhere arrives at the interpolant nearest to its start (dots), and preconditioned SGD and "
            "Adam at yet others. Right, their residual on the training set: all of them interpolate."
        )
        found.append(Chart(f"sgd_{labels.replace(' ', '_')}", description, panels))
    return found


def tables(results: Results) -> list[Table]:
    """Where each algorithm ends, and the Hessian there."""
    return [_solutions(results), _hessians(results)] if _every(results) else []


def verdicts(results: Results) -> list[Verdict]:
    """Where SGD converges, that others converge elsewhere, and that curvature cannot tell these solutions apart."""
    if not any(each.kind == ANALYSIS for each in results.planned_analyses):
        return []
    missing = [each.label for each in results.missing_analyses if each.kind == ANALYSIS]
    others: list[tuple[str, bool | None]] = []
    hessians: list[tuple[str, bool | None]] = []
    for analysed in _every(results):
        name = f"{_named(_setting(analysed))}, seed {analysed.seed}"
        for algorithm in (FROM_ELSEWHERE, PRECONDITIONED, ADAM):
            end = analysed.values["solutions"][algorithm]
            others.append((f"{algorithm} ({name})", end["residual"] < FITTED and end["distance"] > ELSEWHERE))
        for loss, hessian in analysed.values["hessian"].items():
            degenerate = hessian["rank"] == analysed.options["n"] < analysed.options["d"]
            hessians.append((f"{loss} loss ({name})", degenerate and _difference(analysed, loss) < SAME))
    open_ones: list[tuple[str, bool | None]] = [(name, None) for name in missing]
    far = f"a distance over {ELSEWHERE:g} |w*| from it"
    return [
        _arrives(results, "SGD from zero ends at the minimum-norm interpolant w*", FROM_ZERO, missing),
        _arrives(results, "SGD from elsewhere ends at the interpolant nearest to its start", FROM_ELSEWHERE, missing),
        counted(f"Others interpolate too, at {far}: the algorithm decides", [*others, *open_ones], "trainings"),
        counted(
            "The Hessian is the same at every interpolating solution found, of rank n < d",
            [*hessians, *open_ones],
            "cases",
        ),
    ]


def finding(results: Results) -> str:
    """Where SGD and the others end, in numbers, and what that does to the test error; empty if nothing was run."""
    every = _every(results)
    if not every:
        return ""
    distances = {name: [each.values["solutions"][name]["distance"] for each in every] for name in ALGORITHMS}
    nearest = [each.values["curves"][FROM_ELSEWHERE]["to_limit"][-1] for each in every]
    others = [*distances[PRECONDITIONED], *distances[ADAM]]
    said = (
        f"With more features than examples, SGD from zero ends within {max(distances[FROM_ZERO]):.1g} |w*| of the "
        f"minimum-norm interpolant w*, and from elsewhere within {max(nearest):.1g} |w*| of the interpolant nearest to "
        f"its start, which is {min(distances[FROM_ELSEWHERE]):.2f} |w*| or more away from w*; preconditioned SGD and "
        f"Adam interpolate {min(others):.2f} to {max(others):.2f} |w*| away from it. "
    )
    return said + _norm_and_error(results)


def _norm_and_error(results: Results) -> str:
    """Where a solution of larger norm tests better in each of several seeds, the one that gains most."""
    better = []
    for setting in (each for each in _settings(results) if each[1] == "true labels"):
        for name in ALGORITHMS:
            every = [each.values["solutions"] for each in _of(results, setting)]
            longer = [each[name]["norm"] / each[MINIMUM_NORM]["norm"] for each in every]
            gains = [each[MINIMUM_NORM]["test_error"] - each[name]["test_error"] for each in every]
            if len(every) > 1 and min(longer) > LONGER and min(gains) > 0:
                better.append((fmean(gains), fmean(longer), f"on {setting[0]} {name}", setting, name))
    if not better:
        return ""
    _, factor, where, setting, name = max(better)
    errors = [_end(results, setting, each, "test_error") for each in (name, MINIMUM_NORM)]
    ours, least = (error.scaled(100).format(".1f") for error in errors if error)
    return (
        f"A larger norm is not always a larger test error: {where} ends at {factor:.2f} times the norm of w* with a "
        f"test error of {ours} % against {least} %, smaller in every seed."
    )


def _every(results: Results) -> list[Analysed]:
    return results.analysed(ANALYSIS)


def _setting(analysed: Analysed) -> Setting:
    return str(analysed.options["dataset"]), str(analysed.options["labels"])


def _settings(results: Results) -> list[Setting]:
    """Those that were analysed, in the order of the plan."""
    return list(dict.fromkeys(map(_setting, _every(results))))


def _named(setting: Setting) -> str:
    return f"{setting[0]} with {setting[1]}"


def _of(results: Results, setting: Setting) -> list[Analysed]:
    """One per seed."""
    return results.analysed(ANALYSIS, dataset=setting[0], labels=setting[1])


def _end(results: Results, setting: Setting, solution: str, quantity: str) -> Estimate | None:
    ends = [each.values["solutions"][solution][quantity] for each in _of(results, setting)]
    return Estimate.of([float(f"{end:.12g}") for end in ends])  # what is 10 by definition has no s.d. of 1e-15


def _distances(results: Results, setting: Setting) -> Panel:
    series = [_curve(results, setting, name, "distance", style) for name, style in _STYLES.items()]
    series.insert(2, _curve(results, setting, FROM_ELSEWHERE, "to_limit", _NEAREST))
    return Panel(f"{setting[0]}: distance to minimum norm", "step", "|w - w*| / |w*|", series, log="xy")


def _residuals(results: Results, setting: Setting) -> Panel:
    series = [_curve(results, setting, name, "residual", style) for name, style in _STYLES.items()]
    return Panel(f"{setting[0]}: residual on the training set", "step", "|X w - y| / |y|", series, log="xy")


def _curve(results: Results, setting: Setting, algorithm: str, quantity: str, style: Style) -> Series:
    """Mean over seeds, without a band: on a logarithmic axis mean - s.d. may be below everything."""
    curves = [each.values["curves"][algorithm] for each in _of(results, setting)]
    return replace(Series.mean(style, [(curve["step"], curve[quantity]) for curve in curves]), spread=())


def _solutions(results: Results) -> Table:
    rows: list[list[Cell]] = []
    for setting in _settings(results):
        for name in _of(results, setting)[0].values["solutions"]:
            numbers = [
                _end(results, setting, name, quantity)
                for quantity in ("norm", "distance", "residual", "train_error", "test_error")
            ]
            rows.append([*setting, name, len(_of(results, setting)), *numbers])
    columns = [
        *(Column.text("data", "dataset"), Column.text("labels", "labels"), Column.text("solution", "solution")),
        Column("seeds", "seeds"),
        Column.estimates("|w|", "norm", "", 1, ".1f"),
        Column.estimates("|w - w*| / |w*|", "distance", "", 1, ".2g"),
        Column.estimates("|X w - y| / |y|", "residual", "", 1, ".1g"),
        *(Column.estimates("train error", "train/error", format=".1f"), Column.estimates("test error", "test/error")),
    ]
    notes = [
        f"{_problem(results)} w*: the minimum-norm interpolant. v: a direction that no training image sees, of the "
        "length of w*. Elsewhere: Gaussian weights, as long as w*.",
        "0 up to rounding is about 1e-14.",
    ]
    return Table(columns, rows, "Where each algorithm ends, mean ± s.d. over seeds", notes, name="sgd_solutions")


def _problem(results: Results) -> str:
    """The problem in a sentence."""
    sizes = sorted({(each.options["n"], each.options["d"]) for each in _every(results)})
    listed = " and ".join(f"n = {n:,} images, d = {d:,}" for n, d in sizes)
    return f"Least squares on random ReLU features, {listed} features, one-hot targets."


def _hessians(results: Results) -> Table:
    rows = [
        _hessian(setting, loss, _of(results, setting))
        for setting in _settings(results)
        for loss in _of(results, setting)[0].values["hessian"]
    ]
    columns = [
        *(Column.text("data", "dataset"), Column.text("labels", "labels"), Column.text("loss", "loss")),
        *(Column("weights", "d"), Column.text("rank", "rank")),
        Column.estimates("smallest nonzero", "smallest_nonzero", "", 1, ".2g"),
        Column.estimates("largest", "largest", "", 1, ".2g"),
        Column.estimates("difference", "difference", "", 1, ".1g"),
        Column.estimates("of w = 0", "difference_at_zero", "", 1, ".1g"),
    ]
    notes = [
        "Rank: of the Hessian of the training loss of one output at w*, d x d; the other eigenvalues are 0. "
        "Difference: the largest, relative to the largest entry, between it and that at the other solutions of the "
        "table above, which all interpolate; of w = 0: at weights that do not.",
        "For the squared loss the Hessian is the same everywhere; log-cosh is another loss whose second derivative is "
        "the same at every interpolating solution, and there only.",
    ]
    return Table(columns, rows, "The Hessian at interpolating solutions", notes, name="sgd_hessian")


def _hessian(setting: Setting, loss: str, every: Sequence[Analysed]) -> list[Cell]:
    """A row, over the seeds of a setting."""
    found = [each.values["hessian"][loss] for each in every]
    ranks = ", ".join(map(str, sorted({hessian["rank"] for hessian in found})))
    return [
        *(*setting, loss, every[0].options["d"], ranks),
        *(Estimate.of([hessian[end] for hessian in found]) for end in ("smallest_nonzero", "largest")),
        Estimate.of([_difference(each, loss) for each in every]),
        Estimate.of([hessian["differences"]["at zero"] for hessian in found]),
    ]


def _difference(analysed: Analysed, loss: str) -> float:
    """The largest between the Hessian at the minimum-norm interpolant and at another solution, relative."""
    differences = analysed.values["hessian"][loss]["differences"]
    return float(max(value for name, value in differences.items() if name != "at zero"))


def _arrives(results: Results, trend: str, algorithm: str, missing: Sequence[str]) -> Verdict:
    """The largest final distance over the seeds of each setting is small."""
    largest = []
    for setting in _settings(results):
        ends = [each.values["curves"][algorithm]["to_limit"][-1] for each in _of(results, setting)]
        largest.append((_named(setting), Quantity(max(ends))))
    return at_most(f"{trend}, up to {ARRIVED:g} |w*|", largest, ARRIVED, missing)
