"""What there is of an experiment: its finished runs, selected by setting, and those that are missing."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

from rethink.errors import UserError
from rethink.report.estimates import Comparison, Estimate, Seeds, Tolerance
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.provenance import mixtures
from rethink.report.style import architecture_style
from rethink.report.tables import Table
from rethink.report.verdicts import Verdict
from rethink.runs.analysis import Analysed
from rethink.runs.reading import read_columns
from rethink.runs.run import Crossing, Run
from rethink.runs.setting import Setting, of_one_setting
from rethink.sweep.experiment import EXPERIMENTS, Experiment
from rethink.sweep.jobs import Job, PlannedAnalysis, PlannedRun
from rethink.sweep.plan import plan

PAPER = EXPERIMENTS / "paper"
FIT = "accuracy>=0.99"  # when a training set counts as fitted, where a person does not say otherwise
MEASURED = ("converged", "not converged")  # outcomes of runs that went to their end; the last values of others are none
_WITH_BATCH_NORM = {"SmallInception", "WideResNet 28-1"}


@dataclass(frozen=True)
class Results:
    """The runs and analyses of an experiment, as a script of `experiments/<name>/figures.py` gets them."""

    experiment: Experiment
    planned: tuple[PlannedRun, ...]
    runs: tuple[Run, ...]
    problems: tuple[str, ...] = ()
    """A line for each record that cannot be read, and for each set of options that cannot be a run."""
    rule: str = FIT
    """When a training set counts as fitted: any rule that the records have."""
    planned_analyses: tuple[PlannedAnalysis, ...] = ()
    analyses: tuple[Analysed, ...] = ()
    damaged: tuple[str, ...] = ()
    """Those of the problems that are records which cannot be read."""

    @classmethod
    def load(cls, experiment: Experiment, rule: str = FIT) -> Self:
        """Reads every finished run and analysis of the plan; a damaged record is a problem, and the others are read."""
        planned = plan(experiment)
        problems = [*planned.refused]
        runs = _read(planned.runs, Run.open, problems)
        analyses = _read(planned.analyses, Analysed.open, problems)
        damaged = tuple(problems[len(planned.refused) :])
        return cls(
            experiment, planned.runs, tuple(runs), tuple(problems), rule, planned.analyses, tuple(analyses), damaged
        )

    @property
    def empty(self) -> bool:
        """Whether nothing of it has been done."""
        return not self.runs and not self.analyses

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """Every setting of the plan, of all seeds, in its order."""
        return tuple(run.setting for run in self.planned)

    @property
    def architectures(self) -> list[str]:
        """The networks of the plan, in its order."""
        return list(dict.fromkeys(setting.architecture for setting in self.settings))

    @property
    def distinct(self) -> list[Setting]:
        """Each setting of the plan once, whatever its seeds; `of` selects its runs."""
        return list(dict.fromkeys(setting.without_seed for setting in self.settings))

    def select(self, **setting: Any) -> list[Run]:
        """The runs with these values of `Setting` that went to their end, one per seed where the rest is fixed."""
        return [run for run in self.runs if run.outcome in MEASURED and run.setting.matches(**setting)]

    def lost(self, **setting: Any) -> tuple[str, ...]:
        """How the other runs with these values ended: `diverged` for each that did. No number is taken from them."""
        runs = (run for run in self.runs if run.setting.matches(**setting))
        return tuple(run.outcome for run in runs if run.outcome not in MEASURED)

    def seeds(self, **setting: Any) -> Seeds:
        """How many runs with these values went to their end, and how the others ended."""
        return Seeds(len(self.select(**setting)), self.lost(**setting))

    def repeated(self, **setting: Any) -> list[Run]:
        """As `select`, differing in the seed alone; a UserError where a mean would be over different settings."""
        return list(of_one_setting(self.select(**setting)))

    def missing(self, **setting: Any) -> list[PlannedRun]:
        """The planned runs with these values that have no record."""
        done = {run.run_id for run in self.runs}
        return [run for run in self.planned if run.run_id not in done and run.setting.matches(**setting)]

    def run(self, run_id: str) -> Run | None:
        """A finished run by its run_id."""
        return next((run for run in self.runs if run.run_id == run_id), None)

    def analysed(self, name: str, **options: Any) -> list[Analysed]:
        """The finished analyses of a class with these values of options, one per seed where the rest is fixed."""
        return [each for each in self.analyses if each.name == name and each.matches(**options)]

    @property
    def missing_analyses(self) -> list[PlannedAnalysis]:
        """The planned analyses that have no record."""
        done = {each.analysis_id for each in self.analyses}
        return [each for each in self.planned_analyses if each.analysis_id not in done]

    def estimate(self, measure: Callable[[Run], float | None], **setting: Any) -> Estimate | None:
        """A quantity over the seeds of a setting; None where no run has it."""
        return Estimate.of([measure(run) for run in self.repeated(**setting)])

    def final(self, metric: str, **setting: Any) -> Estimate | None:
        """A metric of the last epoch over the seeds of a setting; accuracies are fractions."""
        return self.estimate(lambda run: run.final(metric), **setting)

    @property
    def full(self) -> bool:
        """Whether the runs are on all images, as the paper's."""
        return self.experiment.scale == "full"

    def by_seed(self, metric: str, **setting: Any) -> dict[int, float]:
        """A metric of the last epoch of the runs of a setting, by seed."""
        values = {run.seed: run.final(metric) for run in self.repeated(**setting)}
        return {seed: value for seed, value in values.items() if value is not None}

    def compare(self, metric: str, paper: float | None, tolerance: str, **setting: Any) -> Comparison:
        """An accuracy at the last epoch beside the paper's. At demo scale, on subsets, agreement is not judged.

        Args:
            metric: As in history.csv.
            paper: Per cent; None where the paper has no number.
            tolerance: Name of the tolerance in sweep.yaml, which is in points.
            setting: What `select` takes.
        """
        allowed = self.tolerance(tolerance).scaled(0.01) if self.full else None
        theirs = None if paper is None else round(paper / 100, 9)
        return Comparison(self.final(metric, **setting), theirs, allowed, lost=self.lost(**setting))

    def weight_decay(self, **setting: Any) -> float:
        """The coefficient of a setting in the plan: the paper gives none."""
        return next((each.weight_decay for each in self.settings if each.matches(**setting)), 0.0)

    def epochs(self, rule: str, unit: str = "epoch", **setting: Any) -> Estimate | None:
        """Epochs (or with `unit="step"` steps) until a convergence rule is passed, over the seeds of a setting.

        A run that never passed counts with what it was given, and makes the mean a lower bound.
        """
        return self.time(lambda run: run.crossing(rule), unit, **setting)

    def time(self, until: Callable[[Run], Crossing | None], unit: str = "epoch", **setting: Any) -> Estimate | None:
        """As `epochs`, until anything that `Run` tells the epoch and step of."""
        known = [crossing for run in self.repeated(**setting) if (crossing := until(run)) is not None]
        times = [float(crossing.step if unit == "step" else crossing.epoch) for crossing in known]
        return Estimate.of(times, any(crossing.censored for crossing in known))

    def relative_time(self, rule: str, over: dict[str, Any], **setting: Any) -> Estimate | None:
        """Epochs to pass a rule as a multiple of those of another setting, seed by seed, for the seeds that have both.

        A run that never passed counts with what it was given and makes it a lower bound; a seed that never passed in
        the other setting tells nothing.
        """
        base = {run.seed: crossing for run in self.repeated(**over) if not (crossing := run.crossing(rule)).censored}
        pairs = [(run.crossing(rule), base[run.seed]) for run in self.repeated(**setting) if run.seed in base]
        return Estimate.of([ours.epoch / other.epoch for ours, other in pairs], any(ours.censored for ours, _ in pairs))

    def images(self, **setting: Any) -> str:
        """Images in the training sets, for a sentence: `50,000` or `256 to 4,000`."""
        sizes = sorted({run.train_size for run in self.select(**setting)}) or [0]
        return " to ".join(f"{size:,}" for size in dict.fromkeys([sizes[0], sizes[-1]]))

    def tolerance(self, name: str) -> Tolerance:
        """As fixed in sweep.yaml."""
        if name not in self.experiment.tolerance:
            raise UserError(f"{self.experiment.path / 'sweep.yaml'}: no tolerance for {name!r}.")
        return Tolerance.parse(self.experiment.tolerance[name])

    def artefact(
        self,
        finding: str,
        charts: Sequence[Chart] = (),
        tables: Sequence[Table] = (),
        verdicts: Sequence[Verdict] = (),
        notes: Sequence[str] = (),
    ) -> Artefact:
        """The artefact of this experiment: title and claim are those of sweep.yaml; missing runs are said."""
        experiment = self.experiment
        every = [*notes, *self.notes(), *mixtures(self.runs)]
        shown = [self._with_command(table) for table in tables]
        named = experiment.name, experiment.title, experiment.claim
        missing = [*_listed(self.missing()), *(each.label for each in self.missing_analyses)]
        return Artefact(*named, finding, charts, shown, verdicts, every, missing)

    def notes(self) -> list[str]:
        """What a reader must know first: how much is missing, the command that makes it, what cannot be read."""
        part = f"{' and '.join(self.counts())} are there. To do the others: {self.experiment.command}"
        whole = not self.missing() and not self.missing_analyses
        return [*self._unmeasured(), *self._few_seeds(), *([] if whole else [part]), *self.problems]

    def _unmeasured(self) -> list[str]:
        lost = [f"{run.outcome}: {run_name(run)}" for run in self.runs if run.outcome not in MEASURED]
        return [f"Without a measurement, counted beside n and averaged nowhere: {'; '.join(lost)}."] if lost else []

    def _few_seeds(self) -> list[str]:
        """What rests on half of its planned seeds or less."""
        planned = Counter(setting.without_seed for setting in self.settings)
        done = Counter(run.setting.without_seed for run in self.select())
        few = [setting for setting, number in done.items() if 2 * number <= planned[setting]]
        resting = f"{len(few)} of the {len(done)} settings that have runs rest on half of their planned seeds or less."
        return [resting] if few else []

    def counts(self) -> list[str]:
        """How much of it is done: `3 of 5 runs`, `1 of 2 analyses`."""
        parts = ((self.runs, self.planned, "runs"), (self.analyses, self.planned_analyses, "analyses"))
        return [f"{len(there)} of {len(planned)} {what}" for there, planned, what in parts if planned]

    def _with_command(self, table: Table) -> Table:
        """A table with rows that no run has produced says what makes them."""
        if not any("not run" in row for row in table.rows):
            return table
        return replace(table, notes=[*table.notes, f"not run: {self.experiment.command} makes it."])


