"""Figure 1a: true labels, random labels and noise, fitted by one network with one recipe; ours over the paper's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rethink.report import paper
from rethink.report.estimates import Comparison, Estimate, Tolerance, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Series, accuracies, against_step
from rethink.report.randomizations import FIVE, LABELS, TEST_SETS, generalization_metric
from rethink.report.results import Results
from rethink.report.rows import Row
from rethink.report.style import randomization_style
from rethink.report.tables import Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import (
    Verdict,
    agreeing,
    all_fitted,
    at_most,
    extreme_by_seed,
    ordered_by_seed,
    summary,
)
from rethink.report.wording import capitalized, evaluations, network_name, rule_words, sentence

PAPER = dict(zip(FIVE, ("true_labels", "shuffled_pixels", "gaussian", "random_pixels", "random_labels"), strict=True))
LOW = "loss<0.1"
SMALL_FACTOR = 5.0  # the paper's random labels take 4.4 times the steps of its true labels to a loss under 0.1
FINDING = """
{{ network }}, {{ images }} training images: {{ fits }} of {{ runs }} runs reach {{ rule }} with the same
hyper-parameters. Training steps to a loss under 0.1:
{% for row in rows %}{{ row.label }} {{ row.steps.format(",.0f") if row.steps else "no run" }}
{{ ", " if not loop.last }}
{% endfor %}.
Test accuracy at the end:
{% for row in rows if row.test %}{{ row.label }} {{ "%.1f" % (100 * row.test.mean) }} %{{ ", " if not loop.last }}
{% endfor %}. {{ summary }}
"""


@dataclass(frozen=True)
class Setting:
    """One of the five settings: steps until its loss sets in, is low, and is fitted; and how it tests."""

    name: str
    row: Row
    onset: Estimate | None
    steps: Estimate | None
    fit: Estimate | None
    factor: Estimate | None
    """Epochs to a low loss over those of true labels."""
    test: Estimate | None
    """On the test set that says whether it generalizes."""
    comparison: Comparison

    @property
    def label(self) -> str:
        """In the paper's words."""
        return LABELS[self.name]


def rows(results: Results, tolerance: Tolerance | None) -> list[Setting]:
    """In the order in which the paper's runs fit."""
    settings = []
    true = results.row(randomization=FIVE[0])
    for name in FIVE:
        row = results.row(randomization=name)
        steps, losses = paper.points("fig1a.csv", "step", PAPER[name])
        theirs = next(step for step, loss in zip(steps, losses, strict=True) if loss < 0.1)
        ours = row.epochs(LOW, "step")
        settings.append(
            Setting(
                name,
                row,
                onset=row.time(lambda run: run.onset, "step"),
                steps=ours,
                fit=row.epochs(results.rule, "step"),
                factor=row.relative_time(LOW, true),
                test=row.final(generalization_metric(name)),
                comparison=row.compare(ours, theirs, tolerance),
            )
        )
    return settings


def artefact(results: Results) -> Artefact:
    """Loss, training and test accuracy against step; when each setting sets in and is fitted; the order by seed."""
    architecture = results.architectures[0]
    network = capitalized(network_name(architecture, batch_norm=True))
    as_in_the_paper = results.full and architecture == "SmallInception"
    tolerance = results.tolerance("steps") if as_in_the_paper else None
    settings = rows(results, tolerance)
    judged = verdicts(results, settings, tolerance)
    subject = f"{network}, {results.all.images} images"
    finding = sentence(
        FINDING,
        network=network,
        images=results.all.images,
        fits=results.fits,
        runs=len(results.runs),
        rule=rule_words(results.rule),
        rows=settings,
        summary=summary(judged),
    )
    notes = [] if as_in_the_paper else [f"{network} stands in for the paper's small Inception."]
    tables = [times(results, settings, subject, tolerance), ends(results, settings, subject)]
    charts = [chart(results, settings, as_in_the_paper)]
    return results.artefact(finding, charts, tables, judged, [*notes, *evaluations(results.runs)])


