"""What is fitted first where part of the labels is wrong: the clean part or the corrupted one, along training."""

import math
from typing import NamedTuple

from rethink.report.corruption import levels, networks
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series
from rethink.report.results import Results, evaluations, run_name
from rethink.report.style import architecture_style, ordinal_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Quantity, Verdict, counted, summary
from rethink.runs.run import Crossing, Run

CLEAN, CORRUPTED, RECOVERED = "train_clean/accuracy", "train_corrupted/accuracy", "train_corrupted/recovered"
DRAWN = (0.2, 0.4, 0.6, 0.8)  # of the levels that there are, these; if there is none of them, all


class Peak(NamedTuple):
    """The largest share of the corrupted examples that a network predicts with their true label."""

    share: float
    epoch: int


def artefact(results: Results) -> Artefact:
    """Accuracy on both parts and the share recovered along training; the epochs at which they pass a half and 90 %."""
    verdicts = _verdicts(results)
    parts = "dotted with triangles the examples whose label was drawn at random, solid the others"
    chance = f"{100 / _classes(results):.0f} %"
    charts = [
        Chart(
            "parts",
            f"Training accuracy, on the labels as given, evaluated between epochs: {parts}.",
            [_panel(results, network, [CLEAN, CORRUPTED]) for network in networks(results)],
        ),
        Chart(
            "recovered",
            "Share of the corrupted training examples that the network predicts with their true label, which it is not "
            f"given: first it sees through the noise, then it memorizes it. By chance {chance} of the labels drawn are "
            "the true ones, and where everything is fitted that share is left.",
            [_panel(results, network, [RECOVERED]) for network in networks(results)],
        ),
    ]
    notes = evaluations(results.runs)
    return results.artefact(_finding(results, verdicts), charts, [_table(results)], verdicts, notes)


def _classes(results: Results) -> int:
    return max((run.num_classes for run in results.runs), default=10)


def _panel(results: Results, network: str, columns: list[str]) -> Panel:
    there = [p for p in levels(results, network) if results.select(architecture=network, corruption=p)]
    series = []
    for p in [p for p in there if p in DRAWN] or there:
        runs = results.select(architecture=network, corruption=p)
        for column in columns:
            part = {CLEAN: ", clean part", CORRUPTED: ", corrupted part", RECOVERED: ""}[column]
            style = ordinal_style(p, f"p = {p:g}{part}", corrupted=column == CORRUPTED)
            series.append(Series.mean(style, [run.curve(column, "epoch") for run in runs]))
    y, chance = ("share recovered", (1 / _classes(results), "chance")) if columns == [RECOVERED] else ("accuracy", None)
    return Panel(architecture_style(network).label, "epoch", y, series, (0, 1 if chance is None else None), chance)


def peak(run: Run) -> Peak | None:
    """When the network saw through most of the noise; None where that was not measured."""
    epochs, shares = run.curve(RECOVERED, "epoch")
    found = [Peak(share, int(epoch)) for epoch, share in zip(epochs, shares, strict=True)]
    return max(found, key=lambda peak: peak.share) if found else None


def clean_first(run: Run) -> bool | None:
    """Whether the clean part passes a half in an earlier epoch than the corrupted one; None if that is open."""
    clean, corrupted = (run.first(column, 0.5) for column in (CLEAN, CORRUPTED))
    return None if clean is None or corrupted is None else _quantity(clean).precedes(_quantity(corrupted))


def rises_and_falls(run: Run) -> bool | None:
    """Whether the share recovered gets above chance and ends below that again, by more than three standard errors."""
    found, last = peak(run), run.final(RECOVERED)
    if found is None or last is None:
        return None
    examples = max(1.0, (run.corruption or 0.0) * run.train_size)
    chance = 1 / run.num_classes
    above = found.share > chance + 3 * math.sqrt(chance * (1 - chance) / examples)
    return above and found.share - last > 3 * math.sqrt(2 * found.share * (1 - found.share) / examples)


def _quantity(crossing: Crossing) -> Quantity:
    return Quantity(crossing.epoch, crossing.censored)


def _table(results: Results) -> Table:
    cells: list[list[Cell]] = []
    for network in networks(results):
        for p in levels(results, network):
            setting = {"architecture": network, "corruption": p}
            passed: list[Estimate | None] = [
                results.time(lambda run, c=column, a=share: run.first(c, a), **setting)  # type: ignore[misc]
                for column in (CLEAN, CORRUPTED)
                for share in (0.5, 0.9)
            ]
            peaks = [found for run in results.select(**setting) if (found := peak(run))]
            most = [Estimate.of([found.share for found in peaks]), Estimate.of([found.epoch for found in peaks])]
            first = [architecture_style(network).label, p, len(results.select(**setting))]
            cells.append([*first, passed[0] or "not run", *passed[1:], *most, results.final(RECOVERED, **setting)])
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
    ]
    return Table(columns, cells, "Epochs to fit the clean and the corrupted part, mean ± s.d. over n seeds", notes)


def _finding(results: Results, verdicts: list[Verdict]) -> str:
    parts = []
    for network in networks(results):
        there = [p for p in levels(results, network) if results.select(architecture=network, corruption=p)]
        p = min(there, key=lambda level: abs(level - 0.4))
        setting = {"architecture": network, "corruption": p}
        half = [results.time(lambda run, c=column: run.first(c, 0.5), **setting) for column in (CLEAN, CORRUPTED)]
        share = results.estimate(lambda run: (found := peak(run)) and found.share, **setting)
        if half[0] and half[1] and share:
            epochs = f"{half[0].format('.0f')} and {half[1].format('.0f')} epochs"
            parts.append(f"{architecture_style(network).label} (p = {p:g}) {epochs}, {100 * share.mean:.0f} %")
    if not parts:
        return f"Neither part was measured. {summary(verdicts)}"
    said = "Epochs to fit half of the clean part and half of the corrupted part, and the largest share of corrupted "
    return (
        f"{said}examples that was predicted with the true label along the way: {'; '.join(parts)}. {summary(verdicts)}"
    )


def _verdicts(results: Results) -> list[Verdict]:
    first = [(run_name(run), clean_first(run)) for run in results.runs]
    seen = [(run_name(run), rises_and_falls(run)) for run in results.runs]
    part = len(results.runs), len(results.planned), "runs"
    verdicts = [
        counted("Half of the clean part is fitted at an earlier epoch than half of the corrupted part", first),
        counted("The share recovered rises above chance, and falls again as the noise is memorized", seen),
    ]
    return [verdict.from_part(*part) for verdict in verdicts]
