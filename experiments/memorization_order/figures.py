"""What is fitted first where part of the labels is wrong: the clean part or the corrupted one, along training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rethink.report import corruption
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series, accuracies
from rethink.report.results import Results
from rethink.report.rows import Row, grouped
from rethink.report.style import ordinal_style
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Verdict, counted, summary
from rethink.report.wording import evaluations, run_name, sentence
from rethink.runs.run import Crossing, Run

CLEAN, CORRUPTED, RECOVERED = "train_clean/accuracy", "train_corrupted/accuracy", "train_corrupted/recovered"
DRAWN = (0.2, 0.4, 0.6, 0.8)  # of the levels that there are, these; if there is none of them, all
PASSED = [(column, share) for column in (CLEAN, CORRUPTED) for share in (0.5, 0.9)]
FINDING = """
{% if rows %}
Epochs to fit half of the clean part and half of the corrupted part, and the largest share of corrupted examples that
was predicted with the true label along the way:
{% for level in rows %}{{ level.row.network }} (p = {{ "%g" % level.row.p }})
{{ level.half[0].format(".0f") }} and {{ level.half[1].format(".0f") }} epochs,
{{ "%.0f" % (100 * level.share.mean) }} %{{ "; " if not loop.last }}
{% endfor %}.
{% else %}
Neither part was measured.
{% endif %}
{{ summary }}
"""


class Peak(NamedTuple):
    """The largest share of the corrupted examples that a network predicts with their true label."""

    share: float
    epoch: int


@dataclass(frozen=True)
class Level:
    """A network at a probability of corruption."""

    row: Row
    passed: Sequence[Estimate | None]
    """Epochs until the parts are fitted to the shares of `PASSED`."""
    share: Estimate | None
    """Of the peak."""
    epoch: Estimate | None
    """Of the peak."""

    @property
    def half(self) -> tuple[Estimate | None, Estimate | None]:
        """Epochs to half of the clean part and of the corrupted one."""
        return self.passed[0], self.passed[2]


def rows(results: Results) -> list[Level]:
    """Of every network that has runs, every planned level."""
    levels = []
    for row in corruption.started(corruption.rows(results)):
        passed = [row.time(lambda run, c=column, s=share: run.first(c, s)) for column, share in PASSED]  # type: ignore[misc]
        peaks = [highest for run in row.runs if (highest := peak(run))]
        share, epoch = (Estimate.of([float(highest[part]) for highest in peaks]) for part in (0, 1))
        levels.append(Level(row, passed, share, epoch))
    return levels


def artefact(results: Results) -> Artefact:
    """Accuracy on both parts and the share recovered along training; the epochs at which they pass a half and 90 %."""
    levels = rows(results)
    networks = list(grouped(levels, lambda level: level.row.architecture).values())
    judged = verdicts(results)
    middle = [
        min((level for level in network if level.row.runs), key=lambda level: abs(level.row.p - 0.4))
        for network in networks
    ]
    whole = [level for level in middle if all(level.half) and level.share]
    shades = " ".join(["The darker on white, the more labels are corrupted.", *left_out(levels), *results.draws])
    charts = [
        Chart(
            "parts",
            "Training accuracy, on the labels as given, evaluated between epochs: dotted with triangles the examples "
            f"whose label was drawn at random, solid the others. {shades}",
            [panel(results, network, [CLEAN, CORRUPTED], "accuracy", (0, 1)) for network in networks],
        ),
        Chart(
            "recovered",
            "Share of the corrupted training examples that the network predicts with their true label, which it is not "
            f"given: first it sees through the noise, then it memorizes it. By chance {100 / results.classes:.0f} % of "
            f"the labels drawn are the true ones, and where everything is fitted that share is left. {shades}",
            [panel(results, network, [RECOVERED], "share recovered", (0, None)) for network in networks],
        ),
    ]
    finding = sentence(FINDING, rows=whole, summary=summary(judged))
    return results.artefact(finding, charts, [table(results, levels)], judged, evaluations(results.runs))


def drawn(levels: Sequence[Level]) -> list[Row]:
    """The levels of a network that its panels show."""
    there = [level.row for level in levels if level.row.runs]
    return [row for row in there if row.p in DRAWN] or there


def left_out(levels: Sequence[Level]) -> list[str]:
    """For a caption: which levels are drawn, where others have runs too."""
    networks = grouped(levels, lambda level: level.row.architecture).values()
    shown = sorted({row.p for network in networks for row in drawn(network)})
    there = sorted({level.row.p for level in levels if level.row.runs})
    if shown == there:
        return []
    return [f"Drawn are the levels {', '.join(f'{p:g}' for p in shown)} of the {len(there)} that the table has."]


def panel(
    results: Results, network: Sequence[Level], columns: Sequence[str], y_label: str, limits: tuple[float, float | None]
) -> Panel:
    """Columns of the history of one network against epoch, a curve for each level."""
    series = []
    for row in drawn(network):
        for column in columns:
            part = {CLEAN: ", clean part", CORRUPTED: ", corrupted part", RECOVERED: ""}[column]
            style = ordinal_style(row.p, f"p = {row.p:g}{part}", corrupted=column == CORRUPTED)
            series += Series.over_seeds(style, row.curves(column, "epoch"))
    return accuracies(network[0].row.network, "epoch", series, results.classes, limits, y_label)


def peak(run: Run) -> Peak | None:
    """When the network saw through most of the noise; None where that was not measured."""
    epochs, shares = run.curve(RECOVERED, "epoch")
    peaks = [Peak(share, int(epoch)) for epoch, share in zip(epochs, shares, strict=True)]
    return max(peaks, key=lambda peak: peak.share, default=None)


def clean_first(run: Run) -> bool | None:
    """Whether the clean part passes a half in an earlier epoch than the corrupted one; None if that is open."""
    clean, corrupted = (run.first(column, 0.5) for column in (CLEAN, CORRUPTED))
    return None if clean is None or corrupted is None else _epoch(clean).precedes(_epoch(corrupted))


def rises_and_falls(run: Run) -> bool | None:
    """Whether the share recovered gets above chance and ends below that again, by more than three standard errors."""
    highest, last = peak(run), run.final(RECOVERED)
    if highest is None or last is None:
        return None
    examples = max(1.0, (run.corruption or 0.0) * run.train_size)
    chance, share = 1 / run.num_classes, highest.share
    above = share > chance + 3 * math.sqrt(chance * (1 - chance) / examples)
    return above and share - last > 3 * math.sqrt(2 * share * (1 - share) / examples)


def _epoch(crossing: Crossing) -> Estimate:
    return Estimate.single(crossing.epoch, crossing.censored)


def table(results: Results, levels: Sequence[Level]) -> Table:
    """When both parts are fitted, and how much is recovered."""
    columns = [
        *(Column.text("network", "architecture"), Column("p", "p", format="g"), Column("n", "n")),
        *(
            Column.times(f"{part} {share} %", f"{part}_{share}")
            for part in ("clean", "corrupted")
            for share in (50, 90)
        ),
        *(Column.estimates("most recovered", "recovered", format=".1f"), Column.times("its epoch", "recovered_epoch")),
        Column.estimates("recovered at the end", RECOVERED, format=".1f"),
    ]
    notes = [
        "Clean, corrupted: the epoch at which the training accuracy on that part reaches 50 % and 90 % (> n: not "
        "by epoch n, where the run ended). Corrupted are the examples whose label was drawn anew; one in K is the true "
        "one again.",
        "Recovered: the share of the corrupted examples that is predicted with the true label, about 1/K by chance.",
        *results.draws,
    ]
    return Table(
        columns,
        [
            [
                *(level.row.network, level.row.p, level.row.seeds, level.passed[0] or level.row.blank),
                *(*level.passed[1:], level.share, level.epoch, level.row.final(RECOVERED)),
            ]
            for level in levels
        ],
        "Epochs to fit the clean and the corrupted part, mean ± s.d. over n seeds",
        notes,
    )


def verdicts(results: Results) -> list[Verdict]:
    """In every run the clean part first; and the share recovered rises, and falls again."""
    first = [(run_name(run), clean_first(run)) for run in results.runs]
    seen = [(run_name(run), rises_and_falls(run)) for run in results.runs]
    ran, n = [row.runs for row in corruption.rows(results)], results.all.fewest
    half = "Half of the clean part is fitted at an earlier epoch than half of the corrupted part"
    recovered = "The share recovered rises above chance, and falls again as the noise is memorized"
    judged = [counted(trend, answers, n=n) for trend, answers in ((half, first), (recovered, seen))]
    return [verdict.from_part(sum(map(bool, ran)), len(ran), "settings") for verdict in judged]
