"""Best against last test accuracy, on true labels: chosen by the test set as in the paper, and by held-out images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rethink.report.dots import Dot, abbreviated, dots
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Series, against_corruption
from rethink.report.results import Results, of, setting_name
from rethink.report.style import architecture_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Quantity, Verdict, at_most, rising, summary
from rethink.runs.run import Run
from rethink.runs.setting import Setting

HALF = 0.5  # up to here the gain is expected to grow: with all labels random there is nothing to learn and to gain


@dataclass(frozen=True)
class Stopping:
    """What stopping at the best epoch would gain in a setting, and where along the run that epoch is; fractions."""

    setting: Setting
    final: Estimate | None
    gain: Estimate | None  # the best test accuracy minus the last
    place: Estimate | None
    held_out_gain: Estimate | None  # the test accuracy where held-out images are classified best, minus the last
    held_out_place: Estimate | None
    held_out_planned: bool

    @property
    def name(self) -> str:
        return setting_name(self.setting).replace(", true labels", "")

    @classmethod
    def of(cls, results: Results, setting: Setting) -> "Stopping":
        """The paper's way from the runs of the setting, the other from those of the same with held-out images."""
        here, held_out = of(setting), of(setting, validation_size=True)
        return cls(
            setting,
            results.final("test/accuracy", **here),
            results.estimate(_best("test", "gain"), **here),
            results.estimate(_best("test", "epoch"), **here),
            results.estimate(_best("by_validation", "gain"), **held_out),
            results.estimate(_best("by_validation", "epoch"), **held_out),
            any(planned.matches(**held_out) for planned in results.settings),
        )


def artefact(results: Results) -> Artefact:
    """Tables of the settings that have runs, on true labels and on corrupted ones; gain and place as charts."""
    every = [Stopping.of(results, setting) for setting in results.distinct if not setting.validation_size]
    known = [one for one in every if one.gain or one.held_out_gain]
    true = [one for one in known if one.setting.corruption == 0]
    corrupted = sorted(
        (one for one in known if one.setting.corruption),
        key=lambda one: (results.architectures.index(one.setting.architecture), one.setting.corruption),
    )
    bound = results.tolerance("gain").value
    tables = [
        _table(true, "true_labels", "On true labels: the last test accuracy, and what the best epoch's adds"),
        _table(corrupted, "corrupted_labels", "On corrupted labels, judged by true test labels: the same"),
    ]
    verdicts = [*_small(every, bound), *_growing(every)]
    return results.artefact(
        finding=f"{_finding(true, corrupted) or 'No gain is known yet.'} {summary(verdicts)}",
        charts=[_of_settings(true, bound), *_against_corruption(every)],
        tables=[table for table in tables if table.rows],
        verdicts=verdicts,
        notes=[f"The tables show the {len(known)} of {len(every)} settings that have runs."],
    )


def _best(by: str, quantity: str) -> Callable[[Run], float | None]:
    def measure(run: Run) -> float | None:
        value = run.record.get("best_test_accuracy", {}).get(by, {}).get(quantity)
        last = float(run.record["final"]["epoch"]) if quantity == "epoch" else 1.0
        return None if value is None else value / last

    return measure


def _finding(true: list[Stopping], corrupted: list[Stopping]) -> str:
    """The largest gain on true and on corrupted labels, each way."""
    said = []
    for labels, those in (("true", true), ("corrupted", corrupted)):
        by_test = [(one.gain.mean, one.name) for one in those if one.gain]
        by_held_out = [(one.held_out_gain.mean, one.name) for one in those if one.held_out_gain]
        if by_test:
            most, name = max(by_test)
            said.append(
                f"On {labels} labels the best test accuracy is at most {100 * most:.2f} points above the last ({name})."
            )
        if by_held_out:
            most, name = max(by_held_out)
            said.append(f"Stopping where held-out images say changes it by {100 * most:+.2f} points at most ({name}).")
    return " ".join(said)


