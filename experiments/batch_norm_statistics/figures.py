"""Small Inception after one epoch, evaluated with every kind of batch norm statistics, beside the paper's Figure 1a."""

from collections.abc import Sequence
from typing import Any

from rethink.report.estimates import NEAREST_RULE, Estimate, nearest
from rethink.report.page import Artefact
from rethink.report.paper import number
from rethink.report.results import Results
from rethink.report.tables import Cell, Column, Table
from rethink.runs.run import Run

SETTINGS = {
    "TrueLabels": ("true labels", "true_labels"),
    "ShuffledPixels": ("shuffled pixels", "shuffled_pixels"),
    "RandomPixels": ("random pixels", "random_pixels"),
}
METRICS = ("train/loss", "train/accuracy", "test_randomized/accuracy")
EPOCHS = (1, 2)


def artefact(results: Results) -> Artefact:
    """A row for each setting and way, which way is nearest to the paper's loss, and the same on whole sets."""
    by_setting = {name: [run for run in results.runs if run.randomization == name] for name in SETTINGS}
    rows: list[list[Cell]] = []
    findings = []
    for name, runs in by_setting.items():
        paper = number("fig1a", SETTINGS[name][1], epoch="1")
        assert paper is not None
        losses: dict[str, Estimate] = {}
        for way in _ways(runs):
            loss, train, test = (Estimate.of([_measured(run, way)[metric] for run in runs]) for metric in METRICS)
            assert loss is not None
            losses[way] = loss
            rows.append([SETTINGS[name][0], way, loss.n, loss, train, test, paper, loss.minus(paper)])
        findings.append(_finding(name, losses, paper))
    notes = [
        "Every row of a setting is of the same weights. Running: averages over the batches of training, by momentum, "
        "the start taken out of them. Batch: of each evaluated batch. Recomputed: over training images.",
        f"Difference: with the 95 % interval of the mean. {NEAREST_RULE}",
        *{f"On {run.record['batch_norm_statistics']['images'] or 'all'} images of each set." for run in results.runs},
        *results.draws,
        *results.test_images,
    ]
    caption = "Small Inception after one epoch: mean ± s.d. over n seeds"
    tables = [Table(_columns(), rows, caption, notes), *(_on_whole_sets(results) if results.full else [])]
    return results.artefact(finding=" ".join(findings), tables=tables)


def _columns(*more: Column) -> list[Column]:
    return [
        *(Column.text("setting", "randomization"), Column.text("evaluated by", "statistics"), *more, Column("n", "n")),
        Column.estimates("training loss", "train/loss", "", 1, ".3f"),
        *(Column.estimates("training", "train/accuracy"), Column.estimates("test", "test_randomized/accuracy")),
        Column("paper's loss", "paper", format=".3f"),
        Column("difference", "difference", format="+.3f", estimate=True, interval=True),
    ]


def _on_whole_sets(results: Results) -> list[Table]:
    """As the runs themselves were evaluated: these by running statistics, those of Figure 1a by recomputed ones."""
    fig1a = results.other("fig1a")
    rows: list[list[Cell]] = []
    for name, (words, column) in SETTINGS.items():
        for way, source in (("running 0.1", results), ("recomputed", fig1a)):
            for epoch in EPOCHS:
                loss, train, test = (source.row(randomization=name).at(epoch, metric) for metric in METRICS)
                paper = number("fig1a", column, epoch=str(epoch))
                if loss and paper is not None:
                    rows.append([words, way, epoch, loss.n, loss, train, test, paper, loss.minus(paper)])
    notes = [
        "On all images of each set, in the runs' own evaluation: by running statistics in the runs of the first table, "
        "by recomputed ones in those of Figure 1a, which are trained alike and go on. Difference: with the 95 % "
        "interval of the mean. The paper's numbers are n = 1.",
        *results.draws,
    ]
    caption = "The same on whole sets, and after the second epoch: mean ± s.d. over n seeds"
    return [Table(_columns(Column("after epoch", "epoch")), rows, caption, notes, "whole_sets")] if rows else []


def _finding(name: str, losses: dict[str, Estimate], paper: float) -> str:
    if not losses:
        return f"{SETTINGS[name][0].capitalize()}: not run."
    text = ", ".join(f"{way} {loss.format('.3f')}" for way, loss in losses.items())
    return f"{SETTINGS[name][0].capitalize()}: {text}; the paper {paper:.3f}. Nearest: {nearest(losses, paper)}."


def _ways(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(row["statistics"] for run in runs for row in _rows(run)))


def _rows(run: Run) -> list[dict[str, Any]]:
    """Of the first epoch."""
    return [row for row in run.record["batch_norm_statistics"]["rows"] if row["epoch"] == 1]


def _measured(run: Run, way: str) -> dict[str, float]:
    return next(row for row in _rows(run) if row["statistics"] == way)
