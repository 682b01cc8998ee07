"""Does a set of runs show a trend of the paper? Judged from the numbers, and said in one plain line.

A time to fit that is censored counts as "more than": such a comparison may be beyond telling, and then the
verdict says so.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from rethink.report.estimates import Comparison, Estimate

Outcome = Literal["shown", "partly shown", "not shown", "cannot tell"]


@dataclass(frozen=True)
class Verdict:
    """A trend in the paper's words, whether the runs show it, and the numbers that say so."""

    trend: str
    outcome: Outcome
    detail: str

    def __str__(self) -> str:
        return f"{self.outcome.capitalize()}: {self.trend}. {self.detail}"

    def from_part(self, there: int, planned: int, of: str) -> "Verdict":
        """The same, judged from a part of what was planned: at most partly shown, and from half or less open.

        What is not shown stays so, as the rest cannot take a counterexample back.
        """
        if there >= planned:
            return self
        outcome: Outcome = self.outcome if self.outcome == "not shown" or 2 * there > planned else "cannot tell"
        outcome = "partly shown" if outcome == "shown" else outcome
        return Verdict(self.trend, outcome, f"{self.detail} Missing: {planned - there} of {planned} {of}.")


Named = tuple[str, Estimate | None]  # None: no run


def fitted(trend: str, runs: Sequence[tuple[str, bool]], missing: Sequence[str] = ()) -> Verdict:
    """Every run fits its training set."""
    failed = [name for name, fits in runs if not fits]
    detail = f"{len(runs) - len(failed)} of {len(runs)} do" + (f"; not {_listed(failed)}" if failed else "")
    detail += f". Missing: {_listed(missing)}." if missing else "."
    outcome: Outcome = "not shown" if failed else "cannot tell" if missing or not runs else "shown"
    if failed and len(failed) * 2 < len(runs):
        outcome = "partly shown"
    return Verdict(trend, outcome, detail)


def ordered(trend: str, quantities: Sequence[Named]) -> Verdict:
    """The quantities rise in the order given; partly so if the first is least and the last is largest."""
    if absent := [name for name, quantity in quantities if quantity is None]:
        return Verdict(trend, "cannot tell", f"Missing: {', '.join(absent)}.")
    there = [(name, quantity) for name, quantity in quantities if quantity is not None]
    answer = in_order([quantity for _, quantity in there])
    outcome: Outcome = "cannot tell" if answer is None else "shown" if answer else "not shown"
    if outcome == "not shown":
        (_, first), *_, (_, last) = there
        ends = [first.precedes(q) for _, q in there[1:]] + [q.precedes(last) for _, q in there[:-1]]
        outcome = "partly shown" if all(ends) else "not shown"
    here = sorted(there, key=lambda pair: (pair[1].mean, pair[1].censored))
    chain = f"{here[0][0]} ({here[0][1].short})"
    for (_, before), (name, quantity) in pairwise(here):
        chain += f" {'<' if before.alone().precedes(quantity.alone()) else '='} {name} ({quantity.short})"
    return Verdict(trend, outcome, f"Here: {chain}.")


def rising(
    trend: str, by_level: Sequence[tuple[float, Estimate | None]], tolerance: float = 0.0, unit: str = ""
) -> Verdict:
    """The quantity rises with the level: no step down by more than `tolerance`, and the end above the start.

    If it ends higher but falls on the way, or a level on the way is missing, the trend is partly shown. An end may not
    be missing. Whether it ends higher is open where the intervals of the ends meet; a fall is one of the means, as
    spread must not hide it.
    """
    absent = [f"p = {level:g}" for level, quantity in by_level if quantity is None]
    if len(by_level) < 2 or by_level[0][1] is None or by_level[-1][1] is None:
        return Verdict(trend, "cannot tell", f"Missing: {_listed(absent) or 'other levels'}.")
    there = [(level, quantity) for level, quantity in by_level if quantity is not None]
    (start, first), *_, (end, last) = there
    # a <= b + tolerance, for a censored b too: not (b + tolerance < a)
    falls = [
        f"{low:g} to {high:g}"
        for (low, before), (high, after) in pairwise(there)
        if after.alone(tolerance).precedes(before.alone())
    ]
    rises = first.precedes(last, by=tolerance)
    detail = f"{first.short}{unit} at p = {start:g}, {last.short}{unit} at p = {end:g}"
    if falls:
        detail += f"; falls from p = {', '.join(falls)}"
    if absent:
        detail += f"; missing: {_listed(absent)}"
    if rises is None:
        return Verdict(trend, "cannot tell", detail + ".")
    outcome: Outcome = "not shown" if not rises else "partly shown" if falls or absent else "shown"
    return Verdict(trend, outcome, detail + ".")


