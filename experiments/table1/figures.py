"""Table 1: training and test accuracy of every row, ours beside the paper's."""

from rethink.report.dots import Dot, abbreviated, dots
from rethink.report.estimates import Comparison, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.paper import PaperRow, lowest, rows
from rethink.report.results import Results
from rethink.report.style import architecture_style
from rethink.report.tables import Cell, Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Verdict, agreeing, at_chance, fitted, summary

ONE_DRAW = "All seeds share one draw of the random labels."
QUANTITIES = {"train": "training", "test": "test"}
BOUND = "(the paper's lowest less the tolerance)"

Row = tuple[PaperRow, Comparison]


def artefact(results: Results) -> Artefact:
    """The 19 rows as two tables, training and test; the parameters of the five networks; all rows as a chart."""
    found = {quantity: [(row, _compare(results, row, quantity)) for row in rows("table1")] for quantity in QUANTITIES}
    verdicts = [_fits(results, found["train"]), _guesses(results, found["test"])]
    if results.full:
        verdicts += [
            agreeing("Training accuracy agrees with the paper's", [(row.name, one) for row, one in found["train"]]),
            agreeing("Test accuracy agrees with the paper's", [(row.name, one) for row, one in found["test"]]),
        ]
    return results.artefact(
        finding=f"{_finding(found, results.full)} {summary(verdicts)}",
        charts=[_chart(found)],
        tables=[*(_table(results, quantity, found[quantity]) for quantity in QUANTITIES), _parameters(results)],
        verdicts=verdicts,
    )


def _compare(results: Results, row: PaperRow, quantity: str) -> Comparison:
    tolerance = "test_random" if quantity == "test" and row.random_labels else quantity
    return results.compare(f"{quantity}/accuracy", row.number(f"{quantity}_accuracy"), tolerance, **row.setting)


def _fits(results: Results, train: list[Row]) -> Verdict:
    bound = lowest("table1", "train_accuracy") - results.tolerance("train").value
    known = [(row.name, 100 * min(one.ours.values) >= bound) for row, one in train if one.ours]
    missing = [row.name for row, one in train if not one.ours]
    trend = (
        f"Every network fits its labels, true or random, with and without regularizers, to {bound:g} % or more {BOUND}"
    )
    return fitted(trend, known, missing if len(missing) < 7 else [f"{len(missing)} rows"])


def _guesses(results: Results, test: list[Row]) -> Verdict:
    random = [(row.network, one.ours) for row, one in test if row.random_labels and one.ours]
    missing = [row.network for row, one in test if row.random_labels and not one.ours]
    examples = min((run.test_size for run in results.runs), default=10_000)
    return at_chance("Trained on random labels, a network tests at chance", random, 0.1, examples, missing)


def _finding(found: dict[str, list[Row]], full: bool) -> str:
    there = [(row.name, one.ours.mean) for row, one in found["train"] if one.ours]
    said = f"Run so far: {len(there)} of the paper's {len(found['train'])} rows."
    if there and full:
        inside = {quantity: sum(one.verdict == "inside" for _, one in found[quantity]) for quantity in found}
        said += f" Training accuracy agrees with the paper's in {inside['train']} of them,"
        said += f" test accuracy in {inside['test']}."
    if there:
        name, lowest = min(there, key=lambda pair: pair[1])
        said += f" The lowest training accuracy is {100 * lowest:.2f} % ({name})."
    for network in dict.fromkeys(row.network for row, _ in found["test"]):
        accuracies = {
            row.name: 100 * one.ours.mean
            for row, one in found["test"]
            if one.ours and row.network == network and not row.random_labels
        }
        plain = accuracies.pop(network, None)
        if plain and accuracies:
            said += f" {network[0].upper()}{network[1:]} tests at {plain:.1f} % without any regularizer"
            said += f" and at {max(accuracies.values()):.1f} % at best with one or more of them."
    return said


def _table(results: Results, quantity: str, found: list[Row]) -> Table:
    columns = [Column.text(name, name.replace(" ", "_")) for name in ("network", "labels", "crop", "weight decay")]
    cells: list[list[Cell]] = []
    for row, one in found:
        decay = results.weight_decay(**row.setting)
        switches: list[Cell] = [row.cells["random_crop"], f"{decay:g}" if decay else "no"]
        cells.append([row.network, row.cells["labels"], *switches, *comparison_cells(one)])
    allowed = (
        f"{results.tolerance(quantity)} points"
        if quantity == "train"
        else (f"{results.tolerance('test')} points ({results.tolerance('test_random')} on random labels)")
    )
    return Table(
        [*columns, *comparison_columns(f"{quantity}/accuracy")],
        cells,
        f"Table 1, {QUANTITIES[quantity]} accuracy at the last epoch: mean ± s.d. over n seeds",
        [rule_in_words(allowed), ONE_DRAW] if results.full else [],
        name=quantity,
    )


def _parameters(results: Results) -> Table:
    cells: list[list[Cell]] = []
    for row in {row.network: row for row in rows("table1")}.values():
        runs = results.select(architecture=row.setting["architecture"], batch_norm=row.setting["batch_norm"])
        ours = sorted({int(run.record["model"]["parameters"]) for run in runs})
        verdict = ("the same" if ours == [int(row.cells["parameters"])] else "not the same") if ours else "not run"
        cells.append([row.network, ", ".join(map(str, ours)) or None, row.cells["parameters"], verdict])
    columns = [Column.text("network", "network"), Column("ours", "ours"), Column("paper", "paper")]
    return Table([*columns, Column.text("verdict", "verdict")], cells, "Trained parameters", name="parameters")


def _chart(found: dict[str, list[Row]]) -> Chart:
    panels = []
    for quantity, title in zip(QUANTITIES, ("Training accuracy", "Test accuracy"), strict=True):
        marks = []
        for row, one in found[quantity]:
            ours, paper = one.ours and one.ours.scaled(100), row.number(f"{quantity}_accuracy")
            marks.append(Dot(abbreviated(row.name), architecture_style(row.architecture), ours, paper))
        chance = {"limits": (0, 100), "reference": (10, "chance")} if quantity == "test" else {}
        panels.append(dots(title, "per cent", marks, **chance))
    description = (
        "Training and test accuracy of every row of Table 1: ours, and hollow the paper's. "
        "A row without a filled mark has not been run."
    )
    return Chart("table1", description, panels)
