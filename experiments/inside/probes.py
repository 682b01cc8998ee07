"""What linear probes read off each layer: the true labels, and the labels that the network was given."""

import math
from collections.abc import Callable

from experiments.inside.networks import AT_RANDOM, TOO_FEW, Seen, by_seed, named, seen, trained_on
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.randomizations import LABELS
from rethink.report.results import Results
from rethink.report.style import Style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict, sampling_error

GIVEN = ("given", "held out")  # labels, and the examples that they are predicted of
TRUE = ("true", "test")


def chart(results: Results) -> Chart:
    """Accuracy of the probes by layer, before and after training."""
    panels = []
    for architecture, name, found in _networks(results):
        layers = [row["layer"] for row in found[0].values["trained"]]
        series = []
        for what, style in ((TRUE, trained_on("TrueLabels")), (GIVEN, trained_on("RandomLabels"))):
            for moment in ("trained", "untrained"):
                points = [(float(x), _accuracy(found, moment, x, what)) for x in range(len(layers))]
                series.append(Series.estimates(_style(style, what, moment), points))
        panels.append(
            Panel(
                f"{named(architecture)}, {LABELS[name]}",
                "",
                "accuracy of the probe",
                series,
                (0, 1.02),
                (1 / found[0].values["classes"], "chance"),
                categories=layers,
            )
        )
    description = (
        "Accuracy of linear probes on each layer of networks trained on random and on true labels: of the true labels "
        "on test images, and of the given labels on training images that the network has seen and the probe has not; "
        "in dashes the same of the network as initialized. Lines only guide the eye."
    )
    return Chart("probes", description, panels)


def table(results: Results) -> Table:
    """The same in numbers, and true labels on training images."""
    cells: list[list[Cell]] = []
    for architecture, name, found in _networks(results):
        for number, row in enumerate(found[0].values["trained"]):
            accuracies = [
                _accuracy(found, moment, number, what)
                for what in (GIVEN, ("true", "held out"), TRUE)
                for moment in ("untrained", "trained")
            ]
            cells.append([named(architecture), LABELS[name], row["layer"], len(found), *accuracies])
    columns = [
        *(Column.text(header, key) for header, key in (("network", "architecture"), ("labels", "randomization"))),
        *(Column.text("layer", "layer"), Column("n", "n")),
        *(
            Column.estimates(f"{words}, {moment}", f"{key}_{moment}", format=".1f")
            for words, key in (("given", "given"), ("true, training", "true_training"), ("true, test", "true_test"))
            for moment in ("initial", "trained")
        ),
    ]
    return Table(
        columns, cells, "Accuracy of linear probes, mean ± s.d. over n seeds", _notes(results), "probe_accuracies"
    )


def _notes(results: Results) -> list[str]:
    sizes = {tuple(found[0].values["images"].values()) for _, _, found in _networks(results)}
    listed = " or ".join(f"{fit:,} / {held_out:,} / {test:,}" for fit, held_out, test in sorted(sizes))
    return [
        f"Images for fitting the probe / of the same training set for testing it / test images: {listed}.",
        "Given labels that were drawn at random cannot be predicted of images that the network has not seen. Here it "
        "has seen all of them in training: a probe can only be right where the layer has kept what it memorized.",
    ]


def verdicts(results: Results) -> list[Verdict]:
    """Of the networks trained on random labels: memorized labels in the layers, and what becomes of the true ones."""
    found = []
    for architecture, name, networks in _networks(results):
        if name != "RandomLabels":
            continue
        label = named(architecture)
        held = f"A linear probe reads memorized labels off the last hidden layer of {label}"
        lost = f"The last hidden layer of {label} tells less of the true labels after training on random ones"
        found.append(_counted(held, networks, _memorized, GIVEN))
        found.append(_counted(lost, networks, _forgotten, TRUE))
    return found


def said(results: Results) -> str:
    """In a sentence for each network trained on random labels."""
    parts, late, in_first = [], [], []
    for architecture, name, found in _networks(results):
        if name == "RandomLabels":
            given, before, after = (
                _accuracy(found, moment, _LAST_HIDDEN, what)
                for moment, what in (("trained", GIVEN), ("untrained", TRUE), ("trained", TRUE))
            )
            first = _accuracy(found, "trained", 1, GIVEN)
            if given and first and len(found[0].values["trained"]) > 3:  # more than one hidden layer
                late.append(first.mean < given.mean / 2)
                in_first += [_memorized(each, 1) for each in found]
            if given and before and after:
                parts.append(
                    f"off the last hidden layer of {named(architecture)} it reads {100 * given.mean:.0f} % of the "
                    f"memorized labels, and of the true labels of test images {100 * after.mean:.0f} %, where before "
                    f"training it was {100 * before.mean:.0f} %"
                )
    where = (
        "more in the later layers than in the first" if any(in_first) else "in the later layers, and not in the first"
    )
    plain = f"What is memorized is found {where}. " if late and all(late) else ""
    return f"{plain}A linear probe after training on random labels: {'; '.join(parts)}." if parts else ""


_LAST_HIDDEN = -2  # the last layer is that of the logits


def _networks(results: Results) -> list[tuple[str, str, list[Seen]]]:
    return [
        (architecture, name, found)
        for architecture in results.architectures
        for name in AT_RANDOM
        if (found := seen(results, "Probes", architecture, name))
    ]


def _accuracy(found: list[Seen], moment: str, layer: int, what: tuple[str, str]) -> Estimate | None:
    labels, examples = what
    return Estimate.of([each.values[moment][layer][labels][examples] for each in found])


def _style(style: Style, what: tuple[str, str], moment: str) -> Style:
    words = "true labels of test images" if what == TRUE else "given labels of training images"
    dash = (0, ()) if moment == "trained" else (0, (2, 2))
    return Style(words if moment == "trained" else f"{words}, initial", style.color, dash, style.marker)


def _counted(trend: str, networks: list[Seen], answer: Callable[[Seen], bool | None], what: tuple[str, str]) -> Verdict:
    before, after = (_accuracy(networks, moment, _LAST_HIDDEN, what) for moment in ("untrained", "trained"))
    assert before
    assert after
    more = f"From {before.scaled(100).format('.1f')} % to {after.scaled(100).format('.1f')} %."
    return by_seed(trend, [(f"seed {each.run.seed}", answer(each)) for each in networks], more, TOO_FEW)


def _memorized(each: Seen, layer: int = _LAST_HIDDEN) -> bool | None:
    """More of the given labels are read off than guessing gets right by chance."""
    chance = 1 / each.values["classes"]
    band = 3 * math.sqrt(chance * (1 - chance) / each.values["images"]["held out"])
    return bool(each.values["trained"][layer]["given"]["held out"] > chance + band)


def _forgotten(each: Seen) -> bool | None:
    """None if the two accuracies differ by less than chance can."""
    before, after = (each.values[moment][_LAST_HIDDEN]["true"]["test"] for moment in ("untrained", "trained"))
    if abs(before - after) < sampling_error((before + after) / 2, each.values["images"]["test"]):
        return None
    return bool(after < before)