def at_most(trend: str, quantities: Sequence[Named], bound: float, missing: Sequence[str] = ()) -> Verdict:
    """No quantity exceeds the bound.

    One that is missing, or censored and under it, or whose interval reaches across, leaves the question open.
    """
    absent = [*(name for name, quantity in quantities if quantity is None), *missing]
    there = [(name, quantity) for name, quantity in quantities if quantity is not None]
    if not there:
        return Verdict(trend, "cannot tell", "No such run.")
    detail = "Here: " + ", ".join(f"{quantity.short} ({name})" for name, quantity in there) + "."
    detail += f" Missing: {_listed(absent)}." if absent else ""
    if any(quantity.mean - (quantity.interval or 0.0) > bound for _, quantity in there):
        return Verdict(trend, "not shown", detail)
    open_ = absent or any(
        quantity.censored or quantity.mean + (quantity.interval or 0.0) > bound for _, quantity in there
    )
    return Verdict(trend, "cannot tell" if open_ else "shown", detail)


def counted(trend: str, answers: Sequence[tuple[str, bool | None]], of: str = "runs", more: str = "") -> Verdict:
    """Yes or no in each of several runs or seeds: shown if in all, partly if in more than half; None: it is open."""
    yes = [name for name, answer in answers if answer]
    no = [name for name, answer in answers if answer is False]
    undecided = [name for name, answer in answers if answer is None]
    detail = f"In {len(yes)} of {len(answers)} {of}"
    detail += f"; not in {_listed(no)}" if yes and no else ""
    detail += f"; open in {_listed(undecided)}" if undecided else ""
    detail = detail if yes or no else "Open, for a run is missing or ended too early"
    detail += f". {more}" if more else "."
    if not answers or (undecided and not no):
        return Verdict(trend, "cannot tell", detail if answers else f"No such {of}.")
    partly: Outcome = "partly shown" if 2 * len(yes) > len(answers) else "not shown"
    return Verdict(trend, partly if no else "shown", detail)


def ordered_by_seed(trend: str, order: Sequence[str], by_seed: Mapping[int, Mapping[str, Estimate]]) -> Verdict:
    """The quantities rise in the order given, seed by seed; open in a seed that lacks some of them."""
    answers: list[tuple[str, bool | None]] = []
    for seed, quantities in by_seed.items():
        answer = in_order([quantities[name] for name in order if name in quantities])
        whole = all(name in quantities for name in order)
        answers.append((f"seed {seed}", None if answer and not whole else answer))
    pairs = []
    for before, after in pairwise(order):
        both = [seed for seed in by_seed.values() if before in seed and after in seed]
        right = sum(bool(seed[before].precedes(seed[after])) for seed in both)
        pairs.append(f"{before} before {after} in {right} of {len(both)}")
    return counted(trend, answers, "seeds", "; ".join(pairs) + ".")


def extreme_by_seed(
    trend: str, name: str, others: Sequence[str], by_seed: Mapping[int, Mapping[str, Estimate]], largest: bool = False
) -> Verdict:
    """One of the quantities is smaller, or larger, than the others, seed by seed; open where one is missing."""
    answers: list[tuple[str, bool | None]] = []
    for seed, there in by_seed.items():
        rivals = [there[other] for other in others if other in there and other != name]
        extreme = there.get(name)
        order = [(rival.precedes(extreme) if largest else extreme.precedes(rival)) for rival in rivals if extreme]
        whole = extreme is not None and all(other in there for other in others)
        answers.append((f"seed {seed}", False if False in order else None if None in order or not whole else True))
    return counted(trend, answers, "seeds")


def in_order(quantities: Sequence[Estimate]) -> bool | None:
    """Whether each precedes the next; None if the censoring leaves it open."""
    answers = [before.precedes(after) for before, after in pairwise(quantities)]
    return False if False in answers else None if None in answers else True


