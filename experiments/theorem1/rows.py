"""The rows of Theorem 1: networks that were written down, and the smallest ones that SGD fitted to random labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rethink.report.estimates import Estimate
from rethink.report.results import Results
from rethink.report.rows import grouped
from rethink.runs.analysis import FinishedAnalysis
from rethink.runs.run import Run

TARGETS = {"random_labels": "random labels", "real_values": "real values"}


@dataclass(frozen=True)
class Construction:
    """The networks of all seeds for the same targets, depth and number n of points; over seeds the worst counts."""

    targets: str
    depth: int
    n: int
    analyses: Sequence[FinishedAnalysis]

    @property
    def deep(self) -> bool:
        """Whether it is of Corollary 1, with k > 2, and not of Theorem 1."""
        return self.depth > 2

    @property
    def values(self) -> list[Mapping[str, Any]]:
        """Of each seed."""
        return [analysis.values for analysis in self.analyses]

    def largest(self, name: str) -> Any:
        """Of a value, over the seeds."""
        return max(values[name] for values in self.values)

    def smallest(self, name: str) -> Any:
        """Of a value that there may be, over the seeds."""
        return min((values[name] for values in self.values if values[name] is not None), default=None)

    @property
    def names(self) -> list[str]:
        """Of each seed, in a line."""
        depth = f", depth {self.depth}" if self.deep else ""
        return [f"n = {self.n:,}{depth}, {TARGETS[self.targets]}, seed {analysis.seed}" for analysis in self.analyses]


class Smallest(NamedTuple):
    """The smallest network tried that fits, or where none `fits` the largest; whether a smaller one failed to."""

    weights: int
    fits: bool
    smaller_failed: bool


@dataclass(frozen=True)
class Trained:
    """Networks of one hidden layer that were trained on n random labels."""

    n: int
    widths: Sequence[int]
    epochs: int
    by_seed: Mapping[int, Smallest]

    @property
    def weights(self) -> Estimate | None:
        """Of the smallest that fits, over seeds; a lower bound where a seed has none."""
        smallest = self.by_seed.values()
        return Estimate.of([float(network.weights) for network in smallest], not all(n.fits for n in smallest))


def constructions(results: Results) -> list[Construction]:
    """By targets, depth and n."""
    analyses = grouped(
        results.analysed("FiniteSampleExpressivity"),
        lambda analysis: (analysis.options["targets"], analysis.values["depth"], analysis.values["n"]),
    )
    return [
        Construction(*key, sorted(group, key=lambda analysis: analysis.seed)) for key, group in sorted(analyses.items())
    ]


def trained(results: Results) -> list[Trained]:
    """By n."""
    by_size = grouped(sorted(results.runs, key=lambda run: run.train_size), lambda run: run.train_size)
    return [
        Trained(
            n,
            sorted({int(run.architecture.rpartition("x")[2]) for run in runs}),
            max(int(run.record["budget"]["max_epochs"]) for run in runs),
            {seed: _smallest(group) for seed, group in sorted(grouped(runs, lambda run: run.seed).items())},
        )
        for n, runs in by_size.items()
    ]


def _smallest(runs: Sequence[Run]) -> Smallest:
    runs = sorted(runs, key=parameters)
    chosen = next(filter(fits, runs), runs[-1])
    return Smallest(parameters(chosen), fits(chosen), chosen is not runs[0])


def fits(run: Run) -> bool:
    """Whether it has every label right at the end."""
    return run.final("train/accuracy") == 1.0


def parameters(run: Run) -> int:
    """Weights and biases of its network."""
    return int(run.record["model"]["parameters"])
