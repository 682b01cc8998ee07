"""Table 2: Inception V3 on ImageNet, top-1 and top-5, the last epoch and the best; ours beside the paper's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rethink.report import paper
from rethink.report.dots import Dot, dots
from rethink.report.estimates import Comparison, Estimate, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.results import Results
from rethink.report.rows import Row
from rethink.report.style import architecture_style
from rethink.report.tables import Cell, Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Verdict, agreeing, at_chance, fitted, summary
from rethink.report.wording import sentence
from rethink.runs.run import Run
from rethink.runs.setting import Setting

# Column of the paper's table -> the metric of the history, and its name in a caption.
QUANTITIES = {
    "top1_train": ("train/accuracy", "Top-1 training"),
    "top5_train": ("train/accuracy_top5", "Top-5 training"),
    "top1_test": ("test/accuracy", "Top-1 test"),
    "top5_test": ("test/accuracy_top5", "Top-5 test"),
}
PRINTED = (
    "Weight decay alone: 90.60 % top-1 is as printed; Figure 2a ends at 99.6 %, and the top-5 of the row is 100 %."
)
IN_SMALL = "Not ImageNet, but a few hundred images in ten classes: the paper's numbers are there to look at."
UNTIL = "In small a row is trained until all training images are right, or for 40 epochs."
FINDING = """
Run so far: {{ there | length }} of the paper's {{ rows | length }} rows.
{% if there %}
The lowest top-1 training accuracy is
{{ "%.2f" % (100 * lowest.comparisons["top1_train"].ours.mean) }} % ({{ lowest.name }}).
{% endif %}
{{ summary }}
"""


@dataclass(frozen=True)
class TableRow:
    """A row of the paper's table, and ours: by column the number at the last epoch, and the best along training."""

    paper: paper.PaperRow
    row: Row
    comparisons: Mapping[str, Comparison]
    best: Mapping[str, Estimate | None]

    @property
    def labels(self) -> str:
        """`true` or `random`."""
        return self.paper.cells["labels"]

    @property
    def name(self) -> str:
        """The row in a line: `random labels, dropout, weight decay`."""
        names = {"augmentation": "augmentation", "dropout": "dropout", "weight_decay": "weight decay"}
        on = [words for name, words in names.items() if self.paper.cells[name] == "yes"]
        return ", ".join([f"{self.labels} labels", *(on or ["no regularizer"])])


def rows(results: Results) -> list[TableRow]:
    """The seven rows of Inception V3."""
    table_rows = []
    for theirs in paper.rows("table2"):
        if theirs.cells["model"] != "InceptionV3":
            continue
        row = next((row for row in results.rows if same(row.planned[0].setting, theirs.cells)), results.row(seed=-1))
        comparisons = {
            column: row.compare(
                row.final(metric),
                theirs.number(column),
                results.judged(tolerance(column, theirs.cells["labels"])),
                percent=True,
            )
            for column, (metric, _) in QUANTITIES.items()
        }
        best = {column: row.estimate(partial(highest, metric=metric)) for column, (metric, _) in QUANTITIES.items()}
        table_rows.append(TableRow(theirs, row, comparisons, best))
    return table_rows


def same(setting: Setting, cells: Mapping[str, str]) -> bool:
    """Whether a setting is a row of the paper: with what the package of the time had besides the three regularizers."""
    on = {
        "augmentation": setting.augmentation != "none",
        "dropout": setting.dropout,
        "weight_decay": setting.weight_decay,
    }
    return (
        setting.architecture == "InceptionV3"
        and label_smoothing(setting) > 0
        and setting.randomization == {"true": "TrueLabels", "random": "RandomLabels"}[cells["labels"]]
        and all(bool(value) == (cells[name] == "yes") for name, value in on.items())
    )


def label_smoothing(setting: Setting) -> float:
    """Of the recipe."""
    recipe = setting.value("model.recipe") or {}
    return float(recipe.get("options", {}).get("label_smoothing", 0.0))


def tolerance(column: str, labels: str) -> str:
    """Its name in sweep.yaml."""
    part = column.partition("_")[2]
    return "test_random" if part == "test" and labels == "random" else part


def highest(run: Run, metric: str) -> float | None:
    """The best value along training: what the test set itself would choose, as the paper's parentheses."""
    _, values = run.curve(metric)
    return max(values, default=None)


def _trained(row: TableRow) -> float:
    ours = row.comparisons["top1_train"].ours
    return ours.mean if ours else math.inf


def artefact(results: Results) -> Artefact:
    """Four tables of seven rows, one of what is not the paper's, and all rows as a chart."""
    table_rows = rows(results)
    there = [row for row in table_rows if row.comparisons["top1_train"].ours]
    judged = verdicts(results, table_rows)
    finding = sentence(
        FINDING,
        rows=table_rows,
        there=there,
        lowest=min(there, key=_trained, default=None),
        summary=summary(judged),
    )
    tables = [table(results, table_rows, column) for column in QUANTITIES]
    others = other_rows(results, table_rows)
    tables += [others] if others.rows else []
    return results.artefact(finding, [chart(results, table_rows)], tables, judged, [] if results.full else [IN_SMALL])


