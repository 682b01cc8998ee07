"""Table 1: training and test accuracy of every row, ours beside the paper's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rethink.report import paper
from rethink.report.dots import Dot, abbreviated, dots
from rethink.report.estimates import Comparison, Estimate, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.paper import PaperRow, lowest
from rethink.report.results import Results
from rethink.report.rows import Row, grouped
from rethink.report.tables import Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Verdict, agreeing, at_chance, fitted, summary
from rethink.report.wording import capitalized, sentence

QUANTITIES = {"train": "training", "test": "test"}
BOUND = "(the paper's lowest less the tolerance)"
FINDING = """
Run so far: {{ there | length }} of the paper's {{ rows | length }} rows.
{% if there %}
{% if full %}
Training accuracy agrees with the paper's in {{ inside["train"] }} of them,
test accuracy in {{ inside["test"] }}.
{% endif %}
The lowest training accuracy is {{ lowest.train.ours.scaled(100).format(".2f") }} % ({{ lowest.paper.name }}).
{% endif %}
{% for network, plain, best in regularized %}
{{ network }} tests at {{ plain.short }} % without any regularizer
and at {{ best.short }} % at best with one or more of them.
{% endfor %}
{{ summary }}
"""


@dataclass(frozen=True)
class TableRow:
    """A row of the paper's table, and ours."""

    paper: PaperRow
    row: Row
    train: Comparison
    test: Comparison


def rows(results: Results) -> list[TableRow]:
    """The 19 rows."""
    table_rows = []
    for theirs in paper.rows("table1"):
        row = results.row(**theirs.setting)
        train, test = (
            row.compare(
                row.final(f"{quantity}/accuracy"),
                theirs.number(f"{quantity}_accuracy"),
                results.judged("test_random" if quantity == "test" and theirs.random_labels else quantity),
                percent=True,
            )
            for quantity in QUANTITIES
        )
        table_rows.append(TableRow(theirs, row, train, test))
    return table_rows


def artefact(results: Results) -> Artefact:
    """The 19 rows as two tables, training and test; the parameters of the five networks; all rows as a chart."""
    table_rows = rows(results)
    judged = verdicts(results, table_rows)
    there = [row for row in table_rows if row.train.ours]
    inside = {name: [getattr(row, name).verdict for row in table_rows].count("inside") for name in QUANTITIES}
    finding = sentence(
        FINDING,
        rows=table_rows,
        there=there,
        full=results.full,
        inside=inside,
        lowest=min(there, key=lambda row: row.train.ours.mean if row.train.ours else 1.0, default=None),
        regularized=regularized(table_rows),
        summary=summary(judged),
    )
    tables = [*(table(results, table_rows, quantity) for quantity in QUANTITIES), parameters(results, table_rows)]
    return results.artefact(finding, [chart(results, table_rows)], tables, judged)


def regularized(table_rows: Sequence[TableRow]) -> list[tuple[str, Estimate, Estimate]]:
    """Networks with their test accuracy on true labels, in per cent, without a regularizer and at best with one."""
    networks = []
    for network, of_network in grouped(table_rows, lambda row: row.paper.network).items():
        tests = {
            row.paper.name: row.test.ours.scaled(100)
            for row in of_network
            if row.test.ours and not row.paper.random_labels
        }
        plain = tests.pop(network, None)
        if plain and tests:
            networks.append((capitalized(network), plain, max(tests.values(), key=lambda test: test.mean)))
    return networks