def chart(results: Results, settings: Sequence[Setting], overlaid: bool) -> Chart:
    """Of other steps and other images the paper's curves are beside ours, and not beneath."""

    def curves(column: str) -> list[Series]:
        return [
            series
            for s in settings
            for series in Series.over_seeds(
                randomization_style(s.name), s.row.curves(column or generalization_metric(s.name))
            )
        ] + [
            Series.under_way(randomization_style(s.name), history, column or generalization_metric(s.name))
            for s in settings
            for history in s.row.under_way
        ]

    theirs = [
        Series.paper(randomization_style(name), *paper.points("fig1a.csv", "step", column), beneath=overlaid)
        for name, column in PAPER.items()
    ]
    ours = curves("train/loss")
    losses = [against_step("Training loss", "loss", [*theirs, *ours] if overlaid else ours)]
    if not overlaid:
        losses.append(against_step("Training loss, the paper's", "loss", theirs))
    description = (
        "Loss and accuracy on the randomized training set and test accuracy, evaluated between epochs, against the "
        f"training step; in thin dashes the paper's loss. {TEST_SETS}"
    )
    return Chart(
        "fig1a",
        " ".join([description, *results.draws, *results.test_images]),
        [
            *losses,
            accuracies("Training accuracy", "step", curves("train/accuracy"), results.classes),
            accuracies("Test accuracy", "step", curves(""), results.classes),
        ],
    )


def times(results: Results, settings: Sequence[Setting], subject: str, tolerance: Tolerance | None) -> Table:
    """Steps until each setting sets in, is low, and is fitted."""
    columns = [
        *(Column.text("setting", "randomization"), Column("n", "n"), Column.times("onset", "onset", ",.0f")),
        *(
            replace(column, header={"ours": "loss < 0.1"}.get(column.header, column.header))
            for column in comparison_columns(LOW, "", "", 1, ",.0f")[1:]
        ),
        Column.times(rule_words(results.rule), results.rule, ",.0f"),
    ]
    cells = [[s.label, s.row.seeds, s.onset, *comparison_cells(s.comparison)[1:], s.fit] for s in settings]
    notes = [
        "Onset: training loss under 95 % of that of guessing, ln K with K classes. > n: not by step n, where it ended.",
        *results.draws,
    ]
    looked_at = "The paper's are of small Inception on 50,000 images: they are there to look at, and not judged."
    notes += [rule_in_words(tolerance) if tolerance else looked_at]
    return Table(columns, cells, f"{subject}: steps until, mean ± s.d. over n seeds", notes)


def ends(results: Results, settings: Sequence[Setting], subject: str) -> Table:
    """At the last epoch."""
    names = {"train": "train/accuracy", "test": "test/accuracy", "test, randomized alike": "test_randomized/accuracy"}
    columns = [Column.text("setting", "randomization"), Column("n", "n"), *map(Column.estimates, names, names.values())]
    cells = []
    for setting in settings:
        train, *tests = (setting.row.final(metric) for metric in names.values())
        cells.append([setting.label, setting.row.seeds, train or setting.row.blank, *tests])
    caption = f"{subject}: accuracy at the last epoch, mean ± s.d. over n seeds"
    return Table(columns, cells, caption, [*results.draws, *results.test_images], name="accuracies")


def verdicts(results: Results, settings: Sequence[Setting], tolerance: Tolerance | None) -> list[Verdict]:
    """All are fitted; in which order, by seed; and random labels take no more than a small factor."""
    order = list(LABELS.values())
    steps: dict[int, dict[str, Estimate]] = {}
    for run in results.runs:
        crossing = run.crossing(LOW)
        steps.setdefault(run.seed, {})[LABELS[run.randomization]] = Estimate.single(crossing.step, crossing.censored)
    others = settings[1:]
    judged = [
        all_fitted("Every setting is fitted", results.all, results.rule),
        ordered_by_seed(f"Steps to a loss under 0.1: {' < '.join(order)}", order, steps),
        extreme_by_seed("True labels are fitted first", LABELS["TrueLabels"], order, steps),
        extreme_by_seed("Random labels are fitted last", LABELS["RandomLabels"], order, steps, largest=True),
        at_most(
            f"No setting takes more than {SMALL_FACTOR:g} times the steps of true labels",
            [(setting.label, setting.factor) for setting in others if setting.factor],
            SMALL_FACTOR,
            [setting.label for setting in others if not setting.factor],
        ),
    ]
    if tolerance:
        compared = [(setting.label, setting.comparison) for setting in settings]
        judged.append(agreeing("Steps to a loss under 0.1 agree with the paper's", compared, "steps", 1, 0))
    return judged
