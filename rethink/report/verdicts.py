"""Does a set of runs show a trend of the paper? Judged from the numbers, and said in one plain line.

A time to fit that is censored counts as "more than": such a comparison may be beyond telling, and then the
verdict says so. A verdict rests on as many seeds as the one of its numbers that has the fewest. Where that is one, it
is marked n = 1 and counted apart.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from rethink.report.estimates import Comparison, Estimate, marked
from rethink.report.rows import Row
from rethink.report.wording import rule_words, run_name

Outcome = Literal["shown", "partly shown", "not shown", "cannot tell"]
_LISTED = 4  # names that a detail has at most


@dataclass(frozen=True)
class Verdict:
    """A trend in the paper's words, whether the runs show it, and the numbers that say so."""

    trend: str
    outcome: Outcome
    detail: str
    n: int | None = 1
    """On how many seeds it rests; None where nothing is drawn."""

    @property
    def judgement(self) -> str:
        """The outcome, with a mark where it rests on one seed."""
        return self.outcome if self.outcome == "cannot tell" else marked(self.outcome, self.n)

    def __str__(self) -> str:
        return f"{self.judgement.capitalize()}: {self.trend}. {self.detail}"

    def from_part(self, there: int, planned: int, of: str) -> "Verdict":
        """The same, judged from a part of the settings planned: at most partly shown, and from half or less open.

        Seeds that are missing are no such part: `n` has them. What is not shown stays so, as the rest cannot take a
        counterexample back.
        """
        if there >= planned:
            return self
        outcome: Outcome = self.outcome if self.outcome == "not shown" or 2 * there > planned else "cannot tell"
        outcome = "partly shown" if outcome == "shown" else outcome
        return replace(self, outcome=outcome, detail=f"{self.detail} Missing: {planned - there} of {planned} {of}.")


Named = tuple[str, Estimate | None]  # None: no run


def all_fitted(trend: str, row: Row, rule: str) -> Verdict:
    """Every run of a row, of one setting or of many, passes a convergence rule: `trend`, `to 99 % ...`.

    One that diverged has not, whenever it did: it is missing.
    """
    runs = [(run_name(run), not run.crossing(rule).censored) for run in row.runs]
    return fitted(f"{trend} to {rule_words(rule)}", runs, row.absent, row.fewest)


def fitted(trend: str, runs: Sequence[tuple[str, bool]], missing: Sequence[str] = (), n: int | None = 1) -> Verdict:
    """Every run fits its training set; of n seeds."""
    failed = [name for name, fits in runs if not fits]
    detail = f"{len(runs) - len(failed)} of {len(runs)} do" + (f"; not {_listed(failed)}" if failed else "")
    detail += f". Missing: {_listed(missing)}." if missing else "."
    outcome: Outcome = "not shown" if failed else "cannot tell" if missing or not runs else "shown"
    if failed and len(failed) * 2 < len(runs):
        outcome = "partly shown"
    return Verdict(trend, outcome, detail, n)


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
        chain += f" {'<' if before.precedes(quantity) else '='} {name} ({quantity.short})"
    return Verdict(trend, outcome, f"Here: {chain}.{_brackets(there)}", _fewest(there))


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
    detail += f".{_brackets(there)}"
    if rises is None:
        return Verdict(trend, "cannot tell", detail)
    outcome: Outcome = "not shown" if not rises else "partly shown" if falls or absent else "shown"
    return Verdict(trend, outcome, detail, _fewest(there))


def exceeds(trend: str, difference: Estimate | None, detail: str = "") -> Verdict:
    """A difference, paired by seed, is above zero: open where its interval reaches across."""
    if difference is None:
        return Verdict(trend, "cannot tell", "No seed has both.")
    answer = Estimate.single(0.0).precedes(difference)
    outcome: Outcome = "cannot tell" if answer is None else "shown" if answer else "not shown"
    return Verdict(trend, outcome, detail, difference.n)


