"""Rows of Table 1 on all of CIFAR-10, beside the paper's, and the training loss beside Figure 1a's curves."""

import json
from collections.abc import Sequence
from pathlib import Path

from rethink.records.run import Crossing, Run, read_columns
from rethink.report.figures import Chart, Panel, Series, against_step
from rethink.report.page import Artefact, Page
from rethink.report.provenance import mixtures, provenance, summary
from rethink.report.style import architecture_style, randomization_style
from rethink.report.tables import Column, Table

PAPER = Path(__file__).parent.parent / "paper"
ROWS = (("MLP 1x512", "MLP 1x512"), ("SmallInception", "Inception"))  # ours, and as table1.csv has it
LABELS = {"TrueLabels": "true", "RandomLabels": "random"}  # ours, and as table1.csv has it
CURVES = {"TrueLabels": "true_labels", "RandomLabels": "random_labels"}  # columns of fig1a.csv
RULES = {"accuracy>=0.99": "epochs to 99 %", "loss<0.1": "epochs to loss 0.1"}  # and their column heads
COMMAND = "rethink sweep run true_and_random_labels --only"


def render(runs: Sequence[Run], output: Path) -> Table:
    """Writes figures, table, curves, page and provenance to `output`; returns the table, for the terminal."""
    output.mkdir(parents=True, exist_ok=True)
    table = table_of(runs)
    chart = Chart(
        "loss_and_accuracy",
        "Training loss and test accuracy at the end of each epoch against training step, all 50,000 images. In thin "
        "dashes the paper's Figure 1a, where the network is small Inception.",
        [panel(runs, "train/loss", "training loss"), panel(runs, "test/accuracy", "accuracy on the true test labels")],
    )
    chart.save(output)
    (output / "table.md").write_text(table.to_markdown(), encoding="utf-8")
    (output / "table.csv").write_text(table.to_csv(), encoding="utf-8")
    (output / "provenance.json").write_text(json.dumps(provenance(runs), indent=2, sort_keys=True) + "\n")
    for run in runs:
        (output / f"history-{name_of(run)}.csv").write_text((run.path / "history.csv").read_text())
    artefact = Artefact(
        "table1",
        "Table 1, rows without explicit regularization",
        "Networks with more parameters than examples fit random labels to (nearly) 100 % training accuracy. Nothing "
        "but the labels has changed, and the test accuracy falls to chance.",
        f"{len(runs)} of {2 * len(ROWS)} runs are there, one seed each.",
        [chart],
        [table],
    )
    Page(
        "True against random labels",
        "All of CIFAR-10, the paper's recipe, no explicit regularization.",
        [artefact],
        mixtures(runs),
        summary(runs),
    ).save(output / "index.html")
    return table


def table_of(runs: Sequence[Run]) -> Table:
    """A row per row of Table 1, with what no run has produced yet said so."""
    theirs = paper_rows()
    rows: list[list[str | int | float | Crossing | None]] = []
    missing = []
    for architecture, paper_name in ROWS:
        for randomization, labels in LABELS.items():
            train, test = theirs[paper_name, labels]
            found = [r for r in runs if (r.architecture, r.randomization) == (architecture, randomization)]
            name = architecture_style(architecture).label
            rows += [
                [
                    *(name, labels, run.seed, *(run.crossing(rule) for rule in RULES)),
                    *(run.final("train/accuracy"), train, run.final("test/accuracy"), test),
                ]
                for run in found
            ]
            if not found:
                rows.append([name, labels, None, None, None, None, train, None, test])
                missing.append(architecture)
    notes = [f"Not run: {name}. To run it: {COMMAND} {name}" for name in dict.fromkeys(missing)]
    columns = [
        Column.text("network", "architecture"),
        Column.text("labels", "labels"),
        Column("seed", "seed"),
        *(Column(head, f"epochs_to_{rule}") for rule, head in RULES.items()),
        Column("train", "train/accuracy", unit="%", scale=100, format=".2f"),
        Column("paper", "paper_train", unit="%", format=".2f"),
        Column("test", "test/accuracy", unit="%", scale=100, format=".2f"),
        Column("paper", "paper_test", unit="%", format=".2f"),
    ]
    caption = "True and random labels on all of CIFAR-10, last epoch, beside Table 1 of the paper"
    return Table(columns, rows, caption, notes)


def paper_rows() -> dict[tuple[str, str], tuple[float, float]]:
    """(network, labels) -> (train, test) accuracy in per cent, of the rows without crop and weight decay."""
    found = {}
    lines = (PAPER / "table1.csv").read_text().splitlines()
    header = lines[0].split(",")
    for line in lines[1:]:
        row = dict(zip(header, line.split(","), strict=True))
        if row["random_crop"] == row["weight_decay"] == "no":
            found[row["model"], row["labels"]] = (float(row["train_accuracy"]), float(row["test_accuracy"]))
    return found


def panel(runs: Sequence[Run], column: str, label: str) -> Panel:
    """A value against step for every run, with the paper's curve where it has one."""
    series = []
    for run in runs:
        style = randomization_style(run.randomization)
        if column == "train/loss" and run.architecture == "SmallInception":
            paper = read_columns(PAPER / "fig1a.csv")
            points = zip(paper["step"], paper[CURVES[run.randomization]], strict=True)
            known = [(x, y) for x, y in points if x is not None and y is not None]
            series.append(Series.paper(style, [x for x, _ in known], [y for _, y in known]))
        steps, values = run.curve(column)
        name = f"{architecture_style(run.architecture).label}, {style.label}"
        series.append(Series(name, steps, values, style.color, architecture_style(run.architecture).dash))
    return against_step(label.capitalize(), label, series)


def name_of(run: Run) -> str:
    """For file names: mlp-1x512-random-labels-seed-0."""
    words = f"{architecture_style(run.architecture).label} {randomization_style(run.randomization).label}"
    return f"{words} seed {run.seed}".lower().replace(" ", "-")
