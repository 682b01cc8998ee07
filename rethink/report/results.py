"""What there is of an experiment: its finished runs and analyses, the rows of its figures, and what is missing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

from rethink.errors import UserError
from rethink.files import is_there
from rethink.report import wording
from rethink.report.estimates import Tolerance
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.provenance import mixtures
from rethink.report.rows import Row
from rethink.report.tables import Table
from rethink.report.verdicts import Verdict
from rethink.report.wording import setting_name
from rethink.runs.analysis import FinishedAnalysis
from rethink.runs.reading import Columns, read_columns
from rethink.runs.run import Run
from rethink.runs.setting import Setting, by_setting
from rethink.sweep.experiment import Experiment
from rethink.sweep.jobs import Job, PlannedAnalysis, PlannedRun
from rethink.sweep.plan import plan

FIT = "accuracy>=0.99"  # when a training set counts as fitted, where a person does not say otherwise


@dataclass(frozen=True)
class Results:
    """The runs and analyses of an experiment, as a script of `experiments/<name>/figures.py` gets them."""

    experiment: Experiment
    planned: tuple[PlannedRun, ...]
    finished: tuple[Run, ...]
    """All that have a record, also those that diverged: to keep, and not to measure."""
    problems: tuple[str, ...] = ()
    """A line for each record that cannot be read or whose code has changed, and for what cannot be a run."""
    rule: str = FIT
    """When a training set counts as fitted: any rule that the records have."""
    planned_analyses: tuple[PlannedAnalysis, ...] = ()
    analyses: tuple[FinishedAnalysis, ...] = ()
    damaged: tuple[str, ...] = ()
    """Those of the problems that are records which cannot be read."""
    under_way: Mapping[str, Columns] = field(default_factory=dict)
    """run_id -> the history so far of a run without a record, where these are asked for: to draw, and not to judge."""
    others: dict[str, "Results"] = field(default_factory=dict, repr=False)
    """Of other experiments, by name, that a script asked for by `other`: its page rests on their records too."""

    @classmethod
    def load(cls, experiment: Experiment, rule: str = FIT, under_way: bool = False) -> Self:
        """Reads every finished run and analysis of the plan; a damaged record is a problem, and the others are read.

        Args:
            experiment: Of which to read them.
            rule: When a training set counts as fitted.
            under_way: Whether to read what there is of unfinished runs too.
        """
        planned = plan(experiment)
        problems = [*planned.refused]
        runs = _read(planned.runs, Run.open, problems)
        analyses = _read(planned.analyses, FinishedAnalysis.open, problems)
        damaged = tuple(problems[len(planned.refused) :])
        records: list[Run | FinishedAnalysis] = [*runs, *analyses]
        problems += [
            f"{record.path}: the code that it was computed by has changed since: {', '.join(code)}."
            for record in records
            if (code := record.changed_code)
        ]
        return cls(
            experiment,
            planned.runs,
            tuple(runs),
            tuple(problems),
            rule,
            planned.analyses,
            tuple(analyses),
            damaged,
            _histories(planned.runs) if under_way else {},
        )

    def other(self, name: str) -> "Results":
        """What there is of another experiment, at the same scale and by the same rule; read once."""
        if name not in self.others:
            loaded = self.load(Experiment.load(name, self.experiment.scale), self.rule)
            self.others[name] = replace(loaded, others=self.others)
        return self.others[name]

    @property
    def ids(self) -> set[str]:
        """Of every run and analysis that has a record."""
        return {run.run_id for run in self.finished} | {analysis.analysis_id for analysis in self.analyses}

    @property
    def runs(self) -> tuple[Run, ...]:
        """Those that went to their end. What is measured is taken from these."""
        return self.all.runs

    @property
    def fits(self) -> int:
        """How many runs fit their training set, by `rule`."""
        return sum(not run.crossing(self.rule).censored for run in self.runs)

    @property
    def empty(self) -> bool:
        """Whether nothing of it has been done."""
        return not self.finished and not self.analyses and not self.under_way

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """Every setting of the plan, of all seeds, in its order."""
        return tuple(run.setting for run in self.planned)

    @property
    def draws(self) -> list[str]:
        """For captions and notes: that all seeds share a draw of the randomness, and that levels are nested."""
        return wording.draws(self.settings)

    @property
    def test_images(self) -> list[str]:
        """For captions and notes: how many there are, where it is not the whole test set."""
        return wording.measured_on(self.settings)

    @property
    def classes(self) -> int:
        """Of the data; ten as long as there is no run."""
        return max((run.num_classes for run in self.runs), default=10)

    @property
    def architectures(self) -> list[str]:
        """The networks of the plan, in its order."""
        return list(dict.fromkeys(setting.architecture for setting in self.settings))

    @property
    def rows(self) -> list[Row]:
        """A row for each setting of the plan, in its order."""
        return [self.row(**setting.values) for setting in by_setting(self.planned)]

    def row(self, **setting: Any) -> Row:
        """The runs with these values of `Setting`, planned and finished."""
        planned = tuple(run for run in self.planned if run.setting.matches(**setting))
        finished = tuple(run for run in self.finished if run.setting.matches(**setting))
        going = tuple(self.under_way[run.id] for run in planned if run.id in self.under_way)
        return Row(setting, planned, finished, going)

    @cached_property
    def all(self) -> Row:
        """All runs."""
        return self.row()

    def run(self, run_id: str) -> Run | None:
        """A run that went to its end by its run_id."""
        return next((run for run in self.runs if run.run_id == run_id), None)

    def analysed(self, name: str, **options: Any) -> list[FinishedAnalysis]:
        """The finished analyses of a class with these values of options, one per seed where the rest is fixed.

        What was computed from a run that diverged is no measurement either.
        """
        lost = {run.run_id for run in self.all.unmeasured}
        of_class = [analysis for analysis in self.analyses if analysis.name == name and analysis.matches(**options)]
        return [analysis for analysis in of_class if not lost.intersection(analysis.runs)]

    @property
    def missing_analyses(self) -> list[PlannedAnalysis]:
        """The planned analyses that have no record."""
        done = {analysis.analysis_id for analysis in self.analyses}
        return [analysis for analysis in self.planned_analyses if analysis.id not in done]

    @property
    def full(self) -> bool:
        """Whether the runs are on all images, as the paper's."""
        return self.experiment.scale == "full"

    def tolerance(self, name: str) -> Tolerance:
        """As fixed in sweep.yaml."""
        if name not in self.experiment.tolerance:
            raise UserError(f"{self.experiment.file}: no tolerance for {name!r}.")
        return Tolerance.parse(self.experiment.tolerance[name])

    def judged(self, name: str) -> Tolerance | None:
        """The same; None at demo scale, where agreement with the paper is not judged."""
        return self.tolerance(name) if self.full else None

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
        return Artefact(
            experiment.name,
            experiment.title,
            experiment.claim,
            finding,
            charts,
            [self._with_command(table) for table in tables],
            verdicts,
            [*notes, *self.notes(), *mixtures(self.runs)],
            [*_listed(self.all.missing), *(analysis.label for analysis in self.missing_analyses)],
        )

    def notes(self) -> list[str]:
        """What a reader must know first: how much is missing, the command that makes it, what cannot be read."""
        part = f"{' and '.join(self.counts())} are there. To do the others: {self.experiment.command}"
        whole = not self.all.missing and not self.missing_analyses
        return [*self._unmeasured(), *self._few_seeds(), *([] if whole else [part]), *self.problems]

    def _unmeasured(self) -> list[str]:
        lost = "; ".join(self.all.lost)
        return [f"Without a measurement, counted beside n and averaged nowhere: {lost}."] if lost else []

    def _few_seeds(self) -> list[str]:
        """What rests on half of its planned seeds or less."""
        planned = Counter(setting.without_seed for setting in self.settings)
        done = Counter(run.setting.without_seed for run in self.runs)
        few = [setting for setting, number in done.items() if 2 * number <= planned[setting]]
        resting = f"{len(few)} of the {len(done)} settings that have runs rest on half of their planned seeds or less."
        return [resting] if few else []

    def counts(self) -> list[str]:
        """How much of it is done: `3 of 5 runs`, `1 of 2 analyses`."""
        parts = ((self.finished, self.planned, "runs"), (self.analyses, self.planned_analyses, "analyses"))
        return [f"{len(there)} of {len(planned)} {what}" for there, planned, what in parts if planned]

    def _with_command(self, table: Table) -> Table:
        """A table with rows that no run has produced says what makes them."""
        if not any("not run" in row for row in table.rows):
            return table
        return replace(table, notes=[*table.notes, f"not run: {self.experiment.command} makes it."])


_Record = TypeVar("_Record")


def _histories(planned: Sequence[PlannedRun]) -> dict[str, Columns]:
    """Of the runs that have epochs and no record."""
    histories = {}
    for run in planned:
        file = run.folder / "history.csv"
        with suppress(OSError, UserError, ValueError):  # a run that cannot be read is not drawn
            if not run.done and file.is_file() and (history := read_columns(file)).get("epoch"):
                histories[run.id] = history
    return histories


def _read(planned: Sequence[Job], open_record: Callable[[Path], _Record], problems: list[str]) -> list[_Record]:
    """The records that there are; a line for each that cannot be read."""
    records = []
    for job in planned:
        if is_there(job.folder / "record.json"):
            try:
                records.append(open_record(job.folder))
            except UserError as error:
                problems.append(str(error))
    return records


def _listed(absent: Sequence[PlannedRun]) -> list[str]:
    """Settings with their seeds."""
    seeds: dict[str, dict[int | None, None]] = {}
    for run in absent:
        seeds.setdefault(setting_name(run.setting), {})[run.setting.seed] = None
    return [f"{name} (seed {', '.join(map(str, of))})" for name, of in seeds.items()]