def at_most(trend: str, quantities: Sequence[Named], bound: float, missing: Sequence[str] = ()) -> Verdict:
    """No quantity exceeds the bound. Those that come nearest to it are named.

    One that is missing, or censored and under it, or whose interval reaches across, leaves the question open.
    """
    absent = [*(name for name, quantity in quantities if quantity is None), *missing]
    there = [(name, quantity) for name, quantity in quantities if quantity is not None]
    if not there:
        return Verdict(trend, "cannot tell", "No such run.")
    # One that is censored may be the largest, whatever its mean.
    highest = sorted(there, key=lambda pair: (not pair[1].censored, -pair[1].high)) if len(there) > _LISTED else there
    detail = f"Here: {_listed([f'{quantity.short} ({name})' for name, quantity in highest])}.{_brackets(there)}"
    detail += f" Missing: {_listed(absent)}." if absent else ""
    if any(quantity.low > bound for _, quantity in there):
        return Verdict(trend, "not shown", detail, _fewest(there))
    open_ = absent or any(quantity.censored or quantity.high > bound for _, quantity in there)
    return Verdict(trend, "cannot tell" if open_ else "shown", detail, _fewest(there))


def counted(
    trend: str, answers: Sequence[tuple[str, bool | None]], of: str = "runs", more: str = "", n: int | None = 1
) -> Verdict:
    """Yes or no in each of several runs or seeds: shown if in all, partly if in more than half; None: it is open.

    Args:
        trend: What is judged.
        answers: By what they are of.
        of: What there is an answer for each of. Of `seeds` the verdict rests on those that are not open.
        more: For the end of its detail.
        n: Of anything else, how many seeds an answer rests on.
    """
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
    return Verdict(trend, partly if no else "shown", detail, len(yes) + len(no) if of == "seeds" else n)


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
    """In a sentence, whether a claim is borne out by the trends judged; those of one seed are counted apart."""
    outcomes = [verdict.judgement for verdict in verdicts]
    if all(outcome == "cannot tell" for outcome in outcomes):
        return "There are too few runs to tell whether that bears the claim out."
    if all(outcome == "shown" for outcome in outcomes):
        which = "it judged below is" if len(verdicts) == 1 else f"all {len(verdicts)} trends judged below are"
        return f"That bears the claim out: {which} shown."
    words = {"shown": "shown", "partly shown": "partly", "not shown": "not", "cannot tell": "cannot be told yet"}
    counts = Counter(outcomes)
    parts = []
    for outcome, plain in words.items():
        for judged, more in ((outcome, ""), (marked(outcome, 1), " by one seed (n = 1)")):
            if counts[judged]:
                verb = ("is " if counts[judged] == 1 else "are ") if outcome == "shown" else ""
                parts.append(f"{counts[judged]} {verb}{plain}{more}")
    none = [] if any("shown" in part for part in parts) else ["none is shown"]
    return f"Of the {len(verdicts)} trends judged below {', '.join([*none, *parts])}."


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
    n = min((c.seeds.n for _, c in comparisons if c.verdict in ("inside", "outside")), default=0)
    if not outside:
        return Verdict(trend, "shown" if judged and not (not_run or open_) else "cannot tell", detail, n)
    return Verdict(trend, "partly shown" if len(outside) * 2 < len(verdicts) - not_run else "not shown", detail, n)


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
    detail = f"{numbers}; {expected}." + (f" Missing: {_listed(missing)}." if missing else "")
    return Verdict(trend, outcome, detail, _fewest(accuracies))


def _fewest(quantities: Sequence[tuple[object, Estimate]]) -> int:
    return min(quantity.n for _, quantity in quantities)


def _brackets(quantities: Sequence[tuple[object, Estimate]]) -> str:
    return " In brackets the 95 % interval of the mean." if any(q.interval for _, q in quantities) else ""


def _range(accuracy: Estimate) -> str:
    """From the lowest seed to the highest, in per cent."""
    return " to ".join(dict.fromkeys(f"{100 * end:.1f}" for end in (min(accuracy.values), max(accuracy.values))))


def _listed(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = len(names) - _LISTED
    separator = "; " if any(", " in name for name in names) else ", "
    return separator.join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
