"""The artefact of the complexity measures from mini-records: complete, partial, empty; its plan at both scales."""

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mini_records import results_of, write_run

from rethink.report.artefacts import script, write
from rethink.report.results import Results
from rethink.runs.analysis import FinishedAnalysis
from rethink.runs.run import Run
from rethink.sweep.experiment import Experiment
from rethink.sweep.jobs import PlannedAnalysis

pytestmark = pytest.mark.usefixtures("without_png")

script("complexity")  # from here on `experiments` can be imported
measures = importlib.import_module("experiments.complexity.measures")
SIZES = (500, 2000, 8000)


def analysed(root: Path, name: str, values: dict[str, Any], **options: Any) -> FinishedAnalysis:
    """A finished analysis, as `rethink analyze` writes it."""
    folder = root / "analyses" / f"{name}-{len(list(root.glob('analyses/*')))}"
    folder.mkdir(parents=True)
    record = {"format": 1, "analysis_id": folder.name, "analysis": name, "options": options, "values": values}
    (folder / "record.json").write_text(json.dumps(record))
    return FinishedAnalysis.open(folder)


def signs(root: Path, size: int, accuracy: float, draw: int = 0, seed: int = 0) -> Run:
    """A run on random signs that ends with this training accuracy."""
    path = write_run(
        root / f"signs-{size}-{draw}-{seed}",
        "MLP",
        "RandomSigns",
        train_size=size,
        seed=seed,
        hidden_sizes=[512],
        history={"train/accuracy": [0.5, accuracy]},
    )
    record = json.loads((path / "record.json").read_text())
    record["randomization"]["seed"] = draw
    record["run_id"] = f"signs-{size}-{draw}-{seed}"
    (path / "record.json").write_text(json.dumps(record))
    return Run.open(path)


def stability(
    root: Path, randomization: str, itself: float, largest: float, seed: int = 0
) -> tuple[Run, FinishedAnalysis]:
    run = Run.open(write_run(root / "left-out", "MLP", randomization, seed=seed, train_size=1000, hidden_sizes=[512]))
    names = ("itself", "others", "test")
    means = {f"{name}_{loss}": itself for name in names for loss in ("probability", "error")}
    values = {"data": "MNIST", "train_size": 1000, "left_out": [0, 1], "largest": largest, "mean": means}
    return run, analysed(root, "UniformStability", values, runs=[run.run_id], seed=seed)


def norms(root: Path, corruption: float, size: int, seed: int, error: float) -> tuple[Run, FinishedAnalysis]:
    """Measures that fall with the test error, but `distance`, which rises, and `path_norm_l2`, by labels only."""
    ends = {0.0: "TrueLabels", 1.0: "RandomLabels"}
    kind, probability = ends.get(corruption, "PartiallyCorruptedLabels"), corruption if 0 < corruption < 1 else None
    folder = root / f"norms-{size}"
    run = Run.open(
        write_run(folder, "MLP", kind, probability, seed=seed, train_size=size, test=1 - error, hidden_sizes=[512])
    )
    run = replace(run, record=run.record | {"run_id": f"{run.run_id}-{size}"})
    by_name: dict[str, float | None] = dict.fromkeys(measures.NAMES, 2 - error)
    by_name |= {"distance": error, "path_norm_l2": corruption + size / 10_000}
    by_name["inverse_margin"] = None
    values = {"measures": by_name, "test_error": error, "train_error": 0.0, "largest_l1_norm": 55.5}
    return run, analysed(root, "NormMeasures", values, runs=[run.run_id], seed=seed)


def complete(root: Path) -> Results:
    runs = [signs(root, size, 1.0, draw) for size in (100, 1600) for draw in (0, 1)]
    found = [stability(root, "TrueLabels", 0.1, 0.3), stability(root, "RandomLabels", 0.9, 0.95)]
    found += [
        norms(root, p, size, seed, 0.4 + 0.5 * p - size * (1 - p) / 20_000 + 0.001 * seed)
        for p in (0.0, 0.5, 1.0)
        for size in SIZES
        for seed in (0, 1)
    ]
    row = {"parameters": 9, "layers": 2, "vc_order": 1e7, "vc_upper": 1e7, "vc_lower": None, "gap_bound_of_lower": None}
    networks = {"SmallInception": row | {"gap_bound": 1.18, "examples_needed": 10**9}}
    networks["MLP 1x512"] = networks["SmallInception"] | {"vc_lower": 10**6, "gap_bound_of_lower": 1.05}
    vc = analysed(root, "Capacity", {"networks": networks}, examples=50_000, seed=0)
    results = results_of("complexity", [*runs, *(run for run, _ in found)])
    return replace(results, analyses=(vc, *(each for _, each in found)))


