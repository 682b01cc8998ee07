"""The artefact of the look inside from mini-records: complete, partial, empty; its plan at both scales."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mini_records import results_of, write_run

from rethink.report.artefacts import make, script, write
from rethink.report.randomizations import FIVE
from rethink.report.results import Results
from rethink.runs.analysis import ARRAYS, FinishedAnalysis
from rethink.runs.run import Run
from rethink.sweep.experiment import Experiment
from rethink.sweep.plan import plan

pytestmark = pytest.mark.usefixtures("without_png")

script("inside")  # from here on `experiments` can be imported
parts = {
    name: importlib.import_module(f"experiments.inside.{name}")
    for name in ("alignment", "downstream", "looks", "neighbours", "networks", "probes", "similarity")
}
LAYERS = ["input", "layer 1", "layer 2", "logits"]
EPOCHS = dict(zip(FIVE, (8, 13, 20, 21, 36), strict=True))


def run(root: Path, name: str, randomization: str, seed: int, **options: Any) -> Run:
    """Of small AlexNet; `weights_from`, `validation_size` and `train_size` are in its configuration."""
    model = {"weights_from": options.pop("weights_from")} if "weights_from" in options else {}
    asked = {"train_size": options.pop("asked", None), "validation_size": options.pop("held_out", 0)}
    path = write_run(root / name, randomization=randomization, seed=seed, **options, **model)
    record = json.loads((path / "record.json").read_text())
    record["run_id"] = f"{name}-{randomization}-{seed}"
    record["config"] = {"data": {"init_args": asked}}
    record["data"]["validation_size"] = asked["validation_size"]
    (path / "record.json").write_text(json.dumps(record))
    return Run.open(path)


def analysed(
    root: Path, name: str, values: dict[str, Any], arrays: Mapping[str, Any] = {}, **options: Any
) -> FinishedAnalysis:
    folder = root / "analyses" / f"{name}-{len(list(root.glob('analyses/*')))}"
    folder.mkdir(parents=True)
    record = {"format": 1, "analysis_id": folder.name, "analysis": name, "options": options, "values": values}
    (folder / "record.json").write_text(json.dumps(record))
    if arrays:
        np.savez(folder / ARRAYS, **arrays)
    return FinishedAnalysis.open(folder)


def aligned(root: Path, of: Run, misaligned: float) -> FinishedAnalysis:
    points = [
        {"epoch": epoch, "misalignment": 3.6 + share * misaligned, "turned at random": 3.6 + share, "variance": 1.0,
         "in the first tenth": 0.1 + 0.2 * share}
        for epoch, share in ((0, 0.0), (5, 0.5), (8, 1.0))
    ]  # fmt: skip
    values = {"epochs": points, "inputs": 75, "units": 64, "components": 32, "of aligned weights": 3.6}
    return analysed(root, "Alignment", values | {"data in the first tenth": 0.9}, runs=[of.run_id], seed=of.seed)


def probed(root: Path, of: Run) -> FinishedAnalysis:
    def rows(given: list[float], true: list[float]) -> list[dict[str, Any]]:
        return [
            {"layer": layer, "given": {"fit": 1.0, "held out": g}, "true": {"fit": 1.0, "held out": t, "test": t}}
            for layer, g, t in zip(LAYERS, given, true, strict=True)
        ]

    values = {
        "classes": 10,
        "images": {"fit": 2500, "held out": 2500, "test": 2500},
        "trained": rows([0.1, 0.12, 0.9, 1.0], [0.4, 0.4, 0.2, 0.1]),
        "untrained": rows([0.1] * 4, [0.4, 0.4, 0.35, 0.2]),
    }
    return analysed(root, "Probes", values, runs=[of.run_id], seed=of.seed)


def pictured(root: Path, of: Run) -> FinishedAnalysis:
    draws = np.random.default_rng(of.seed)
    shapes = {"images": (2, 28, 28, 3)}
    for moment in ("trained", "untrained"):
        shapes |= {f"filters/{moment}": (16, 5, 5, 3), f"layer 1/{moment}": (2, 6, 14, 14)}
    arrays = {name: draws.integers(0, 256, shape, np.uint8) for name, shape in shapes.items()}
    return analysed(root, "LayerPictures", {}, arrays, runs=[of.run_id], seed=of.seed)


def similar(root: Path, runs: list[Run]) -> FinishedAnalysis:
    """Alike in the first layer and apart in the last; all else the same for any two networks."""
    networks = [{"run": of.run_id, "trained": trained} for of in runs for trained in (True, False)]
    pairs = [(one, other) for number, one in enumerate(networks) for other in networks[number + 1 :]]
    by_layer = [1.0, 0.9, 0.6, 0.2]
    values = {"layers": LAYERS, "networks": networks}
    values["pairs"] = [{"networks": list(pair), "same layer": by_layer} for pair in pairs]
    matrices = np.array([np.diag(by_layer).astype(np.float32)] * len(pairs))
    return analysed(root, "Similarity", values, {"matrices": matrices}, runs=[of.run_id for of in runs], seed=0)


def near(root: Path, randomization: str) -> FinishedAnalysis:
    median = 66.0 if randomization in ("GaussianPixels", "RandomPixels") else 33.0
    values = {
        "n": 50_000,
        "queries": 5000,
        "norm": 48.5,
        "smallest": 10.0,
        "10 %": 30.0,
        "median": median,
        "90 %": 70.0,
    }
    return analysed(root, "NearestNeighbours", values, randomization=randomization, n=None, seed=0)


def complete(root: Path, seeds: int = 2) -> Results:
    runs, analyses, compared = [], [], []
    for seed in range(seeds):
        for name in FIVE:
            of = run(root, "main", name, seed, fits_at=EPOCHS[name] + seed, train_size=50_000)
            runs.append(of)
            analyses.append(pictured(root, of))
            if name.endswith("Labels"):
                compared.append(of)
                analyses += [aligned(root, of, 0.1 if name == "RandomLabels" else 0.7), probed(root, of)]
        for labels in ("RandomLabels", "TrueLabels"):
            before = run(root, "before", labels, seed, asked=20_000, held_out=1000, train_size=20_000)
            faster = 6 if labels == "RandomLabels" else 4
            options: dict[str, Any] = {"asked": 1000, "train_size": 1000, "weights_from": before.run_id}
            after = run(root, f"after-{labels}", "TrueLabels", seed, fits_at=faster, test=0.42, **options)
            runs += [before, after]
        runs.append(run(root, "scratch", "TrueLabels", seed, fits_at=9, test=0.3, asked=1000, train_size=1000))
    analyses += [similar(root, compared), *(near(root, name) for name in FIVE)]
    return replace(results_of("inside", runs), analyses=tuple(analyses))


def outcomes(results: Results) -> dict[str, str]:
    return {verdict.trend: f"{verdict.outcome}: {verdict.detail}" for verdict in make(results).verdicts}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return complete(tmp_path_factory.mktemp("inside"))


@pytest.mark.slow
def test_the_same_records_give_the_same_files(whole: Results, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(make(whole), whole, tmp_path / name)
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    charts = {
        "filters_smallalexnet",
        "maps_smallalexnet",
        "alignment",
        "probes",
        "similarity",
        "neighbours",
        "downstream",
    }
    assert {f"{name}.svg" for name in charts} <= files.keys()
    assert all(len(files[f"{name}.svg"]) < 150_000 for name in charts)
    assert "filters_smallalexnet.csv" not in files


def test_which_run_is_which(whole: Results) -> None:
    networks, downstream = parts["networks"], parts["downstream"]
    (alexnet,) = (row for row in networks.rows(whole) if row.architecture == "SmallAlexNet")
    assert {run.run_id.partition("-")[0] for run in alexnet.runs} == {"main"}
    for kind, name in (("from scratch", "scratch"), ("RandomLabels", "after-RandomLabels")):
        found = downstream.runs_of(whole, "SmallAlexNet", kind)
        assert [each.run_id.rpartition("-True")[0] for each in found] == [name, name]


def test_what_is_shown_and_what_is_not(whole: Results) -> None:
    said = outcomes(whole)

    def of(start: str) -> str:
        (found,) = (text for trend, text in said.items() if start in trend)
        return found

    assert of("components (random labels)").startswith("shown: In 2 of 2 seeds. Misalignment 3.70")
    assert of("components (true labels)").startswith("not shown: In 0 of 2 seeds. Misalignment 4.30")
    assert of("reads memorized labels") == "shown: In 2 of 2 seeds. From 10.0 ± 0.0 % to 90.0 ± 0.0 %."
    assert of("tells less of the true labels") == "shown: In 2 of 2 seeds. From 35.0 ± 0.0 % to 20.0 ± 0.0 %."
    assert of("more alike in its first layer").endswith("CKA 0.90 ± 0.00 and 0.20 ± 0.00.")
    assert of("lie farther apart").startswith("shown: Here: 0.5 (random pixels), 0.5 (gaussian).")
    assert of("fits noise images in fewer epochs").startswith("shown")
    # True labels and shuffled pixels lie nearer and are fitted sooner; only random labels are as the hypothesis says.
    assert of("fits the farther one first").startswith("not shown: In 2 of 6 pairs")
    assert of("in fewer epochs than from scratch").startswith("shown: In 2 of 2 seeds. 6 ± 0 epochs")
    assert of("tests better on them").startswith("shown: In 2 of 2 seeds. 42.0 ± 0.0 %, from scratch 30.0")
    finding = make(whole).finding
    assert "Random labels too make the first layer grow along" in finding
    assert "What is memorized is found more in the later layers than in the first." in finding  # 0.118 is chance
    assert "Early layers are more alike across trainings than late ones" in finding
    assert "on images that lie as near, take 8 ± 1, so distance is not all" in finding


def with_values(results: Results, name: str, **values: Any) -> Results:
    """With these values in the analyses of that name."""
    analyses = (
        replace(each, record=each.record | {"values": each.values | values}) if each.name == name else each
        for each in results.analyses
    )
    return replace(results, analyses=tuple(analyses))


def test_nothing_is_said_to_grow_along_components_that_does_not(whole: Results) -> None:
    """However aligned it is."""
    analyses = []
    for each in whole.analyses:
        if each.name == "Alignment":
            points = [point | {"in the first tenth": 0.1} for point in each.values["epochs"]]
            analyses.append(replace(each, record=each.record | {"values": each.values | {"epochs": points}}))
    flat = replace(whole, analyses=tuple(analyses))
    (text,) = (text for trend, text in outcomes(flat).items() if "components (random labels)" in trend)
    assert text.startswith("shown")
    assert "grow along" not in make(flat).finding
    of_true_labels = [each for each in whole.analyses if each.name == "Alignment" and "TrueLabels" in each.runs[0]]
    assert "grow along" not in make(replace(whole, analyses=tuple(of_true_labels))).finding


def test_nothing_is_memorized_in_a_first_layer_at_chance(whole: Results) -> None:
    (first, *_) = (each for each in whole.analyses if each.name == "Probes")
    rows = [row | {"given": {"fit": 1.0, "held out": min(row["given"]["held out"], 1.0)}} for row in
            first.values["trained"]]  # fmt: skip
    rows[1]["given"]["held out"] = 0.11
    finding = make(with_values(whole, "Probes", trained=rows)).finding
    assert "What is memorized is found in the later layers, and not in the first." in finding


def test_a_similarity_that_is_not_defined_is_open(whole: Results) -> None:
    (similarity,) = (each for each in whole.analyses if each.name == "Similarity")
    pairs = [pair | {"same layer": [1.0, 0.9, 0.6, float("nan")]} for pair in similarity.values["pairs"]]
    undefined = with_values(whole, "Similarity", pairs=pairs)
    (text,) = (text for trend, text in outcomes(undefined).items() if "more alike in its first layer" in trend)
    assert text.startswith("cannot tell")
    assert "Early layers" not in make(undefined).finding


def test_true_labels_that_lie_elsewhere_are_not_said_to_lie_as_near(whole: Results) -> None:
    analyses = [
        replace(each, record=each.record | {"values": each.values | {"median": 48.5}})
        if each.name == "NearestNeighbours" and each.options["randomization"] == "TrueLabels"
        else each
        for each in whole.analyses
    ]
    finding = make(replace(whole, analyses=tuple(analyses))).finding
    assert "; true labels, at 1.00, take" in finding
    assert "as near" not in finding


def test_distances_are_judged_once_for_all_networks(tmp_path: Path) -> None:
    runs = [
        run(tmp_path, model, name, 0, model=model, train_size=50_000)
        for model in ("SmallAlexNet", "SmallInception")
        for name in FIVE
    ]
    both = replace(results_of("inside", runs), analyses=tuple(near(tmp_path, name) for name in FIVE))
    trends = [verdict.trend for verdict in make(both).verdicts]
    assert sum("lie farther apart" in trend for trend in trends) == 1
    assert sum("fits noise images in fewer" in trend for trend in trends) == 2


def test_maps_come_in_the_order_of_the_layers(whole: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    (each, *_) = (each for each in whole.analyses if each.name == "LayerPictures")
    maps = each.arrays["layer 1/trained"]
    arrays = {"images": each.arrays["images"]}
    arrays |= {f"layer {number}/{moment}": maps for number in (10, 2, 1) for moment in ("trained", "untrained")}
    seen: list[str] = []
    monkeypatch.setattr(parts["looks"], "grid", lambda rows, names, gap: seen.extend(names))
    parts["looks"]._maps(SimpleNamespace(analysed=SimpleNamespace(arrays=arrays)))
    assert [name.partition(",")[0] for name in seen[::2]] == ["layer 1", "layer 2", "layer 10"]


def test_a_difference_within_the_size_of_the_test_set_is_open(whole: Results) -> None:
    runs = [replace(each, record=each.record | {"test_size": 1}) for each in whole.runs]
    for each in runs:
        each.record["data"] = each.record["data"] | {"test_size": 30}
    said = outcomes(replace(whole, finished=tuple(runs)))
    (text,) = (text for trend, text in said.items() if "tests better" in trend)
    assert text.startswith("cannot tell")
    assert text.endswith("That is less than a test set of this size can tell.")


def test_whatever_is_missing_the_rest_is_shown(whole: Results, tmp_path: Path) -> None:
    nothing = replace(whole, finished=(), analyses=())
    assert make(nothing).finding == "There are too few runs to look into."
    only_runs = make(replace(whole, analyses=()))
    assert {chart.name for chart in only_runs.charts} == {"downstream"}
    for number, each in enumerate([*whole.analyses[:6], *whole.analyses[-6:]]):
        artefact = make(replace(whole, analyses=(each,)))
        assert "None" not in artefact.finding + "".join(map(str, artefact.verdicts))
        if number in (0, 3, 11):
            write(artefact, whole, tmp_path / str(number))
    for each in (whole.runs[0], whole.runs[5], whole.runs[6]):
        artefact = make(replace(whole, finished=(each,)))
        assert "None" not in artefact.finding + "".join(map(str, artefact.verdicts))


@pytest.mark.parametrize("scale", ["full", "demo"])
def test_the_plan_has_every_run_and_analysis(runs: Path, with_known_plans: Any, scale: Any) -> None:
    with_known_plans(runs)
    planned = plan(Experiment.load("inside", scale, seeds=[0]))
    assert planned.refused == ()
    labels = [each.label for each in planned.analyses]
    kinds = {
        name: sum(label.startswith(name) for label in labels) for name in ("LayerPictures", "Probes", "Similarity")
    }
    assert kinds == {"LayerPictures": 10 if scale == "full" else 4, "Probes": 4, "Similarity": 2}
    assert not any("held out" in label or "from the weights" in label for label in labels)
    later = [each for each in planned.runs if each.setting.weights_from]
    assert len(later) == (4 if scale == "full" else 2)
    by_id = {each.run_id: each for each in planned.runs}
    for each in later:
        before = by_id[each.setting.weights_from or ""].setting
        assert (before.architecture, before.validation_size, before.seed) == (
            each.setting.architecture,
            1000,
            each.setting.seed,
        )
    kept = {each.setting.randomization for each in planned.runs if each.keep_epochs}
    assert kept == {"TrueLabels", "RandomLabels"}
