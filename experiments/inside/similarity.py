"""Similarity of the layers of differently trained networks on the same test images (CKA)."""

import math
from dataclasses import dataclass
from typing import Any

from experiments.inside.networks import named
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.randomizations import LABELS
from rethink.report.results import Results
from rethink.report.style import Style, level_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict, counted
from rethink.runs.analysis import Analysed
from rethink.runs.run import Run

_PAIRS = (  # what is compared: labels of one network and of the other (None: as initialized), and whether of one seed
    ("TrueLabels", None, True),
    ("RandomLabels", None, True),
    ("RandomLabels", "TrueLabels", True),
    ("TrueLabels", "TrueLabels", False),
    ("RandomLabels", "RandomLabels", False),
)


@dataclass(frozen=True)
class _Pair:
    """Two networks: what each was trained on (None: not at all), whether they began alike, and CKA layer by layer."""

    of: frozenset[str | None]
    alike: bool
    seed: int
    by_layer: list[float]
    matrix: list[list[float]]
    order: tuple[str | None, str | None]


def chart(results: Results) -> Chart:
    """CKA of the same layer in two networks."""
    panels = []
    for architecture, found in _analysed(results):
        layers = found.values["layers"]
        series = [
            Series.estimates(style, [(float(x), _at(chosen, x)) for x in range(len(layers))])
            for style, chosen in _kinds(results, found)
        ]
        panels.append(
            Panel(f"{named(architecture)}", "", "CKA of the same layer", series, (None, 1.05), categories=layers)
        )
    description = (
        "Similarity (linear CKA on a fixed batch of test images) of each layer in two networks: as initialized and as "
        "trained on true or on random labels, from the same initial weights, and trained alike from other ones. 1 is "
        "alike up to a rotation, 0 is unrelated. Lines only guide the eye."
    )
    return Chart("similarity", description, panels)


def tables(results: Results) -> list[Table]:
    """Of the deepest network every layer against every layer, trained on true against trained on random labels."""
    analysed = sorted(_analysed(results), key=lambda pair: -len(pair[1].values["layers"]))
    for architecture, found in analysed:
        for pair in _pairs(results, found):
            if pair.alike and pair.order in (("RandomLabels", "TrueLabels"), ("TrueLabels", "RandomLabels")):
                return [_table(architecture, found, pair)]
    return []


def verdicts(results: Results) -> list[Verdict]:
    """Early layers stay alike and late ones part, whatever the labels."""
    found = []
    for architecture, analysed in _analysed(results):
        pairs = [pair for pair in _pairs(results, analysed) if pair.alike and None not in pair.of]
        if pairs:
            first, last = _at(pairs, 1), _at(pairs, -1)
            found.append(
                counted(
                    f"Trained on true and on random labels, {named(architecture)} is more alike in its first layer "
                    "than in its logits",
                    [(f"seed {pair.seed}", _parting(pair)) for pair in pairs],
                    "seeds",
                    f"CKA {first.format('.2f')} and {last.format('.2f')}." if first and last else "",
                )
            )
    return found


def said(results: Results) -> str:
    """In a sentence for each network."""
    parts, part = [], []
    for architecture, found in _analysed(results):
        pairs = [pair for pair in _pairs(results, found) if pair.alike and None not in pair.of]
        part += map(_parting, pairs)
        values = [_at(pairs, layer) for layer in range(1, len(found.values["layers"]))]
        if all(values):
            numbers = ", ".join(f"{value.mean:.2f}" for value in values if value)
            parts.append(f"{numbers} ({named(architecture)})")
    plain = "Early layers are more alike across trainings than late ones. " if part and all(part) else ""
    listed = "; ".join(parts)
    return f"{plain}CKA between training on true and on random labels, layer by layer: {listed}." if parts else ""


def _parting(pair: _Pair) -> bool | None:
    """More alike in the first layer than in the logits; None where CKA is not defined, for a layer that is constant."""
    first, logits = pair.by_layer[1], pair.by_layer[-1]
    return None if math.isnan(first) or math.isnan(logits) else first > logits


def _analysed(results: Results) -> list[tuple[str, Analysed]]:
    return [
        (run.architecture, each)
        for each in results.analysed("Similarity")
        if (run := next(filter(None, map(results.run, each.runs)), None))
    ]


def _kinds(results: Results, found: Analysed) -> list[tuple[Style, list[_Pair]]]:
    pairs = _pairs(results, found)
    kinds = []
    for number, (one, other, alike) in enumerate(_PAIRS):
        chosen = [pair for pair in pairs if pair.of == frozenset((one, other)) and pair.alike == alike]
        if chosen:
            label = f"{_words(one)} / {_words(other)}" + ("" if alike else ", other seed")
            kinds.append((level_style(number, label), chosen))
    return kinds


def _pairs(results: Results, found: Analysed) -> list[_Pair]:
    pairs = []
    for number, pair in enumerate(found.values["pairs"]):
        runs = [results.run(network["run"]) for network in pair["networks"]]
        if runs[0] is not None and runs[1] is not None:
            one, other = (_labels(run, each) for run, each in zip(runs, pair["networks"], strict=True) if run)
            pairs.append(
                _Pair(
                    frozenset((one, other)),
                    runs[0].seed == runs[1].seed,
                    runs[0].seed,
                    pair["same layer"],
                    found.arrays["matrices"][number].tolist(),
                    (one, other),
                )
            )
    return pairs


def _labels(run: Run, network: dict[str, Any]) -> str | None:
    return run.randomization if network["trained"] else None


def _at(pairs: list[_Pair], layer: int) -> Estimate | None:
    return Estimate.of([pair.by_layer[layer] for pair in pairs])


def _words(labels: str | None) -> str:
    return "initial" if labels is None else LABELS[labels]


def _table(architecture: str, found: Analysed, pair: _Pair) -> Table:
    layers = found.values["layers"]
    one, other = map(_words, pair.order)
    rows: list[list[Cell]] = [
        [layer, *(round(value, 6) for value in row)] for layer, row in zip(layers, pair.matrix, strict=True)
    ]
    columns = [Column.text(one, "layer"), *(Column(layer, layer.replace(" ", "_"), format=".2f") for layer in layers)]
    caption = f"CKA of every layer of {named(architecture)} trained on {one} (rows) and on {other} (seed {pair.seed})"
    return Table(columns, rows, caption, [], "layers_compared")
