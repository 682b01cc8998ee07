"""Do noise images lie farther apart, and are they fitted faster for that? The hypothesis of a reader of the paper."""

from collections.abc import Sequence
from itertools import combinations

from experiments.inside.networks import listed, looked_into, named
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.randomizations import FIVE, LABELS
from rethink.report.results import Results
from rethink.report.style import randomization_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Quantity, Verdict, at_most, counted, extreme_by_seed
from rethink.report.wording import rule_words

NOISE = ("RandomPixels", "GaussianPixels")
UNRELATED = (*NOISE, "RandomLabels")  # settings in which the labels have nothing to do with the images
_APART = 0.05  # two distances are different from this share of the smaller one on


def chart(results: Results) -> Chart:
    """Time to fit against the distance to the nearest differently labelled image, for every network."""
    panels = []
    for architecture in results.architectures:
        series = []
        for name in FIVE:
            style, distance = randomization_style(name), _distance(results, architecture, name, "median")
            if distance and (time := _time(results, architecture, name)):
                series.append(Series.estimates(style, [(distance.mean, time)]))
        if series:
            size = _size(results, architecture)
            title = f"{named(architecture)}, {size:,} images"
            panels.append(Panel(title, "distance / norm of an image", "epochs to fit", series, (0, None)))
    description = (
        f"Epochs to {rule_words(results.rule)} against the median distance from an image to the nearest one with "
        "another label, as the network sees them, in norms of an image; independent noise lies at 1.41. An arrow "
        "upwards: not fitted when the run ended."
    )
    return Chart("neighbours", description, panels)


def table(results: Results) -> Table:
    """Distances and times."""
    cells: list[list[Cell]] = []
    for architecture in results.architectures:
        for name in FIVE:
            time = _time(results, architecture, name)
            distances = [_distance(results, architecture, name, what) for what in ("10 %", "median", "90 %")]
            if time or any(distances):
                first = [named(architecture), LABELS[name], _size(results, architecture)]
                cells.append([*first, *distances, time or "not run"])
    columns = [
        *(Column.text("network", "architecture"), Column.text("setting", "randomization")),
        Column("images", "train_size", format=","),
        *(Column.times(what, f"distance_{what.split(' ')[0]}", ".3f") for what in ("10 %", "median", "90 %")),
        Column.times("epochs to fit", results.rule),
    ]
    notes = ["Distance to the nearest differently labelled image in norms of an image, mean ± s.d. over seeds."]
    return Table(columns, cells, "Distances between differently labelled images, and times to fit", notes, "distances")


def verdicts(results: Results) -> list[Verdict]:
    """The two halves of the hypothesis, and whether distance tells the order of all five settings."""
    found = []
    sizes = set()
    for architecture in results.architectures:
        distances = {name: _distance(results, architecture, name, "median") for name in UNRELATED}
        if (labels := distances["RandomLabels"]) is None:
            continue
        label = named(architecture)
        if (size := _size(results, architecture)) not in sizes:  # distances are of the images, whatever the network
            sizes.add(size)
            ratios = [
                (LABELS[name], Quantity(labels.mean / noise.mean) if (noise := distances[name]) else None)
                for name in NOISE
            ]
            trend = f"Noise images lie farther apart than real ones with random labels ({size:,} images)"
            found.append(
                at_most(f"{trend}: the distance of random labels is under {1 - _APART:g} of theirs", ratios, 1 - _APART)
            )
        by_seed = {
            seed: {
                LABELS[run.randomization]: Quantity(
                    float((crossing := run.crossing(results.rule)).epoch), crossing.censored
                )
                for run in looked_into(results, architecture)
                if run.seed == seed
            }
            for seed in {run.seed for run in looked_into(results, architecture)}
        }
        both = {seed: times for seed, times in by_seed.items() if len(times) > 2}
        others = [LABELS[name] for name in UNRELATED]
        trend = f"{label} fits noise images in fewer epochs than random labels"
        found.append(extreme_by_seed(trend, LABELS["RandomLabels"], others, both, largest=True))
        pairs = _pairs(results, architecture, FIVE)
        if pairs:
            trend = f"Of two settings that differ in distance, {label} fits the farther one first"
            found.append(counted(trend, pairs, "pairs of settings"))
    return found


def said(results: Results) -> str:
    """In plain words, what the hypothesis explains and what it does not."""
    parts = []
    for architecture in results.architectures:
        three = {name: _time(results, architecture, name) for name in UNRELATED}
        two = {name: _distance(results, architecture, name, "median") for name in ("RandomLabels", "GaussianPixels")}
        if not all(three.values()) or not all(two.values()):
            continue
        near, far = (distance.mean for distance in two.values() if distance)
        times = listed([f"{time.format('.0f')} ({LABELS[name]})" for name, time in three.items() if time])
        part = f"{named(architecture)}: {far:.2f} norms of an image for Gaussian noise against {near:.2f} for random "
        part += f"labels, and epochs to fit {times}"
        true, distance = (
            _time(results, architecture, "TrueLabels"),
            _distance(results, architecture, "TrueLabels", "median"),
        )
        if true and distance and (labels := three["RandomLabels"]) and true.mean < labels.mean:
            if _differ(distance.mean, near):
                part += f"; true labels, at {distance.mean:.2f}, take {true.format('.0f')}"
            else:
                part += f"; but true labels, on images that lie as near, take {true.format('.0f')}, "
                part += "so distance is not all"
        parts.append(part)
    return f"Distance to the nearest differently labelled image, for {'. For '.join(parts)}." if parts else ""


def _size(results: Results, architecture: str) -> int:
    return max((run.train_size for run in looked_into(results, architecture)), default=0)


def _distance(results: Results, architecture: str, randomization: str, what: str) -> Estimate | None:
    """In norms of an image, on as many images as the network was trained on."""
    size = _size(results, architecture)
    found = [each.values for each in results.analysed("NearestNeighbours", randomization=randomization)]
    return Estimate.of([values[what] / values["norm"] for values in found if values["n"] == size])


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > _APART * min(one, other)


def _time(results: Results, architecture: str, randomization: str) -> Estimate | None:
    runs = [run for run in looked_into(results, architecture) if run.randomization == randomization]
    crossings = [run.crossing(results.rule) for run in runs]
    return Estimate.of([float(each.epoch) for each in crossings], any(each.censored for each in crossings))


def _pairs(results: Results, architecture: str, names: Sequence[str]) -> list[tuple[str, bool | None]]:
    """Of every two settings whose distances differ, whether the farther one is fitted first."""
    found = []
    for one, other in combinations(names, 2):
        apart = [_distance(results, architecture, name, "median") for name in (one, other)]
        times = [Quantity.of(_time(results, architecture, name)) for name in (one, other)]
        if apart[0] and apart[1] and times[0] and times[1] and _differ(apart[0].mean, apart[1].mean):
            farther = 0 if apart[0].mean > apart[1].mean else 1
            first = times[farther].precedes(times[1 - farther])  # type: ignore[union-attr]
            found.append((f"{LABELS[one]} and {LABELS[other]}", first))
    return found
