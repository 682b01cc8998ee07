"""Table 4: random labels under an explicit regularizer, ours beside the paper's training accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rethink.report import paper
from rethink.report.dots import Dot, dots
from rethink.report.estimates import Comparison, Estimate, Tolerance, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.paper import PaperRow, lowest
from rethink.report.results import Results
from rethink.report.rows import Row
from rethink.report.tables import Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Verdict, agreeing, fitted, summary
from rethink.report.wording import sentence

FAILED = 0.5  # "failed to converge" is met where every seed ends under it (sweep.yaml)
AUGMENTED = ("random cropping", "augmentation")  # of these the paper reports the mean over the epoch's augmented images
KINDS = {"train/accuracy": "after the epoch", "online/accuracy": "during the epoch"}
FINDING = """
Run so far: {{ there | length }} of the paper's {{ rows | length }} rows
{% if there and full %}; {{ there | selectattr("comparison.verdict", "eq", "inside") | list | length }} with the
paper's outcome{% endif %}.
Training accuracy on random labels:
{% for row in there %}{{ "%.2f" % (100 * row.comparison.ours.mean) }} % ({{ row.paper.name }})
{{ ", " if not loop.last }}
{% else %}not known yet{% endfor %}. {{ summary }}
"""


@dataclass(frozen=True)
class TableRow:
    """A row of the paper's table, and ours by the accuracy that the paper reports of it."""

    paper: PaperRow
    row: Row
    metric: str
    comparison: Comparison
    other: Estimate | None
    """The other accuracy."""


def rows(results: Results) -> list[TableRow]:
    """The six rows."""
    table_rows = []
    for theirs in paper.rows("table4"):
        row = results.row(**theirs.setting)
        metric = "online/accuracy" if theirs.cells["regularizer"] in AUGMENTED else "train/accuracy"
        (other,) = KINDS.keys() - {metric}
        number = theirs.number("train_accuracy")
        comparison = row.compare(row.final(metric), number, results.judged("train"), percent=True)
        comparison = replace(comparison, fails_below=FAILED if number is None else None)
        table_rows.append(TableRow(theirs, row, metric, comparison, row.final(other)))
    return table_rows


def artefact(results: Results) -> Artefact:
    """The six rows, each by the accuracy that the paper reports of it, with the other one beside."""
    table_rows = rows(results)
    judged = verdicts(table_rows, results.tolerance("train"), results.full)
    there = [row for row in table_rows if row.comparison.ours]
    finding = sentence(FINDING, rows=table_rows, there=there, full=results.full, summary=summary(judged))
    return results.artefact(finding, [chart(results, table_rows)], [table(results, table_rows)], judged)


def verdicts(table_rows: Sequence[TableRow], tolerance: Tolerance, full: bool) -> list[Verdict]:
    """All but one network fit all the same; and whether the numbers agree."""
    bound = lowest("table4", "train_accuracy") - tolerance.value
    expected = [(row.paper.name, row.comparison.ours) for row in table_rows if row.comparison.fails_below is None]
    judged = [
        fitted(
            "All but small AlexNet with weight decay fit random labels all the same, "
            f"to {bound:g} % or more (the paper's lowest less the tolerance)",
            [(name, 100 * min(ours.values) >= bound) for name, ours in expected if ours],
            [name for name, ours in expected if not ours],
            min((ours.n for _, ours in expected if ours), default=0),
        )
    ]
    if full:
        compared = [(row.paper.name, row.comparison) for row in table_rows]
        judged.append(agreeing("Training accuracy agrees with the paper's", compared))
    return judged


def table(results: Results, table_rows: Sequence[TableRow]) -> Table:
    """Both accuracies of the six rows."""
    return Table(
        [
            *(Column.text(name, name) for name in ("network", "regularizer", "measured")),
            *comparison_columns("accuracy"),
            Column.estimates("other way", "other"),
        ],
        [
            [
                row.paper.network,
                row.paper.cells["regularizer"] + (f" {row.row.weight_decay:g}" if row.row.weight_decay else ""),
                *(KINDS[row.metric], *comparison_cells(row.comparison), row.other),
            ]
            for row in table_rows
        ],
        "Table 4, training accuracy on random labels at the last epoch: mean ± s.d. over n seeds",
        [
            "Measured after the epoch on the training images as they are, or as the mean during the epoch over the "
            "images as they were augmented, as in the paper where it augments; in the last column the other one.",
            rule_in_words(f"{results.tolerance('train')} points"),
            f"'failed to converge' is met if every seed ends under {100 * FAILED:g} %: the network trains on and does "
            "not fit. A run that diverged shows another failure than the paper's, of the step and not of the fit.",
            *results.draws,
        ],
    )


def chart(results: Results, table_rows: Sequence[TableRow]) -> Chart:
    """Every row as a pair of dots."""
    marks = []
    for row in table_rows:
        ours = row.comparison.ours
        marks.append(Dot(row.paper.name, row.row.style, ours and ours.scaled(100), row.paper.number("train_accuracy")))
    description = (
        "Training accuracy on random labels under each regularizer: ours, and hollow the paper's. The paper's small "
        "AlexNet has no number: it failed to converge. A row without a filled mark has not been run. Guessing has "
        "10 %, far to the left."
    )
    panel = dots("Random labels", "training accuracy (%)", marks, possible=(0, 100))
    return Chart("table4", " ".join([description, *results.draws]), [panel])
