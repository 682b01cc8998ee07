"""Every number of the paper's CIFAR-10 and MNIST half with its verdict, taken from the artefacts that judge them."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from rethink.report import artefacts, paper
from rethink.report.estimates import Estimate, Seeds
from rethink.report.page import Artefact
from rethink.report.results import Results
from rethink.report.tables import Cell, Column, Table
from rethink.sweep.experiment import EXPERIMENTS, Experiment

# Artefact -> those of its tables whose "paper" column the paper prints or plots. What is worked back is not counted.
JUDGED = {
    "table1": ("train", "test"),
    "table3": ("errors",),
    "table4": ("table",),
    "fig1a": ("table",),
    "fig1b": ("table",),
    "fig1c": ("corrupted_alike",),
    "fig2b": ("table",),
}
NAMES = {name: name.replace("table", "Table ").replace("fig", "Figure ") for name in JUDGED}
OUTCOMES = ("inside", "inside, n = 1", "outside", "outside, n = 1", "cannot tell", "not run")
_PLOTTED = {"fig1b": "rel_time", "fig1c": "test_error"}
_NETWORKS = {"small Inception": "Inception", "small AlexNet": "AlexNet", "MLP 1x512": "MLP1x512"}
_UNJUDGED = {"": "not run", "not judged": "not run"}


@dataclass(frozen=True)
class Number:
    """One number of the paper, as a reader sees it, with ours."""

    artefact: str
    what: str
    n: str
    ours: str
    paper: str
    difference: str
    verdict: str
    open: str = ""
    """Why it cannot be told."""

    @property
    def cells(self) -> list[Cell]:
        return [
            *(NAMES[self.artefact], self.what, self.n, self.ours),
            *(self.paper, self.difference, self.verdict, self.reason),
        ]

    @property
    def reason(self) -> str | None:
        """Why it is not inside: what the numbers say, and what is known of the paper's (reasons.csv)."""
        if self.verdict.startswith("inside"):
            return None
        text = self.open
        if self.verdict.startswith("outside"):
            text = f"{'below' if self.difference.startswith('-') else 'above'}, beyond the tolerance"
            text += "" if self.verdict.endswith("n = 1") else " with all of the interval"
        reasons = known_reasons(self.artefact, self.what) or (["no reason is known"] if not self.open else [])
        return "; ".join([text, *reasons])


def artefact(results: Results) -> Artefact:
    """The counts first, then every number that was judged, then what was not run with its command and cost."""
    others = {name: results.other(name) for name in JUDGED}
    numbers = [number for name, other in others.items() for number in of_artefact(name, artefacts.make(other))]
    return results.artefact(
        finding=_finding(numbers), tables=[counts(numbers), _judged(numbers), _not_run(numbers, others)]
    )


def known_reasons(artefact: str, what: str) -> list[str]:
    """What can be shown from the paper itself why a number of its may be off; it proves no such thing."""
    rows = [row.cells for row in paper.rows("reasons")]
    return [cells["reason"] for cells in rows if cells["artefact"] == artefact and fnmatch(what, cells["number"])]


def why_open(ours: Cell, seeds: Cell) -> str:
    """Why a verdict is `cannot tell`."""
    if isinstance(seeds, Seeds) and seeds.too_few and seeds.lost:
        return f"{len(seeds.lost)} of {seeds.n + len(seeds.lost)} runs ended without a measurement"
    if not isinstance(ours, Estimate):
        return "no run to compare with was fitted"
    if ours.censored:
        return "not fitted in its epochs: a lower bound"
    return "the interval reaches across the tolerance's edge"


def of_artefact(name: str, made: Artefact) -> list[Number]:
    """The numbers that an artefact judges, and those of the figure's networks of which it has no row yet."""
    numbers = [number for table in made.tables if table.name in JUDGED[name] for number in _of_table(name, table)]
    return [*numbers, *_absent(name, numbers)]


def _of_table(name: str, table: Table) -> Iterator[Number]:
    headers = [column.header for column in table.columns]
    n, place_of_paper = headers.index("n"), headers.index("paper")
    quantity = f", {table.name}" if len(JUDGED[name]) > 1 else ""
    for cells, shown in zip(table.rows, table.shown(), strict=True):
        if cells[place_of_paper] is not None:  # the paper has a number
            row = dict(zip(headers, shown, strict=True))
            words = [shown[0], *(f"{headers[place]} {shown[place]}" for place in range(1, n))]
            verdict = _UNJUDGED.get(row["verdict"], row["verdict"])
            difference, ours = row["difference"], shown[place_of_paper - 1]
            why = why_open(cells[place_of_paper - 1], cells[n]) if verdict == "cannot tell" else ""
            yield Number(name, ", ".join(words) + quantity, row["n"], ours, row["paper"], difference, verdict, why)