_Record = TypeVar("_Record")


def _read(planned: Sequence[Job], open_record: Callable[[Path], _Record], problems: list[str]) -> list[_Record]:
    """The records that there are; a line for each that cannot be read."""
    found = []
    for job in planned:
        if os.path.exists(job.folder / "record.json"):  # Path.exists raises where we may not look
            try:
                found.append(open_record(job.folder))
            except UserError as error:
                problems.append(str(error))
    return found


def _listed(absent: Sequence[PlannedRun]) -> list[str]:
    """Settings with their seeds."""
    seeds: dict[str, dict[int | None, None]] = {}
    for run in absent:
        seeds.setdefault(setting_name(run.setting), {})[run.setting.seed] = None
    return [f"{name} (seed {', '.join(map(str, of))})" for name, of in seeds.items()]


def of(setting: Setting, **changed: Any) -> dict[str, Any]:
    """What `Results.select` takes for the runs of a setting, of any seed, with some values changed."""
    return setting.values | changed


def rule_words(rule: str) -> str:
    """A convergence rule for a sentence: `99 % training accuracy`, `training loss under 0.1`."""
    accuracy, _, share = rule.partition("accuracy>=")
    return f"{100 * float(share):g} % training accuracy" if not accuracy else f"training {rule.replace('<', ' under ')}"