def _small(every: list[Stopping], bound: float) -> list[Verdict]:
    true = [one for one in every if one.setting.corruption == 0]
    trend = f"On true labels early stopping gains at most {bound:g} point{'s' if bound != 1 else ''} of test accuracy"
    by_test = [(one.name, Quantity(100 * one.gain.mean)) for one in true if one.gain]
    held_out = [(one.name, Quantity(100 * one.held_out_gain.mean)) for one in true if one.held_out_gain]
    return [
        at_most(
            f"{trend}, {how}",
            [(f"{most[0]}, the largest", most[1])],
            bound,
            [f"{absent} of {len(true)} settings"] if (absent := len(true) - len(gains)) else [],
        )
        for how, gains in (("the test set choosing the epoch", by_test), ("held-out images choosing it", held_out))
        if (most := max(gains, key=lambda pair: pair[1].value, default=None))
    ]


def _sweeps(every: list[Stopping]) -> dict[str, list[tuple[float, Stopping]]]:
    """By architecture the runs of Figure 1b: nothing changes but the label corruption."""
    sweeps: dict[str, list[tuple[float, Stopping]]] = {}
    for first in (one for one in every if one.setting.randomization == "PartiallyCorruptedLabels"):
        fixed = {"randomization": first.setting.randomization, "corruption": first.setting.corruption}
        alike = [one for one in every if replace(one.setting, **fixed) == first.setting]
        levels = {one.setting.corruption: one for one in alike if one.setting.corruption is not None}
        sweeps.setdefault(first.setting.architecture, sorted(levels.items(), key=lambda pair: pair[0]))
    return sweeps


def _growing(every: list[Stopping]) -> list[Verdict]:
    verdicts = []
    for architecture, levels in _sweeps(every).items():
        gains = [(p, Quantity.of(one.gain and one.gain.scaled(100))) for p, one in levels if p <= HALF]
        if sum(gain is not None for _, gain in gains) > 1:
            label = architecture_style(architecture).label
            trend = f"Beyond the paper: what early stopping gains grows with corruption up to p = {HALF:g} ({label})"
            verdicts.append(rising(trend, gains, unit=" points"))
    return verdicts


def _table(those: Sequence[Stopping], name: str, caption: str) -> Table:
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
    cells: list[list[Cell]] = []
    for one in those:
        held_out: list[Cell] = [one.held_out_gain.n if one.held_out_gain else 0, one.held_out_gain, one.held_out_place]
        if not one.held_out_gain:
            held_out[1] = "not run" if one.held_out_planned else None
        last: list[Cell] = [one.final, one.gain or "not run", one.place]
        cells.append([one.name, one.gain.n if one.gain else 0, *last, *held_out])
    notes = [
        "Chosen by the test set the gain cannot be negative, and is optimistic: the same images choose and judge. "
        "Held out: training images that the network never sees choose the epoch, and the test set judges; the gain is "
        "over the last epoch of the same run."
    ]
    return Table(columns, cells, f"{caption}; mean ± s.d. over n seeds", notes, name)


def _of_settings(true: Sequence[Stopping], bound: float) -> Chart:
    marks: dict[str, list[Dot]] = {"Chosen by the test set": [], "Chosen by held-out images": []}
    for one in true:
        for title, gain in zip(marks, (one.gain, one.held_out_gain), strict=True):
            style = architecture_style(one.setting.architecture)
            marks[title].append(Dot(abbreviated(one.name), style, gain and gain.scaled(100)))
    level = f"{bound:g} point{'s' if bound != 1 else ''}"
    panels = [
        dots(title, "points of test accuracy", found, reference=(bound, level))
        for title, found in marks.items()
        if any(mark.ours for mark in found)
    ]
    description = "What stopping at the best epoch would gain over the last one, in test accuracy on true labels."
    return Chart("true_labels_gain", description, panels)


def _against_corruption(every: list[Stopping]) -> list[Chart]:
    gains: list[Series] = []
    places: list[Series] = []
    for architecture, levels in _sweeps(every).items():
        style = architecture_style(architecture)
        gains.append(Series.estimates(style, [(p, one.gain and one.gain.scaled(100)) for p, one in levels]))
        places.append(Series.estimates(style, [(p, one.place and one.place.scaled(100)) for p, one in levels]))
    if not any(series.x for series in gains):
        return []
    panels = [
        against_corruption("What the best epoch gains", "points of test accuracy", gains),
        against_corruption("Where it is", "% of the run", places, y_limits=(0, 100)),
    ]
    description = (
        "Against the probability of label corruption: the best test accuracy along training minus the last one, on "
        "true test labels, and at which share of the run the best is reached. Beyond the paper."
    )
    return [Chart("corruption", description, panels)]
