"""Alignment of the first layer with the principal components of the data, along training (Maennel et al. 2020)."""

from collections.abc import Sequence
from dataclasses import replace

from experiments.inside.networks import AT_RANDOM, Look, Network, by_seed, labels_style
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.randomizations import LABELS
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Verdict
from rethink.report.wording import sentence

_MOVED = 1.05  # turned weights have to be this much further from aligned than aligned ones, or nothing can be told
FINDING = """
{% if shares %}
{% if grown %}Random labels too make the first layer grow along the directions in which the images vary.{% endif %}
Along the first tenth of the data's principal components the first layer's share of variance goes
{% for network, labels, before, after in shares %}
of {{ network }} with {{ labels }} from {{ "%.0f" % (100 * before.mean) }} % to {{ "%.0f" % (100 * after.mean) }} %
{{ "." if loop.last else ";" }}
{% endfor %}
{% endif %}
"""

Looks = Sequence[tuple[Network, str, list[Look]]]
"""Of every network that was analysed each kind of labels, with the looks of all seeds."""


def rows(networks: Sequence[Network]) -> Looks:
    """Of the networks that have any."""
    looks = [(network, labels, network.looks("Alignment", labels)) for network in networks for labels in AT_RANDOM]
    there = {network.architecture for network, _, of_labels in looks if of_labels}
    return [row for row in looks if row[0].architecture in there]


def chart(looks: Looks) -> Chart:
    """Misalignment and the share of the variance along the first components, against epoch."""
    panels = []
    for architecture in dict.fromkeys(network.architecture for network, _, _ in looks):
        of_network = [row for row in looks if row[0].architecture == architecture]
        label = of_network[0][0].label
        values = next(look.values for _, _, of_labels in of_network for look in of_labels)
        series = [*_series(of_network, "misalignment"), *_series(of_network, "turned at random", dashed=True)]
        reference = (values["of aligned weights"], "aligned")
        panels.append(Panel(f"{label}: misalignment", "epoch", "", series, reference=reference))
        shares = _series(of_network, "in the first tenth")
        y_label, alike = "share along the data's first tenth", (0.1, "alike in all directions")
        panels.append(Panel(f"{label}: weights' variance", "epoch", y_label, shares, (0, None), alike))
    description = (
        "Left: distance of the covariance of the first layer's weights from the nearest one that has the principal "
        "components of the data, along training; in dashes the same weights turned at random; the line is what as many "
        "weights have that are aligned. Right: the share of their variance along the first tenth of the data's "
        "principal components."
    )
    return Chart("alignment", description, panels)


def _series(looks: Looks, value: str, dashed: bool = False) -> list[Series]:
    series = []
    for _, labels, of_labels in looks:
        epochs = [look.values["epochs"] for look in of_labels]
        curves = [([point["epoch"] for point in points], [point[value] for point in points]) for points in epochs]
        style = labels_style(labels, dashed)
        style = replace(style, label=f"{style.label}, turned at random") if dashed else style
        series += Series.over_seeds(style, curves) if curves else []
    return series


def table(looks: Looks) -> Table:
    """Both at the start and at the end."""
    columns = [
        *(Column.text("network", "architecture"), Column.text("labels", "randomization"), Column("n", "n")),
        *(Column.times("initial", "misalignment_initial", ".2f"), Column.times("trained", "misalignment", ".2f")),
        Column.times("turned at random", "misalignment_turned", ".2f"),
        Column.times("of aligned weights", "misalignment_aligned", ".2f"),
        Column.estimates("first tenth, initial", "share_initial", format=".1f"),
        Column.estimates("first tenth, trained", "share", format=".1f"),
    ]
    return Table(
        columns,
        [
            [
                *(network.label, LABELS[labels], len(of_labels)),
                _at(of_labels, 0, "misalignment") or "not run",
                *(_at(of_labels, -1, value) for value in ("misalignment", "turned at random")),
                Estimate.of([look.values["of aligned weights"] for look in of_labels]),
                *(_at(of_labels, moment, "in the first tenth") for moment in (0, -1)),
            ]
            for network, labels, of_labels in looks
        ],
        "Misalignment of the first layer, mean ± s.d. over n seeds",
        ["First tenth: share of the weights' variance along the first tenth of the principal components."],
        "misalignment",
    )


def verdicts(looks: Looks) -> list[Verdict]:
    """Whether the weights are nearer to aligned than to turned ones, seed by seed."""
    return [
        by_seed(
            f"The first layer of {network.label} is aligned with the data's components ({LABELS[labels]})",
            [(f"seed {look.run.seed}", _aligned(look)) for look in of_labels],
            _detail(of_labels),
            "The weights have moved too little to tell.",
        )
        for network, labels, of_labels in looks
        if of_labels
    ]


def finding(looks: Looks) -> str:
    """In a sentence for each network."""
    shares = [
        (network.label, LABELS[labels], *(_at(of_labels, moment, "in the first tenth") for moment in (0, -1)))
        for network, labels, of_labels in looks
        if of_labels
    ]
    answers = [_aligned(look) for _, labels, of_labels in looks if labels == AT_RANDOM[0] for look in of_labels]
    # Misalignment does not see how large the weights are along a component: growth takes the share of their variance.
    grown = bool(answers) and all(answers) and all(_grown(look) for _, _, of_labels in looks for look in of_labels)
    return sentence(FINDING, shares=shares, grown=grown)


def _at(looks: Sequence[Look], moment: int, value: str) -> Estimate | None:
    return Estimate.of([look.values["epochs"][moment][value] for look in looks])


def _aligned(look: Look) -> bool | None:
    """Nearer to aligned weights than to turned ones; None if the two cannot be told apart."""
    end, aligned = look.values["epochs"][-1], look.values["of aligned weights"]
    if end["turned at random"] < _MOVED * aligned:
        return None
    return bool(end["misalignment"] < (end["turned at random"] + aligned) / 2)


def _grown(look: Look) -> bool:
    """The first tenth of the components has more of the variance at the end than at the start."""
    start, end = (look.values["epochs"][moment]["in the first tenth"] for moment in (0, -1))
    return bool(end > start)


def _detail(looks: Sequence[Look]) -> str:
    last, turned = (_at(looks, -1, value) for value in ("misalignment", "turned at random"))
    assert last
    assert turned
    aligned = looks[0].values["of aligned weights"]
    return f"Misalignment {last.format('.2f')}; turned at random {turned.format('.2f')}; aligned {aligned:.2f}."
