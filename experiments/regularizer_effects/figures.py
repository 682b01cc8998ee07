"""What each switch brings in test accuracy on true labels, all else equal; the paper's gains are from its Table 1."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from statistics import fmean

from rethink.report.dots import Dot, abbreviated, dots
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.paper import PaperRow
from rethink.report.paper import rows as paper_rows
from rethink.report.results import Results
from rethink.report.style import architecture_style
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Verdict, ordered, summary
from rethink.report.wording import sentence

SWITCHES = ("random crop", "weight decay", "dropout", "batch norm", "architecture")
FINDING = """
{% for switch, part in switches.items() if part.ours is not none %}
{{ "Mean gain in test accuracy (± half the 95 % interval):" if loop.first }}
{{ switch }} {{ part.ours.format("+.1f", True) }} points
({{ "%+.1f in the paper, " % part.paper if part.paper is not none }}{{ part.there }} of {{ part.planned }} comparisons)
{{ "." if loop.last else ";" }}
{% else %}
No gain is known yet.
{% endfor %}
{% if absent %}Not run yet: {{ absent | join(", ") }}.{% endif %}
{{ summary }}
"""


@dataclass(frozen=True)
class Gain:
    """A switch on a network: how much higher the test accuracy is with it, a fraction, paired by seed."""

    switch: str
    on: str  # the network with what else is switched on; of two architectures, from which to which
    architecture: str
    ours: Estimate | None
    paper: float | None = None
    comparable: bool = True  # not at demo scale, where the subsets of two architectures differ in size


def rows(results: Results) -> list[Gain]:
    """All gains, by switch."""
    return sorted([*_of_table1(results), *_of_dropout(results)], key=lambda gain: SWITCHES.index(gain.switch))


def artefact(results: Results) -> Artefact:
    """The gains as a table and as a chart, and which switch brings more."""
    gains = rows(results)
    judged = verdicts(gains)
    by_switch = {switch: [gain for gain in gains if gain.switch == switch] for switch in SWITCHES}
    there = {switch: [gain for gain in of_switch if gain.ours] for switch, of_switch in by_switch.items()}
    papers = {switch: [100 * gain.paper for gain in part if gain.paper is not None] for switch, part in there.items()}
    finding = sentence(
        FINDING,
        switches={
            switch: {
                "ours": _mean_gain(there[switch]),
                "paper": fmean(papers[switch]) if papers[switch] else None,
                "there": len(there[switch]),
                "planned": len(of_switch),
            }
            for switch, of_switch in by_switch.items()
        },
        absent=[
            switch
            for switch, of_switch in by_switch.items()
            if not any(gain.ours or not gain.comparable for gain in of_switch)
        ],
        summary=summary(judged),
    )
    return results.artefact(finding, [chart(results, gains)], [table(results, gains)], judged, notes(gains))


def notes(gains: Sequence[Gain]) -> list[str]:
    """What rests on one seed, and what cannot be compared."""
    singles = sum(gain.ours is not None and gain.ours.n == 1 for gain in gains)
    one_seed = f"{singles} of these gains {'is' if singles == 1 else 'are'} from one seed, so without an interval."
    subsets = "Some architectures were trained on subsets of different size: those are not compared."
    return [*([one_seed] if singles else []), *([] if all(gain.comparable for gain in gains) else [subsets])]


def _of_table1(results: Results) -> Iterator[Gain]:
    """Every two rows of Table 1 on true labels that differ in one switch."""
    for before, after in permutations([row for row in paper_rows("table1") if not row.random_labels], 2):
        switch = _switch(before, after)
        if switch:
            names = {"architecture": f"{before.name} to {after.name}", "batch norm": after.name}
            theirs = [row.number("test_accuracy") or 0.0 for row in (before, after)]
            paper = round((theirs[1] - theirs[0]) / 100, 9)
            without, with_it = (results.row(**row.setting) for row in (before, after))
            sizes = {run.train_size for run in (*without.runs, *with_it.runs)}
            ours = with_it.gain_over(without, "test/accuracy") if len(sizes) == 1 else None
            on = names.get(switch, before.name)
            yield Gain(switch, on, after.architecture, ours, paper, comparable=len(sizes) < 2)


def _switch(before: PaperRow, after: PaperRow) -> str | None:
    """What is switched on from one row to another, if it is one thing; architectures without explicit regularizers."""
    changed = {name for name, value in before.setting.items() if after.setting[name] != value}
    if changed == {"augmentation"} and after.setting["augmentation"] == "random_crop":
        return "random crop"
    if changed == {"weight_decay"} and after.setting["weight_decay"]:
        return "weight decay"
    if changed == {"batch_norm"} and after.setting["batch_norm"]:
        return "batch norm"
    plain = before.name == before.network and after.name == after.network
    stronger = before.architecture == "MLP 1x512" or (before.network, after.network) == (
        "small AlexNet",
        "small Inception",
    )
    return "architecture" if "architecture" in changed and plain and stronger else None


def _of_dropout(results: Results) -> Iterator[Gain]:
    """Beyond the paper's Table 1."""
    for row in results.rows:
        if row.setting["dropout"]:
            without = results.row(**row.setting | {"dropout": False})
            yield Gain("dropout", row.network, row.architecture, row.gain_over(without, "test/accuracy"))


