"""The plan of an experiment: its runs and analyses with their identities, each once."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from rethink.errors import UserError
from rethink.runs.selection import Selection
from rethink.runs.setting import Setting
from rethink.sweep.experiment import AnalysisSpec, Arguments, Experiment
from rethink.sweep.identities import Identified, identities
from rethink.sweep.jobs import Job, PlannedAnalysis, PlannedRun

_REFERENCE = re.compile(r"run\((.+)\)")


@dataclass(frozen=True)
class Plan:
    """The runs and analyses of an experiment in the order in which they are wanted, and what of it cannot be."""

    runs: tuple[PlannedRun, ...]
    refused: tuple[str, ...] = ()
    """A line for each set of options that is refused; the runs and analyses are the others."""
    analyses: tuple[PlannedAnalysis, ...] = ()

    @classmethod
    def of(cls, plans: Sequence["Plan"]) -> Self:
        """Several as one, each run and each analysis once."""
        runs: dict[str, PlannedRun] = {}
        for run in (run for plan in plans for run in plan.runs):
            first = runs.setdefault(run.id, run)
            runs[run.id] = replace(first, needed=first.needed or run.needed)
        analyses: dict[str, PlannedAnalysis] = {}
        for analysis in (analysis for plan in plans for analysis in plan.analyses):
            analyses.setdefault(analysis.id, analysis)
        refused = tuple(dict.fromkeys(line for plan in plans for line in plan.refused))
        return cls(tuple(runs.values()), refused, tuple(analyses.values()))

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All that there is to do, the runs first."""
        return (*self.runs, *self.analyses)

    def only(self, words: Iterable[str]) -> "Plan":
        """The runs and analyses with one of the texts in their description, and these values of their options."""
        selection = Selection.of(words)
        runs = tuple(run for run in self.runs if _selected(run, selection))
        return Plan(runs, self.refused, tuple(job for job in self.analyses if _selected(job, selection)))


def _selected(job: Job, selection: Selection) -> bool:
    setting = job.setting if isinstance(job, PlannedRun) else None
    return selection.has(lambda: ["finished" if job.state == "done" else job.state], lambda: setting, job.label)


def plans(experiments: Sequence[Experiment]) -> list[Plan]:
    """The plan of each experiment; which runs there are is worked out for all of them at once."""
    runs = [run for experiment in experiments for run in experiment.runs if not _refers(run)]
    identified = dict(zip(runs, identities([("fit", *run) for run in runs]), strict=True))
    return [plan(experiment, identified) for experiment in experiments]


def plan(experiment: Experiment, identified: Mapping[Arguments, Identified] | None = None) -> Plan:
    """The runs and analyses of an experiment, each once.

    What a run is takes its parser to know; see `rethink.sweep.identities`.

    Args:
        experiment: Whose they are.
        identified: What the arguments of runs make, where that has been worked out.
    """
    where = experiment.file
    refused: list[str] = []
    runs = _runs(where, experiment.runs, refused, identified or {})
    chosen = Plan.of([Plan(tuple(runs))]).only(experiment.only)
    analyses = _analyses(where, experiment.analyses, chosen.runs, refused)
    needed = {folder for job in (*chosen.runs, *analyses) for folder in job.needs}
    planned = tuple(replace(run, needed=run.folder in needed) for run in chosen.runs)
    return Plan.of([Plan(planned, tuple(refused), tuple(analyses))])


def _runs(
    where: Path, wanted: Sequence[Arguments], refused: list[str], identified: Mapping[Arguments, Identified]
) -> list[PlannedRun]:
    """The runs in their order; those that refer to others by `run(TEXT)` are known when those are."""
    runs = _identified(where, {run: run for run in wanted if not _refers(run)}, refused, identified)
    resolved: dict[Arguments, Arguments] = {}
    needs: dict[Arguments, tuple[Path, ...]] = {}
    for arguments in wanted:
        if _refers(arguments):
            try:
                resolved[arguments], needs[arguments] = _resolve(arguments, list(runs.values()))
            except UserError as error:
                refused.append(f"{where}: {error}")
    for arguments, run in _identified(where, resolved, refused, {}).items():
        runs[arguments] = replace(run, needs=needs[arguments])
    return [runs[arguments] for arguments in wanted if arguments in runs]


