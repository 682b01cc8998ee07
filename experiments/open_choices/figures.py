"""What the paper leaves open: each reading that was tried beside the paper's number, and which comes nearer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

from rethink.report.dots import Dot, abbreviated, dots
from rethink.report.estimates import NEAREST_RULE, Estimate, nearest
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.paper import number
from rethink.report.results import Results
from rethink.report.rows import Row
from rethink.report.style import architecture_style
from rethink.report.tables import Column, Table
from rethink.report.wording import capitalized, network_name, sentence
from rethink.runs.run import Run

_PRECISION = "trainer.precision"  # asked for; without it a run takes what its machine does well
FAILED = 50.0  # per cent: "failed to converge" (Table 4) is met under it
MEASURED = {
    "train/loss": "training loss",
    "train/accuracy": "training (%)",
    "test/accuracy": "test (%)",
}
PIXELS: dict[str, dict[Any, str]] = {
    "scope": {"pixels": "channels together", "values": "channels mixed"},
    "statistics": {"global": "one mean and variance", "channel": "one of each channel"},
}
INITIALIZATION = {
    "recipe": "Glorot uniform",
    "he_normal": "He normal",
    "truncated_normal": "truncated normal, 0.1",
}
STAIRCASE = {True: "in steps", False: "continuous"}
PRECISION = {"32-true": "float32", "bf16-mixed": "bf16 autocast"}
CROP_FIRST = {True: "crop first", False: "standardization first"}
FINDING = """
{% for row in rows if row.ours %}
{{ row.choice }} ({{ row.question.where }}):
{% for reading, ours in row.ours.items() %}{{ reading }} {{ ours.format(row.question.digits) }}
{{ ", " if not loop.last }}
{% endfor %}; the paper: {{ row.question.papers }}.
{% if full and row.nearest %}
Nearest: {{ row.nearest }}.
{% endif %}
{% endfor %}
{% if absent %}Not all run yet: {{ absent | join(", ") }}.{% endif %}
"""


@dataclass(frozen=True)
class Question:
    """A choice that the paper leaves open, on a network and its data, and the number by which it is judged."""

    choice: str
    architecture: str
    randomization: str
    option: str  # where a record has the choice, or a setting
    readings: Mapping[Any, str]  # its values, and what they are called
    metric: str
    paper: float | None  # a loss, or per cent; None: the paper's run failed to converge
    weight_decay: bool = False
    batch_norm: bool = False

    @property
    def setting(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("architecture", "randomization", "weight_decay", "batch_norm")}

    def reading_of(self, run: Run) -> Any:
        """The value of the option in this run; None where the run is of the question about precision alone."""
        precision = run.setting.value(_PRECISION)
        if precision or self.option == _PRECISION:
            return precision if self.option == _PRECISION else None
        return _written(run.record, self.option)

    def off(self, ours: Estimate) -> Estimate | None:
        """Ours minus the paper's number, seed by seed."""
        return None if self.paper is None else ours.minus(self.paper)

    @property
    def digits(self) -> str:
        return ".3f" if self.metric == "train/loss" else ".2f"

    @property
    def papers(self) -> str:
        """The paper's number, in words if there is none."""
        return "failed to converge" if self.paper is None else format(self.paper, self.digits)

    @property
    def where(self) -> str:
        labels = {"TrueLabels": ", true labels", "RandomLabels": ", random labels"}.get(self.randomization, "")
        return network_name(self.architecture, self.batch_norm) + labels