def artefact(results: Results) -> Any:
    return script("complexity").artefact(results)


def test_a_complete_artefact_says_what_the_numbers_say(tmp_path):
    results = complete(tmp_path)
    made = artefact(results)
    outcomes = {verdict.trend: verdict.outcome for verdict in made.verdicts}
    assert len(outcomes) == 7
    (vc,) = (verdict for verdict in made.verdicts if "VC" in verdict.trend)
    assert vc.outcome == "shown"
    assert vc.detail.endswith("over 1 too for MLP 1x512. No least one is known for small Inception.")
    assert all(o == "shown" for trend, o in outcomes.items() if "random signs" in trend or "left-out" in trend)
    assert [o for trend, o in outcomes.items() if trend.startswith("No measure")] == ["not shown"]  # distance does
    (judged,) = (verdict for verdict in made.verdicts if verdict.trend.startswith("No measure"))
    assert judged.detail.endswith("not in distance from initialization; open in 1 / margin.")
    assert "a bound by the empirical Rademacher complexity is vacuous" in made.finding
    assert "may depend on the labels: 0.10 (MNIST, n = 1,000, true labels), 0.90" in made.finding
    assert "cannot tell true from random labels by definition" in made.finding
    tables = {table.name: table for table in made.tables}
    assert tables["vc"].shown()[0][:3] == ["small Inception", "9", "2"]
    assert tables["correlations"].rows[1][1:5] == [1600, 2, 2, 1.0]
    assert "no better than 1/n does" in tables["ordering"].notes[-1]
    ordering = {row[1]: row[2:] for row in tables["ordering"].shown()}
    assert ordering["distance from initialization"][1::2] == ["orders"] * 3
    assert ordering["expected sharpness"][1::2] == ["reversed"] * 3
    assert ordering["l2 path norm / margin"][1] == "orders"
    assert ordering["l2 path norm / margin"][3] == "reversed"
    assert ordering["1 / margin"] == ["–", "cannot tell"] * 3
    assert ordering["1 / n, for comparison"][:4] == ["–", "cannot tell", "+1.00 [+1.00, +1.00]", "orders"]
    stable = tables["left_out"].shown()
    assert [row[4] for row in stable] == ["0.300", "0.950"]
    assert [row[5] for row in stable] == ["0.950", "0.950"]  # one number, whatever the labels
    write(made, results, tmp_path / "out")
    assert (tmp_path / "out" / "measures_mlp_1x512.svg").exists()


def test_signs_that_are_not_fitted_are_not_near_1(tmp_path):
    made = artefact(results_of("complexity", [signs(tmp_path, 100, 1.0), signs(tmp_path, 6400, 0.7)]))
    assert [verdict.outcome for verdict in made.verdicts[:2]] == ["not shown"] * 2
    assert "0.400 at the least (MLP 1x512 at n = 6,400" in made.finding
    assert "is vacuous" not in made.finding.partition("Near 1 would mean")[0]


def test_the_bound_is_judged_by_what_is_sure_of_the_complexity(tmp_path):
    """One draw of 10 signs: all fitted, and R_n may be as little as 0.23; of 1,600 an accuracy of 0.8 leaves 0.54."""
    fit, not_fit = (artefact(results_of("complexity", [signs(tmp_path, *run)])) for run in ((10, 1.0), (1600, 0.8)))
    assert [verdict.outcome for verdict in fit.verdicts[:2]] == ["shown", "shown"]
    assert [verdict.outcome for verdict in not_fit.verdicts[:2]] == ["not shown", "shown"]


