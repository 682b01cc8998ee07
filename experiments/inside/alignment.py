"""Alignment of the first layer with the principal components of the data, along training (Maennel et al. 2020)."""

from experiments.inside.networks import AT_RANDOM, Seen, by_seed, named, seen, trained_on
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.randomizations import LABELS
from rethink.report.results import Results
from rethink.report.style import Style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Verdict

_MOVED = 1.05  # turned weights have to be this much further from aligned than aligned ones, or nothing can be told


def chart(results: Results) -> Chart:
    """Misalignment and the share of the variance along the first components, against epoch."""
    panels = []
    for architecture in _networks(results):
        values = next(each.values for name in AT_RANDOM for each in seen(results, "Alignment", architecture, name))
        series = [
            *_series(results, architecture, "misalignment"),
            *_series(results, architecture, "turned at random", dashed=True),
        ]
        reference = (values["of aligned weights"], "aligned")
        panels.append(Panel(f"{named(architecture)}: misalignment", "epoch", "", series, reference=reference))
        shares = _series(results, architecture, "in the first tenth")
        title = f"{named(architecture)}: weights' variance"
        said = "share along the data's first tenth"
        panels.append(Panel(title, "epoch", said, shares, (0, None), (0.1, "alike in all directions")))
    description = (
        "Left: distance of the covariance of the first layer's weights from the nearest one that has the principal "
        "components of the data, along training; in dashes the same weights turned at random; the line is what as many "
        "weights have that are aligned. Right: the share of their variance along the first tenth of the data's "
        "principal components."
    )
    return Chart("alignment", description, panels)


def table(results: Results) -> Table:
    """Both at the start and at the end."""
    cells: list[list[Cell]] = []
    for architecture in _networks(results):
        for name in AT_RANDOM:
            found = seen(results, "Alignment", architecture, name)
            cells.append(
                [
                    *(named(architecture), LABELS[name], len(found)),
                    _at(found, 0, "misalignment") or "not run",
                    *(_at(found, -1, value) for value in ("misalignment", "turned at random")),
                    Estimate.of([each.values["of aligned weights"] for each in found]),
                    *(_at(found, moment, "in the first tenth") for moment in (0, -1)),
                ]
            )
    columns = [
        *(Column.text("network", "architecture"), Column.text("labels", "randomization"), Column("n", "n")),
        *(Column.times("initial", "misalignment_initial", ".2f"), Column.times("trained", "misalignment", ".2f")),
        Column.times("turned at random", "misalignment_turned", ".2f"),
        Column.times("of aligned weights", "misalignment_aligned", ".2f"),
        Column.estimates("first tenth, initial", "share_initial", format=".1f"),
        Column.estimates("first tenth, trained", "share", format=".1f"),
    ]
    notes = ["First tenth: share of the weights' variance along the first tenth of the principal components."]
    return Table(columns, cells, "Misalignment of the first layer, mean ± s.d. over n seeds", notes, "misalignment")


def verdicts(results: Results) -> list[Verdict]:
    """Whether the weights are nearer to aligned than to turned ones, seed by seed."""
    return [
        by_seed(
            f"The first layer of {named(architecture)} is aligned with the data's components ({LABELS[name]})",
            [(f"seed {each.run.seed}", _aligned(each)) for each in seen(results, "Alignment", architecture, name)],
            _detail(seen(results, "Alignment", architecture, name)),
            "The weights have moved too little to tell.",
        )
        for architecture in _networks(results)
        for name in AT_RANDOM
        if seen(results, "Alignment", architecture, name)
    ]


def said(results: Results) -> str:
    """In a sentence for each network."""
    parts = []
    for architecture in _networks(results):
        for name in AT_RANDOM:
            if found := seen(results, "Alignment", architecture, name):
                before, after = (_at(found, moment, "in the first tenth") for moment in (0, -1))
                assert before
                assert after
                parts.append(
                    f"of {named(architecture)} with {LABELS[name]} from {100 * before.mean:.0f} % to "
                    f"{100 * after.mean:.0f} %"
                )
    if not parts:
        return ""
    answers = [_aligned(each) for name in _networks(results) for each in seen(results, "Alignment", name, AT_RANDOM[0])]
    # Misalignment does not see how large the weights are along a component: growth takes the share of their variance.
    every = [
        each for name in _networks(results) for labels in AT_RANDOM for each in seen(results, "Alignment", name, labels)
    ]
    grown = bool(answers) and all(answers) and all(map(_grown, every))
    plain = "Random labels too make the first layer grow along the directions in which the images vary. "
    return (
        f"{plain if grown else ''}Along the first tenth of the data's principal components the first layer's "
        f"share of variance goes {'; '.join(parts)}."
    )


def _networks(results: Results) -> list[str]:
    return [
        architecture
        for architecture in results.architectures
        if any(seen(results, "Alignment", architecture, name) for name in AT_RANDOM)
    ]


def _series(results: Results, architecture: str, value: str, dashed: bool = False) -> list[Series]:
    found = []
    for name in AT_RANDOM:
        curves = [
            ([point["epoch"] for point in each.values["epochs"]], [point[value] for point in each.values["epochs"]])
            for each in seen(results, "Alignment", architecture, name)
        ]
        style = trained_on(name, dashed)
        label = f"{style.label}, turned at random" if dashed else style.label
        if curves:
            found.append(Series.mean(Style(label, style.color, style.dash, style.marker), curves))
    return found


def _at(found: list[Seen], moment: int, value: str) -> Estimate | None:
    return Estimate.of([each.values["epochs"][moment][value] for each in found])


def _aligned(each: Seen) -> bool | None:
    """Nearer to aligned weights than to turned ones; None if the two cannot be told apart."""
    end, aligned = each.values["epochs"][-1], each.values["of aligned weights"]
    if end["turned at random"] < _MOVED * aligned:
        return None
    return bool(end["misalignment"] < (end["turned at random"] + aligned) / 2)


def _grown(each: Seen) -> bool:
    """The first tenth of the components has more of the variance at the end than at the start."""
    start, end = (each.values["epochs"][moment]["in the first tenth"] for moment in (0, -1))
    return bool(end > start)


def _detail(found: list[Seen]) -> str:
    last, turned = (_at(found, -1, value) for value in ("misalignment", "turned at random"))
    assert last
    assert turned
    aligned = found[0].values["of aligned weights"]
    return f"Misalignment {last.format('.2f')}; turned at random {turned.format('.2f')}; aligned {aligned:.2f}."
