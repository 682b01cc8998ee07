"""Best against last test accuracy, on true labels: chosen by the test set as in the paper, and by held-out images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rethink.models.names import label
from rethink.report.dots import Dot, abbreviated, dots
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Series, against_corruption
from rethink.report.results import Results
from rethink.report.rows import Row
from rethink.report.style import architecture_style
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Verdict, at_most, rising, summary
from rethink.report.wording import sentence, setting_name
from rethink.runs.run import Run
from rethink.runs.setting import Setting

HALF = 0.5  # up to here the gain is expected to grow: with all labels random there is nothing to learn and to gain
FINDING = """
{% for labels, by_test, held_out in largest %}
{% if by_test %}
On {{ labels }} labels the best test accuracy is at most {{ by_test.gain.scaled(100).short }} points above the last
({{ by_test.name }}).
{% endif %}
{% if held_out %}
Stopping where held-out images say changes it by {{ held_out.held_out_gain.scaled(100).short }} points at most
({{ held_out.name }}).
{% endif %}
{% endfor %}
{{ "No gain is known yet." if not there }}
{{ summary }}
"""


@dataclass(frozen=True)
class Stopping:
    """What stopping at the best epoch would gain in a setting, and where along the run that epoch is; fractions."""

    row: Row
    held_out: Row
    final: Estimate | None
    gain: Estimate | None  # the best test accuracy minus the last
    place: Estimate | None
    held_out_gain: Estimate | None  # the test accuracy where held-out images are classified best, minus the last
    held_out_place: Estimate | None

    @property
    def setting(self) -> Setting:
        """Of the runs without held-out images."""
        return self.row.planned[0].setting.without_seed

    @property
    def name(self) -> str:
        """The setting; true labels go without saying."""
        return setting_name(self.setting).replace(", true labels", "")


def rows(results: Results) -> list[Stopping]:
    """Of every setting without held-out images: the paper's way, and from the same with held-out images the other."""
    settings = []
    for row in results.rows:
        setting = row.planned[0].setting.without_seed
        if not setting.validation_size:
            held_out = results.row(**setting.values | {"validation_size": True})
            settings.append(
                Stopping(
                    row,
                    held_out,
                    row.final("test/accuracy"),
                    row.estimate(_best("test", "gain")),
                    row.estimate(_best("test", "epoch")),
                    held_out.estimate(_best("by_validation", "gain")),
                    held_out.estimate(_best("by_validation", "epoch")),
                )
            )
    return settings


def _best(by: str, quantity: str) -> Callable[[Run], float | None]:
    def measure(run: Run) -> float | None:
        value = run.record.get("best_test_accuracy", {}).get(by, {}).get(quantity)
        last = float(run.record["final"]["epoch"]) if quantity == "epoch" else 1.0
        return None if value is None else value / last

    return measure


def artefact(results: Results) -> Artefact:
    """Tables of the settings that have runs, on true labels and on corrupted ones; gain and place as charts."""
    settings = rows(results)
    there = [row for row in settings if row.gain or row.held_out_gain]
    true = [row for row in settings if row.setting.corruption == 0]
    corrupted = sorted(
        (row for row in there if row.setting.corruption),
        key=lambda row: (results.architectures.index(row.setting.architecture), row.setting.corruption),
    )
    bound, sweeps = results.tolerance("gain").value, by_corruption(settings)
    shown = [row for row in true if row in there]
    tables = [
        table(
            shown,
            "true_labels",
            "On true labels: the last test accuracy, and what the best epoch's adds",
            results.test_images,
        ),
        table(
            corrupted,
            "corrupted_labels",
            "On corrupted labels, judged by true test labels: the same",
            [*results.draws, *results.test_images],
        ),
    ]
    judged = [*small(true, bound), *growing(sweeps)]
    parts = {"true": shown, "corrupted": corrupted}
    largest = [(labels, _largest(part, "gain"), _largest(part, "held_out_gain")) for labels, part in parts.items()]
    return results.artefact(
        finding=sentence(FINDING, largest=largest, there=[*shown, *corrupted], summary=summary(judged)),
        charts=[*of_settings(results, shown, bound), *against_levels(results, sweeps)],
        tables=[part for part in tables if part.rows],
        verdicts=judged,
        notes=[
            "In brackets: the 95 % interval of the mean.",
            f"The tables show the {len(there)} of {len(settings)} settings that have runs.",
        ],
    )


def _largest(settings: Sequence[Stopping], gain: str) -> Stopping | None:
    there = [row for row in settings if getattr(row, gain)]
    return max(there, key=lambda row: (getattr(row, gain).mean, row.name), default=None)