def verdicts(results: Results, table_rows: Sequence[TableRow]) -> list[Verdict]:
    """Random labels are fitted, and every row is; random ones test at chance; whether the numbers agree."""
    bound = 100.0 if not results.full else paper.lowest("table2", "top1_train") - results.tolerance("train").value
    ours = [(row, row.comparisons["top1_train"].ours) for row in table_rows]
    random = [(row.name, row.comparisons["top1_test"].ours) for row in table_rows if row.labels == "random"]
    examples = min((run.test_size for run in results.runs), default=50_000)
    classes = max((run.num_classes for run in results.runs), default=1000)
    least = "100 %" if not results.full else f"{bound:g} % (the paper's lowest less the tolerance)"

    def fit(trend: str, judged: Sequence[tuple[TableRow, Estimate | None]]) -> Verdict:
        fits = [(row.name, 100 * min(value.values) >= bound) for row, value in judged if value]
        missing, n = [row.name for row, value in judged if not value], [value.n for _, value in judged if value]
        return fitted(f"{trend} to {least}", fits, missing, min(n, default=0))

    judged = [
        fit("Random labels are fitted", [(row, value) for row, value in ours if row.labels == "random"]),
        fit("Every row fits its training set, true labels or random,", ours),
        at_chance(
            "Trained on random labels, it tests at chance",
            [(name, value) for name, value in random if value],
            1 / classes,
            examples,
            [name for name, value in random if not value],
        ),
    ]
    if results.full:
        judged += [
            agreeing(f"{words} accuracy agrees with the paper's", [(r.name, r.comparisons[column]) for r in table_rows])
            for column, (_, words) in QUANTITIES.items()
        ]
    return judged


def table(results: Results, table_rows: Sequence[TableRow], column: str) -> Table:
    """One quantity of the seven rows; of a test accuracy also the best epoch's, the paper's in parentheses there."""
    metric, words = QUANTITIES[column]
    test = column.endswith("_test")
    switches = ("labels", "augmentation", "dropout", "weight_decay")
    columns = [Column.text(name.replace("_", " "), name) for name in switches]
    best = [Column.estimates("best", f"best_{column}"), Column.percent("paper's best", "paper_best")] if test else []
    cells: list[list[Cell]] = []
    for row in table_rows:
        more: list[Cell] = []
        if test:
            printed = row.paper.number(f"{column}_best")
            more = [row.best[column], printed and printed / 100]
        cells.append([*(row.paper.cells[name] for name in switches), *comparison_cells(row.comparisons[column]), *more])
    notes = [PRINTED if results.full else UNTIL] if column == "top1_train" else []
    if results.full:
        allowed = f"{results.tolerance('train' if not test else 'test')} points"
        allowed += f" ({results.tolerance('test_random')} on random labels)" if test else ""
        notes += [rule_in_words(allowed)]
    notes += [*results.draws, *(results.test_images if test else [])]
    caption = f"Table 2, {words.lower()} accuracy at the last epoch, {results.all.images} images"
    return Table([*columns, *comparison_columns(metric), *best], cells, caption, notes, name=column)


def other_rows(results: Results, table_rows: Sequence[TableRow]) -> Table:
    """What is not in the paper: what it leaves unsaid switched off, and the networks of today."""
    papers = [row.row.setting for row in table_rows]
    others = [row for row in results.rows if row.setting not in papers]
    columns = [Column.text("not in the paper", "setting"), Column("n", "n")]
    columns += [Column.estimates(words.lower(), column) for column, (_, words) in QUANTITIES.items()]
    cells: list[list[Cell]] = [
        [row.name, row.seeds, *(row.final(metric) for metric, _ in QUANTITIES.values())] for row in others
    ]
    return Table(columns, cells, "Not the paper's: accuracy at the last epoch, mean ± s.d. over n seeds", name="others")


def chart(results: Results, table_rows: Sequence[TableRow]) -> Chart:
    """Every row as a pair of dots, top-1."""
    panels = []
    for column in ("top1_train", "top1_test"):
        marks = [
            Dot(
                row.name,
                architecture_style("InceptionV3"),
                (ours := row.comparisons[column].ours) and ours.scaled(100),
                row.paper.number(column),
            )
            for row in table_rows
        ]
        chance = 100 / results.classes, "chance"
        title = f"{QUANTITIES[column][1]} accuracy"
        panels.append(dots(title, "per cent", marks, limits=(0, 100), reference=chance, possible=(0, 100)))
    description = "Top-1 accuracy of every row of Table 2: ours, hollow the paper's. Without a filled mark: not run."
    return Chart("table2", " ".join([description, *results.draws, *results.test_images]), panels)
