"""Do noise images lie farther apart, and are they fitted faster for that? The hypothesis of a reader of the paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from experiments.inside.networks import Network, time_to_fit
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.randomizations import FIVE, LABELS
from rethink.report.results import Results
from rethink.report.rows import fewest
from rethink.report.style import randomization_style
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Verdict, at_most, counted, extreme_by_seed
from rethink.report.wording import rule_words, sentence

NOISE = ("RandomPixels", "GaussianPixels")
UNRELATED = (*NOISE, "RandomLabels")  # settings in which the labels have nothing to do with the images
SHARES = ("10 %", "median", "90 %")
_APART = 0.05  # two distances are different from this share of the smaller one on
FINDING = """
{% for row in rows %}
{{ "Distance to the nearest differently labelled image, for" if loop.first else "For" }}
{{ row.network.label }}: {{ "%.2f" % row.median("GaussianPixels").mean }} norms of an image for Gaussian noise against
{{ "%.2f" % row.median("RandomLabels").mean }} for random labels, and epochs to fit
{% for name in unrelated %}
{{ ", " if loop.index == 2 else " and " if loop.last }}{{ row.times[name].format(".0f") }} ({{ words[name] }})
{% endfor %}
{% if row.true_sooner == "elsewhere" %}; true labels, at {{ "%.2f" % row.median("TrueLabels").mean }}, take
{{ row.times["TrueLabels"].format(".0f") }}
{% elif row.true_sooner == "as near" %}; but true labels, on images that lie as near, take
{{ row.times["TrueLabels"].format(".0f") }}, so distance is not all
{% endif %}.
{% endfor %}
"""


@dataclass(frozen=True)
class Settings:
    """A network in the five settings: distances of its images, in norms of an image, and times to fit."""

    network: Network
    distances: Mapping[str, Mapping[str, Estimate | None]]
    """By setting and share of the images; as many as the network was trained on."""
    times: Mapping[str, Estimate | None]

    def median(self, randomization: str) -> Estimate | None:
        """The median distance in a setting."""
        return self.distances[randomization]["median"]

    @property
    def true_sooner(self) -> str:
        """Where true labels are fitted sooner than random ones, whether on images that lie `as near` or `elsewhere`."""
        times = self.times["TrueLabels"], self.times["RandomLabels"]
        distances = self.median("TrueLabels"), self.median("RandomLabels")
        if not (times[0] and times[1] and distances[0] and distances[1]) or times[0].mean >= times[1].mean:
            return ""
        return "elsewhere" if _differ(distances[0].mean, distances[1].mean) else "as near"


def rows(results: Results, networks: Sequence[Network]) -> list[Settings]:
    """Of every network."""
    analyses = results.analysed("NearestNeighbours")
    settings = []
    for network in networks:
        distances = {}
        for name in FIVE:
            values = [
                a.values for a in analyses if a.matches(randomization=name) and a.values["n"] == network.train_size
            ]
            distances[name] = {share: Estimate.of([v[share] / v["norm"] for v in values]) for share in SHARES}
        times = {name: time_to_fit(network.trained_on(name), results.rule) for name in FIVE}
        settings.append(Settings(network, distances, times))
    return settings


def chart(settings: Sequence[Settings], rule: str) -> Chart:
    """Time to fit against the distance to the nearest differently labelled image, for every network."""
    panels = []
    for row in settings:
        series = [
            Series.estimates(randomization_style(name), [(distance.mean, row.times[name])])
            for name in FIVE
            if (distance := row.median(name)) and row.times[name]
        ]
        if series:
            title = f"{row.network.label}, {row.network.train_size:,} images"
            panels.append(Panel(title, "distance / norm of an image", "epochs to fit", series, (0, None)))
    description = (
        f"Epochs to {rule_words(rule)} against the median distance from an image to the nearest one with "
        "another label, as the network sees them, in norms of an image; independent noise lies at 1.41. An arrow "
        "upwards: not fitted when the run ended."
    )
    return Chart("neighbours", description, panels)


def table(settings: Sequence[Settings], rule: str) -> Table:
    """Distances and times."""
    columns = [
        *(Column.text("network", "architecture"), Column.text("setting", "randomization")),
        Column("images", "train_size", format=","),
        *(Column.times(share, f"distance_{share.split(' ')[0]}", ".3f") for share in SHARES),
        Column.times("epochs to fit", rule),
    ]
    return Table(
        columns,
        [
            [
                *(row.network.label, LABELS[name], row.network.train_size, *row.distances[name].values()),
                row.times[name] or "not run",
            ]
            for row in settings
            for name in FIVE
            if row.times[name] or any(row.distances[name].values())
        ],
        "Distances between differently labelled images, and times to fit",
        ["Distance to the nearest differently labelled image in norms of an image, mean ± s.d. over seeds."],
        "distances",
    )


def verdicts(settings: Sequence[Settings], rule: str) -> list[Verdict]:
    """The two halves of the hypothesis, and whether distance tells the order of all five settings."""
    judged = []
    sizes = set()
    for row in settings:
        if (labels := row.median("RandomLabels")) is None:
            continue
        network, size = row.network, row.network.train_size
        if size not in sizes:  # distances are of the images, whatever the network
            sizes.add(size)
            ratios = [(LABELS[name], labels.over(noise) if (noise := row.median(name)) else None) for name in NOISE]
            trend = f"Noise images lie farther apart than real ones with random labels ({size:,} images)"
            bound = 1 - _APART
            judged.append(
                at_most(f"{trend}: the distance of random labels is under {bound:g} of theirs", ratios, bound)
            )
        by_seed: dict[int, dict[str, Estimate]] = {}
        for run in network.runs:
            crossing = run.crossing(rule)
            quantity = Estimate.single(float(crossing.epoch), crossing.censored)
            by_seed.setdefault(run.seed, {})[LABELS[run.randomization]] = quantity
        whole = {seed: times for seed, times in by_seed.items() if len(times) > 2}
        others = [LABELS[name] for name in UNRELATED]
        trend = f"{network.label} fits noise images in fewer epochs than random labels"
        judged.append(extreme_by_seed(trend, LABELS["RandomLabels"], others, whole, largest=True))
        if pairs := _pairs(row):
            trend = f"Of two settings that differ in distance, {network.label} fits the farther one first"
            judged.append(counted(trend, pairs, "pairs of settings", n=fewest(network.runs)))
    return judged


def finding(settings: Sequence[Settings]) -> str:
    """In plain words, what the hypothesis explains and what it does not."""
    whole = [
        row
        for row in settings
        if all(row.times[name] for name in UNRELATED) and row.median("RandomLabels") and row.median("GaussianPixels")
    ]
    return sentence(FINDING, rows=whole, unrelated=UNRELATED, words=LABELS)


def _differ(distance: float, other: float) -> bool:
    return abs(distance - other) > _APART * min(distance, other)


def _pairs(row: Settings) -> list[tuple[str, bool | None]]:
    """Of every two settings whose distances differ, whether the farther one is fitted first."""
    pairs = []
    for names in combinations(FIVE, 2):
        near, far = sorted(names, key=lambda name: distance.mean if (distance := row.median(name)) else 0.0)
        distances = row.median(near), row.median(far)
        sooner, later = row.times[far], row.times[near]
        if distances[0] and distances[1] and sooner and later and _differ(distances[0].mean, distances[1].mean):
            pairs.append((" and ".join(LABELS[name] for name in names), sooner.precedes(later)))
    return pairs
