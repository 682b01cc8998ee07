"""SGD is an implicit regularizer (Section 5): where it and other algorithms end, on a part of the page of Table 3."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from rethink.report.rows import grouped
from rethink.report.style import SOLID, Dash, Style, level_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict, at_most, counted
from rethink.report.wording import sentence
from rethink.runs.analysis import FinishedAnalysis

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

FINDING = """
With more features than examples, SGD from zero ends within {{ "%.1g" % distance[zero].1 }} |w*| of the minimum-norm
interpolant w*, and from elsewhere within {{ "%.1g" % nearest }} |w*| of the interpolant nearest to its start, which is
{{ "%.2f" % distance[elsewhere].0 }} |w*| or more away from w*; preconditioned SGD and Adam interpolate
{{ "%.2f" % others.0 }} to {{ "%.2f" % others.1 }} |w*| away from it.
{% if better %}
A larger norm is not always a larger test error: on {{ better.data }} {{ better.algorithm }} ends at
{{ "%.2f" % better.longer }} times the norm of w* with a test error of {{ better.ours.scaled(100).format(".1f") }} %
against {{ better.least.scaled(100).format(".1f") }} %, smaller in every seed.
{% endif %}
"""


@dataclass(frozen=True)
class Problem:
    """The analyses of a data set and a kind of labels, one per seed."""

    data: str
    labels: str
    analyses: Sequence[FinishedAnalysis]

    @property
    def name(self) -> str:
        """In a line."""
        return f"{self.data} with {self.labels}"

    def end(self, solution: str, quantity: str) -> Estimate | None:
        """Of a solution: what is 10 by definition has no s.d. of 1e-15."""
        ends = [analysed.values["solutions"][solution][quantity] for analysed in self.analyses]
        return Estimate.of([float(f"{end:.12g}") for end in ends])


def rows(results: Results) -> list[Problem]:
    """Those that were analysed, in the order of the plan."""
    analyses = grouped(results.analysed(ANALYSIS), lambda a: (str(a.options["dataset"]), str(a.options["labels"])))
    return [Problem(data, labels, alike) for (data, labels), alike in analyses.items()]


def charts(problems: Sequence[Problem]) -> list[Chart]:
    """Distance to the minimum-norm interpolant and residual against steps, a figure for each kind of labels."""
    return [
        Chart(
            f"sgd_{labels.replace(' ', '_')}",
            f"Least squares with more random features than images, {labels}. Left, distance of the weights w to the "
            "minimum-norm interpolant w*, relative to the norm of the latter, against steps: SGD from zero arrives at "
            "it; SGD from elsewhere arrives at the interpolant nearest to its start (dots), and preconditioned SGD and "
            "Adam at yet others. Right, their residual on the training set: all of them interpolate.",
            [panel for problem in alike for panel in (_distances(problem), _residuals(problem))],
        )
        for labels, alike in grouped(problems, lambda problem: problem.labels).items()
    ]


def verdicts(problems: Sequence[Problem], missing: Sequence[str]) -> list[Verdict]:
    """Where SGD converges, that others converge elsewhere, and that curvature cannot tell these solutions apart."""
    others: list[tuple[str, bool | None]] = []
    hessians: list[tuple[str, bool | None]] = []
    for analysed, name in _by_plan(problems):
        for algorithm in (FROM_ELSEWHERE, PRECONDITIONED, ADAM):
            end = analysed.values["solutions"][algorithm]
            others.append((f"{algorithm} ({name})", end["residual"] < FITTED and end["distance"] > ELSEWHERE))
        for loss, hessian in analysed.values["hessian"].items():
            degenerate = hessian["rank"] == analysed.options["n"] < analysed.options["d"]
            hessians.append((f"{loss} loss ({name})", degenerate and _difference(analysed, loss) < SAME))
    undecided: list[tuple[str, bool | None]] = [(name, None) for name in missing]
    n = min((len(problem.analyses) for problem in problems), default=0)
    far = f"a distance over {ELSEWHERE:g} |w*| from it"
    return [
        _arrives(problems, "SGD from zero ends at the minimum-norm interpolant w*", FROM_ZERO, missing),
        _arrives(problems, "SGD from elsewhere ends at the interpolant nearest to its start", FROM_ELSEWHERE, missing),
        counted(f"Others interpolate too, at {far}: the algorithm decides", [*others, *undecided], "trainings", n=n),
        counted(
            "The Hessian is the same at every interpolating solution found, of rank n < d",
            [*hessians, *undecided],
            "cases",
            n=n,
        ),
    ]


def _by_plan(problems: Sequence[Problem]) -> list[tuple[FinishedAnalysis, str]]:
    return [
        (analysed, f"{problem.name}, seed {analysed.seed}") for problem in problems for analysed in problem.analyses
    ]


def finding(problems: Sequence[Problem]) -> str:
    """Where SGD and the others end, in numbers, and what that does to the test error; empty if nothing was run."""
    if not problems:
        return ""
    analyses = [analysed.values for problem in problems for analysed in problem.analyses]
    distances = {name: [values["solutions"][name]["distance"] for values in analyses] for name in ALGORITHMS}
    others = [*distances[PRECONDITIONED], *distances[ADAM]]
    return sentence(
        FINDING,
        zero=FROM_ZERO,
        elsewhere=FROM_ELSEWHERE,
        distance={name: (min(ends), max(ends)) for name, ends in distances.items()},
        nearest=max(values["curves"][FROM_ELSEWHERE]["to_limit"][-1] for values in analyses),
        others=(min(others), max(others)),
        better=_better(problems),
    )


@dataclass(frozen=True)
class Better:
    """A solution of larger norm that tests better than the minimum-norm interpolant in every seed."""

    gain: float
    longer: float
    data: str
    algorithm: str
    ours: Estimate | None
    least: Estimate | None


def _better(problems: Sequence[Problem]) -> Better | None:
    """Of several seeds, on true labels; the one that gains most."""
    better = []
    for problem in (problem for problem in problems if problem.labels == "true labels"):
        for name in ALGORITHMS:
            solutions = [analysed.values["solutions"] for analysed in problem.analyses]
            longer = [ends[name]["norm"] / ends[MINIMUM_NORM]["norm"] for ends in solutions]
            gains = [ends[MINIMUM_NORM]["test_error"] - ends[name]["test_error"] for ends in solutions]
            if len(solutions) > 1 and min(longer) > LONGER and min(gains) > 0:
                errors = [problem.end(solution, "test_error") for solution in (name, MINIMUM_NORM)]
                better.append(Better(fmean(gains), fmean(longer), problem.data, name, *errors))
    return max(better, key=lambda row: (row.gain, row.longer), default=None)


def _distances(problem: Problem) -> Panel:
    series = [_curve(problem, name, "distance", style) for name, style in _STYLES.items()]
    series.insert(2, _curve(problem, FROM_ELSEWHERE, "to_limit", _NEAREST))
    return Panel(f"{problem.data}: distance to minimum norm", "step", "|w - w*| / |w*|", series, log="xy")


def _residuals(problem: Problem) -> Panel:
    series = [_curve(problem, name, "residual", style) for name, style in _STYLES.items()]
    return Panel(f"{problem.data}: residual on the training set", "step", "|X w - y| / |y|", series, log="xy")


def _curve(problem: Problem, algorithm: str, quantity: str, style: Style) -> Series:
    """Mean over seeds, without a band: on a logarithmic axis mean - s.d. may be below everything."""
    curves = [analysed.values["curves"][algorithm] for analysed in problem.analyses]
    return replace(Series.mean(style, [(curve["step"], curve[quantity]) for curve in curves]), spread=())


def tables(problems: Sequence[Problem]) -> list[Table]:
    """Where each algorithm ends, and the Hessian there."""
    return [_solutions(problems), _hessians(problems)] if problems else []


def _solutions(problems: Sequence[Problem]) -> Table:
    columns = [
        *(Column.text("data", "dataset"), Column.text("labels", "labels"), Column.text("solution", "solution")),
        Column("seeds", "seeds"),
        Column.estimates("|w|", "norm", "", 1, ".1f"),
        Column.estimates("|w - w*| / |w*|", "distance", "", 1, ".2g"),
        Column.estimates("|X w - y| / |y|", "residual", "", 1, ".1g"),
        *(Column.estimates("train error", "train/error", format=".1f"), Column.estimates("test error", "test/error")),
    ]
    notes = [
        f"{_sizes(problems)} w*: the minimum-norm interpolant. v: a direction that no training image sees, of the "
        "length of w*. Elsewhere: Gaussian weights, as long as w*.",
        "0 up to rounding is about 1e-14.",
    ]
    quantities = ("norm", "distance", "residual", "train_error", "test_error")
    return Table(
        columns,
        [
            [
                *(problem.data, problem.labels, solution, len(problem.analyses)),
                *(problem.end(solution, quantity) for quantity in quantities),
            ]
            for problem in problems
            for solution in problem.analyses[0].values["solutions"]
        ],
        "Where each algorithm ends, mean ± s.d. over seeds",
        notes,
        name="sgd_solutions",
    )


def _sizes(problems: Sequence[Problem]) -> str:
    """The problems in a sentence."""
    sizes = sorted({(a.options["n"], a.options["d"]) for problem in problems for a in problem.analyses})
    listed = " and ".join(f"n = {n:,} images, d = {d:,}" for n, d in sizes)
    return f"Least squares on random ReLU features, {listed} features, one-hot targets."


def _hessians(problems: Sequence[Problem]) -> Table:
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
    cells = [_hessian(problem, loss) for problem in problems for loss in problem.analyses[0].values["hessian"]]
    return Table(columns, cells, "The Hessian at interpolating solutions", notes, name="sgd_hessian")


def _hessian(problem: Problem, loss: str) -> list[Cell]:
    """A row, over the seeds."""
    hessians = [analysed.values["hessian"][loss] for analysed in problem.analyses]
    ranks = ", ".join(map(str, sorted({hessian["rank"] for hessian in hessians})))
    return [
        *(problem.data, problem.labels, loss, problem.analyses[0].options["d"], ranks),
        *(Estimate.of([hessian[end] for hessian in hessians]) for end in ("smallest_nonzero", "largest")),
        Estimate.of([_difference(analysed, loss) for analysed in problem.analyses]),
        Estimate.of([hessian["differences"]["at zero"] for hessian in hessians]),
    ]


def _difference(analysed: FinishedAnalysis, loss: str) -> float:
    """The largest between the Hessian at the minimum-norm interpolant and at another solution, relative."""
    differences = analysed.values["hessian"][loss]["differences"]
    return float(max(value for name, value in differences.items() if name != "at zero"))


def _arrives(problems: Sequence[Problem], trend: str, algorithm: str, missing: Sequence[str]) -> Verdict:
    """The largest final distance over the seeds of each problem is small."""
    largest = [
        (problem.name, Estimate.single(max(ends), seeds=len(ends)))
        for problem in problems
        if (ends := [analysed.values["curves"][algorithm]["to_limit"][-1] for analysed in problem.analyses])
    ]
    return at_most(f"{trend}, up to {ARRIVED:g} |w*|", largest, ARRIVED, missing)
