"""Figure 1a: true labels, random labels and noise, fitted by one network with one recipe; ours over the paper's."""

from dataclasses import replace

from rethink.report.estimates import Comparison, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series, against_step
from rethink.report.randomizations import FIVE, LABELS, TEST_SETS, generalization_metric, run_name
from rethink.report.results import Results, evaluations, paper_points, rule_words
from rethink.report.style import architecture_style, capitalized, randomization_style
from rethink.report.tables import Cell, Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import (
    Quantity,
    Verdict,
    agreeing,
    at_most,
    extreme_by_seed,
    fitted,
    ordered_by_seed,
    summary,
)

PAPER = dict(zip(FIVE, ("true_labels", "shuffled_pixels", "gaussian", "random_pixels", "random_labels"), strict=True))
LOW = "loss<0.1"
SMALL_FACTOR = 5.0  # the paper's random labels take 4.4 times the steps of its true labels to a loss under 0.1


def artefact(results: Results) -> Artefact:
    """Loss, training and test accuracy against step; when each setting sets in and is fitted; the order by seed."""
    verdicts = _verdicts(results)
    notes = evaluations(results.runs)
    if not _as_in_the_paper(results):
        notes = [f"{capitalized(_network(results))} stands in for the paper's small Inception.", *notes]
    return results.artefact(_finding(results, verdicts), [_chart(results)], _tables(results), verdicts, notes)


def _network(results: Results) -> str:
    return architecture_style(results.architectures[0]).label


def _as_in_the_paper(results: Results) -> bool:
    return results.full and results.architectures[0] == "SmallInception"


def _finding(results: Results, verdicts: list[Verdict]) -> str:
    fits = sum(not run.crossing(results.rule).censored for run in results.runs)
    said = f"{capitalized(_network(results))}, {results.images()} training images: {fits} of {len(results.runs)} runs "
    said += f"reach {rule_words(results.rule)} with the same hyper-parameters. Training steps to a loss under 0.1: "
    steps = {setting: results.epochs(LOW, "step", randomization=setting) for setting in FIVE}
    said += ", ".join(
        f"{LABELS[setting]} {'no run' if n is None else n.format(',.0f')}" for setting, n in steps.items()
    )
    tests = {setting: results.final(generalization_metric(setting), randomization=setting) for setting in FIVE}
    known = [f"{LABELS[setting]} {100 * test.mean:.1f} %" for setting, test in tests.items() if test]
    return f"{said}. Test accuracy at the end: {', '.join(known)}. {summary(verdicts)}"


def _chart(results: Results) -> Chart:
    def curves(metric: str) -> list[Series]:
        columns = {setting: metric or generalization_metric(setting) for setting in FIVE}
        runs = {setting: results.select(randomization=setting) for setting in FIVE}
        return [Series.mean(randomization_style(s), [run.curve(columns[s]) for run in runs[s]]) for s in FIVE]

    points = {setting: paper_points("fig1a.csv", "step", column) for setting, column in PAPER.items()}
    overlaid = _as_in_the_paper(results)  # else other steps and other images: beside ours
    paper = [Series.paper(randomization_style(setting), *points[setting], beneath=overlaid) for setting in FIVE]
    ours = curves("train/loss")
    if overlaid:
        losses = [against_step("Training loss", "loss", [*paper, *ours])]
    else:
        losses = [
            against_step("Training loss", "loss", ours),
            against_step("Training loss, the paper's", "loss", paper),
        ]
    chance = (1 / results.runs[0].num_classes, "chance") if results.runs else None
    return Chart(
        "fig1a",
        "Loss and accuracy on the randomized training set and test accuracy, evaluated between epochs, against the "
        f"training step; thin, the paper's loss. {TEST_SETS}",
        [
            *losses,
            Panel("Training accuracy", "step", "accuracy", curves("train/accuracy")),
            Panel("Test accuracy", "step", "accuracy", curves(""), reference=chance),
        ],
    )


