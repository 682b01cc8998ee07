"""The rows of Table 3: the kernel machines that were solved, beside the paper's numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rethink.report.estimates import Comparison, Estimate
from rethink.report.paper import PaperRow
from rethink.report.paper import rows as paper_rows
from rethink.report.results import Results
from rethink.report.rows import grouped
from rethink.runs.analysis import FinishedAnalysis

TRUE, RANDOM = "true labels", "random labels"
FILTERS = 32_000  # the paper's

_ON_POINTS, _ON_NETWORK = "KernelInterpolation", "RandomConvInterpolation"
_PREPROCESSING = {"raw": "none", "gabor": "gabor filters"}
_NETWORK = "random conv-net"
_L2 = "l2"

Place = tuple[str, str]
"""Data set and pre-processing, as in experiments/paper/table3.csv."""


@dataclass(frozen=True)
class Machine:
    """One kernel machine: `values` are the numbers that an analysis has for one l2."""

    seed: int
    place: Place
    regularized: bool
    filters: int | None
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """In a line: `MNIST, gabor filters, l2`."""
        return _named(self.place, self.regularized, self.filters)

    def solution(self, labels: str) -> Mapping[str, Any]:
        """For some labels of all its images."""
        return self.over_n(labels)[-1]

    def over_n(self, labels: str) -> list[Mapping[str, Any]]:
        """For some labels of more and more of its images."""
        return [solution for solution in self.values["solutions"] if solution["labels"] == labels]


@dataclass(frozen=True)
class Row:
    """A row of our table: machines that differ in their seed only, and the paper's row if it has one."""

    name: str
    place: Place
    machines: Sequence[Machine]
    paper: PaperRow | None = None

    def estimate(self, of: Callable[[Machine], float | None]) -> Estimate | None:
        """A quantity over the seeds."""
        return Estimate.of([of(machine) for machine in self.machines])

    @property
    def without_l2(self) -> str | None:
        """Name of the same row without l2; None if it has none itself."""
        return self.name.removesuffix(f", {_L2}") if self.name.endswith(f", {_L2}") else None

    @property
    def test_error(self) -> Estimate | None:
        """With the true labels of all its images."""
        return self.estimate(lambda machine: machine.solution(TRUE)["test_error"])

    def comparison(self, results: Results) -> Comparison:
        """Beside the paper's number; on subsets agreement is not judged."""
        if self.paper is None:
            return Comparison(self.test_error, None, None)
        tolerance = results.tolerance(self.place[0].lower()).scaled(0.01) if results.full else None
        error = self.paper.number("test_error")
        return Comparison(self.test_error, None if error is None else round(error / 100, 9), tolerance)


def rows(results: Results) -> list[Row]:
    """The paper's rows in its order, and behind those of the same data and pre-processing what else was done."""
    left = [machine for analysed in results.analyses for machine in _machines(analysed)]
    table_rows = []
    for paper in paper_rows("table3"):
        place = paper.cells["dataset"], paper.cells["preprocessing"]
        regularized = paper.cells["l2_regularized"] == "yes"
        alike = [
            machine
            for machine in left
            if (machine.place, machine.regularized) == (place, regularized)
            and (machine.filters in (None, FILTERS) or not results.full)  # a demo has its own number of them
        ]
        table_rows.append(Row(alike[0].name if alike else _named(place, regularized), place, alike, paper))
        left = [machine for machine in left if machine not in alike]
    places = [row.place for row in table_rows]
    for name, alike in grouped(left, lambda machine: machine.name).items():
        table_rows.append(Row(name, alike[0].place, alike))
    return sorted(table_rows, key=lambda row: places.index(row.place))


def machines(table_rows: Sequence[Row]) -> list[Machine]:
    """One of each row without l2 that was done, that of the first seed."""
    return [row.machines[0] for row in table_rows if row.machines and not row.machines[0].regularized]


def data_name(data: str) -> str:
    """As the project writes it."""
    return "CIFAR-10" if data == "CIFAR10" else data


def _machines(analysed: FinishedAnalysis) -> list[Machine]:
    options, values = analysed.options, analysed.values
    if analysed.name == _ON_POINTS:
        place = str(options["dataset"]), _PREPROCESSING[str(options["features"])]
        return [Machine(analysed.seed, place, options["l2"] != 0, None, values)]
    if analysed.name == _ON_NETWORK:
        place = str(options["dataset"]), _NETWORK
        pairs = zip(options["l2"] or [0.0], values["rows"], strict=True)
        return [Machine(analysed.seed, place, l2 != 0, values["filters"], row) for l2, row in pairs]
    return []


def _named(place: Place, regularized: bool, filters: int | None = None) -> str:
    data, preprocessing = place
    words = [data_name(data), *([] if preprocessing == "none" else [preprocessing])]
    words += [] if filters in (None, FILTERS) else [f"{filters:,} filters"]
    return ", ".join([*words, *([_L2] if regularized else [])])