@dataclass(frozen=True)
class Answer:
    """A question with what its readings gave, in the unit of the paper's number."""

    question: Question
    rows: Mapping[str, Row]
    """The runs of each reading."""

    @cached_property
    def readings(self) -> dict[str, Estimate | None]:
        """The number that each reading gave."""
        unit = 1 if self.question.metric == "train/loss" else 100
        finals = {name: row.final(self.question.metric) for name, row in self.rows.items()}
        return {name: ours and ours.scaled(unit) for name, ours in finals.items()}

    def shown(self, name: str) -> str | None:
        """Ours of a reading; nothing where every run of it diverged or was cut short."""
        ours = self.readings[name]
        return ours.format(self.question.digits) if ours else self.rows[name].blank

    @property
    def choice(self) -> str:
        """At the beginning of a sentence."""
        return capitalized(self.question.choice)

    @property
    def ours(self) -> dict[str, Estimate]:
        """The readings that were run."""
        return {name: ours for name, ours in self.readings.items() if ours is not None}

    @property
    def nearest(self) -> str:
        """Which reading is nearest to the paper's number; empty where some were not run.

        Where the paper's run failed to converge, it is what ends under 50 %, or nearest to that.
        """
        if len(self.ours) < len(self.readings):
            return ""
        if self.question.paper is not None:
            return nearest(self.ours, self.question.paper)
        above = {n: replace(o, values=tuple(max(v, FAILED) for v in o.values)) for n, o in self.ours.items()}
        return nearest(above, FAILED)


def rows(results: Results) -> list[Answer]:
    """Every question that is in the plan: pixels are not at demo scale."""
    answers = []
    for question in questions():
        row = results.row(**question.setting)
        if row.planned:
            parts = {
                name: replace(row, finished=tuple(run for run in row.finished if question.reading_of(run) == value))
                for value, name in question.readings.items()
            }
            answers.append(Answer(question, parts))
    return answers


def questions() -> list[Question]:
    """All of them, judged by Figures 1a and 2b after one epoch, Table 1 and Table 4."""
    mlp, mlp_3, usual = "MLP 1x512", "MLP 3x512", (4e-5, 5e-4, 4e-3)
    plain = {"model": mlp, "random_crop": "no", "weight_decay": "no"}
    fitted, tested = number("table1", "train_accuracy", labels="random", **plain), _tested(**plain)
    staircase, crop_first = "model.init_args.staircase", "model.init_args.crop_first"
    return [
        _pixels("shuffled pixels", "ShuffledPixels", "scope"),
        _pixels("random pixels", "RandomPixels", "scope"),
        _pixels("gaussian", "GaussianPixels", "statistics"),
        _after_an_epoch("initialization", "model.init_args.initialization", INITIALIZATION),
        _after_an_epoch("initialization", "model.init_args.initialization", INITIALIZATION, batch_norm=False),
        _after_an_epoch("precision", _PRECISION, PRECISION),
        _decay(mlp, "TrueLabels", usual, _tested(model=mlp, weight_decay="yes")),
        _decay(mlp_3, "TrueLabels", usual, _tested(model=mlp_3, weight_decay="yes")),
        _decay(mlp, "RandomLabels", usual, number("table4", "train_accuracy", model=mlp)),
        _decay("SmallAlexNet", "RandomLabels", (5e-5, 5e-4, 4e-3), number("table4", "train_accuracy", model="Alexnet")),
        Question("learning rate decay", mlp, "RandomLabels", staircase, STAIRCASE, "train/accuracy", fitted),
        Question("crop and standardization", mlp, "TrueLabels", crop_first, CROP_FIRST, "test/accuracy", tested),
    ]


def _tested(**cells: str) -> float | None:
    return number("table1", "test_accuracy", labels="true", **cells)


def _pixels(choice: str, randomization: str, option: str) -> Question:
    paper = number("fig1a", choice.replace(" ", "_"), epoch="1")
    where = f"randomization.{option}"
    readings = PIXELS[option]
    return Question(choice, "SmallInception", randomization, where, readings, "train/loss", paper, batch_norm=True)


