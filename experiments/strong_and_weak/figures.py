"""Strong and weak architectures under noise: how long each takes to fit, and how far training and test lie apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rethink.report.estimates import Estimate, least
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series
from rethink.report.randomizations import FIVE, LABELS, TEST_SETS, generalization_metric
from rethink.report.results import Results
from rethink.report.rows import Row, grouped
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Outcome, Verdict, all_fitted, ordered, summary
from rethink.report.wording import evaluations, rule_words, sentence
from rethink.runs.run import Run

GAP = "training minus test accuracy"
_ASIDE = 0.12
STRONGER = "The stronger the network, the better it tests on true labels"
AS_EASILY = "The network that tests best on true labels fits random labels in no more epochs than the worst one"
FINDING = """
{{ fits }} of {{ runs }} runs reach {{ rule }}.
{% for cell in tests %}
{{ "Test accuracy on true labels:" if loop.first }} {{ cell.row.network }} {{ cell.test.scaled(100).short }} %
{{ "." if loop.last else "," }}
{% endfor %}
{% for cell in gaps %}
{{ "Points between training and test accuracy on random labels:" if loop.first }}
{{ cell.row.network }} {{ cell.gap.short }}{{ "." if loop.last else "," }}
{% endfor %}
{{ summary }}
"""


@dataclass(frozen=True)
class Cell:
    """A network in one of the five settings."""

    row: Row
    randomization: str
    epochs: Estimate | None
    """To fit."""
    train: Estimate | None
    test: Estimate | None
    """On the test set that says whether it generalizes."""
    gap: Estimate | None
    """Training minus test accuracy, in points."""


def rows(results: Results) -> list[Cell]:
    """Of every network of the plan, from weak to strong as in sweep.yaml, the five settings."""
    cells = []
    for architecture in results.architectures:
        for randomization in FIVE:
            row = results.row(architecture=architecture, randomization=randomization)
            train, test = row.final("train/accuracy"), row.final(generalization_metric(randomization))
            cells.append(Cell(row, randomization, row.epochs(results.rule), train, test, row.estimate(gap)))
    return cells


def gap(run: Run) -> float | None:
    """Training minus test accuracy at the last epoch, in points."""
    train, test = run.final("train/accuracy"), run.final(generalization_metric(run.randomization))
    return None if train is None or test is None else 100 * (train - test)


def artefact(results: Results) -> Artefact:
    """Epochs to fit and generalization gap of every network in every setting."""
    planned = grouped(rows(results), lambda cell: cell.row.architecture)
    networks = {name: cells for name, cells in planned.items() if any(cell.row.runs for cell in cells)}
    shown = [cell for cells in networks.values() for cell in cells]
    comparable = len({run.train_size for run in results.runs}) <= 1
    judged = verdicts(results, planned, comparable)
    finding = sentence(
        FINDING,
        fits=results.fits,
        runs=len(results.runs),
        rule=rule_words(results.rule),
        tests=[cell for cell in shown if cell.randomization == "TrueLabels" and cell.test],
        gaps=[cell for cell in shown if cell.randomization == "RandomLabels" and cell.gap],
        summary=summary(judged),
    )
    sizes = ", ".join(
        f"{cells[0].row.network} {results.row(architecture=name).images}" for name, cells in networks.items()
    )
    subsets = f"Subsets of different size, so networks cannot be compared with each other: {sizes} images."
    notes = [*([] if comparable else [subsets]), *evaluations(results.runs)]
    return results.artefact(finding, [chart(results, networks)], [table(results, shown)], judged, notes)


def chart(results: Results, networks: Mapping[str, Sequence[Cell]]) -> Chart:
    """Epochs to fit and generalization gap in the five settings, the networks beside each other."""
    panels = []
    guessing = (100 * (1 - 1 / results.classes), "all fitted, the test at chance")
    quantities = (
        ("Epochs to fit", "epochs", "epochs", None),
        ("Generalization gap", "points", "gap", guessing),
    )
    for title, unit, quantity, reference in quantities:
        series = []
        for place, cells in enumerate(networks.values()):
            aside = _ASIDE * (place - (len(networks) - 1) / 2)  # so that equal ones do not hide each other
            points = [(x + aside, getattr(cell, quantity)) for x, cell in enumerate(cells)]
            series.append(Series.estimates(cells[0].row.style, points))
        panels.append(Panel(title, "", unit, series, (0, None), reference, categories=[*LABELS.values()]))
    description = (
        f"Epochs to {rule_words(results.rule)}, and {GAP} at the last epoch, of every network in the five "
        f"settings. An arrow upwards: not fitted when the run ended. {TEST_SETS}"
    )
    return Chart("strong_and_weak", " ".join([description, *results.draws, *results.test_images]), panels)


def table(results: Results, cells: Sequence[Cell]) -> Table:
    """Both, and the accuracies."""
    columns = [
        *(Column.text("network", "architecture"), Column.text("setting", "randomization"), Column("n", "n")),
        *(Column.times("epochs to fit", results.rule), Column.estimates("train", "train/accuracy")),
        *(Column.estimates("test", "test_accuracy"), Column.estimates("gap", "gap", "points", 1, ".1f")),
    ]
    return Table(
        columns,
        [
            [
                *(cell.row.network, LABELS[cell.randomization], cell.row.seeds, cell.epochs or cell.row.blank),
                *(cell.train, cell.test, cell.gap),
            ]
            for cell in cells
        ],
        "At the last epoch, mean ± s.d. over n seeds",
        [
            f"Epochs to {rule_words(results.rule)} (> n: not by epoch n, where the run ended). Gap: {GAP}. {TEST_SETS}",
            *results.draws,
            *results.test_images,
        ],
    )


def verdicts(results: Results, planned: Mapping[str, Sequence[Cell]], comparable: bool) -> list[Verdict]:
    """All fits, random labels in every network; the stronger a network the better it tests, and fits as easily."""
    noise = {name: cell for name, cells in planned.items() for cell in cells if cell.randomization == "RandomLabels"}
    true = {name: cell for name, cells in planned.items() for cell in cells if cell.randomization == "TrueLabels"}

    judged = [
        all_fitted("Every network fits random labels", results.row(randomization="RandomLabels"), results.rule),
        all_fitted("Every network fits every setting", results.all, results.rule),
    ]
    tests = {name: cell.test for name, cell in true.items() if cell.test}
    if not comparable or len(tests) < 2:
        why = "One network only." if comparable else "On subsets of different size."
        return [*judged, *(Verdict(trend, "cannot tell", why) for trend in (STRONGER, AS_EASILY))]
    tested = ordered(STRONGER, [(true[name].row.network, test.scaled(100)) for name, test in tests.items()])
    weakest, strongest = least(tests), least({name: test.scaled(-1) for name, test in tests.items()})
    compared = tested, _as_easily([noise[name] for name in strongest], [noise[name] for name in weakest])
    return [*judged, *(verdict.from_part(len(tests), len(planned), "networks") for verdict in compared)]


def _as_easily(strongest: Sequence[Cell], weakest: Sequence[Cell]) -> Verdict:
    for kind, cells in (("best", strongest), ("worst", weakest)):
        if len(cells) > 1:
            names = " or ".join(cell.row.network for cell in cells)
            return Verdict(AS_EASILY, "cannot tell", f"Which tests {kind} is open: {names}.")
    strong, weak = strongest[0], weakest[0]
    times = [cell.epochs for cell in (strong, weak)]
    if times[0] is None or times[1] is None:
        absent = strong if times[0] is None else weak
        return Verdict(AS_EASILY, "cannot tell", f"Missing: {absent.row.network}.")
    longer = times[1].precedes(times[0])
    outcome: Outcome = "cannot tell" if longer is None else "not shown" if longer else "shown"
    detail = f"{strong.row.network} {times[0].short} epochs, {weak.row.network} {times[1].short}."
    return Verdict(AS_EASILY, outcome, detail, min(time.n for time in times if time))
