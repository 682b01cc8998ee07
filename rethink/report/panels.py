"""What a figure shows, before it is drawn: panels of series, against step (Figures 1a, 2b) or corruption (1b, 1c)."""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rethink.report.estimates import Estimate
from rethink.report.pictures import Picture
from rethink.report.style import DERIVED_DASH, PAPER_DASH, SOLID, UNDER_WAY_DASH, Dash, Style
from rethink.runs.reading import Columns

DERIVED = "worked back from the paper"


@dataclass(frozen=True)
class Series:
    """One curve.

    `spread` is a half-width around y, the s.d. over `n` seeds (0: it differs by point) unless `band` says otherwise;
    None where one seed or a lower bound has none. Points that are `censored` are lower bounds of y. The marker stands
    at every point, or with `mark_last` where the curve ends.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    color: str
    dash: Dash = SOLID
    marker: str = ""
    mark_last: bool = False
    spread: Sequence[float | None] = ()
    n: int = 1
    counts: Sequence[int] = ()
    """The seeds at each point, where they differ."""
    censored: Sequence[bool] = ()
    from_paper: bool = False
    band: str = "mean ± s.d."
    gaps: Sequence[int] = ()
    """Places in x before which the line is broken: between them lies a planned level that has no run."""
    best_so_far: bool = False
    """Shades what lies between the curve and the largest value that it has had, as Figure 2b does."""
    one_of: str = ""
    """What the legend calls the seeds of which this is one, drawn thin."""

    @classmethod
    def estimates(
        cls, style: Style, points: Sequence[tuple[float, Estimate | None]], interval: bool = False
    ) -> "Series":
        """Mean ± s.d. over seeds, or with its 95 % interval, at the points that have a value; no line over others.

        One seed has no spread, and neither has a lower bound.
        """
        measured = [(x, estimate) for x, estimate in points if estimate is not None]
        there = [place for place, (_, estimate) in enumerate(points) if estimate is not None]
        widths = [
            None if estimate.censored else estimate.interval if interval else estimate.sd for _, estimate in measured
        ]
        counts = {estimate.n for _, estimate in measured}
        return cls(
            style.label,
            [x for x, _ in measured],
            [estimate.mean for _, estimate in measured],
            style.color,
            style.dash,
            style.marker,
            spread=widths if any(width is not None for width in widths) else (),
            n=counts.pop() if len(counts) == 1 else 0,
            counts=[estimate.n for _, estimate in measured] if len(counts) > 1 else (),
            censored=[estimate.censored for _, estimate in measured],
            band="mean and 95 % interval" if interval else "mean ± s.d.",
            gaps=[place for place in range(1, len(there)) if there[place] - there[place - 1] > 1],
        )

    @classmethod
    def mean(cls, style: Style, curves: Sequence[tuple[Sequence[float], Sequence[float]]]) -> "Series":
        """Mean ± s.d. of one curve per seed, at the x that every seed has; a curve without a value is left out."""
        finite = [{x: y for x, y in zip(*curve, strict=True) if math.isfinite(y)} for curve in curves]
        by_x = [curve for curve in finite if curve]
        shared = sorted(set.intersection(*map(set, by_x))) if by_x else []
        values = [[curve[x] for curve in by_x] for x in shared]
        n = len(by_x)
        return cls(
            style.label,
            shared,
            [statistics.fmean(at_x) for at_x in values],
            style.color,
            style.dash,
            style.marker,
            mark_last=True,
            spread=[statistics.stdev(at_x) for at_x in values] if n > 1 else (),
            n=n,
        )

    @classmethod
    def over_seeds(cls, style: Style, curves: Sequence[tuple[Sequence[float], Sequence[float]]]) -> list["Series"]:
        """Mean ± s.d. of seeds that end at one x; else a line for each of them, to its own end."""
        lines = [line for curve in curves if (line := cls.mean(style, [curve])).x]
        if len({line.x[-1] for line in lines}) < 2:
            return [cls.mean(style, curves)]
        names = (f"{style.label}, {number} of {len(lines)} seeds" for number in range(1, len(lines) + 1))
        return [replace(line, label=name, one_of=style.label) for line, name in zip(lines, names, strict=True)]

    @classmethod
    def under_way(cls, style: Style, history: Columns, column: str) -> "Series":
        """A run that is still under way, to the epoch that it has reached: dotted."""
        pairs = zip(history["step"], history.get(column, []), strict=False)
        points = [(x, y) for x, y in pairs if x is not None and y is not None]
        label = f"{style.label}, under way: epoch {history['epoch'][-1]:.0f}"
        x, y = [x for x, _ in points], [y for _, y in points]
        return cls(label, x, y, style.color, UNDER_WAY_DASH, mark_last=True)

    @classmethod
    def paper(
        cls, style: Style, x: Sequence[float], y: Sequence[float], beneath: bool = True, derived: bool = False
    ) -> "Series":
        """The paper's own curve: thin and dashed beneath ours in the same tint, or in a panel of its own.

        With `derived` it is not printed in the paper, but worked back from what is.
        """
        dash = (DERIVED_DASH if derived else PAPER_DASH) if beneath else style.dash
        return cls(f"{style.label}, {DERIVED if derived else 'paper'}", x, y, style.color, dash, from_paper=True)

    @property
    def parts(self) -> list[slice]:
        """The unbroken stretches of its line: none leads to a lower bound, or over a level without a run."""
        bounds = [place for place, bound in enumerate(self.censored) if bound]
        ends = sorted({0, *self.gaps, *bounds, *(place + 1 for place in bounds), len(self.x)})
        return [slice(first, last) for first, last in itertools.pairwise(ends)]

    @property
    def bands(self) -> list[list[tuple[float, float, float]]]:
        """(x, y, half-width) of the points that have a spread, in stretches of neighbours that a line joins."""
        stretches = []
        for part in self.parts:
            points = zip(self.x[part], self.y[part], self.spread[part], strict=False)
            for wide, stretch in itertools.groupby(points, key=lambda point: point[2] is not None):
                stretches += [[(x, y, half or 0.0) for x, y, half in stretch]] if wide else []
        return stretches


@dataclass(frozen=True)
class Panel:
    """One pair of axes. `reference` is a level of y with its name, such as chance.

    With `rows` it is a dot plot: these are the names of x = 0, 1, ..., one under the other, and y goes to the right.
    With `categories` these are the names of x = 0, 1, ... from left to right; no line joins them unless they are
    `ordered`.
    """

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    y_limits: tuple[float | None, float | None] = (None, None)
    reference: tuple[float, str] | None = None
    rows: Sequence[str] = ()
    categories: Sequence[str] = ()
    ordered: bool = False
    log: Literal["", "x", "y", "xy"] = ""
    """Which axes are logarithmic. Points at or under 0 are not drawn on them."""
    picture: Picture | None = None
    """In the place of the series."""
    possible: tuple[float, float] = (-math.inf, math.inf)
    """What y can be: an accuracy is between 0 and 1, whatever its mean ± s.d."""

    def name_of(self, x: float) -> str | float:
        """What x stands for, where it is no number."""
        names = self.rows or self.categories
        return names[round(x)] if names else x

    @property
    def joined(self) -> bool:
        """Whether lines join neighbours."""
        return not self.rows and (self.ordered or not self.categories)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.picture and not any(series.x for series in self.series)

    def within(self, y: float, half: float) -> tuple[float, float]:
        """The ends of y ± half, as far as y can be there."""
        return max(y - half, self.possible[0]), min(y + half, self.possible[1])

    @property
    def without_value(self) -> list[str]:
        """Our series that have no point here."""
        there = {series.one_of or series.label for series in self.series if series.x}
        ours = dict.fromkeys(series.one_of or series.label for series in self.series if not series.from_paper)
        return [] if self.rows else [label for label in ours if label not in there]


def against_step(title: str, y_label: str, series: Sequence[Series], x_label: str = "step") -> Panel:
    """Loss or accuracy against training step, as in Figures 1a and 2b."""
    return Panel(title, x_label, y_label, series, y_limits=(0, None), possible=(0, math.inf))


def accuracies(
    title: str,
    x_label: str,
    series: Sequence[Series],
    classes: int,
    y_limits: tuple[float | None, float | None] = (None, None),
    y_label: str = "accuracy",
) -> Panel:
    """Accuracies as fractions against step or epoch, with the chance level of so many classes."""
    return Panel(title, x_label, y_label, series, y_limits, (1 / classes, "chance"), possible=(0, 1))


def against_corruption(
    title: str,
    y_label: str,
    series: Sequence[Series],
    chance: float | None = None,
    y_limits: tuple[float | None, float | None] = (None, None),
) -> Panel:
    """A value against the probability of label corruption, as in Figures 1b and 1c."""
    reference = None if chance is None else (chance, "chance")
    return Panel(title, "label corruption p", y_label, series, y_limits, reference)
