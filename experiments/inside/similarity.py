"""Similarity of the layers of differently trained networks on the same test images (CKA)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rethink.models.names import label
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.randomizations import LABELS
from rethink.report.results import Results
from rethink.report.style import Style, level_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict, counted
from rethink.report.wording import sentence
from rethink.runs.analysis import FinishedAnalysis
from rethink.runs.run import Run

FINDING = """
{% if networks %}
{% if parting %}Early layers are more alike across trainings than late ones.{% endif %}
CKA between training on true and on random labels, layer by layer:
{% for network, values in networks %}
{% for value in values %}{{ "%.2f" % value.mean }}{{ ", " if not loop.last }}{% endfor %} ({{ network }})
{{ "." if loop.last else ";" }}
{% endfor %}
{% endif %}
"""
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


@dataclass(frozen=True)
class Similar:
    """The pairs of networks of one architecture, and what their layers are called."""

    network: str
    layers: list[str]
    pairs: Sequence[_Pair]

    @property
    def across(self) -> list[_Pair]:
        """Trained on true and on random labels from the same initial weights."""
        return [pair for pair in self.pairs if pair.alike and None not in pair.of]


def rows(results: Results) -> list[Similar]:
    """Those that were analysed."""
    return [
        Similar(label(run.architecture), analysed.values["layers"], _pairs(results, analysed))
        for analysed in results.analysed("Similarity")
        if (run := next(filter(None, map(results.run, analysed.runs)), None))
    ]


def chart(networks: Sequence[Similar]) -> Chart:
    """CKA of the same layer in two networks."""
    panels = []
    for network in networks:
        layers = network.layers
        series = [
            Series.estimates(style, [(float(x), _at(chosen, x)) for x in range(len(layers))])
            for style, chosen in _kinds(network.pairs)
        ]
        panels.append(
            Panel(network.network, "", "CKA of the same layer", series, (None, 1.05), categories=layers, ordered=True)
        )
    description = (
        "Similarity (linear CKA on a fixed batch of test images) of each layer in two networks: as initialized and as "
        "trained on true or on random labels, from the same initial weights, and trained alike from other ones. 1 is "
        "alike up to a rotation, 0 is unrelated. Lines only guide the eye."
    )
    return Chart("similarity", description, panels)


def tables(networks: Sequence[Similar]) -> list[Table]:
    """Of the deepest network every layer against every layer, trained on true against trained on random labels."""
    for network in sorted(networks, key=lambda network: -len(network.layers)):
        for pair in network.pairs:
            if pair.alike and set(pair.order) == {"RandomLabels", "TrueLabels"}:
                return [_table(network, pair)]
    return []


def verdicts(networks: Sequence[Similar]) -> list[Verdict]:
    """Early layers stay alike and late ones part, whatever the labels."""
    judged = []
    for network in networks:
        if pairs := network.across:
            first, last = _at(pairs, 1), _at(pairs, -1)
            judged.append(
                counted(
                    f"Trained on true and on random labels, {network.network} is more alike in its first layer "
                    "than in its logits",
                    [(f"seed {pair.seed}", _parting(pair)) for pair in pairs],
                    "seeds",
                    f"CKA {first.format('.2f')} and {last.format('.2f')}." if first and last else "",
                )
            )
    return judged


def finding(networks: Sequence[Similar]) -> str:
    """In a sentence for each network."""
    parting = [_parting(pair) for network in networks for pair in network.across]
    by_layer = [
        (network.network, [_at(network.across, layer) for layer in range(1, len(network.layers))])
        for network in networks
    ]
    return sentence(
        FINDING,
        parting=bool(parting) and all(parting),
        networks=[(network, values) for network, values in by_layer if all(values)],
    )


def _parting(pair: _Pair) -> bool | None:
    """More alike in the first layer than in the logits; None where CKA is not defined, for a layer that is constant."""
    first, logits = pair.by_layer[1], pair.by_layer[-1]
    return None if math.isnan(first) or math.isnan(logits) else first > logits


def _kinds(pairs: Sequence[_Pair]) -> list[tuple[Style, list[_Pair]]]:
    kinds = []
    for number, (labels, others, alike) in enumerate(_PAIRS):
        if chosen := [pair for pair in pairs if pair.of == frozenset((labels, others)) and pair.alike == alike]:
            name = f"{_words(labels)} / {_words(others)}" + ("" if alike else ", other seed")
            kinds.append((level_style(number, name), chosen))
    return kinds


def _pairs(results: Results, analysed: FinishedAnalysis) -> list[_Pair]:
    pairs = []
    for number, pair in enumerate(analysed.values["pairs"]):
        runs = [run for network in pair["networks"] if (run := results.run(network["run"])) is not None]
        if len(runs) == 2:
            first, second = map(_labels, runs, pair["networks"])
            pairs.append(
                _Pair(
                    frozenset((first, second)),
                    runs[0].seed == runs[1].seed,
                    runs[0].seed,
                    pair["same layer"],
                    analysed.arrays["matrices"][number].tolist(),
                    (first, second),
                )
            )
    return pairs


def _labels(run: Run, network: dict[str, Any]) -> str | None:
    return run.randomization if network["trained"] else None


def _at(pairs: Sequence[_Pair], layer: int) -> Estimate | None:
    return Estimate.of([pair.by_layer[layer] for pair in pairs])


def _words(labels: str | None) -> str:
    return "initial" if labels is None else LABELS[labels]


def _table(network: Similar, pair: _Pair) -> Table:
    rows_of, columns_of = map(_words, pair.order)
    cells: list[list[Cell]] = [
        [layer, *(round(value, 6) for value in row)] for layer, row in zip(network.layers, pair.matrix, strict=True)
    ]
    columns = [
        Column.text(rows_of, "layer"),
        *(Column(layer, layer.replace(" ", "_"), format=".2f") for layer in network.layers),
    ]
    trained = f"trained on {rows_of} (rows) and on {columns_of} (seed {pair.seed})"
    return Table(columns, cells, f"CKA of every layer of {network.network} {trained}", [], "layers_compared")
