"""Table 3: test errors beside the paper's, what was chosen for them, and the certificates of the solutions."""

from typing import Any

from experiments.table3.rows import RANDOM, TRUE, Machine, Row, data_name, machines, rows
from rethink.report.dots import Dot, dots
from rethink.report.estimates import rule_in_words
from rethink.report.figures import Chart
from rethink.report.panels import Panel, Series
from rethink.report.results import Results
from rethink.report.style import level_style
from rethink.report.tables import Cell, Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Verdict, agreeing, counted, fitted, sampling_error

CLASSES = 10
_NO_L2 = 1e-7  # where l2 = 0 stands on a logarithmic axis


def tables(results: Results) -> list[Table]:
    """Ours beside the paper's, and what was chosen."""
    return [_errors(results), _choices(results)]


def _errors(results: Results) -> Table:
    cells: list[list[Cell]] = []
    for row in rows(results):
        one = row.comparison(results)
        images = row.machines[0].values["n"] if row.machines else None
        residual = row.estimate(_residual)
        first = [data_name(row.place[0]), row.place[1], "yes" if row.without_l2 else "no", images]
        cells.append([*first, *comparison_cells(one), residual and max(residual.values)])
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


def _choices(results: Results) -> Table:
    found = machines(results, regularized=False)
    cells: list[list[Cell]] = []
    for machine in found:
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
    by = sorted({(each.values["validation"]["folds"], each.values["validation"]["n"]) for each in found})
    folds = ", ".join(f"{k}-fold on {n:,}" for k, n in by)
    notes = [
        f"By CV: of least error in cross-validation ({folds} training images), never on test images. Gamma of MNIST's "
        "pixels is the first author's. l2: in units of the mean of K's diagonal.",
        *(f"{machine.name}: {_wavelets(machine)}." for machine in found if "bank" in machine.values),
    ]
    return Table(columns, cells, "What the paper does not say", notes if found else [], "choices")


def _best(found: list[dict[str, Any]]) -> dict[str, Any] | None:
    known = [each for each in found if each["error"] is not None]
    return min(known, key=lambda each: float(each["error"]), default=None)


def _wavelets(machine: Machine) -> str:
    bank = machine.values["bank"]
    waves = ", ".join(f"{each:g}" for each in bank["wavelengths"])
    return (
        f"wavelengths {waves} pixels, {bank['orientations']} orientations, a window of {bank['window']:g} wavelengths, "
        f"sampled every {bank['stride']} pixels, chosen by the same cross-validation from several banks"
    )


def charts(results: Results) -> list[Chart]:
    """The table as a figure, test error over n, and the cross-validation."""
    marks = [
        Dot(row.name, level_style(0, "test error"), row.test_error and row.test_error.scaled(100), _paper(row))
        for row in rows(results)
    ]
    described = "Test error of each kernel machine of Table 3: ours, and hollow the paper's."
    without = machines(results, regularized=False)
    found = [Chart("table3", described, [dots("Table 3", "test error (%)", marks)])]
    if without:
        described = (
            "Test error of the minimum-norm solution against the number of training images, with true labels. With "
            "random labels it is near chance, for nothing can be learned of them."
        )
        found.append(Chart("test_error", described, [_over_n(without)]))
        described = (
            "Cross-validation error on training images against gamma, over the gamma that was used, for each machine "
            "(of several banks of wavelets the one that was chosen), and against l2; l2 = 0 stands at the left end."
        )
        found.append(Chart("cross_validation", described, [_gammas(without), _l2s(without)]))
    return found


def _paper(row: Row) -> float | None:
    return row.paper.number("test_error") if row.paper else None


def _over_n(found: list[Machine]) -> Panel:
    series = []
    for index, machine in enumerate(found):
        solutions = machine.over_n(TRUE)
        x, y = [one["n"] for one in solutions], [100 * one["test_error"] for one in solutions]
        series.append(_line(index, machine, x, y))
    chance = 100 * (1 - 1 / CLASSES), "chance"
    return Panel("Test error, true labels", "training images", "test error (%)", series, reference=chance, log="xy")


def _line(index: int, machine: Machine, x: list[float], y: list[float]) -> Series:
    look = level_style(index, machine.name)
    return Series(look.label, x, y, look.color, marker=look.marker)


def _gammas(found: list[Machine]) -> Panel:
    series = []
    for index, machine in enumerate(found):
        known = [each for each in machine.values["validation"].get("gamma", []) if each["error"] is not None]
        if "bank" in machine.values:
            known = [
                each for each in known if all(each[name] == value for name, value in machine.values["bank"].items())
            ]
        x = [each["gamma"] / machine.values["gamma"] for each in known]
        series.append(_line(index, machine, x, [100 * each["error"] for each in known]))
    return Panel("Bandwidth", "gamma / gamma used", "cross-validation error (%)", series, log="xy")


def _l2s(found: list[Machine]) -> Panel:
    series = []
    for index, machine in enumerate(found):
        known = [each for each in machine.values["validation"]["l2"] if each["error"] is not None]
        x, y = [each["l2"] or _NO_L2 for each in known], [100 * each["error"] for each in known]
        series.append(_line(index, machine, x, y))
    return Panel("l2", "l2 / mean of K's diagonal", "cross-validation error (%)", series, log="xy")


def verdicts(results: Results) -> list[Verdict]:
    """Whether the solutions fit, whether their errors are the paper's, and what l2 brings."""
    every = rows(results)
    fits = [
        (f"{row.name}, {labels}", machine.solution(labels)["train_error"] == 0)
        for row in every
        for machine in row.machines
        for labels in (TRUE, RANDOM)
        if not machine.regularized
    ]
    missing = [each.label for each in results.missing_analyses if "Regularization" not in each.label]
    found = [fitted("Without l2 every kernel machine fits its training set exactly, random labels too", fits, missing)]
    if results.full:
        compared = [(row.name, row.comparison(results)) for row in every if row.paper]
        found.append(agreeing("Test errors agree with the paper's", compared))
    pairs = _with_and_without(every)
    mnist = [
        (name, None if known is None else known[0] - known[1] <= sampling_error(known[0], _images(every)))
        for name, known in pairs
        if name.startswith("MNIST")
    ]
    cifar = [
        (name, None if known is None else _less(*known, _images(every)))
        for name, known in pairs
        if name.startswith("CIFAR")
    ]
    if results.full:  # the demo leaves MNIST with l2 out
        found.append(counted("On MNIST l2 brings nothing beyond the sampling error of the test set", mnist, "models"))
    found.append(counted("On CIFAR-10 with the random convolutional network l2 brings less error", cifar, "models"))
    return found


def _with_and_without(every: list[Row]) -> list[tuple[str, tuple[float, float] | None]]:
    """For each machine that was planned with l2, the test errors without and with it."""
    found: list[tuple[str, tuple[float, float] | None]] = []
    for row in every:
        if name := row.without_l2:
            other = next((each for each in every if each.name == name), None)
            with_l2, without = row.test_error, other and other.test_error
            found.append((name, (without.mean, with_l2.mean) if with_l2 and without else None))
    return found


def _less(without: float, with_l2: float, images: int) -> bool | None:
    """None within the sampling error of the test set."""
    if abs(without - with_l2) <= sampling_error(without, images):
        return None
    return with_l2 < without


def _images(every: list[Row]) -> int:
    return next(int(row.machines[0].values["test_images"]) for row in every if row.machines)
