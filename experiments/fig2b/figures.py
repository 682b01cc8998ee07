"""Figure 2b: small Inception with and without batch normalization, along training; ours over the paper's."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rethink.report import paper
from rethink.report.estimates import Comparison, Estimate, Tolerance, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series, accuracies
from rethink.report.results import Results
from rethink.report.rows import Row
from rethink.report.style import BATCH_NORM, Style
from rethink.report.tables import Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Verdict, agreeing, at_most, exceeds, summary
from rethink.report.wording import sentence
from rethink.runs.run import Run

TEST, TRAIN = "test/accuracy", "train/accuracy"
PAPER = {
    (True, TRAIN): "bn_train",
    (True, TEST): "bn_test",
    (False, TRAIN): "nobn_train_nearest",
    (False, TEST): "nobn_test",
}
LITTLE = 1.0  # points; the paper's best test accuracies are 0.2 and 0.4 points above its last
FINDING = """
Batch normalization
{% if brings %}brings {{ brings.scaled(100).format("+.1f") }} points of test accuracy at the last epoch
{% else %}cannot be judged: no seed has both runs yet{% endif %}.
{% for row in rows if row.gain %}
{{ "Stopping at the best epoch, chosen by the test set itself, would gain" if loop.first else "and" }}
{{ "%.1f" % (100 * row.gain.mean) }} points {{ row.style.label }}{{ "." if loop.last }}
{% endfor %}
{{ summary }}
"""


@dataclass(frozen=True)
class Network:
    """Small Inception with or without batch norm: how it ends, and how it went there."""

    batch_norm: bool
    row: Row
    comparison: Comparison
    best: Estimate | None
    best_epoch: Estimate | None
    gain: Estimate | None
    train: Estimate | None

    @property
    def style(self) -> Style:
        """Its name and colour."""
        return BATCH_NORM[self.batch_norm]


def rows(results: Results) -> list[Network]:
    """With batch norm, and without."""
    networks = []
    for batch_norm in BATCH_NORM:
        row = results.row(batch_norm=batch_norm)
        _, curve = paper.points("fig2b.csv", "step", PAPER[batch_norm, TEST])
        tolerance = results.judged("test")
        networks.append(
            Network(
                batch_norm,
                row,
                row.compare(row.final(TEST), 100 * curve[-1], tolerance, percent=True),
                best=row.estimate(lambda run: run.best(TEST)[0]),
                best_epoch=row.estimate(lambda run: run.best(TEST)[1]),
                gain=row.estimate(lambda run: run.gain(TEST)),
                train=row.final(TRAIN),
            )
        )
    return networks


def artefact(results: Results) -> Artefact:
    """Training and test accuracy against step, what the best epoch would gain, and what batch norm brings by seed."""
    networks = rows(results)
    brings = networks[0].row.gain_over(networks[1].row, TEST)
    judged = verdicts(networks, brings, results.full)
    finding = sentence(FINDING, brings=brings, rows=networks, summary=summary(judged))
    tables = [table(networks, results.all.images, results.judged("test"))]
    return results.artefact(finding, [chart(results, networks)], tables, judged)


def chart(results: Results, networks: Sequence[Network]) -> Chart:
    """Both accuracies against step. Of other steps and other images the paper's are beside ours, and not beneath."""
    panels, overlaid = [], results.full
    for metric, name in ((TEST, "test"), (TRAIN, "training")):
        means = [
            series for network in networks for series in Series.over_seeds(network.style, network.row.curves(metric))
        ]
        theirs = [
            Series.paper(
                network.style,
                *paper.points("fig2b.csv", "step", PAPER[network.batch_norm, metric]),
                beneath=overlaid,
            )
            for network in networks
        ]
        ours = [replace(mean, best_so_far=metric == TEST) for mean in means]
        ours += [
            Series.under_way(network.style, going, metric) for network in networks for going in network.row.under_way
        ]
        title = f"{name.capitalize()} accuracy"
        panels.append(accuracies(title, "step", [*theirs, *ours] if overlaid else ours, results.classes))
        panels += [] if overlaid else [Panel(f"{title}, the paper's", "step", "accuracy", theirs)]
    description = (
        "Accuracy along training, evaluated between epochs, with and without batch normalization, without explicit "
        "regularizers. The hatching reaches from the test accuracy up to the best so far: what stopping there "
        "would gain. Thin, the paper's curves."
    )
    return Chart("fig2b", " ".join([description, *results.test_images]), panels)


def roughness(run: Run) -> float | None:
    """By how much the test accuracy falls from one evaluated epoch to the next, on average; a rise is no fall.

    Rises are not counted: the climb from the start is most of them, and a slower start is no smoother curve.
    """
    _, accuracies = run.curve(TEST)
    falls = [max(before - after, 0.0) for before, after in pairwise(accuracies)]
    return statistics.fmean(falls) if falls else None


def _points(difference: Estimate, spec: str) -> str:
    """A difference of accuracies, with its 95 % interval, in points."""
    return f"{difference.scaled(100).format(spec, interval=True)} points"


def table(networks: Sequence[Network], images: str, tolerance: Tolerance | None) -> Table:
    """The last test accuracy beside the paper's, the best one, and what that would gain."""
    columns = [
        Column.text("small Inception", "batch_norm"),
        *comparison_columns(TEST),
        *(Column.estimates("best", "best_test_accuracy"), Column.times("its epoch", "best_epoch")),
        *(Column.estimates("best - last", "gain", "points"), Column.estimates("train", TRAIN)),
    ]
    notes = [
        "The paper: the ends of its curves in Figure 2b. Its text has 3 to 4 points between the two, Table 1 has 3.75.",
        *([rule_in_words(f"{tolerance} points")] if tolerance else []),
    ]
    return Table(
        columns,
        [[n.style.label, *comparison_cells(n.comparison), n.best, n.best_epoch, n.gain, n.train] for n in networks],
        f"Test accuracy at the last epoch, {images} training images, mean ± s.d. over n seeds",
        notes,
    )


def verdicts(networks: Sequence[Network], brings: Estimate | None, full: bool) -> list[Verdict]:
    """Batch norm makes it end higher and fall less; early stopping hardly helps; and whether both agree."""
    rough = [network.row.by_seed(roughness) for network in networks]
    smoother = Estimate.paired(rough[1], rough[0])
    points = f"{_points(brings, '+.1f')}; the paper's text 3 to 4, its figure 1.6." if brings else ""
    falls = [f"{100 * statistics.fmean(values.values()):.3f}" for values in rough if values]
    fall = f"It falls by {' and '.join(falls)} points on average; {_points(smoother, '+.3f')} less." if smoother else ""
    judged = [
        exceeds("With batch norm the test accuracy ends higher", brings, points),
        exceeds("With batch norm the test accuracy falls less from epoch to epoch", smoother, fall),
        at_most(
            f"The best test accuracy is at most {LITTLE:g} point above the last: early stopping hardly helps",
            [(network.style.label, network.gain and network.gain.scaled(100)) for network in networks],
            LITTLE,
        ),
    ]
    if full:
        compared = [(network.style.label, network.comparison) for network in networks]
        judged.append(agreeing("Test accuracy at the end agrees with the paper's curves", compared))
    return judged