def _identified(
    where: Path, wanted: Mapping[Arguments, Arguments], refused: list[str], identified: Mapping[Arguments, Identified]
) -> dict[Arguments, PlannedRun]:
    """As written -> the run that these arguments are; what is refused is noted."""
    if not identified.keys() >= {*wanted.values()}:
        identified = dict(zip(wanted.values(), identities([("fit", *run) for run in wanted.values()]), strict=True))
    answers = [identified[arguments] for arguments in wanted.values()]
    runs = {}
    for (written, arguments), answer in zip(wanted.items(), answers, strict=True):
        if "error" in answer:
            refused.append(f"{where}: {answer['error']}")
        else:
            parts = answer["parts"]
            epochs, kept = parts["budget"]["max_epochs"], tuple(parts["budget"].get("keep_epochs", ()))
            runs[written] = PlannedRun(
                answer["id"], arguments, Setting.of(parts["identity"], parts["resolved"]), epochs, keep_epochs=kept
            )
    return runs


def _refers(arguments: Arguments) -> bool:
    return any(_REFERENCE.fullmatch(word) for word in arguments)


def _resolve(arguments: Arguments, runs: Sequence[PlannedRun]) -> tuple[Arguments, tuple[Path, ...]]:
    """The arguments with each `run(TEXT)` replaced by the run of the same seed that is meant, and the runs meant."""
    seed = int(dict(zip(arguments[::2], arguments[1::2], strict=True)).get("--seed_everything", 0))
    words, needs = [], []
    for word in arguments:
        if match := _REFERENCE.fullmatch(word):
            meant = [run for run in runs if run.setting.seed == seed and match[1].lower() in run.label.lower()]
            if len(meant) != 1:
                labels = "; ".join(run.label for run in meant) or "none"
                raise UserError(
                    f"{word} is to be one run of seed {seed} with this in its description, and is: {labels}."
                )
            word = meant[0].id
            needs.append(meant[0].folder)
        words.append(word)
    return tuple(words), tuple(needs)


def _analyses(
    where: Path, specs: Sequence[AnalysisSpec], runs: Sequence[PlannedRun], refused: list[str]
) -> list[PlannedAnalysis]:
    """Each analysis of data, and of the runs that it is of."""
    wanted = [(*_of(spec, group), group) for spec in specs for group in _groups(spec, runs)]
    answers = identities(tuple(("analyze", *arguments) for arguments, _, _ in wanted))
    analyses = []
    for (arguments, of, group), answer in zip(wanted, answers, strict=True):
        if "error" in answer:
            refused.append(f"{where}: {answer['error']}")
        else:
            analyses.append(PlannedAnalysis(answer["id"], arguments, of, needs=tuple(run.folder for run in group)))
    return analyses


def _groups(spec: AnalysisSpec, runs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
    """The runs of each of a specification's analyses: none where it is of data."""
    selection = Selection.of(spec.only)
    meant = [run for run in runs if _selected(run, selection)]
    match spec.of:
        case None:
            return [[]]
        case "run":
            return [[run] for run in meant if run.setting.seed == spec.seed]
        case "seed":
            meant = [run for run in meant if run.setting.seed == spec.seed]
    return [meant] if meant else []


def _of(spec: AnalysisSpec, group: Sequence[PlannedRun]) -> tuple[Arguments, str]:
    if not group:
        return spec.arguments, ""
    name, *options = spec.arguments
    runs = json.dumps([run.id for run in group])
    more = f" and {len(group) - 1} more" if len(group) > 1 else ""
    return (name, "--runs", runs, *options), group[0].label + more


def command_list(jobs: Iterable[Job], more: Iterable[str] = (), program: str = "rethink") -> str:
    """The exact command of each run and analysis, one a line; `more` is for the runs."""
    lines = [[program, *job.command, *(more if isinstance(job, PlannedRun) else ())] for job in jobs]
    return "".join(shlex.join(line) + "\n" for line in lines)
