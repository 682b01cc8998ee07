"""Which runs of the experiment are which: the networks to look into, what was trained before, what came after."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rethink.report.results import Results
from rethink.report.style import Style, architecture_style, randomization_style
from rethink.report.verdicts import Verdict, counted
from rethink.runs.analysis import Analysed
from rethink.runs.run import Run
from rethink.runs.setting import Setting

TOO_FEW = "That is less than a test set of this size can tell."
AT_RANDOM = ("RandomLabels", "TrueLabels")  # the two kinds of labels that are compared, on the same images


@dataclass(frozen=True)
class Seen:
    """An analysis of one run, with the run."""

    run: Run
    values: dict[str, Any]
    analysed: Analysed


def looked_into(results: Results, architecture: str) -> list[Run]:
    """The runs of a network in the five settings, from its own initial weights."""
    own = [run for run in results.runs if run.architecture == architecture and _is_looked_into(results, run.setting)]
    return sorted(own, key=lambda run: run.seed)


def _is_looked_into(results: Results, setting: Setting) -> bool:
    """Neither trained for another run to begin with, nor one of those that are compared for how they began."""
    same = [each for each in results.settings if each.architecture == setting.architecture and each.weights_from]
    downstream = {each.train_size for each in same}
    return not setting.weights_from and not setting.validation_size and setting.train_size not in downstream


def seen(results: Results, name: str, architecture: str, randomization: str) -> list[Seen]:
    """The analyses of that name of the networks of a setting, a run each, in the order of the seeds."""
    by_run = {each.runs[0]: each for each in results.analysed(name)}
    runs = [run for run in looked_into(results, architecture) if run.randomization == randomization]
    return [Seen(run, by_run[run.run_id].values, by_run[run.run_id]) for run in runs if run.run_id in by_run]


def by_seed(trend: str, answers: Sequence[tuple[str, bool | None]], numbers: str, open_where: str) -> Verdict:
    """Yes or no for each seed; where it is open for all of them, why."""
    if answers and all(answer is None for _, answer in answers):
        return Verdict(trend, "cannot tell", f"{numbers} {open_where}")
    return counted(trend, answers, "seeds", numbers)


def trained_on(randomization: str, dashed: bool = False) -> Style:
    """Style of a network by what it was trained on; dashed is what it is compared with."""
    style = randomization_style(randomization)
    return Style(style.label, style.color, (0, (2, 2)) if dashed else (0, ()), "" if dashed else style.marker)


def named(architecture: str) -> str:
    """A network in a title."""
    return architecture_style(architecture).label


def listed(names: Sequence[str]) -> str:
    """For a sentence: `a, b and c`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
