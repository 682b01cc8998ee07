"""A number over seeds: mean, standard deviation and n, and whether the paper's single number agrees with it.

The paper prints one number per setting, without seeds. How far ours may be from it is fixed in `sweep.yaml` before the
runs, and spread never widens that (`rule_in_words`). What one switch brings is a difference of two settings, paired by
seed, with the 95 % interval of its mean.
"""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from rethink.errors import UserError

# Quantiles of Student's t at 97.5 %, for 1 to 30 degrees of freedom.
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True)
class Estimate:
    """The values of one quantity, one per seed. A `censored` one is a lower bound: a seed never got there."""

    values: tuple[float, ...]
    censored: bool = False
    half: float | None = None
    """Half the 95 % interval of the mean, in the place of that of the values."""
    seeds: int | None = None
    """On how many seeds it rests, where that is not the number of its values: it was worked out from several."""

    @classmethod
    def of(cls, values: Sequence[float | None], censored: bool = False) -> Self | None:
        """Of the values that were measured; None where none was."""
        measured = tuple(value for value in values if value is not None and math.isfinite(value))
        return cls(measured, censored) if measured else None

    @classmethod
    def single(cls, value: float, censored: bool = False, half: float | None = None, seeds: int | None = None) -> Self:
        """Of one value."""
        return cls((value,), censored, half, seeds)

    @classmethod
    def paired(cls, of: Mapping[int, float], over: Mapping[int, float]) -> Self | None:
        """By how much one quantity exceeds another, seed by seed, for the seeds that have both."""
        return cls.of([of[seed] - over[seed] for seed in sorted(of.keys() & over.keys())])

    @property
    def n(self) -> int:
        return len(self.values) if self.seeds is None else self.seeds

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float | None:
        """Sample standard deviation; None for one seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def interval(self) -> float | None:
        """Half the width of the 95 % interval of the mean, by Student's t; None for one seed."""
        if self.half is not None or self.sd is None:
            return self.half
        n = len(self.values)
        return _T[min(n - 1, len(_T)) - 1] * self.sd / math.sqrt(n)

    @property
    def low(self) -> float:
        """The lower end of the interval; the mean, where there is none."""
        return self.mean - (self.interval or 0.0)

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + (self.interval or 0.0)

    def scaled(self, factor: float) -> "Estimate":
        """In another unit: 100 for per cent."""
        half = None if self.half is None else factor * self.half
        return Estimate(tuple(factor * value for value in self.values), self.censored, half, self.seeds)

    def minus(self, paper: float) -> "Estimate":
        """By how much it exceeds a number of the paper; rounded: without the noise of binary fractions, for the CSV."""
        return replace(self, values=tuple(round(value - paper, 9) for value in self.values))

    def over(self, other: "Estimate") -> "Estimate":
        """The ratio of two positive quantities; its interval is that of the largest ratio, on both sides."""
        ratio, half = self.mean / other.mean, None
        if self.interval is not None or other.interval is not None:
            half = self.high / other.low - ratio if other.low > 0 else math.inf
        return Estimate.single(ratio, self.censored, half, min(self.n, other.n))

    def format(self, spec: str, interval: bool = False) -> str:
        """As `99.20 ± 0.04`, with `> ` before a lower bound; after ± the s.d., or half the 95 % interval."""
        text = ("> " if self.censored else "") + format(self.mean, spec)
        spread = self.interval if interval else self.sd
        return text if spread is None else f"{text} ± {format(spread, spec.replace('+', ''))}"

    def alone(self, more: float = 0.0) -> "Estimate":
        """Its mean without an interval, larger by so much."""
        return Estimate((self.mean + more,), self.censored)

    def precedes(self, other: "Estimate", by: float = 0.0) -> bool | None:
        """Whether this is smaller than `other`, by more than `by`; None if censoring or intervals leave it open."""
        ours, theirs, within = self.mean, other.mean - by, (self.interval or 0.0) + (other.interval or 0.0)
        if within and abs(theirs - ours) <= within:
            return None
        if self.censored:
            return False if not other.censored and theirs <= ours else None
        if theirs > ours or (other.censored and theirs == ours):
            return True
        return None if other.censored else False

    @property
    def short(self) -> str:
        """Its mean, for the detail of a verdict, and in brackets the 95 % interval of that."""
        text = self.alone().format(".3g")
        return text if self.interval is None else f"{text} [{self.low:.3g}, {self.high:.3g}]"

    def __str__(self) -> str:
        return self.format(".3g")


