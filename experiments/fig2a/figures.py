"""Figure 2a: Inception V3 on ImageNet along training, training and test accuracy; ours over the paper's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rethink.report import paper
from rethink.report.estimates import Comparison, Estimate, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series, accuracies
from rethink.report.results import Results
from rethink.report.rows import Row
from rethink.report.style import Style, level_style
from rethink.report.tables import Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Verdict, agreeing, ordered, summary
from rethink.report.wording import sentence

TEST, TRAIN = "test/accuracy", "train/accuracy"
# Curve of the paper -> what is on, in a legend and as options of the run.
SETTINGS = {
    "aug_wd_dropout": ("augmentation, weight decay, dropout", (True, True, True)),
    "wd_only": ("weight decay", (False, True, False)),
    "none": ("no regularizer", (False, False, False)),
}
EPOCHS_OF_THOUSAND_STEPS = 1000 * 32 / 1_281_167
"""The paper's steps are those of asynchronous workers, with batches of 32 images in the package that it reused."""
IN_SMALL = "Not ImageNet, but a few hundred images in ten classes: the paper's curves are there to look at."
FINDING = """
{% for row in rows if row.gain %}
{{ "Stopping at the best epoch, chosen by the test set itself, would gain" if loop.first else "and" }}
{{ "%.1f" % (100 * row.gain.mean) }} points with {{ row.style.label }}{{ "." if loop.last }}
{% else %}
None of the three settings has been run yet.
{% endfor %}
{{ summary }}
"""


@dataclass(frozen=True)
class Curve:
    """One of the three settings: its runs, how they end, and what stopping at the best epoch would gain."""

    name: str
    style: Style
    row: Row
    comparison: Comparison
    best: Estimate | None
    best_epoch: Estimate | None
    gain: Estimate | None
    train: Estimate | None


def rows(results: Results) -> list[Curve]:
    """The three settings of the paper."""
    curves = []
    for number, (name, (label, on)) in enumerate(SETTINGS.items()):
        augmentation, weight_decay, dropout = on
        switches = {"augmentation": "inception" if augmentation else "none", "weight_decay": weight_decay}
        row = results.row(**switches, dropout=dropout)
        _, theirs = points(name, "test")
        curves.append(
            Curve(
                name,
                level_style(number, label),
                row,
                row.compare(row.final(TEST), 100 * theirs[-1], results.judged("test"), percent=True),
                best=row.estimate(lambda run: run.best(TEST)[0]),
                best_epoch=row.estimate(lambda run: run.best(TEST)[1]),
                gain=row.estimate(lambda run: run.gain(TEST)),
                train=row.final(TRAIN),
            )
        )
    return curves


def points(curve: str, part: str) -> tuple[list[float], list[float]]:
    """A curve of the paper: epochs, accuracies."""
    points = [row for row in paper.rows("fig2a") if row.cells["curve"] == f"{curve}_{part}"]
    steps, accuracies = ([row.number(column) or 0.0 for row in points] for column in ("thousand_steps", "accuracy"))
    return [max(step, 0.0) * EPOCHS_OF_THOUSAND_STEPS for step in steps], accuracies


def artefact(results: Results) -> Artefact:
    """Test and training accuracy against the epoch, the cumulative best, and what it would gain."""
    curves = rows(results)
    judged = verdicts(curves, results.full)
    finding = sentence(FINDING, rows=curves, summary=summary(judged))
    notes = [] if results.full else [IN_SMALL]
    return results.artefact(finding, [chart(results, curves)], [table(results, curves)], judged, notes)


def chart(results: Results, curves: Sequence[Curve]) -> Chart:
    """Both accuracies against the epoch. Of other images the paper's are beside ours, and not beneath."""
    panels, overlaid = [], results.full
    for metric, part in ((TEST, "test"), (TRAIN, "train")):
        means = [
            series for curve in curves for series in Series.over_seeds(curve.style, curve.row.curves(metric, "epoch"))
        ]
        theirs = [Series.paper(curve.style, *points(curve.name, part), beneath=overlaid) for curve in curves]
        ours = [replace(mean, best_so_far=metric == TEST) for mean in means]
        title = f"{'Test' if part == 'test' else 'Training'} accuracy"
        panels.append(accuracies(title, "epoch", [*theirs, *ours] if overlaid else ours, results.classes))
        panels += [] if overlaid else [Panel(f"{title}, the paper's", "epoch", "accuracy", theirs)]
    description = (
        "Accuracy along training on true labels, between epochs. The hatching reaches from the test accuracy "
        "up to the best so far: what stopping there would gain. Thin, the paper's curves, with 32 images to a step."
    )
    return Chart("fig2a", " ".join([description, *results.test_images]), panels)


def table(results: Results, curves: Sequence[Curve]) -> Table:
    """The last test accuracy beside the end of the paper's curve, the best one, and what that would gain."""
    columns = [
        Column.text("regularizers", "setting"),
        *comparison_columns(TEST),
        *(Column.estimates("best", "best_test_accuracy"), Column.times("its epoch", "best_epoch")),
        *(Column.estimates("best - last", "gain", "points"), Column.estimates("train", TRAIN)),
    ]
    cells = [[c.style.label, *comparison_cells(c.comparison), c.best, c.best_epoch, c.gain, c.train] for c in curves]
    tolerance = results.judged("test")
    notes = [
        "The paper: the ends of its curves in Figure 2a.",
        *results.test_images,
        *([rule_in_words(f"{tolerance} points")] if tolerance else []),
    ]
    caption = f"Test accuracy at the last epoch, {results.all.images} training images, mean ± s.d. over n seeds"
    return Table(columns, cells, caption, notes)


def verdicts(curves: Sequence[Curve], full: bool) -> list[Verdict]:
    """Early stopping would gain more, the fewer regularizers there are; and whether the ends agree."""
    gains = [(c.style.label, c.gain and c.gain.scaled(100)) for c in curves if c.name != "wd_only"]
    judged = [ordered("Early stopping would gain more without regularizers than with all of them", gains)]
    if full:
        compared = [(curve.style.label, curve.comparison) for curve in curves]
        judged.append(agreeing("Test accuracy at the end agrees with the paper's curves", compared))
    return judged