def _absent(name: str, numbers: Sequence[Number]) -> Iterator[Number]:
    """Points of Figures 1b and 1c whose network has no run. At p = 0 the relative time is 1 by definition."""
    if name not in _PLOTTED:
        return
    there = {number.what for number in numbers}
    with (EXPERIMENTS / "paper" / "fig1bc.csv").open(newline="", encoding="utf-8") as file:
        points = list(csv.DictReader(file))
    for network, column in _NETWORKS.items():
        for point in points:
            p, value = float(point["p"]), float(point[f"{column}_{_PLOTTED[name]}"])
            if f"{network}, p {p:g}" not in there and (p > 0 or name == "fig1c"):
                shown = f"{value:.2f}" if name == "fig1b" else f"{100 * value:.2f}"
                yield Number(name, f"{network}, p {p:g}", "0", "", shown, "", "not run")


def counts(numbers: Sequence[Number]) -> Table:
    """How many numbers of each artefact have which verdict; this table is the README's."""
    verdicts = Counter((number.artefact, number.verdict) for number in numbers)
    rows: list[list[Cell]] = []
    for name, title in NAMES.items():
        there = [verdicts[name, outcome] for outcome in OUTCOMES]
        rows.append([title, sum(there), *there])
    rows.append(["all", *(sum(int(str(row[place])) for row in rows) for place in range(1, len(OUTCOMES) + 2))])
    columns = [Column.text("artefact", "artefact"), Column("numbers", "numbers")]
    columns += [Column(outcome, outcome.replace(", n = ", "_n").replace(" ", "_")) for outcome in OUTCOMES]
    return Table(columns, rows, "The paper's numbers on CIFAR-10 and MNIST, and what ours say of them", name="counts")


def _judged(numbers: Sequence[Number]) -> Table:
    names = {"number": "what", "n": "n", "ours": "ours", "paper": "paper", "difference": "difference"}
    columns = [Column.text("artefact", "artefact"), Column.text("number", "number")]
    columns += [Column(header, name) for header, name in [*names.items()][1:]]
    columns += [Column.text("verdict", "verdict"), Column.text("why", "reason")]
    rows = [number.cells for number in numbers if number.verdict != "not run"]
    notes = [
        "Ours: mean ± s.d. over n seeds. Difference: with the 95 % interval of the mean. The rule and the tolerance of "
        "each artefact stand under its table. Per cent; steps in Figure 1a, multiples of the time at p = 0 in 1b. "
        "Why: what can be shown from the paper itself, which is a possible reason and no proof."
    ]
    return Table(columns, rows, "Every number that was judged", notes, name="judged")


def _not_run(numbers: Sequence[Number], others: dict[str, Results]) -> Table:
    columns = [Column.text(header, header) for header in ("artefact", "numbers", "command", "cost")]
    rows: list[list[Cell]] = []
    for name, other in others.items():
        absent = [number.what for number in numbers if number.artefact == name and number.verdict == "not run"]
        if absent:
            command, cost = other.experiment.command, other.experiment.cost
            rows.append([NAMES[name], f"{len(absent)}: {'; '.join(absent)}", command, cost])
    with (EXPERIMENTS / "paper" / "table2.csv").open(newline="", encoding="utf-8") as file:
        table2 = [row for row in csv.DictReader(file) if row["model"] == "InceptionV3"]
    imagenet = Experiment.load("table2")
    for row in table2:
        on = [word for word in ("augmentation", "dropout", "weight_decay") if row[word] == "yes"]
        number = sum(1 for column, cell in row.items() if column.startswith("top") and cell)
        what = f"{number}: {row['labels']} labels, {', '.join(on).replace('_', ' ') or 'no regularizer'}"
        rows.append(["Table 2", what, imagenet.command, imagenet.cost])
    return Table(columns, rows, "What was not run, and what it takes", name="not_run")


def _finding(numbers: Sequence[Number]) -> str:
    verdicts = Counter(number.verdict.removesuffix(", n = 1") for number in numbers)
    alone = sum(number.verdict.endswith("n = 1") for number in numbers)
    return (
        f"Of {len(numbers)} numbers {len(numbers) - verdicts['not run']} were run: {verdicts['inside']} are inside the "
        f"tolerance, {verdicts['outside']} outside, {verdicts['cannot tell']} cannot be told. {alone} of the verdicts "
        f"rest on one seed. {verdicts['not run']} were not run."
    )