def setting_name(setting: Setting) -> str:
    """A setting without its seed, in a line: `small Inception w/o BatchNorm, true labels, weight decay 4e-05`."""
    text = setting.without_seed.label
    if setting.architecture in _WITH_BATCH_NORM:
        text = text.replace(", batch norm", "", 1)
    return text.replace(setting.architecture, network_name(setting.architecture, setting.batch_norm), 1)


def run_name(run: Run) -> str:
    """A run in a line: its setting and its seed."""
    return f"{setting_name(run.setting)}, seed {run.seed}"


def evaluations(runs: Sequence[Run]) -> list[str]:
    """A note where networks are evaluated every few epochs only: times to fit are known to no more than that."""
    every: dict[int, dict[str, None]] = {}
    for run in runs:
        epochs, _ = run.curve("train/accuracy", "epoch")
        if len(epochs) > 1 and (step := int(epochs[1] - epochs[0])) > 1:
            every.setdefault(step, {})[architecture_style(run.architecture).label] = None
    listed = "; ".join(f"every {step} epochs {', '.join(names)}" for step, names in sorted(every.items()))
    return [f"Evaluated only {listed}: when they fit is known to no more than that."] if every else []


def network_name(architecture: str, batch_norm: bool) -> str:
    """As in the paper: what has batch norm in its recipe is named where it is without."""
    without = architecture in _WITH_BATCH_NORM and not batch_norm
    return architecture_style(architecture).label + (" w/o BatchNorm" if without else "")


def paper_points(file: str, x: str, y: str) -> tuple[list[float], list[float]]:
    """Two columns of a CSV of experiments/paper, without the rows in which one is empty."""
    columns = read_columns(PAPER / file)
    pairs = [(a, b) for a, b in zip(columns[x], columns[y], strict=True) if a is not None and b is not None]
    return [a for a, _ in pairs], [b for _, b in pairs]
