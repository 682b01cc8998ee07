"""A row of a figure or table: the runs of one setting, one per seed, and what they gave.

Rows are computed once. Charts, tables and verdicts are functions of them.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from rethink.models.names import label
from rethink.report.estimates import Comparison, Estimate, Seeds, Tolerance
from rethink.report.style import Style, architecture_style
from rethink.report.wording import run_name, setting_name
from rethink.runs.reading import Columns
from rethink.runs.run import Crossing, Run
from rethink.runs.setting import of_one_setting
from rethink.sweep.jobs import PlannedRun

MEASURED = ("converged", "not converged")  # outcomes of runs that went to their end; the last values of others are none

Curve = tuple[list[float], list[float]]
Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, eq=False)
class Row:
    """The planned and the finished runs that have some values of `Setting`, such as architecture and corruption.

    Raises:
        UserError: A mean is asked of runs that differ in more than their seed.
    """

    setting: dict[str, Any]
    planned: tuple[PlannedRun, ...] = ()
    finished: tuple[Run, ...] = ()
    under_way: tuple[Columns, ...] = ()
    """The histories of planned runs that have epochs and no record: they are drawn, and no number is taken of them."""

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Those that went to their end."""
        return tuple(run for run in self.finished if run.outcome in MEASURED)

    @property
    def unmeasured(self) -> tuple[Run, ...]:
        """Those of the finished runs that did not go to their end."""
        return tuple(run for run in self.finished if run.outcome not in MEASURED)

    @property
    def seeds(self) -> Seeds:
        """How many runs went to their end, and how the others ended: no number is taken from these."""
        return Seeds(len(self.runs), tuple(run.outcome for run in self.unmeasured))

    @property
    def blank(self) -> str | None:
        """In place of a number: "not run"; nothing where all runs ended without one, which `seeds` says."""
        return None if self.seeds.lost else "not run"

    @property
    def lost(self) -> list[str]:
        """The runs that did not go to their end, by name and how they ended: they are no measurement."""
        return [f"{run.outcome}: {run_name(run)}" for run in self.unmeasured]

    @property
    def absent(self) -> list[str]:
        """What a claim on all of these runs lacks: the settings without a seed that went to its end, and `lost`."""
        there = {run.setting.without_seed for run in self.finished}
        planned = dict.fromkeys(run.setting.without_seed for run in self.planned)
        return [*(setting_name(setting) for setting in planned if setting not in there), *self.lost]

    @property
    def fewest(self) -> int:
        """How many seeds a claim on all of these runs rests on."""
        return fewest(self.runs)

    @property
    def missing(self) -> list[PlannedRun]:
        """The planned runs that have no record."""
        done = {run.run_id for run in self.finished}
        return [run for run in self.planned if run.id not in done]

    @property
    def name(self) -> str:
        """What a row of one setting is, in a line, without the seed."""
        return setting_name(self.planned[0].setting)

    @property
    def architecture(self) -> str:
        """The network, by its name in records."""
        return str(self.setting["architecture"])

    @property
    def network(self) -> str:
        """The network in a sentence or a legend."""
        return label(self.architecture)

    @property
    def style(self) -> Style:
        """That of its network."""
        return architecture_style(self.architecture)

    @property
    def p(self) -> float:
        """Probability of label corruption."""
        return float(self.setting["corruption"])

    @property
    def images(self) -> str:
        """Images in the training sets, for a sentence: `50,000` or `256 to 4,000`."""
        sizes = sorted({run.train_size for run in self.runs}) or [0]
        return " to ".join(f"{size:,}" for size in dict.fromkeys([sizes[0], sizes[-1]]))

    @property
    def weight_decay(self) -> float:
        """The coefficient in the plan: the paper gives none."""
        return next((run.setting.weight_decay for run in self.planned), 0.0)

    @cached_property
    def _of_one_setting(self) -> tuple[Run, ...]:
        return tuple(of_one_setting(self.runs))

    def estimate(self, measure: Callable[[Run], float | None]) -> Estimate | None:
        """A quantity over the seeds; None where no run has it."""
        return Estimate.of([measure(run) for run in self._of_one_setting])

    def final(self, metric: str) -> Estimate | None:
        """A metric of the last epoch over the seeds; accuracies are fractions."""
        return self.estimate(lambda run: run.final(metric))

    def at(self, epoch: int, metric: str) -> Estimate | None:
        """A metric after an epoch over the seeds."""
        return self.estimate(lambda run: run.at(epoch, metric))

    def by_seed(self, measure: Callable[[Run], float | None]) -> dict[int, float]:
        """A quantity of the runs that have it, by seed."""
        values = {run.seed: measure(run) for run in self._of_one_setting}
        return {seed: value for seed, value in values.items() if value is not None}

    def gain_over(self, other: "Row", metric: str) -> Estimate | None:
        """How much higher a metric ends than in another row, seed by seed, for the seeds that both have."""
        ends = [row.by_seed(lambda run: run.final(metric)) for row in (self, other)]
        return Estimate.paired(*ends)

    def epochs(self, rule: str, unit: str = "epoch") -> Estimate | None:
        """Epochs (or with `unit="step"` steps) until a convergence rule is passed, over the seeds.

        A run that never passed counts with what it was given, and makes the mean a lower bound.
        """
        return self.time(lambda run: run.crossing(rule), unit)

    def time(self, until: Callable[[Run], Crossing | None], unit: str = "epoch") -> Estimate | None:
        """As `epochs`, until anything that `Run` tells the epoch and step of."""
        crossings = [crossing for run in self._of_one_setting if (crossing := until(run)) is not None]
        times = [float(crossing.step if unit == "step" else crossing.epoch) for crossing in crossings]
        return Estimate.of(times, any(crossing.censored for crossing in crossings))

    def relative_time(self, rule: str, base: "Row") -> Estimate | None:
        """Epochs to pass a rule as a multiple of those of another row, seed by seed, for the seeds that have both.

        A run that never passed counts with what it was given and makes it a lower bound; a seed that never passed in
        the other row tells nothing.
        """
        passed = {run.seed: time for run in base._of_one_setting if not (time := run.crossing(rule)).censored}
        pairs = [(run.crossing(rule), passed[run.seed]) for run in self._of_one_setting if run.seed in passed]
        return Estimate.of([ours.epoch / other.epoch for ours, other in pairs], any(ours.censored for ours, _ in pairs))

    def curves(self, column: str, against: str = "step") -> list[Curve]:
        """A column of the history for each seed."""
        return [run.curve(column, against) for run in self.runs]

    def compare(
        self, ours: Estimate | None, paper: float | None, tolerance: Tolerance | None, percent: bool = False
    ) -> Comparison:
        """A number of this row beside the paper's.

        Args:
            ours: The number; an accuracy or error as a fraction.
            paper: None where the paper has no number.
            tolerance: None, as at demo scale, where agreement is not judged.
            percent: Whether the paper's number is in per cent and the tolerance in points, and ours is a fraction.
        """
        if percent:
            paper, tolerance = paper and round(paper / 100, 9), tolerance and tolerance.scaled(0.01)
        return Comparison(ours, paper, tolerance, lost=self.seeds.lost)


def fewest(runs: Iterable[Run]) -> int:
    """The seeds of that setting among the runs which has the fewest."""
    return min(Counter(run.setting.without_seed for run in runs).values(), default=0)


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by what they share, in the order of the first of each."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