def verdicts(results: Results, table_rows: Sequence[TableRow]) -> list[Verdict]:
    """Every network fits, and guesses where the labels are random; and whether the numbers agree."""
    bound = lowest("table1", "train_accuracy") - results.tolerance("train").value
    fits = [(row.paper.name, 100 * min(row.train.ours.values) >= bound) for row in table_rows if row.train.ours]
    missing = [row.paper.name for row in table_rows if not row.train.ours]
    random = [row for row in table_rows if row.paper.random_labels]
    examples = min((run.test_size for run in results.runs), default=10_000)
    judged = [
        fitted(
            "Every network fits its labels, true or random, with and without regularizers, "
            f"to {bound:g} % or more {BOUND}",
            fits,
            missing if len(missing) < 7 else [f"{len(missing)} rows"],
            min((row.train.ours.n for row in table_rows if row.train.ours), default=0),
        ),
        at_chance(
            "Trained on random labels, a network tests at chance",
            [(row.paper.network, row.test.ours) for row in random if row.test.ours],
            0.1,
            examples,
            [row.paper.network for row in random if not row.test.ours],
        ),
    ]
    if results.full:
        judged += [
            agreeing(
                f"{words.capitalize()} accuracy agrees with the paper's",
                [(row.paper.name, getattr(row, name)) for row in table_rows],
            )
            for name, words in QUANTITIES.items()
        ]
    return judged


def table(results: Results, table_rows: Sequence[TableRow], quantity: str) -> Table:
    """Training or test accuracy of the 19 rows."""
    columns = [Column.text(name, name.replace(" ", "_")) for name in ("network", "labels", "crop", "weight decay")]
    allowed = (
        f"{results.tolerance(quantity)} points"
        if quantity == "train"
        else (f"{results.tolerance('test')} points ({results.tolerance('test_random')} on random labels)")
    )
    return Table(
        [*columns, *comparison_columns(f"{quantity}/accuracy")],
        [
            [
                *(row.paper.network, row.paper.cells["labels"], row.paper.cells["random_crop"]),
                f"{row.row.weight_decay:g}" if row.row.weight_decay else "no",
                *comparison_cells(getattr(row, quantity)),
            ]
            for row in table_rows
        ],
        f"Table 1, {QUANTITIES[quantity]} accuracy at the last epoch: mean ± s.d. over n seeds",
        [
            *([rule_in_words(allowed)] if results.full else []),
            *results.draws,
            *(results.test_images if quantity == "test" else []),
        ],
        name=quantity,
    )


def parameters(results: Results, table_rows: Sequence[TableRow]) -> Table:
    """Trained parameters of the five networks."""
    cells = []
    for theirs in {row.paper.network: row.paper for row in table_rows}.values():
        runs = results.row(**{name: theirs.setting[name] for name in ("architecture", "batch_norm")}).runs
        ours = sorted({int(run.record["model"]["parameters"]) for run in runs})
        verdict = ("the same" if ours == [int(theirs.cells["parameters"])] else "not the same") if ours else "not run"
        cells.append([theirs.network, ", ".join(map(str, ours)) or None, theirs.cells["parameters"], verdict])
    columns = [Column.text("network", "network"), Column("ours", "ours"), Column("paper", "paper")]
    return Table([*columns, Column.text("verdict", "verdict")], cells, "Trained parameters", name="parameters")


def chart(results: Results, table_rows: Sequence[TableRow]) -> Chart:
    """Every row as a pair of dots."""
    panels = []
    for quantity, words in QUANTITIES.items():
        marks = []
        for row in table_rows:
            ours, theirs = getattr(row, quantity).ours, row.paper.number(f"{quantity}_accuracy")
            marks.append(Dot(abbreviated(row.paper.name), row.row.style, ours and ours.scaled(100), theirs))
        chance: dict[str, Any] = {"limits": (0, 100), "reference": (10, "chance")} if quantity == "test" else {}
        panels.append(dots(f"{words.capitalize()} accuracy", "per cent", marks, possible=(0, 100), **chance))
    description = (
        "Training and test accuracy of every row of Table 1: ours, and hollow the paper's. "
        "A row without a filled mark has not been run. Guessing has 10 % of either, which is far left of the training "
        "accuracies."
    )
    return Chart("table1", " ".join([description, *results.draws, *results.test_images]), panels)
