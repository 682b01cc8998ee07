"""What was learned from random labels, taken to true ones: fine-tuning against training from scratch."""

from collections.abc import Sequence

from experiments.inside.networks import TOO_FEW, by_seed, named
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.randomizations import LABELS
from rethink.report.results import Results
from rethink.report.style import PAPER_INK, SOLID, Style, randomization_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict, sampling_error
from rethink.report.wording import rule_words
from rethink.runs.run import Run

SCRATCH = "from scratch"
_KINDS = (SCRATCH, "RandomLabels", "TrueLabels")


def chart(results: Results) -> Chart:
    """Training and test accuracy against epoch."""
    panels = []
    for architecture in _networks(results):
        for metric, words in (("train/accuracy", "training"), ("test/accuracy", "test")):
            series = [
                Series.mean(_style(kind), [run.curve(metric, "epoch") for run in runs])
                for kind in _KINDS
                if (runs := _runs(results, architecture, kind))
            ]
            panels.append(Panel(f"{named(architecture)}: {words} accuracy", "epoch", "", series, (0, None)))
    return Chart("downstream", f"Training and test accuracy against epoch. {_what(results)}.", panels)


def table(results: Results) -> Table:
    """At the end, and epochs to fit."""
    cells: list[list[Cell]] = []
    for architecture in _networks(results):
        for kind in _KINDS:
            runs = _runs(results, architecture, kind)
            finals = [
                Estimate.of([run.final(metric) for run in runs]) for metric in ("train/accuracy", "test/accuracy")
            ]
            cells.append([named(architecture), _words(kind), len(runs), _time(results, runs) or "not run", *finals])
    columns = [
        *(Column.text("network", "architecture"), Column.text("begins", "weights_from"), Column("n", "n")),
        Column.times("epochs to fit", results.rule),
        *(Column.estimates("train", "train/accuracy"), Column.estimates("test", "test/accuracy")),
    ]
    notes = [f"Epochs to {rule_words(results.rule)} (> n: not by epoch n, where the run ended)."]
    return Table(
        columns, cells, f"{_what(results)}: at the last epoch, mean ± s.d. over n seeds", notes, "downstream_accuracies"
    )


def verdicts(results: Results) -> list[Verdict]:
    """Faster, and better, than from scratch?"""
    found = []
    for architecture in _networks(results):
        scratch, random = (
            {run.seed: run for run in _runs(results, architecture, kind)} for kind in (SCRATCH, "RandomLabels")
        )
        seeds = sorted(scratch.keys() & random.keys())
        pairs = [(f"seed {seed}", random[seed], scratch[seed]) for seed in seeds]
        if not pairs:
            continue
        label = f"{named(architecture)} pre-trained on random labels"
        faster = f"{label} fits true labels of other images in fewer epochs than from scratch"
        better = f"{label} tests better on them than from scratch"
        times = [_time(results, list(runs.values())) for runs in (random, scratch)]
        tests = [Estimate.of([run.final("test/accuracy") for run in runs.values()]) for runs in (random, scratch)]
        sooner = [(name, _sooner(results, ours, other)) for name, ours, other in pairs]
        found.append(by_seed(faster, sooner, f"{times[0]} epochs, from scratch {times[1]}.", "Both ended too early."))
        if tests[0] and tests[1]:
            numbers = f"{tests[0].scaled(100).format('.1f')} %, from scratch {tests[1].scaled(100).format('.1f')} %."
            judged = [(name, _better(ours, other)) for name, ours, other in pairs]
            found.append(by_seed(better, judged, numbers, TOO_FEW))
    return found


def said(results: Results) -> str:
    """In a sentence for each network."""
    parts = []
    for architecture in _networks(results):
        numbers = []
        for kind in _KINDS:
            runs = _runs(results, architecture, kind)
            test, time = Estimate.of([run.final("test/accuracy") for run in runs]), _time(results, runs)
            if test and time:
                numbers.append(f"{_words(kind)} {time.format('.0f')} epochs and {100 * test.mean:.1f} %")
        if numbers:
            parts.append(f"{named(architecture)} {', '.join(numbers)}")
    return f"{_what(results)}, epochs to fit and test accuracy: {'; '.join(parts)}." if parts else ""


def _networks(results: Results) -> list[str]:
    return [name for name in results.architectures if any(_runs(results, name, kind) for kind in _KINDS)]


def _runs(results: Results, architecture: str, kind: str) -> list[Run]:
    """The runs on the small true-label set that began in one way, in the order of the seeds."""
    sizes = {run.setting.train_size for run in results.planned if run.setting.weights_from}
    budgets = {run.epochs for run in results.planned if run.setting.weights_from}
    chosen = [
        done
        for run in results.planned
        if run.setting.matches(architecture=architecture, randomization="TrueLabels", validation_size=0)
        and run.setting.train_size in sizes
        and run.epochs in budgets
        and _began(results, run.setting.weights_from) == kind
        and (done := results.run(run.run_id))
    ]
    return sorted(chosen, key=lambda run: run.seed)


def _began(results: Results, weights_from: str | None) -> str:
    """From scratch, or what the run was trained on whose weights it began with."""
    if weights_from is None:
        return SCRATCH
    return next((run.setting.randomization for run in results.planned if run.run_id == weights_from), "")


def _what(results: Results) -> str:
    small = {run.train_size for run in results.runs if run.setting.weights_from}
    large = {run.train_size for run in results.runs if run.setting.validation_size}
    images = " or ".join(f"{size:,}" for size in sorted(small)) or "some"
    before = " or ".join(f"{size:,}" for size in sorted(large)) or "other"
    return f"On the true labels of {images} images, from scratch and after training on {before} other images"


def _words(kind: str) -> str:
    return kind if kind == SCRATCH else f"after {LABELS[kind]}"


def _style(kind: str) -> Style:
    if kind == SCRATCH:
        return Style(SCRATCH, PAPER_INK, SOLID, "X")
    style = randomization_style(kind)
    return Style(_words(kind), style.color, SOLID, style.marker)


def _time(results: Results, runs: Sequence[Run]) -> Estimate | None:
    crossings = [run.crossing(results.rule) for run in runs]
    return Estimate.of([float(each.epoch) for each in crossings], any(each.censored for each in crossings))


def _sooner(results: Results, ours: Run, other: Run) -> bool | None:
    one, two = ours.crossing(results.rule), other.crossing(results.rule)
    if one.censored or two.censored:
        return None if one.censored and two.censored else two.censored
    return one.epoch < two.epoch


def _better(ours: Run, other: Run) -> bool | None:
    tests = [run.final("test/accuracy") for run in (ours, other)]
    if tests[0] is None or tests[1] is None:
        return None
    if abs(tests[0] - tests[1]) < sampling_error((tests[0] + tests[1]) / 2, ours.test_size):
        return None
    return tests[0] > tests[1]