def verdicts(gains: Sequence[Gain]) -> list[Verdict]:
    """Crop and weight decay are compared on the networks that have both, as soon as there are any."""
    by_switch = {switch: [gain for gain in gains if gain.switch == switch and gain.ours] for switch in SWITCHES}
    planned = Counter(gain.switch for gain in gains)
    crop, decay = by_switch["random crop"], by_switch["weight decay"]
    both = {gain.architecture for gain in crop} & {gain.architecture for gain in decay}
    quantities = {
        "weight decay": _mean_gain([gain for gain in decay if not both or gain.architecture in both]),
        "random crop": _mean_gain([gain for gain in crop if not both or gain.architecture in both]),
        "architecture": _mean_gain(by_switch["architecture"]),
    }
    named = {name: f"{name}, {len(by_switch[name])} of {planned[name]} comparisons" for name in quantities}
    more = "Changing the architecture brings more than"
    trends = [
        ("Data augmentation brings more than weight decay, in points of test accuracy", "weight decay", "random crop"),
        *((f"{more} {name}", name, "architecture") for name in ("weight decay", "random crop")),
    ]
    return [
        ordered(trend, [(named[name], quantities[name]) for name in pair]).from_part(
            sum(len(by_switch[name]) for name in pair), sum(planned[name] for name in pair), "comparisons"
        )
        for trend, *pair in trends
    ]


def _mean_gain(gains: Sequence[Gain]) -> Estimate | None:
    """The mean over comparisons, in points; its interval is that of the gains that have one."""
    ours = [gain.ours for gain in gains if gain.ours]
    if not ours:
        return None
    halves = [gain.interval for gain in ours if gain.interval is not None]
    half = 100 * math.hypot(*halves) / len(ours) if halves else None
    return Estimate.single(fmean(100 * gain.mean for gain in ours), half=half, seeds=min(gain.n for gain in ours))


def table(results: Results, gains: Sequence[Gain]) -> Table:
    """A row for each comparison."""
    columns = [
        Column.text("switch", "switch"),
        Column.text("on", "on"),
        Column("seeds", "seeds"),
        Column.gains("gain", "gain"),
        Column("paper", "paper", "points", 100, "+.2f"),
    ]
    return Table(
        columns,
        [
            [
                *(gain.switch, gain.on, gain.ours.n if gain.ours else 0),
                gain.ours or ("not run" if gain.comparable else "other subset"),
                gain.paper,
            ]
            for gain in gains
        ],
        "Gain in test accuracy by switching one thing: mean ± half the 95 % interval, paired by seed",
        [
            "Interval: 95 %, of the mean over the seeds that have both, by Student's t; one seed has none. Rule: one "
            "switch brings more than another where the intervals of their mean gains do not meet. The paper's gain is "
            "the difference of two of its numbers, n = 1, and ours is not judged by it.",
            *results.test_images,
        ],
    )


def chart(results: Results, gains: Sequence[Gain]) -> Chart:
    """A row of dots for each comparison."""
    panels: dict[str, list[Dot]] = {"Regularizers": [], "Architecture": []}
    for gain in gains:
        of_networks = gain.switch == "architecture"
        name = abbreviated(gain.on if of_networks else f"{gain.switch}: {gain.on}").replace("small ", "")
        ours, paper = gain.ours and gain.ours.scaled(100), None if gain.paper is None else 100 * gain.paper
        panels[[*panels][of_networks]].append(Dot(name, architecture_style(gain.architecture), ours, paper))
    description = (
        "Gain in test accuracy on true labels when one thing is switched and all else is equal (architectures without "
        "regularizers): ours with the 95 % interval over seeds, and hollow the paper's. A row without a filled mark "
        "has not been run."
    )
    return Chart(
        "regularizer_effects",
        " ".join([description, *results.test_images]),
        [dots(title, "points", marks, interval=True, reference=(0, "no gain")) for title, marks in panels.items()],
    )
