"""Does a set of runs show a trend of the paper? Judged from the numbers, and said in one plain line.

A time to fit that is censored counts as "more than": such a comparison may be beyond telling, and then the
verdict says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Outcome = Literal["shown", "partly shown", "not shown", "cannot tell"]


@dataclass(frozen=True)
class Verdict:
    """A trend in the paper's words, whether the runs show it, and the numbers that say so."""

    trend: str
    outcome: Outcome
    detail: str

    def __str__(self) -> str:
        return f"{self.outcome.capitalize()}: {self.trend}. {self.detail}"


@dataclass(frozen=True)
class Quantity:
    """A number, or if `censored` all that is known of it: that it is larger."""

    value: float
    censored: bool = False

    def precedes(self, other: "Quantity") -> bool | None:
        """Whether this is smaller than `other`; None if the censoring leaves it open."""
        if self.censored:
            return False if not other.censored and other.value <= self.value else None
        if other.value > self.value or (other.censored and other.value == self.value):
            return True
        return None if other.censored else False

    def __str__(self) -> str:
        return f"{'> ' if self.censored else ''}{self.value:.3g}"


Named = tuple[str, Quantity | None]  # None: no run


def fitted(trend: str, runs: Sequence[tuple[str, bool]], missing: Sequence[str] = ()) -> Verdict:
    """Every run fits its training set."""
    failed = [name for name, fits in runs if not fits]
    detail = f"{len(runs) - len(failed)} of {len(runs)} runs do" + (f"; not {', '.join(failed)}" if failed else "")
    detail += f". Missing: {', '.join(missing)}." if missing else "."
    outcome: Outcome = "not shown" if failed else "cannot tell" if missing or not runs else "shown"
    if failed and len(failed) * 2 < len(runs):
        outcome = "partly shown"
    return Verdict(trend, outcome, detail)


def ordered(trend: str, quantities: Sequence[Named]) -> Verdict:
    """The quantities rise in the order given; partly so if the first is least and the last is largest."""
    if absent := [name for name, quantity in quantities if quantity is None]:
        return Verdict(trend, "cannot tell", f"Missing: {', '.join(absent)}.")
    known = [(name, quantity) for name, quantity in quantities if quantity is not None]
    outcome = _all_precede([quantity for _, quantity in known])
    if outcome == "not shown":
        (_, first), *_, (_, last) = known
        ends = [first.precedes(q) for _, q in known[1:]] + [q.precedes(last) for _, q in known[:-1]]
        outcome = "partly shown" if all(ends) else "not shown"
    here = sorted(known, key=lambda pair: (pair[1].value, pair[1].censored))
    chain = here[0][0] + f" ({here[0][1]})"
    for (_, before), (name, quantity) in pairwise(here):
        chain += f" {'<' if before.precedes(quantity) else '='} {name} ({quantity})"
    return Verdict(trend, outcome, f"Here: {chain}.")


def rising(
    trend: str, by_level: Sequence[tuple[float, Quantity | None]], tolerance: float = 0.0, unit: str = ""
) -> Verdict:
    """The quantity rises with the level: no step down by more than `tolerance`, and the end above the start.

    If it ends higher but falls on the way, the trend is partly shown.
    """
    if absent := [f"p = {level:g}" for level, quantity in by_level if quantity is None]:
        return Verdict(trend, "cannot tell", f"Missing: {', '.join(absent)}.")
    known = [(level, quantity) for level, quantity in by_level if quantity is not None]
    (start, first), *_, (end, last) = known
    # a <= b + tolerance, for a censored b too: not (b + tolerance < a)
    falls = [
        f"{low:g} to {high:g}"
        for (low, before), (high, after) in pairwise(known)
        if Quantity(after.value + tolerance, after.censored).precedes(before)
    ]
    rises = first.precedes(Quantity(last.value - tolerance, last.censored))
    detail = f"{first}{unit} at p = {start:g}, {last}{unit} at p = {end:g}"
    if falls:
        detail += f"; falls from p = {', '.join(falls)}"
    if rises is None:
        return Verdict(trend, "cannot tell", detail + ".")
    outcome: Outcome = "not shown" if not rises else "partly shown" if falls else "shown"
    return Verdict(trend, outcome, detail + ".")


def at_most(trend: str, quantities: Sequence[Named], bound: float) -> Verdict:
    """No quantity exceeds the bound; a censored one under it leaves the question open."""
    if absent := [name for name, quantity in quantities if quantity is None]:
        return Verdict(trend, "cannot tell", f"Missing: {', '.join(absent)}.")
    known = [(name, quantity) for name, quantity in quantities if quantity is not None]
    detail = "Largest: " + ", ".join(f"{quantity} ({name})" for name, quantity in known) + "."
    if any(quantity.value > bound for _, quantity in known):
        return Verdict(trend, "not shown", detail)
    return Verdict(trend, "cannot tell" if any(q.censored for _, q in known) else "shown", detail)


def at_chance(trend: str, accuracies: Sequence[tuple[str, float]], chance: float, examples: int) -> Verdict:
    """Each accuracy lies within three standard deviations of guessing, for a test set of `examples`."""
    if not accuracies:
        return Verdict(trend, "cannot tell", "No such run.")
    band = 3 * math.sqrt(chance * (1 - chance) / examples)
    outside = [name for name, accuracy in accuracies if abs(accuracy - chance) > band]
    outcome: Outcome = "shown" if not outside else "not shown"
    numbers = ", ".join(f"{100 * accuracy:.1f} % ({name})" for name, accuracy in accuracies)
    expected = f"guessing on {examples:,} test images gives {100 * chance:.0f} ± {100 * band:.1f} % (3 s.d.)"
    return Verdict(trend, outcome, f"{numbers}; {expected}.")


def sampling_error(error: float, examples: int) -> float:
    """Two standard deviations of the difference of two test errors near `error`, each on so many images."""
    return 2 * math.sqrt(2 * error * (1 - error) / examples)


def _all_precede(quantities: Sequence[Quantity]) -> Outcome:
    answers = [before.precedes(after) for before, after in pairwise(quantities)]
    if False in answers:
        return "not shown"
    return "cannot tell" if None in answers else "shown"
