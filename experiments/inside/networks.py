"""Which runs of the experiment are which: the networks to look into, and what is seen in each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rethink.models.names import label
from rethink.report.estimates import Estimate
from rethink.report.results import Results
from rethink.report.rows import grouped
from rethink.report.style import Style, randomization_style
from rethink.report.verdicts import Verdict, counted
from rethink.runs.analysis import FinishedAnalysis
from rethink.runs.run import Run
from rethink.runs.setting import Setting

TOO_FEW = "That is less than a test set of this size can tell."
AT_RANDOM = ("RandomLabels", "TrueLabels")  # the two kinds of labels that are compared, on the same images


@dataclass(frozen=True)
class Look:
    """An analysis of one run, with the run."""

    run: Run
    analysed: FinishedAnalysis

    @property
    def values(self) -> dict[str, Any]:
        """Of the analysis."""
        return self.analysed.values


@dataclass(frozen=True)
class Network:
    """The runs of a network in the five settings, from its own initial weights, in the order of the seeds."""

    architecture: str
    runs: Sequence[Run]
    by_run: Mapping[tuple[str, str], FinishedAnalysis]
    """By the class of the analysis and the run_id."""

    @property
    def label(self) -> str:
        """In a title."""
        return label(self.architecture)

    @property
    def train_size(self) -> int:
        """Images that it was trained on."""
        return max((run.train_size for run in self.runs), default=0)

    def trained_on(self, randomization: str) -> list[Run]:
        """Those in one setting."""
        return [run for run in self.runs if run.randomization == randomization]

    def looks(self, analysis: str, randomization: str) -> list[Look]:
        """The analyses of that class of its runs in one setting."""
        ids = ((run, (analysis, run.run_id)) for run in self.trained_on(randomization))
        return [Look(run, self.by_run[key]) for run, key in ids if key in self.by_run]


def rows(results: Results) -> list[Network]:
    """Of every network of the plan."""
    by_run = {(analysed.name, analysed.runs[0]): analysed for analysed in results.analyses if analysed.runs}
    runs = [run for run in results.runs if _is_looked_into(results, run.setting)]
    by_network = grouped(sorted(runs, key=lambda run: run.seed), lambda run: run.architecture)
    return [Network(name, by_network.get(name, []), by_run) for name in results.architectures]


def _is_looked_into(results: Results, setting: Setting) -> bool:
    """Neither trained for another run to begin with, nor one of those that are compared for how they began."""
    alike = [other for other in results.settings if other.architecture == setting.architecture and other.weights_from]
    downstream = {other.train_size for other in alike}
    return not setting.weights_from and not setting.validation_size and setting.train_size not in downstream


def time_to_fit(runs: Sequence[Run], rule: str) -> Estimate | None:
    """Epochs, over seeds."""
    crossings = [run.crossing(rule) for run in runs]
    return Estimate.of([float(time.epoch) for time in crossings], any(time.censored for time in crossings))


def by_seed(trend: str, answers: Sequence[tuple[str, bool | None]], numbers: str, open_where: str) -> Verdict:
    """Yes or no for each seed; where it is open for all of them, why."""
    if answers and all(answer is None for _, answer in answers):
        return Verdict(trend, "cannot tell", f"{numbers} {open_where}")
    return counted(trend, answers, "seeds", numbers)


def labels_style(randomization: str, dashed: bool = False) -> Style:
    """Style of a network by what it was trained on; dashed is what it is compared with."""
    style = randomization_style(randomization)
    return replace(style, dash=(0, (2, 2)) if dashed else (0, ()), marker="" if dashed else style.marker)
