"""Sweeps over the probability of label corruption, ours and the paper's (Figures 1b and 1c)."""

from rethink.report.estimates import Estimate
from rethink.report.panels import Series
from rethink.report.results import Results, paper_points
from rethink.report.style import architecture_style
from rethink.runs.run import Run

CORRUPTED_ALIKE, TRUE_LABELS = "test_randomized/accuracy", "test/accuracy"

SLIPS = (
    "To four digits the paper's points of small Inception at p = 0.9 equal those at p = 1, and its points of MLP 1x512 "
    "at p = 0.6 those at p = 0.7: probably slips in its plotted data."
)

ONE_DRAW = (
    "All seeds share one draw of the random labels, and the levels are nested: what is corrupted at one is corrupted "
    "alike at every higher one. The spread over seeds is that of training alone."
)

# The networks of the paper's figures, as in the columns of fig1bc.csv.
_PAPER = {"SmallInception": "Inception", "SmallAlexNet": "AlexNet", "MLP 1x512": "MLP1x512"}


def networks(results: Results) -> list[str]:
    """The networks of the plan that have runs."""
    return [name for name in results.architectures if results.select(architecture=name)]


def levels(results: Results, architecture: str) -> list[float]:
    """The planned probabilities of corruption, rising."""
    planned = (setting for setting in results.settings if setting.architecture == architecture)
    return sorted({setting.corruption for setting in planned if setting.corruption is not None})


def paper(architecture: str, column: str) -> dict[float, float]:
    """A curve of the paper's, by level: `rel_time`, `epochs_inferred`, `test_error` or `test_error_if_clean_test`.

    Empty for a network that the paper's figures do not have.
    """
    if architecture not in _PAPER:
        return {}
    return dict(zip(*paper_points("fig1bc.csv", "p", f"{_PAPER[architecture]}_{column}"), strict=True))


def paper_series(architecture: str, column: str) -> Series:
    """The same as a curve."""
    curve = paper(architecture, column)
    derived = column.endswith("if_clean_test")
    return Series.paper(architecture_style(architecture), list(curve), list(curve.values()), derived=derived)


def relative_time(results: Results, architecture: str, p: float, rule: str | None = None) -> Estimate | None:
    """Figure 1b's y: epochs to fit as a multiple of those of the same seed at p = 0, by a rule of its own if given."""
    true = {"architecture": architecture, "corruption": 0.0}
    return results.relative_time(rule or results.rule, true, architecture=architecture, corruption=p)


def error_of(run: Run, metric: str, rule: str | None = None) -> float | None:
    """Figure 1c's y: test error at the last epoch, or at the first that passes a rule (if none does, at the last).

    Without corruption the two test sets are the same.
    """
    if metric == CORRUPTED_ALIKE and run.final(metric) is None and run.corruption == 0:
        metric = TRUE_LABELS
    fitted = run.crossing(rule) if rule else None
    accuracy = run.final(metric) if fitted is None or fitted.censored else run.at(fitted.epoch, metric)
    return None if accuracy is None else 1 - accuracy
