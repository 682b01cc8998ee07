"""Table 3: test errors beside the paper's, what was chosen for them, and the certificates of the solutions."""

from collections.abc import Sequence
from typing import Any

from experiments.table3 import sgd
from experiments.table3.rows import RANDOM, TRUE, Machine, Row, data_name
from rethink.report.dots import Dot, dots
from rethink.report.estimates import Estimate, rule_in_words, sampling_error
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.results import Results
from rethink.report.style import level_style
from rethink.report.tables import Cell, Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Verdict, agreeing, counted, fitted

CLASSES = 10
_NO_L2 = 1e-7  # where l2 = 0 stands on a logarithmic axis


def errors(results: Results, table_rows: Sequence[Row]) -> Table:
    """Ours beside the paper's."""
    cells: list[list[Cell]] = []
    for row in table_rows:
        images = row.machines[0].values["n"] if row.machines else None
        residual = row.estimate(_residual)
        first = [data_name(row.place[0]), row.place[1], "yes" if row.without_l2 else "no", images]
        cells.append([*first, *comparison_cells(row.comparison(results)), residual and max(residual.values)])
    columns = [
        *(Column.text("data", "dataset"), Column.text("pre-processing", "preprocessing"), Column.text("l2", "l2")),
        *(Column("images", "images", format=","), *comparison_columns("test/error")),
        Column("residual", "residual", format=".0e"),
    ]
    notes = [
        "On the 10,000 test images. Residual: |K alpha - y| / |y| with K computed anew in float64, the larger of those "
        "for true and for random labels.",
    ]
    if results.full:
        allowed = f"{results.tolerance('mnist')} points on MNIST, {results.tolerance('cifar10')} on CIFAR-10"
        notes.append(rule_in_words(allowed))
    return Table(columns, cells, "Table 3, test error of the minimum-norm solution with true labels", notes, "errors")


def _residual(machine: Machine) -> float:
    return max(float(machine.solution(labels)["residual"]["frobenius"]) for labels in (TRUE, RANDOM))


def choices(unregularized: Sequence[Machine]) -> Table:
    """What was chosen, by cross-validation."""
    cells: list[list[Cell]] = []
    for machine in unregularized:
        values, validation = machine.values, machine.values["validation"]
        gamma, l2 = _best(validation.get("gamma", [])), _best(validation["l2"])
        by_gamma = (gamma["gamma"], gamma["error"]) if gamma else (None, None)
        by_l2 = (l2["l2"], l2["error"]) if l2 else (None, None)
        data, preprocessing = machine.place
        cells.append([data_name(data), preprocessing, machine.filters, values.get("gamma"), *by_gamma, *by_l2])
    columns = [
        *(Column.text("data", "dataset"), Column.text("pre-processing", "preprocessing")),
        *(Column("filters", "filters", format=","), Column("gamma", "gamma", format=".3g")),
        *(Column("by CV", "gamma_by_cv", format=".3g"), Column("error", "gamma_cv_error", "%", 100, ".1f")),
        *(Column("l2 by CV", "l2_by_cv", format=".1g"), Column("error", "l2_cv_error", "%", 100, ".1f")),
    ]
    by = sorted(
        {(machine.values["validation"]["folds"], machine.values["validation"]["n"]) for machine in unregularized}
    )
    folds = ", ".join(f"{k}-fold on {n:,}" for k, n in by)
    notes = [
        f"By CV: of least error in cross-validation ({folds} training images), never on test images. Gamma of MNIST's "
        "pixels is the first author's. l2: in units of the mean of K's diagonal.",
        *(f"{machine.name}: {_wavelets(machine)}." for machine in unregularized if "bank" in machine.values),
    ]
    return Table(columns, cells, "What the paper does not say", notes if unregularized else [], "choices")


