"""Figure 2b: small Inception with and without batch normalization, along training; ours over the paper's."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from rethink.report.estimates import Comparison, Estimate, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series
from rethink.report.results import Results, paper_points
from rethink.report.style import BATCH_NORM
from rethink.report.tables import Cell, Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Quantity, Verdict, agreeing, at_most, counted, summary
from rethink.runs.run import Run

TEST, TRAIN = "test/accuracy", "train/accuracy"
PAPER = {
    (True, TRAIN): "bn_train",
    (True, TEST): "bn_test",
    (False, TRAIN): "nobn_train_nearest",
    (False, TEST): "nobn_test",
}
LITTLE = 1.0  # points; the paper's best test accuracies are 0.2 and 0.4 points above its last


def artefact(results: Results) -> Artefact:
    """Training and test accuracy against step, what the best epoch would gain, and what batch norm brings by seed."""
    verdicts = _verdicts(results)
    charts = [
        Chart(
            "fig2b",
            "Accuracy along training, evaluated between epochs, with and without batch normalization, without explicit "
            "regularizers. The hatching reaches from the test accuracy up to the best so far: what stopping there "
            "would gain. Thin, the paper's curves.",
            _panels(results),
        )
    ]
    return results.artefact(_finding(results, verdicts), charts, [_table(results)], verdicts)


def _panels(results: Results) -> list[Panel]:
    panels = []
    for metric, name in ((TEST, "test"), (TRAIN, "training")):
        ours, paper = [], []
        for on, style in BATCH_NORM.items():
            mean = Series.mean(style, [run.curve(metric) for run in results.select(batch_norm=on)])
            ours.append(replace(mean, best_so_far=metric == TEST))
            points = paper_points("fig2b.csv", "step", PAPER[on, metric])
            paper.append(Series.paper(style, *points, beneath=results.full))
        if results.full:
            panels.append(Panel(f"{name.capitalize()} accuracy", "step", "accuracy", [*paper, *ours]))
        else:  # other steps and other images: beside ours
            panels.append(Panel(f"{name.capitalize()} accuracy", "step", "accuracy", ours))
            panels.append(Panel(f"{name.capitalize()} accuracy, the paper's", "step", "accuracy", paper))
    return panels


def best(run: Run) -> tuple[float, float]:
    """The largest test accuracy along training, and its epoch; NaN where it was not measured."""
    epochs, accuracies = run.curve(TEST, "epoch")
    pairs = zip(accuracies, epochs, strict=True)
    return max(pairs, key=lambda pair: pair[0], default=(math.nan, math.nan))


def gain(run: Run) -> float | None:
    """What stopping at the best epoch would have gained: optimistic, since the same test images choose the epoch."""
    last = run.final(TEST)
    return None if last is None else best(run)[0] - last


def roughness(run: Run) -> float | None:
    """Mean change of the test accuracy from one evaluated epoch to the next, up or down."""
    _, accuracies = run.curve(TEST)
    changes = [abs(after - before) for before, after in pairwise(accuracies)]
    return statistics.fmean(changes) if changes else None


def _comparison(results: Results, on: bool) -> Comparison:
    _, curve = paper_points("fig2b.csv", "step", PAPER[on, TEST])
    return results.compare(TEST, 100 * curve[-1], "test", batch_norm=on)


def _table(results: Results) -> Table:
    cells: list[list[Cell]] = []
    for on, style in BATCH_NORM.items():
        comparison = comparison_cells(_comparison(results, on))
        top = [results.estimate(lambda run, part=part: best(run)[part], batch_norm=on) for part in (0, 1)]
        more = [results.estimate(gain, batch_norm=on), results.final(TRAIN, batch_norm=on)]
        cells.append([style.label, *comparison, *top, *more])
    columns = [
        Column.text("small Inception", "batch_norm"),
        *comparison_columns(TEST),
        *(Column.estimates("best", "best_test_accuracy"), Column.times("its epoch", "best_epoch")),
        *(Column.estimates("best - last", "gain", "points"), Column.estimates("train", TRAIN)),
    ]
    notes = [
        "The paper: the ends of its curves in Figure 2b. Its text has 3 to 4 points between the two, Table 1 has 3.75."
    ]
    if results.full:
        notes.append(rule_in_words(f"{results.tolerance('test')} points"))
    caption = f"Test accuracy at the last epoch, {results.images()} training images, mean ± s.d. over n seeds"
    return Table(columns, cells, caption, notes)


def _brings(results: Results) -> Estimate | None:
    """What batch norm brings at the last epoch, seed by seed."""
    return Estimate.paired(results.by_seed(TEST, batch_norm=True), results.by_seed(TEST, batch_norm=False))


def _finding(results: Results, verdicts: Sequence[Verdict]) -> str:
    brings = _brings(results)
    said = "Batch normalization "
    if brings:
        said += f"brings {brings.scaled(100).format('+.1f')} points of test accuracy at the last epoch"
    else:
        said += "cannot be judged: no seed has both runs yet"
    gains = {style.label: results.estimate(gain, batch_norm=on) for on, style in BATCH_NORM.items()}
    stopping = [f"{100 * estimate.mean:.1f} points {label}" for label, estimate in gains.items() if estimate]
    if stopping:
        said += f". Stopping at the best epoch, chosen by the test set itself, would gain {' and '.join(stopping)}"
    return f"{said}. {summary(verdicts)}"


def _verdicts(results: Results) -> list[Verdict]:
    def by_seed(measure: Callable[[Run], float | None], on: bool) -> dict[int, float]:
        values = {run.seed: measure(run) for run in results.select(batch_norm=on)}
        return {seed: value for seed, value in values.items() if value is not None}

    ends = [by_seed(lambda run: run.final(TEST), on) for on in (True, False)]
    rough = [by_seed(roughness, on) for on in (True, False)]
    brings = _brings(results)
    points = f"{brings.scaled(100).format('+.1f')} points; the paper's text 3 to 4, its figure 1.6." if brings else ""
    higher = [(f"seed {seed}", ends[0][seed] > ends[1][seed]) for seed in ends[0] if seed in ends[1]]
    smoother = [(f"seed {seed}", rough[0][seed] < rough[1][seed]) for seed in rough[0] if seed in rough[1]]
    change = [f"{100 * statistics.fmean(values.values()):.2f} points" for values in rough if values]
    gains = [(style.label, results.estimate(gain, batch_norm=on)) for on, style in BATCH_NORM.items()]
    verdicts = [
        counted("With batch norm the test accuracy ends higher", higher, "seeds", points),
        counted(
            "With batch norm the test accuracy changes less from epoch to epoch",
            smoother,
            "seeds",
            f"{' and '.join(change)} on average." if smoother else "",
        ),
        at_most(
            f"The best test accuracy is at most {LITTLE:g} point above the last: early stopping hardly helps",
            [(label, Quantity.of(estimate and estimate.scaled(100))) for label, estimate in gains],
            LITTLE,
        ),
    ]
    if results.full:
        compared = [(style.label, _comparison(results, on)) for on, style in BATCH_NORM.items()]
        verdicts.append(agreeing("Test accuracy at the end agrees with the paper's curves", compared))
    return verdicts
