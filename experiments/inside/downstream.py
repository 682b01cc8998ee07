"""What was learned from random labels, taken to true ones: fine-tuning against training from scratch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from experiments.inside.networks import TOO_FEW, by_seed, time_to_fit
from rethink.models.names import label
from rethink.report.estimates import Estimate, sampling_error
from rethink.report.figures import Chart
from rethink.report.panels import Series, accuracies
from rethink.report.randomizations import LABELS
from rethink.report.results import Results
from rethink.report.rows import grouped
from rethink.report.style import PAPER_INK, SOLID, Style, randomization_style
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Verdict
from rethink.report.wording import rule_words, sentence
from rethink.runs.run import Run
from rethink.runs.setting import Setting

SCRATCH = "from scratch"
_KINDS = (SCRATCH, "RandomLabels", "TrueLabels")
FINDING = """
{% for network, beginnings in networks %}
{{ what + ", epochs to fit and test accuracy:" if loop.first }}
{{ network }}
{% for row in beginnings %}
{{ row.words }} {{ row.time.format(".0f") }} epochs and {{ "%.1f" % (100 * row.test.mean) }} %
{{ ", " if not loop.last }}
{% endfor %}
{{ "." if loop.last else ";" }}
{% endfor %}
"""


@dataclass(frozen=True)
class Beginning:
    """The runs of a network on the small true-label set that began in one way, in the order of the seeds."""

    architecture: str
    kind: str
    """From scratch, or what the run was trained on whose weights it began with."""
    runs: Sequence[Run]
    time: Estimate | None
    """Epochs to fit."""
    train: Estimate | None
    test: Estimate | None

    @property
    def network(self) -> str:
        """In a sentence."""
        return label(self.architecture)

    @property
    def words(self) -> str:
        """How it began."""
        return self.kind if self.kind == SCRATCH else f"after {LABELS[self.kind]}"

    @property
    def style(self) -> Style:
        """That of the labels it was trained on before."""
        if self.kind == SCRATCH:
            return Style(SCRATCH, PAPER_INK, SOLID, "X")
        return replace(randomization_style(self.kind), label=self.words, dash=SOLID)


def rows(results: Results) -> list[Beginning]:
    """Of the networks that have any such run, the three kinds."""
    chosen = [(name, kind, runs_of(results, name, kind)) for name in results.architectures for kind in _KINDS]
    there = {architecture for architecture, _, runs in chosen if runs}
    return [
        Beginning(
            architecture,
            kind,
            runs,
            time_to_fit(runs, results.rule),
            *(Estimate.of([run.final(metric) for run in runs]) for metric in ("train/accuracy", "test/accuracy")),
        )
        for architecture, kind, runs in chosen
        if architecture in there
    ]


def runs_of(results: Results, architecture: str, kind: str) -> list[Run]:
    """The runs of a network on the small true-label set that began in one way."""
    downstream = [run for run in results.planned if run.setting.weights_from]
    sizes, budgets = {run.setting.train_size for run in downstream}, {run.epochs for run in downstream}
    planned = {run.run_id: run.setting for run in results.planned}
    true = results.row(architecture=architecture, randomization="TrueLabels", validation_size=0).planned
    chosen = [
        done
        for run in true
        if run.setting.train_size in sizes
        and run.epochs in budgets
        and _began(planned, run.setting.weights_from) == kind
        and (done := results.run(run.run_id))
    ]
    return sorted(chosen, key=lambda run: run.seed)


def _began(planned: dict[str, Setting], weights_from: str | None) -> str:
    if weights_from is None:
        return SCRATCH
    return planned[weights_from].randomization if weights_from in planned else ""


def data(results: Results) -> str:
    """What it is trained on, before and after."""
    small = {run.train_size for run in results.runs if run.setting.weights_from}
    large = {run.train_size for run in results.runs if run.setting.validation_size}
    images = " or ".join(f"{size:,}" for size in sorted(small)) or "some"
    before = " or ".join(f"{size:,}" for size in sorted(large)) or "other"
    return f"On the true labels of {images} images, from scratch and after training on {before} other images"


def chart(beginnings: Sequence[Beginning], what: str) -> Chart:
    """Training and test accuracy against epoch."""
    panels = []
    for of_network in grouped(beginnings, lambda row: row.architecture).values():
        for metric, words in (("train/accuracy", "training"), ("test/accuracy", "test")):
            series = [
                series
                for row in of_network
                if row.runs
                for series in Series.over_seeds(row.style, [run.curve(metric, "epoch") for run in row.runs])
            ]
            classes = of_network[0].runs[0].num_classes if of_network[0].runs else 10
            title = f"{of_network[0].network}: {words} accuracy"
            panels.append(accuracies(title, "epoch", series, classes, (0, None)))
    return Chart("downstream", f"Training and test accuracy against epoch. {what}.", panels)


def table(beginnings: Sequence[Beginning], what: str, rule: str) -> Table:
    """At the end, and epochs to fit."""
    columns = [
        *(Column.text("network", "architecture"), Column.text("begins", "weights_from"), Column("n", "n")),
        Column.times("epochs to fit", rule),
        *(Column.estimates("train", "train/accuracy"), Column.estimates("test", "test/accuracy")),
    ]
    return Table(
        columns,
        [[row.network, row.words, len(row.runs), row.time or "not run", row.train, row.test] for row in beginnings],
        f"{what}: at the last epoch, mean ± s.d. over n seeds",
        [f"Epochs to {rule_words(rule)} (> n: not by epoch n, where the run ended)."],
        "downstream_accuracies",
    )


def verdicts(beginnings: Sequence[Beginning], rule: str) -> list[Verdict]:
    """Faster, and better, than from scratch?"""
    judged = []
    for of_network in grouped(beginnings, lambda row: row.architecture).values():
        scratch, random, _ = of_network
        before = {run.seed: run for run in scratch.runs}
        pairs = [(f"seed {run.seed}", run, before[run.seed]) for run in random.runs if run.seed in before]
        if not pairs:
            continue
        pretrained = f"{random.network} pre-trained on random labels"
        faster = f"{pretrained} fits true labels of other images in fewer epochs than from scratch"
        sooner = [(name, _sooner(ours, other, rule)) for name, ours, other in pairs]
        numbers = f"{random.time} epochs, from scratch {scratch.time}."
        judged.append(by_seed(faster, sooner, numbers, "Both ended too early."))
        if random.test and scratch.test:
            ours, others = (test.scaled(100).format(".1f") for test in (random.test, scratch.test))
            better = [(name, _better(ours, other)) for name, ours, other in pairs]
            numbers = f"{ours} %, from scratch {others} %."
            judged.append(by_seed(f"{pretrained} tests better on them than from scratch", better, numbers, TOO_FEW))
    return judged


def finding(beginnings: Sequence[Beginning], what: str) -> str:
    """In a sentence for each network."""
    there = grouped([row for row in beginnings if row.test and row.time], lambda row: row.network)
    return sentence(FINDING, what=what, networks=list(there.items()))


def _sooner(ours: Run, other: Run, rule: str) -> bool | None:
    times = ours.crossing(rule), other.crossing(rule)
    if times[0].censored or times[1].censored:
        return None if times[0].censored and times[1].censored else times[1].censored
    return times[0].epoch < times[1].epoch


def _better(ours: Run, other: Run) -> bool | None:
    tests = [run.final("test/accuracy") for run in (ours, other)]
    if tests[0] is None or tests[1] is None:
        return None
    if abs(tests[0] - tests[1]) < sampling_error((tests[0] + tests[1]) / 2, ours.test_size):
        return None
    return tests[0] > tests[1]
