"""Table 4: random labels under an explicit regularizer, ours beside the paper's training accuracy."""

from dataclasses import replace

from rethink.report.dots import Dot, dots
from rethink.report.estimates import Comparison, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.paper import PaperRow, lowest, rows
from rethink.report.results import Results
from rethink.report.style import architecture_style
from rethink.report.tables import Cell, Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Verdict, agreeing, fitted, summary

FAILED = 0.5  # "failed to converge" is met where every seed ends under it (sweep.yaml)
AUGMENTED = ("random cropping", "augmentation")  # of these the paper reports the mean over the epoch's augmented images
KINDS = {"train/accuracy": "after the epoch", "online/accuracy": "during the epoch"}

Row = tuple[PaperRow, Comparison]


def artefact(results: Results) -> Artefact:
    """The six rows, each by the accuracy that the paper reports of it, with the other one beside."""
    found = [(row, _compare(results, row)) for row in rows("table4")]
    verdicts = [_fits(results, found)]
    if results.full:
        verdicts.append(agreeing("Training accuracy agrees with the paper's", [(row.name, one) for row, one in found]))
    return results.artefact(
        finding=f"{_finding(found, results.full)} {summary(verdicts)}",
        charts=[_chart(found)],
        tables=[_table(results, found)],
        verdicts=verdicts,
    )


def _compare(results: Results, row: PaperRow) -> Comparison:
    paper = row.number("train_accuracy")
    comparison = results.compare(_metric(row), paper, "train", **row.setting)
    return replace(comparison, fails_below=FAILED if paper is None else None)


def _metric(row: PaperRow) -> str:
    return "online/accuracy" if row.cells["regularizer"] in AUGMENTED else "train/accuracy"


def _fits(results: Results, found: list[Row]) -> Verdict:
    bound = lowest("table4", "train_accuracy") - results.tolerance("train").value
    expected = [(row.name, one) for row, one in found if one.fails_below is None]
    known = [(name, 100 * min(one.ours.values) >= bound) for name, one in expected if one.ours]
    missing = [name for name, one in expected if not one.ours]
    least = f"{bound:g} % or more (the paper's lowest less the tolerance)"
    return fitted(f"All but small AlexNet with weight decay fit random labels all the same, to {least}", known, missing)


def _finding(found: list[Row], full: bool) -> str:
    there = [(row.name, one) for row, one in found if one.ours]
    said = f"Run so far: {len(there)} of the paper's {len(found)} rows"
    if there and full:
        said += f"; {sum(one.verdict == 'inside' for _, one in there)} with the paper's outcome"
    numbers = [f"{100 * one.ours.mean:.2f} % ({name})" for name, one in there if one.ours]
    return f"{said}. Training accuracy on random labels: {', '.join(numbers) or 'not known yet'}."


def _table(results: Results, found: list[Row]) -> Table:
    cells: list[list[Cell]] = []
    for row, one in found:
        decay = results.weight_decay(**row.setting)
        metric = _metric(row)
        (other,) = KINDS.keys() - {metric}
        regularizer = row.cells["regularizer"] + (f" {decay:g}" if decay else "")
        measured = results.final(other, **row.setting)
        cells.append([row.network, regularizer, KINDS[metric], *comparison_cells(one), measured])
    columns = [Column.text("network", "network"), Column.text("regularizer", "regularizer")]
    return Table(
        [
            *columns,
            Column.text("measured", "measured"),
            *comparison_columns("accuracy"),
            Column.estimates("other way", "other"),
        ],
        cells,
        "Table 4, training accuracy on random labels at the last epoch: mean ± s.d. over n seeds",
        [
            "Measured after the epoch on the training images as they are, or as the mean during the epoch over the "
            "images as they were augmented, as in the paper where it augments; in the last column the other one.",
            rule_in_words(f"{results.tolerance('train')} points"),
            f"'failed to converge' is met if every seed ends under {100 * FAILED:g} %: the network trains on and does "
            "not fit. A run that diverged shows another failure than the paper's, of the step and not of the fit.",
        ],
    )


def _chart(found: list[Row]) -> Chart:
    marks = [
        Dot(
            row.name,
            architecture_style(row.architecture),
            one.ours and one.ours.scaled(100),
            row.number("train_accuracy"),
        )
        for row, one in found
    ]
    description = (
        "Training accuracy on random labels under each regularizer: ours, and hollow the paper's. The paper's small "
        "AlexNet has no number: it failed to converge. A row without a filled mark has not been run."
    )
    return Chart("table4", description, [dots("Random labels", "training accuracy (%)", marks)])