def small(true: Sequence[Stopping], bound: float) -> list[Verdict]:
    """On true labels it gains little, each way."""
    judged = []
    unit = "points" if bound != 1 else "point"
    ways = {"gain": "the test set choosing the epoch", "held_out_gain": "held-out images choosing it"}
    for gain, words in ways.items():
        if there := [(row.name, getattr(row, gain).scaled(100)) for row in true if getattr(row, gain)]:
            absent = len(true) - len(there)
            judged.append(
                at_most(
                    f"On true labels early stopping gains at most {bound:g} {unit} of test accuracy, {words}",
                    there,
                    bound,
                    [f"{absent} of {len(true)} settings"] if absent else [],
                )
            )
    return judged


def by_corruption(settings: Sequence[Stopping]) -> dict[str, list[tuple[float, Stopping]]]:
    """By architecture the runs of Figure 1b: nothing changes but the label corruption."""
    sweeps: dict[str, list[tuple[float, Stopping]]] = {}
    for first in (row for row in settings if row.setting.randomization == "PartiallyCorruptedLabels"):
        fixed: dict[str, Any] = {"randomization": first.setting.randomization, "corruption": first.setting.corruption}
        alike = [row for row in settings if replace(row.setting, **fixed) == first.setting]
        levels = {row.setting.corruption: row for row in alike if row.setting.corruption is not None}
        sweeps.setdefault(first.setting.architecture, sorted(levels.items(), key=lambda pair: pair[0]))
    return sweeps


def growing(sweeps: Mapping[str, Sequence[tuple[float, Stopping]]]) -> list[Verdict]:
    """The gain grows with corruption, in every network."""
    judged = []
    for architecture, levels in sweeps.items():
        gains = [(p, row.gain and row.gain.scaled(100)) for p, row in levels if p <= HALF]
        if sum(gain is not None for _, gain in gains) > 1:
            trend = "Beyond the paper: what early stopping gains grows with corruption"
            judged.append(rising(f"{trend} up to p = {HALF:g} ({label(architecture)})", gains, unit=" points"))
    return judged


def table(settings: Sequence[Stopping], name: str, caption: str, more: Sequence[str]) -> Table:
    """Gain and place, each way."""
    columns = [
        Column.text("setting", "setting"),
        Column("n", "n"),
        Column.estimates("last", "test/accuracy", format=".1f"),
        Column.estimates("best adds", "gain", "points"),
        Column.estimates("best at", "place", "% of run", format=".0f"),
        Column("held out: n", "n_held_out"),
        Column.estimates("held out: adds", "held_out_gain", "points", format="+.2f"),
        Column.estimates("held out: at", "held_out_place", "% of run", format=".0f"),
    ]
    notes = [
        "Chosen by the test set the gain cannot be negative, and is optimistic: the same images choose and judge. "
        "Held out: training images that the network never sees choose the epoch, and the test set judges; the gain is "
        "over the last epoch of the same run.",
        *more,
    ]
    return Table(
        columns,
        [
            [
                *(row.name, row.row.seeds, row.final, row.gain or row.row.blank, row.place),
                row.held_out.seeds,
                row.held_out_gain or (row.held_out.blank if row.held_out.planned else None),
                row.held_out_place,
            ]
            for row in settings
        ],
        f"{caption}; mean ± s.d. over n seeds",
        notes,
        name,
    )


def of_settings(results: Results, true: Sequence[Stopping], bound: float) -> list[Chart]:
    """The gain on true labels, a row of dots for each setting; each way that has been run."""
    panels = []
    for title, gain in (("Chosen by the test set", "gain"), ("Chosen by held-out images", "held_out_gain")):
        marks = [
            Dot(
                abbreviated(row.name),
                architecture_style(row.setting.architecture),
                getattr(row, gain) and getattr(row, gain).scaled(100),
            )
            for row in true
        ]
        if any(mark.ours for mark in marks):
            level = (bound, f"{bound:g} {'points' if bound != 1 else 'point'}")
            panels.append(dots(title, "points of test accuracy", marks, reference=level))
    description = "What stopping at the best epoch would gain over the last one, in test accuracy on true labels."
    return [Chart("true_labels_gain", " ".join([description, *results.test_images]), panels)] if panels else []


def against_levels(results: Results, sweeps: Mapping[str, Sequence[tuple[float, Stopping]]]) -> list[Chart]:
    """Gain and place against corruption."""
    gains: list[Series] = []
    places: list[Series] = []
    for architecture, levels in sweeps.items():
        if not any(row.gain for _, row in levels):
            continue
        style = architecture_style(architecture)
        gains.append(Series.estimates(style, [(p, row.gain and row.gain.scaled(100)) for p, row in levels]))
        places.append(Series.estimates(style, [(p, row.place and row.place.scaled(100)) for p, row in levels]))
    if not gains:
        return []
    panels = [
        against_corruption("What the best epoch gains", "points of test accuracy", gains, y_limits=(0, None)),
        against_corruption("Where it is", "% of the run", places, y_limits=(0, 100)),
    ]
    description = (
        "Against the probability of label corruption: the best test accuracy along training minus the last one, on "
        "true test labels, and at which share of the run the best is reached. Beyond the paper."
    )
    return [Chart("corruption", " ".join([description, *results.draws, *results.test_images]), panels)]
