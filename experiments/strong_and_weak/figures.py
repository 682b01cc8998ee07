"""Strong and weak architectures under noise: how long each takes to fit, and how far training and test lie apart."""

from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series
from rethink.report.randomizations import FIVE, LABELS, TEST_SETS, generalization_metric
from rethink.report.results import Results, evaluations, rule_words, run_name
from rethink.report.style import architecture_style
from rethink.report.tables import Cell, Column, Table
from rethink.report.verdicts import Outcome, Quantity, Verdict, fitted, ordered, summary
from rethink.runs.run import Run

TRAIN = "train/accuracy"
GAP = "training minus test accuracy"


def artefact(results: Results) -> Artefact:
    """Epochs to fit and generalization gap of every network in every setting."""
    verdicts = _verdicts(results)
    charts = [
        Chart(
            "strong_and_weak",
            f"Epochs to {rule_words(results.rule)}, and {GAP} at the last epoch, of every network in the five "
            f"settings; lines only guide the eye. An arrow upwards: not fitted when the run ended. {TEST_SETS}",
            [
                Panel(
                    "Epochs to fit", "", "epochs", _series(results, "epochs"), (0, None), categories=[*LABELS.values()]
                ),
                Panel(
                    "Generalization gap",
                    "",
                    "points",
                    _series(results, "gap"),
                    (0, None),
                    categories=[*LABELS.values()],
                ),
            ],
        )
    ]
    notes = [*([] if _comparable(results) else [_sizes(results)]), *evaluations(results.runs)]
    return results.artefact(_finding(results, verdicts), charts, [_table(results)], verdicts, notes)


def _networks(results: Results) -> list[str]:
    """Those that have runs, from weak to strong as in sweep.yaml."""
    return [network for network in results.architectures if results.select(architecture=network)]


def gap(run: Run) -> float | None:
    """Training minus test accuracy at the last epoch, in points."""
    train, test = run.final("train/accuracy"), run.final(generalization_metric(run.randomization))
    return None if train is None or test is None else 100 * (train - test)


def _series(results: Results, what: str) -> list[Series]:
    found = []
    for network in _networks(results):
        points = []
        for x, setting in enumerate(FIVE):
            cell = {"architecture": network, "randomization": setting}
            value = results.epochs(results.rule, **cell) if what == "epochs" else results.estimate(gap, **cell)
            points.append((float(x), value))
        found.append(Series.estimates(architecture_style(network), points))
    return found


def _comparable(results: Results) -> bool:
    """Whether all networks were trained on as many images."""
    return len({run.train_size for run in results.runs}) <= 1


def _sizes(results: Results) -> str:
    sizes = [f"{architecture_style(n).label} {results.images(architecture=n)}" for n in _networks(results)]
    return f"Subsets of different size, so networks cannot be compared with each other: {', '.join(sizes)} images."


def _table(results: Results) -> Table:
    cells: list[list[Cell]] = []
    for network in _networks(results):
        for setting in FIVE:
            cell = {"architecture": network, "randomization": setting}
            first = [architecture_style(network).label, LABELS[setting], len(results.select(**cell))]
            accuracies = [
                results.final(metric, **cell) for metric in ("train/accuracy", generalization_metric(setting))
            ]
            cells.append(
                [*first, results.epochs(results.rule, **cell) or "not run", *accuracies, results.estimate(gap, **cell)]
            )
    columns = [
        *(Column.text("network", "architecture"), Column.text("setting", "randomization"), Column("n", "n")),
        *(Column.times("epochs to fit", results.rule), Column.estimates("train", "train/accuracy")),
        *(Column.estimates("test", "test_accuracy"), Column.estimates("gap", "gap", "points", 1, ".1f")),
    ]
    notes = [
        f"Epochs to {rule_words(results.rule)} (> n: not by epoch n, where the run ended). Gap: {GAP}. {TEST_SETS}"
    ]
    return Table(columns, cells, "At the last epoch, mean ± s.d. over n seeds", notes)


def _finding(results: Results, verdicts: list[Verdict]) -> str:
    fits = sum(not run.crossing(results.rule).censored for run in results.runs)
    tests, gaps = [], []
    for network in _networks(results):
        label = architecture_style(network).label
        if true := results.final("test/accuracy", architecture=network, randomization="TrueLabels"):
            tests.append(f"{label} {100 * true.mean:.1f} %")
        if random := results.estimate(gap, architecture=network, randomization="RandomLabels"):
            gaps.append(f"{label} {random.mean:.0f}")
    said = f"{fits} of {len(results.runs)} runs reach {rule_words(results.rule)}. "
    said += f"Test accuracy on true labels: {', '.join(tests)}. " if tests else ""
    said += f"Points between training and test accuracy on random labels: {', '.join(gaps)}. " if gaps else ""
    return said + summary(verdicts)


def _verdicts(results: Results) -> list[Verdict]:
    networks = {network: architecture_style(network).label for network in _networks(results)}
    noise = {network: {"architecture": network, "randomization": "RandomLabels"} for network in networks}
    runs = [
        (run_name(run), not run.crossing(results.rule).censored) for run in results.select(randomization="RandomLabels")
    ]
    absent = [
        architecture_style(network).label
        for network in results.architectures
        if not results.select(architecture=network, randomization="RandomLabels")
    ]
    verdicts = [
        fitted(f"Every network fits random labels to {rule_words(results.rule)}", runs, absent),
        fitted(
            f"Every network fits every setting to {rule_words(results.rule)}",
            [(run_name(run), not run.crossing(results.rule).censored) for run in results.runs],
            [f"{len(results.missing())} runs"] if results.missing() else [],
        ),
    ]
    trend = "The stronger the network, the better it tests on true labels"
    easily = "The network that tests best on true labels fits random labels in no more epochs than the worst one"
    if not _comparable(results):
        return [*verdicts, *(Verdict(each, "cannot tell", "On subsets of different size.") for each in (trend, easily))]
    tests = {n: results.final("test/accuracy", architecture=n, randomization="TrueLabels") for n in networks}
    known = {network: test for network, test in tests.items() if test}
    if len(known) < 2:
        return [*verdicts, *(Verdict(each, "cannot tell", "One network only.") for each in (trend, easily))]
    compared = len(known), len(results.architectures), "networks"
    tested = ordered(trend, [(networks[n], Quantity(100 * test.mean)) for n, test in known.items()])
    weakest, strongest = (choose(known, key=lambda n: known[n].mean) for choose in (min, max))
    weak, strong = (Quantity.of(results.epochs(results.rule, **noise[network])) for network in (weakest, strongest))
    fits = _as_easily(easily, (networks[strongest], strong), (networks[weakest], weak))
    return [*verdicts, tested.from_part(*compared), fits.from_part(*compared)]


def _as_easily(trend: str, strong: tuple[str, Quantity | None], weak: tuple[str, Quantity | None]) -> Verdict:
    if strong[1] is None or weak[1] is None:
        return Verdict(trend, "cannot tell", f"Missing: {strong[0] if strong[1] is None else weak[0]}.")
    longer = weak[1].precedes(strong[1])
    outcome: Outcome = "cannot tell" if longer is None else "not shown" if longer else "shown"
    return Verdict(trend, outcome, f"{strong[0]} {strong[1]} epochs, {weak[0]} {weak[1]}.")