@dataclass(frozen=True)
class Tolerance:
    """How far from the paper's number ours may be: absolute, or a share of the paper's."""

    value: float
    relative: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `1.5`, in the unit of the quantity, or `20 %`."""
        number, percent, rest = text.replace(" ", "").partition("%")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not value >= 0 or rest:
            raise UserError(f"{text!r} is no tolerance. Expected a number in the unit of the table, or such as 20 %.")
        return cls(value / 100 if percent else value, bool(percent))

    def scaled(self, factor: float) -> "Tolerance":
        """In another unit; a share stays the same."""
        return self if self.relative else Tolerance(factor * self.value)

    def around(self, paper: float) -> float:
        return self.value * abs(paper) if self.relative else self.value

    def __str__(self) -> str:
        return f"{100 * self.value:g} %" if self.relative else f"{self.value:g}"


def marked(verdict: str, n: int | None) -> str:
    """A verdict as it is printed: one that rests on one seed has no interval, and says so."""
    return f"{verdict}, n = 1" if n == 1 else verdict


def least(quantities: Mapping[str, Estimate]) -> list[str]:
    """The name of the least quantity, and of every other whose 95 % interval meets its."""
    if not quantities:
        return []
    first = min(quantities.values(), key=lambda quantity: quantity.mean)
    return [name for name, quantity in quantities.items() if quantity is first or not first.precedes(quantity)]


LEAST_RULE = (
    "Nearest: the least distance of the mean from the paper's number; where the 95 % interval of another (Student's t, "
    "n seeds) meets its own, both are named. One seed has no interval, and is marked n = 1. The paper's numbers are "
    "n = 1."
)
NEAREST_RULE = (
    "Nearest: the least distance from the paper's number, seed by seed; where not all have as many seeds, that of the "
    "means. One seed is marked n = 1. The paper's numbers are n = 1."
)


def nearest(ours: Mapping[str, Estimate], paper: float) -> str:
    """In words, by `NEAREST_RULE`, which of several quantities comes nearest to the paper's number.

    Of quantities with as many seeds it is said in how many of these: on the same seeds a noisy one is not near.
    """
    seeds = {quantity.n for quantity in ours.values()}
    if len(seeds) != 1:
        return least_in_words(
            {name: Estimate.single(abs(o.mean - paper), half=o.interval, seeds=o.n) for name, o in ours.items()}
        )
    (n,) = seeds
    wins: Counter[str] = Counter()
    for seed in range(n):
        distances = {name: abs(quantity.values[seed] - paper) for name, quantity in ours.items()}
        first = [name for name, distance in distances.items() if distance == min(distances.values())]
        wins["none" if len(first) == len(ours) > 1 else " and ".join(first)] += 1
    if n == 1:
        return marked(next(iter(wins)), 1)
    return ", ".join(f"{name} in {count} of {n} seeds" for name, count in wins.most_common())


def least_in_words(quantities: Mapping[str, Estimate]) -> str:
    """The names of `least`; where that is all of them, that there is none."""
    names = least(quantities)
    named = "none (their intervals meet)" if len(names) == len(quantities) > 1 else " and ".join(names)
    return marked(named, min((quantity.n for quantity in quantities.values()), default=0))


def sampling_error(error: float, examples: int) -> float:
    """Two standard deviations of the difference of two test errors near `error`, each on so many images."""
    return 2 * math.sqrt(2 * error * (1 - error) / examples)


def rule_in_words(allowed: object) -> str:
    """How a number is judged, for the note of a table; `allowed` as in `1.5 points`."""
    return (
        f"inside: the 95 % interval of the mean (Student's t, n seeds) lies within {allowed} of the paper's number. "
        "outside: it lies beyond. cannot tell: it reaches across, or half of the runs or more ended without a "
        "measurement. One seed has no interval and is judged by its value alone, marked n = 1. The paper's numbers are "
        "n = 1."
    )


@dataclass(frozen=True)
class Seeds:
    """How many seeds a number rests on, and how the runs ended that gave none: `2, 1 diverged`."""

    n: int
    lost: tuple[str, ...] = ()

    @property
    def too_few(self) -> bool:
        """Whether half of the runs or more gave no measurement."""
        return len(self.lost) >= max(self.n, 1)

    def __str__(self) -> str:
        ends = [f"{self.lost.count(outcome)} {outcome}" for outcome in dict.fromkeys(self.lost)]
        return ", ".join([str(self.n), *ends])


@dataclass(frozen=True)
class Comparison:
    """Ours beside the paper's number. Without a tolerance, as at demo scale, the two are not compared.

    Where the paper has no number but "failed to converge", ours agrees if every seed ends under `fails_below`: it went
    on and did not fit. A run that diverged is no such run, and no measurement; `lost` has how those ended.
    """

    ours: Estimate | None
    paper: float | None
    tolerance: Tolerance | None
    fails_below: float | None = None
    lost: tuple[str, ...] = ()

    @property
    def seeds(self) -> Seeds:
        return Seeds(self.ours.n if self.ours else 0, self.lost)

    @property
    def difference(self) -> Estimate | None:
        """Ours minus the paper's, seed by seed."""
        if self.ours is None or self.paper is None or self.tolerance is None:
            return None
        return self.ours.minus(self.paper)

    @property
    def verdict(self) -> Literal["inside", "outside", "cannot tell", "not run", "not judged", ""]:
        """By `rule_in_words`. A lower bound under the paper's number leaves it open.

        Empty where the paper has nothing to compare with.
        """
        if self.ours is None:
            return "cannot tell" if self.lost else "not run"
        if self.paper is None and self.fails_below is None:
            return ""
        if self.tolerance is None:
            return "not judged"
        if self.fails_below is not None and max(self.ours.values) >= self.fails_below:
            return "outside"
        if self.seeds.too_few:
            return "cannot tell"
        if self.fails_below is not None:
            return "inside"
        if self.paper is None or self.difference is None:
            return ""
        allowed, half = self.tolerance.around(self.paper) + 1e-9, self.ours.interval or 0.0
        difference = self.difference.mean
        if self.ours.censored:
            return "outside" if difference - half > allowed else "cannot tell"
        if abs(difference) + half <= allowed:
            return "inside"
        return "outside" if abs(difference) - half > allowed else "cannot tell"

    @property
    def judgement(self) -> str:
        """The verdict for a table, with a mark where it rests on one seed."""
        return marked(self.verdict, self.seeds.n) if self.verdict in ("inside", "outside") else self.verdict