def test_missing_runs_on_signs_leave_it_open(tmp_path):
    results = replace(
        Results.load(Experiment.load("complexity", "demo", [0])), finished=(signs(tmp_path, 50, 1.0),), analyses=()
    )
    verdicts = artefact(results).verdicts[:2]
    assert [verdict.outcome for verdict in verdicts] == ["cannot tell"] * 2
    assert all("; open in MLP 1x512 at n = 50, MLP 1x512 at n = 200, " in each.detail for each in verdicts)
    assert all(each.detail.endswith("runs are missing.") for each in verdicts)


def test_a_term_that_orders_better_than_1_over_n_is_not_called_no_better(tmp_path):
    """Where the errors are the other way round over n, the PAC-Bayes terms here rise with them and 1/n does not."""
    found = [
        norms(tmp_path, p, size, seed, 0.1 + size / 20_000 + 0.001 * seed)
        for p in (0.0, 1.0)
        for size in SIZES
        for seed in (0, 1)
    ]
    for _, each in found:
        each.values["measures"]["pac_bayes"] = each.values["test_error"]
    results = replace(results_of("complexity", [run for run, _ in found]), analyses=tuple(each for _, each in found))
    (table,) = (table for table in artefact(results).tables if table.name == "ordering")
    assert table.notes[-1].endswith("The PAC-Bayes terms are divided by n.")


def test_of_one_kind_of_labels_nothing_is_said_about_the_other(tmp_path):
    run, each = stability(tmp_path, "TrueLabels", 0.1, 0.3)
    finding = artefact(replace(results_of("complexity", [run]), analyses=(each,))).finding
    assert "0.30 (MNIST, n = 1,000, true labels)" in finding
    assert "depend on the labels" not in finding


def test_of_the_runs_on_one_draw_of_the_signs_the_best_counts(tmp_path):
    runs = [signs(tmp_path, 400, 0.9, seed=0), signs(tmp_path, 400, 1.0, seed=1), signs(tmp_path, 400, 0.8, draw=1)]
    (row,) = artefact(results_of("complexity", runs)).tables[0].rows
    assert row[1:5] == [400, 2, 3, pytest.approx((1.0 + 0.6) / 2)]


def test_with_nothing_run_it_says_so(tmp_path):
    made = artefact(results_of("complexity", []))
    assert made.finding.startswith("No network was trained on random signs yet.")
    assert {verdict.outcome for verdict in made.verdicts} == {"cannot tell"}
    write(made, results_of("complexity", []), tmp_path)


def test_few_runs_tell_nothing_about_an_order(tmp_path):
    results = complete(tmp_path)
    few = replace(results, analyses=results.analyses[:7])
    outcomes = {verdict.trend.partition(",")[0]: verdict.outcome for verdict in artefact(few).verdicts}
    assert outcomes["At equal n"] == "cannot tell"


def test_the_plan_has_what_the_analyses_need():
    """Runs are chosen by texts in their descriptions, so a size must not be shared by mistake."""
    for scale, left_out, measured in (("full", 20, 12), ("demo", 2, 6)):
        experiment = Experiment.load("complexity", scale, [0])
        options = [dict(zip(run[::2], run[1::2], strict=True)) for run in experiment.runs]
        mlp = [each for each in options if "configs/model/mlp_1x512.yaml" in str(each.values())]
        kinds = [each["--data.randomization"] for each in options]
        assert {"RandomSigns", "TrueLabels", "RandomLabels", "PartiallyCorruptedLabels"} == set(kinds)
        stability = [each for each in options if each.get("--data.train_size") == "300"]
        assert sum(each.get("--data.leave_out") != "null" for each in stability) == 2 * left_out
        assert all("--convergence.stop_after" not in each for each in stability)  # all train as long
        norms = [each for each in mlp if each["--data.randomization"] == "PartiallyCorruptedLabels"]
        assert len(norms) == measured
        others = {each["--data.train_size"] for each in options if each not in norms and "Partially" not in str(each)}
        assert not others & {each["--data.train_size"] for each in norms}


def test_missing_analyses_are_named(tmp_path):
    results = complete(tmp_path)
    wanted = PlannedAnalysis("0" * 12, ("NormMeasures", "--seed", "0"), "MLP 1x512, true labels, 500 images, seed 0")
    made = artefact(replace(results, planned_analyses=(wanted,)))
    assert any("NormMeasures" in line for line in made.missing)