def _comparison(results: Results, setting: str) -> Comparison:
    steps, losses = paper_points("fig1a.csv", "step", PAPER[setting])
    paper = next(step for step, loss in zip(steps, losses, strict=True) if loss < 0.1)
    tolerance = results.tolerance("steps") if _as_in_the_paper(results) else None
    ours, lost = results.epochs(LOW, "step", randomization=setting), results.lost(randomization=setting)
    return Comparison(ours, paper, tolerance, lost=lost)


def _tables(results: Results) -> list[Table]:
    times: list[list[Cell]] = []
    accuracies: list[list[Cell]] = []
    for setting in FIVE:
        first: list[Cell] = [LABELS[setting], results.seeds(randomization=setting)]
        _, *compared = comparison_cells(_comparison(results, setting))
        onset = results.time(lambda run: run.onset, "step", randomization=setting)
        fit = results.epochs(results.rule, "step", randomization=setting)
        times.append([*first, onset, *compared, fit])
        metrics = ("train/accuracy", "test/accuracy", "test_randomized/accuracy")
        train, *tests = (results.final(metric, randomization=setting) for metric in metrics)
        accuracies.append([*first, train or "not run", *tests])
    columns = [Column.text("setting", "randomization"), Column("n", "n")]
    steps = comparison_columns(LOW, "", "", 1, ",.0f")
    time_columns = [
        Column.times("onset", "onset", ",.0f"),
        *(replace(column, header={"ours": "loss < 0.1"}.get(column.header, column.header)) for column in steps[1:]),
        Column.times(rule_words(results.rule), results.rule, ",.0f"),
    ]
    names = {"train": "train/accuracy", "test": "test/accuracy", "test, randomized alike": "test_randomized/accuracy"}
    notes = [
        "Onset: training loss under 95 % of that of guessing, ln K with K classes. > n: not by step n, where it ended."
    ]
    if _as_in_the_paper(results):
        notes.append(rule_in_words(results.tolerance("steps")))
    subject = f"{capitalized(_network(results))}, {results.images()} images"
    return [
        Table([*columns, *time_columns], times, f"{subject}: steps until, mean ± s.d. over n seeds", notes),
        Table(
            [*columns, *(Column.estimates(*name) for name in names.items())],
            accuracies,
            f"{subject}: accuracy at the last epoch, mean ± s.d. over n seeds",
            name="accuracies",
        ),
    ]


def _verdicts(results: Results) -> list[Verdict]:
    order = list(LABELS.values())
    steps: dict[int, dict[str, Quantity]] = {}
    for run in results.select():
        crossing = run.crossing(LOW)
        steps.setdefault(run.seed, {})[LABELS[run.randomization]] = Quantity(crossing.step, crossing.censored)
    true = {"randomization": "TrueLabels"}
    factors = {setting: results.relative_time(LOW, true, randomization=setting) for setting in FIVE[1:]}
    verdicts = [
        fitted(
            f"Every setting is fitted to {rule_words(results.rule)}",
            [(run_name(run), not run.crossing(results.rule).censored) for run in results.runs],
            [LABELS[setting] for setting in FIVE if not results.select(randomization=setting)],
        ),
        ordered_by_seed(f"Steps to a loss under 0.1: {' < '.join(order)}", order, steps),
        extreme_by_seed("True labels are fitted first", LABELS["TrueLabels"], order, steps),
        extreme_by_seed("Random labels are fitted last", LABELS["RandomLabels"], order, steps, largest=True),
        at_most(
            f"No setting takes more than {SMALL_FACTOR:g} times the steps of true labels",
            [(LABELS[setting], Quantity.of(factor)) for setting, factor in factors.items() if factor],
            SMALL_FACTOR,
            [LABELS[setting] for setting, factor in factors.items() if not factor],
        ),
    ]
    if _as_in_the_paper(results):
        compared = [(LABELS[setting], _comparison(results, setting)) for setting in FIVE]
        verdicts.append(agreeing("Steps to a loss under 0.1 agree with the paper's", compared, "steps", 1, 0))
    return verdicts
