"""What linear probes read off each layer: the true labels, and the labels that the network was given."""

import math
from collections.abc import Callable, Sequence

from experiments.inside.networks import AT_RANDOM, TOO_FEW, Look, Network, by_seed, labels_style
from rethink.report.estimates import Estimate, sampling_error
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.randomizations import LABELS
from rethink.report.style import Style
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Verdict
from rethink.report.wording import sentence

GIVEN = ("given", "held out")  # labels, and the examples that they are predicted of
TRUE = ("true", "test")
_LAST_HIDDEN = -2  # the last layer is that of the logits
FINDING = """
{% for network, given, before, after in numbers %}
{% if loop.first %}
{{ where }} A linear probe after training on random labels:
{% endif %}
off the last hidden layer of {{ network }} it reads {{ "%.0f" % (100 * given.mean) }} % of the memorized labels, and of
the true labels of test images {{ "%.0f" % (100 * after.mean) }} %, where before training it was
{{ "%.0f" % (100 * before.mean) }} %{{ "." if loop.last else ";" }}
{% endfor %}
"""

Looks = Sequence[tuple[Network, str, list[Look]]]
"""A network and the labels it was trained on, with the looks of all seeds."""


def rows(networks: Sequence[Network]) -> Looks:
    """Those that were analysed."""
    return [
        (network, labels, looks)
        for network in networks
        for labels in AT_RANDOM
        if (looks := network.looks("Probes", labels))
    ]


def chart(rows: Looks) -> Chart:
    """Accuracy of the probes by layer, before and after training."""
    panels = []
    for network, labels, looks in rows:
        layers = [row["layer"] for row in looks[0].values["trained"]]
        series = []
        for what, style in ((TRUE, labels_style("TrueLabels")), (GIVEN, labels_style("RandomLabels"))):
            for moment in ("trained", "untrained"):
                points = [(float(x), _accuracy(looks, moment, x, what)) for x in range(len(layers))]
                series.append(Series.estimates(_style(style, what, moment), points))
        panels.append(
            Panel(
                f"{network.label}, {LABELS[labels]}",
                "",
                "accuracy of the probe",
                series,
                (0, 1.02),
                (1 / looks[0].values["classes"], "chance"),
                categories=layers,
                ordered=True,
            )
        )
    description = (
        "Accuracy of linear probes on each layer of networks trained on random and on true labels: of the true labels "
        "on test images, and of the given labels on training images that the network has seen and the probe has not; "
        "in dashes the same of the network as initialized. Lines only guide the eye."
    )
    return Chart("probes", description, panels)


def table(rows: Looks) -> Table:
    """The same in numbers, and true labels on training images."""
    columns = [
        *(Column.text(header, key) for header, key in (("network", "architecture"), ("labels", "randomization"))),
        *(Column.text("layer", "layer"), Column("n", "n")),
        *(
            Column.estimates(f"{words}, {moment}", f"{key}_{moment}", format=".1f")
            for words, key in (("given", "given"), ("true, training", "true_training"), ("true, test", "true_test"))
            for moment in ("initial", "trained")
        ),
    ]
    sizes = {tuple(looks[0].values["images"].values()) for _, _, looks in rows}
    listed = " or ".join(f"{fit:,} / {held_out:,} / {test:,}" for fit, held_out, test in sorted(sizes))
    notes = [
        f"Images for fitting the probe / of the same training set for testing it / test images: {listed}.",
        "Given labels that were drawn at random cannot be predicted of images that the network has not seen. Here it "
        "has seen all of them in training: a probe can only be right where the layer has kept what it memorized.",
    ]
    return Table(
        columns,
        [
            [
                *(network.label, LABELS[labels], row["layer"], len(looks)),
                *(
                    _accuracy(looks, moment, number, what)
                    for what in (GIVEN, ("true", "held out"), TRUE)
                    for moment in ("untrained", "trained")
                ),
            ]
            for network, labels, looks in rows
            for number, row in enumerate(looks[0].values["trained"])
        ],
        "Accuracy of linear probes, mean ± s.d. over n seeds",
        notes,
        "probe_accuracies",
    )


def verdicts(rows: Looks) -> list[Verdict]:
    """Of the networks trained on random labels: memorized labels in the layers, and what becomes of the true ones."""
    judged = []
    for network, labels, looks in rows:
        if labels == "RandomLabels":
            kept = f"A linear probe reads memorized labels off the last hidden layer of {network.label}"
            lost = (
                f"The last hidden layer of {network.label} tells less of the true labels after training on random ones"
            )
            judged += [_counted(kept, looks, _memorized, GIVEN), _counted(lost, looks, _forgotten, TRUE)]
    return judged


def finding(rows: Looks) -> str:
    """In a sentence for each network trained on random labels."""
    numbers, late, in_first = [], [], []
    for network, labels, looks in rows:
        if labels == "RandomLabels":
            given, before, after = (
                _accuracy(looks, moment, _LAST_HIDDEN, what)
                for moment, what in (("trained", GIVEN), ("untrained", TRUE), ("trained", TRUE))
            )
            first = _accuracy(looks, "trained", 1, GIVEN)
            if given and first and len(looks[0].values["trained"]) > 3:  # more than one hidden layer
                late.append(first.mean < given.mean / 2)
                in_first += [_memorized(look, 1) for look in looks]
            if given and before and after:
                numbers.append((network.label, given, before, after))
    where = "What is memorized is found in the later layers, and not in the first."
    if any(in_first):
        where = "What is memorized is found more in the later layers than in the first."
    return sentence(FINDING, numbers=numbers, where=where if late and all(late) else "")


def _accuracy(looks: Sequence[Look], moment: str, layer: int, what: tuple[str, str]) -> Estimate | None:
    labels, examples = what
    return Estimate.of([look.values[moment][layer][labels][examples] for look in looks])


def _style(style: Style, what: tuple[str, str], moment: str) -> Style:
    words = "true labels of test images" if what == TRUE else "given labels of training images"
    dash = (0, ()) if moment == "trained" else (0, (2, 2))
    return Style(words if moment == "trained" else f"{words}, initial", style.color, dash, style.marker)


def _counted(
    trend: str, looks: Sequence[Look], answer: Callable[[Look], bool | None], what: tuple[str, str]
) -> Verdict:
    before, after = (_accuracy(looks, moment, _LAST_HIDDEN, what) for moment in ("untrained", "trained"))
    assert before
    assert after
    more = f"From {before.scaled(100).format('.1f')} % to {after.scaled(100).format('.1f')} %."
    return by_seed(trend, [(f"seed {look.run.seed}", answer(look)) for look in looks], more, TOO_FEW)


def _memorized(look: Look, layer: int = _LAST_HIDDEN) -> bool | None:
    """More of the given labels are read off than guessing gets right by chance."""
    chance = 1 / look.values["classes"]
    band = 3 * math.sqrt(chance * (1 - chance) / look.values["images"]["held out"])
    return bool(look.values["trained"][layer]["given"]["held out"] > chance + band)


def _forgotten(look: Look) -> bool | None:
    """None if the two accuracies differ by less than chance can."""
    before, after = (look.values[moment][_LAST_HIDDEN]["true"]["test"] for moment in ("untrained", "trained"))
    if abs(before - after) < sampling_error((before + after) / 2, look.values["images"]["test"]):
        return None
    return bool(after < before)