def summary(verdicts: Sequence[Verdict]) -> str:
    """In a sentence, whether a claim is borne out by the trends that were judged."""
    outcomes = [verdict.outcome for verdict in verdicts]
    if all(outcome == "cannot tell" for outcome in outcomes):
        return "There are too few runs to tell whether that bears the claim out."
    if all(outcome == "shown" for outcome in outcomes):
        which = "it judged below is" if len(verdicts) == 1 else f"all {len(verdicts)} trends judged below are"
        return f"That bears the claim out: {which} shown."
    shown = outcomes.count("shown")
    text = f"Of the {len(verdicts)} trends judged below {shown or 'none'} {'are' if shown > 1 else 'is'} shown"
    for outcome, words in (("partly shown", "partly"), ("not shown", "not"), ("cannot tell", "cannot be told yet")):
        text += f", {outcomes.count(outcome)} {words}" if outcome in outcomes else ""
    return text + "."


def agreeing(
    trend: str,
    comparisons: Sequence[tuple[str, Comparison]],
    unit: str = "points",
    scale: float = 100,
    digits: int = 2,
) -> Verdict:
    """Ours are within tolerance of the paper's numbers, as far as there are both; differences in the unit."""
    verdicts = [comparison.verdict for _, comparison in comparisons]
    judged = [verdict for verdict in verdicts if verdict in ("inside", "outside")]
    outside = [
        name if comparison.difference is None else f"{name} ({scale * comparison.difference.mean:+,.{digits}f} {unit})"
        for name, comparison in comparisons
        if comparison.verdict == "outside"
    ]
    alone = sum(comparison.judgement.endswith("n = 1") for _, comparison in comparisons)
    open_ = [name for name, comparison in comparisons if comparison.verdict == "cannot tell"]
    detail = f"{len(judged) - len(outside)} of {len(judged)} are inside the tolerance"
    detail += f"; {alone} of these {len(judged)} are judged by one seed" if alone else ""
    detail += f"; outside: {_listed(outside)}" if outside else ""
    detail += f"; cannot tell: {_listed(open_)}" if open_ else ""
    detail += f". Not run: {not_run}." if (not_run := verdicts.count("not run")) else "."
    if not outside:
        return Verdict(trend, "shown" if judged and not (not_run or open_) else "cannot tell", detail)
    return Verdict(trend, "partly shown" if len(outside) * 2 < len(verdicts) - not_run else "not shown", detail)


def at_chance(
    trend: str, accuracies: Sequence[tuple[str, Estimate]], chance: float, examples: int, missing: Sequence[str] = ()
) -> Verdict:
    """The accuracy of every seed lies within three standard deviations of guessing, for a test set of `examples`.

    A mean would hide seeds that miss it on both sides. A run that diverged guesses by constant and is none of these.
    """
    if not accuracies:
        return Verdict(trend, "cannot tell", "No such run.")
    band = 3 * math.sqrt(chance * (1 - chance) / examples)
    outside = any(abs(value - chance) > band for _, accuracy in accuracies for value in accuracy.values)
    outcome: Outcome = "not shown" if outside else "cannot tell" if missing else "shown"
    numbers = ", ".join(f"{_range(accuracy)} % ({name})" for name, accuracy in accuracies)
    expected = f"guessing on {examples:,} test images gives {100 * chance:.0f} ± {100 * band:.1f} % (3 s.d.)"
    return Verdict(trend, outcome, f"{numbers}; {expected}." + (f" Missing: {_listed(missing)}." if missing else ""))


def _range(accuracy: Estimate) -> str:
    """From the lowest seed to the highest, in per cent."""
    return " to ".join(dict.fromkeys(f"{100 * end:.1f}" for end in (min(accuracy.values), max(accuracy.values))))


def sampling_error(error: float, examples: int) -> float:
    """Two standard deviations of the difference of two test errors near `error`, each on so many images."""
    return 2 * math.sqrt(2 * error * (1 - error) / examples)


def _listed(names: Sequence[str], at_most: int = 4) -> str:
    """The first few, and how many more."""
    more = len(names) - at_most
    separator = "; " if any(", " in name for name in names) else ", "
    return separator.join(names[:at_most]) + (f" and {more} more" if more > 0 else "")