def _evaluated(validation: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The candidates that have an error."""
    return [candidate for candidate in validation if candidate["error"] is not None]


def _best(validation: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    return min(_evaluated(validation), key=lambda candidate: float(candidate["error"]), default=None)


def _wavelets(machine: Machine) -> str:
    bank = machine.values["bank"]
    waves = ", ".join(f"{wavelength:g}" for wavelength in bank["wavelengths"])
    return (
        f"wavelengths {waves} pixels, {bank['orientations']} orientations, a window of {bank['window']:g} wavelengths, "
        f"sampled every {bank['stride']} pixels, chosen by the same cross-validation from several banks"
    )


def charts(table_rows: Sequence[Row], unregularized: Sequence[Machine]) -> list[Chart]:
    """The table as a figure, test error over n, and the cross-validation."""
    marks = [
        Dot(row.name, level_style(0, "test error"), row.test_error and row.test_error.scaled(100), _paper(row))
        for row in table_rows
    ]
    figure = Chart(
        "table3",
        "Test error of each kernel machine of Table 3: ours, and hollow the paper's.",
        [dots("Table 3", "test error (%)", marks)],
    )
    if not unregularized:
        return [figure]
    over_n = Chart(
        "test_error",
        "Test error of the minimum-norm solution against the number of training images, with true labels. With "
        "random labels it is near chance, for nothing can be learned of them.",
        [_over_n(unregularized)],
    )
    cross_validation = Chart(
        "cross_validation",
        "Cross-validation error on training images against gamma, over the gamma that was used, for each machine "
        "(of several banks of wavelets the one that was chosen), and against l2; l2 = 0 stands at the left end.",
        [_gammas(unregularized), _l2s(unregularized)],
    )
    return [figure, over_n, cross_validation]


def _paper(row: Row) -> float | None:
    return row.paper.number("test_error") if row.paper else None


def _over_n(unregularized: Sequence[Machine]) -> Panel:
    series = []
    for index, machine in enumerate(unregularized):
        solutions = machine.over_n(TRUE)
        x, y = [solution["n"] for solution in solutions], [100 * solution["test_error"] for solution in solutions]
        series.append(_line(index, machine, x, y))
    chance = 100 * (1 - 1 / CLASSES), "chance"
    return Panel("Test error, true labels", "training images", "test error (%)", series, reference=chance, log="xy")


def _line(index: int, machine: Machine, x: list[float], y: list[float]) -> Series:
    look = level_style(index, machine.name)
    return Series(look.label, x, y, look.color, marker=look.marker)


def _gammas(unregularized: Sequence[Machine]) -> Panel:
    series = []
    for index, machine in enumerate(unregularized):
        candidates = _evaluated(machine.values["validation"].get("gamma", []))
        bank = machine.values.get("bank", {})
        candidates = [c for c in candidates if all(c[name] == value for name, value in bank.items())]
        x = [candidate["gamma"] / machine.values["gamma"] for candidate in candidates]
        series.append(_line(index, machine, x, [100 * candidate["error"] for candidate in candidates]))
    return Panel("Bandwidth", "gamma / gamma used", "cross-validation error (%)", series, log="xy")


def _l2s(unregularized: Sequence[Machine]) -> Panel:
    series = []
    for index, machine in enumerate(unregularized):
        candidates = _evaluated(machine.values["validation"]["l2"])
        x = [candidate["l2"] or _NO_L2 for candidate in candidates]
        series.append(_line(index, machine, x, [100 * candidate["error"] for candidate in candidates]))
    return Panel("l2", "l2 / mean of K's diagonal", "cross-validation error (%)", series, log="xy")


def verdicts(results: Results, table_rows: Sequence[Row]) -> list[Verdict]:
    """Whether the solutions fit, whether their errors are the paper's, and what l2 brings."""
    fits = [
        (f"{row.name}, {labels}", machine.solution(labels)["train_error"] == 0)
        for row in table_rows
        for machine in row.machines
        for labels in (TRUE, RANDOM)
        if not machine.regularized
    ]
    missing = [
        analysis.label
        for analysis in results.missing_analyses
        if analysis.kind != sgd.ANALYSIS and "l2 cross_validated" not in analysis.label  # with l2 only
    ]
    trend = "Without l2 every kernel machine fits its training set exactly, random labels too"
    n = min((len(row.machines) for row in table_rows if row.machines), default=0)
    judged = [fitted(trend, fits, missing, n)]
    if results.full:
        compared = [(row.name, row.comparison(results)) for row in table_rows if row.paper]
        judged.append(agreeing("Test errors agree with the paper's", compared))
    images = next((int(row.machines[0].values["test_images"]) for row in table_rows if row.machines), 0)
    mnist: list[tuple[str, bool | None]] = []
    cifar: list[tuple[str, bool | None]] = []
    for name, errors in _with_and_without(table_rows):
        if errors is None:
            brings_nothing = brings_less = None
        else:
            without, with_l2 = errors
            within = sampling_error(without.mean, images)
            less, more = with_l2.precedes(without, by=within), without.precedes(with_l2, by=within)
            brings_nothing = None if less is None else not less
            brings_less = True if less else False if more else None
        if name.startswith("MNIST"):
            mnist.append((name, brings_nothing))
        if name.startswith("CIFAR"):
            cifar.append((name, brings_less))
    if results.full:  # the demo leaves MNIST with l2 out
        judged.append(
            counted("On MNIST l2 brings nothing beyond the sampling error of the test set", mnist, "models", n=n)
        )
    trend = "On CIFAR-10 with the random convolutional network l2 brings less error"
    return [*judged, counted(trend, cifar, "models", n=n)]


def _with_and_without(table_rows: Sequence[Row]) -> list[tuple[str, tuple[Estimate, Estimate] | None]]:
    """For each machine that was planned with l2, the test errors without and with it."""
    pairs: list[tuple[str, tuple[Estimate, Estimate] | None]] = []
    by_name = {row.name: row for row in reversed(table_rows)}
    for row in table_rows:
        if name := row.without_l2:
            other = by_name.get(name)
            with_l2, without = row.test_error, other and other.test_error
            pairs.append((name, (without, with_l2) if with_l2 and without else None))
    return pairs