def _after_an_epoch(choice: str, where: str, readings: Mapping[Any, str], batch_norm: bool = True) -> Question:
    """By Figure 1a's training loss; without batch norm by Figure 2b's test accuracy, there is no other."""
    metric, paper = "train/loss", number("fig1a", "true_labels", epoch="1")
    if not batch_norm:
        fraction = number("fig2b", "nobn_test", epoch="1")
        metric, paper = "test/accuracy", fraction and 100 * fraction
    return Question(choice, "SmallInception", "TrueLabels", where, readings, metric, paper, batch_norm=batch_norm)


def _decay(architecture: str, labels: str, coefficients: tuple[float, ...], paper: float | None) -> Question:
    """On true labels weight decay is judged by test accuracy (Table 1), on random ones by training accuracy."""
    metric = "test/accuracy" if labels == "TrueLabels" else "train/accuracy"
    readings = {value: f"decay {value:g}" for value in coefficients}
    return Question("weight decay", architecture, labels, "model.init_args.weight_decay", readings, metric, paper, True)


def artefact(results: Results) -> Artefact:
    """A row per reading; the finding says which comes nearer."""
    answers = rows(results)
    absent = list(dict.fromkeys(row.question.choice for row in answers if "not run" in map(row.shown, row.readings)))
    return results.artefact(
        finding=sentence(FINDING, rows=answers, full=results.full, absent=absent),
        charts=charts(results, answers),
        tables=[table(results, answers)],
    )


def _written(record: Mapping[str, Any], option: str) -> Any:
    return reduce(lambda part, name: part.get(name, {}), option.split("."), record)


def table(results: Results, answers: Sequence[Answer]) -> Table:
    """A row for each reading."""
    cells = []
    for row in answers:
        question = row.question
        for name, ours in row.readings.items():
            gap = None if ours is None else question.off(ours)
            first = [question.choice, question.where, name, MEASURED[question.metric]]
            cells.append(
                [*first, row.rows[name].seeds, row.shown(name), question.papers, gap and gap.format("+.3f", True)]
            )
    columns = [
        *(Column.text(name, name) for name in ("question", "on", "reading", "measured")),
        *(Column(name, name) for name in ("n", "ours", "paper", "difference")),
    ]
    notes = [
        "Ours: mean ± s.d. over n seeds. The paper's: the loss of Figure 1a after one epoch, Table 1, Table 4. "
        f"Difference: with the 95 % interval of the mean. {NEAREST_RULE}",
        *results.draws,
        *results.test_images,
    ]
    return Table(columns, cells, "What the paper leaves open: each reading beside the paper's number", notes)


def charts(results: Results, answers: Sequence[Answer]) -> list[Chart]:
    """How far each reading is from the paper's number, in a panel for what has been run of losses and of accuracies."""
    marks: dict[bool, list[Dot]] = {True: [], False: []}
    for row in answers:
        question, is_loss = row.question, row.question.metric == "train/loss"
        where = question.choice if is_loss else question.where.removesuffix(" labels")
        for name, ours in row.readings.items():
            if question.paper is not None:
                gap = ours and question.off(ours)
                marks[is_loss].append(
                    Dot(abbreviated(f"{where}: {name}"), architecture_style(question.architecture), gap)
                )
    titles = {True: ("Training loss after an epoch", ""), False: ("Accuracy", " (points)")}
    panels = [
        dots(title, f"ours minus the paper's{unit}", marks[is_loss], reference=(0, "the paper"))
        for is_loss, (title, unit) in titles.items()
        if any(mark.ours for mark in marks[is_loss])
    ]
    absent = [
        title.lower()
        for is_loss, (title, _) in titles.items()
        if marks[is_loss] and not any(mark.ours for mark in marks[is_loss])
    ]
    not_run = [f"Without a panel, as none of it has been run: {', '.join(absent)}."] if absent else []
    description = (
        "How far each reading of what the paper leaves open is from the paper's number. A row without a mark has not "
        "been run. Small AlexNet with weight decay is not drawn: the paper's failed to converge."
    )
    description = " ".join([description, *not_run, *results.draws, *results.test_images])
    return [Chart("open_choices", description, panels)] if panels else []
