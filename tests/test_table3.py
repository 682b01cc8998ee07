"""The rows of Table 3 through the command line on generated images, what is refused, and the artefact."""

import functools
import importlib
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rethink.analyses.analysis import Context
from rethink.cli import main
from rethink.data import Synthetic
from rethink.errors import UserError
from rethink.kernels.analyses import interpolation as kernels
from rethink.kernels.analyses import random_conv as kernel_network
from rethink.kernels.analyses import solution as kernel_solution
from rethink.kernels.analyses.choices import Validation, best, given_or_best
from rethink.kernels.analyses.examples import Examples
from rethink.kernels.analyses.interpolation import KernelInterpolation, RandomConvInterpolation
from rethink.kernels.analyses.problems import BANKS, gabor, refuse_low_rank
from rethink.kernels.analyses.state import PanelsOnDisk
from rethink.kernels.cholesky import factorize
from rethink.report.artefacts import script, write
from rethink.report.results import Results
from rethink.runs.analysis import FinishedAnalysis
from rethink.sweep.experiment import Experiment
from rethink.training import memory

pytestmark = pytest.mark.usefixtures("without_png")

script("table3")  # from here on `experiments` can be imported
rows = importlib.import_module("experiments.table3.rows")
norms = importlib.import_module("experiments.table3.norms")

SMALL = {"n": 150, "validation_size": 60, "folds": 3}


def values(analysis: kernels.Analysis, folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    return dict(analysis.analyse(Context(folder)).values)


@pytest.fixture
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rethink.kernels.random_features.PATCHES", 500)
    monkeypatch.setattr(kernel_network, "FILTERS", 8)


@pytest.fixture
def narrow_panels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_solution, "factorize", functools.partial(factorize, width=16))


def test_the_command_solves_exactly_for_true_and_random_labels(runs, capsys):
    main(["analyze", "KernelInterpolation", "--dataset", "Synthetic", "--n", "150", "--sizes", "[40]"])
    (folder,) = (runs / "analyses").iterdir()
    found = FinishedAnalysis.open(folder).values
    assert [(one["labels"], one["n"]) for one in found["solutions"]] == [
        *(("true labels", 40), ("random labels", 40), ("true labels", 150), ("random labels", 150))
    ]
    assert all(one["train_error"] == 0 and one["residual"]["frobenius"] < 1e-6 for one in found["solutions"])
    true, random = found["solutions"][2:]
    assert true["test_error"] < 0.1 < 0.8 < random["test_error"]
    assert true["norms"]["RKHS, one-hot"] < random["norms"]["RKHS, one-hot"]
    assert found["validation"]["n"] == 150
    assert len({row["gamma"] for row in found["validation"]["gamma"]}) == 11
    assert not list(folder.glob("partial*"))


def test_a_part_of_the_points_is_solved_as_if_there_were_no_more(tmp_path):
    options = {"dataset": "Synthetic", "gamma": 0.001, "validation_size": 60}
    of_more = values(KernelInterpolation(**options, n=150, sizes=[40]), tmp_path / "more")
    alone = values(KernelInterpolation(**options, n=40), tmp_path / "alone")
    for one, other in zip(of_more["solutions"][:2], alone["solutions"], strict=True):
        assert (one["labels"], one["n"], one["test_error"]) == (other["labels"], other["n"], other["test_error"])
        assert one["norms"] == pytest.approx(other["norms"], rel=1e-6)


def test_both_precisions_find_the_same(tmp_path):
    single, double = (
        values(KernelInterpolation(dataset="Synthetic", precision=precision, **SMALL), tmp_path / precision)
        for precision in ("float32", "float64")
    )
    for ours, theirs in zip(single["solutions"], double["solutions"], strict=True):
        assert ours["test_error"] == theirs["test_error"]
        assert ours["norms"] == pytest.approx(theirs["norms"], rel=1e-4)


def test_l2_is_in_units_of_the_diagonal_and_leaves_a_rest(tmp_path):
    found = values(KernelInterpolation(dataset="Synthetic", kernel="linear", l2=30.0, **SMALL), tmp_path / "a")
    true, random = found["solutions"]
    assert true["residual"]["frobenius"] < 1e-6  # of (K + l2 I) alpha = y
    assert random["train_error"] > 0.1
    without = values(KernelInterpolation(dataset="Synthetic", kernel="linear", **SMALL), tmp_path / "b")
    assert true["norms"]["RKHS, one-hot"] < without["solutions"][0]["norms"]["RKHS, one-hot"]


def test_an_interrupted_analysis_goes_on_to_the_same_numbers(tmp_path, monkeypatch, narrow_panels):
    def analysis() -> KernelInterpolation:
        return KernelInterpolation(dataset="Synthetic", **SMALL)

    expected = values(analysis(), tmp_path / "whole")
    monkeypatch.setattr(kernel_solution, "PanelsOnDisk", functools.partial(PanelsOnDisk, every=0.0))

    def killed(what: str, done: int, of: int) -> None:
        if "Cholesky" in what and done > 300:
            raise KeyboardInterrupt

    folder = tmp_path / "killed"
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        analysis().analyse(Context(folder, killed))
    kept = sorted(folder.glob("panel_*.npy"))
    assert 1 < len(kept) < 10
    before = kept[0].stat().st_mtime_ns
    assert values(analysis(), folder) == expected
    assert kept[0].stat().st_mtime_ns == before
    assert len(list(folder.glob("panel_*.npy"))) == 10


# The random convolutional network.


def test_the_network_is_solved_with_each_l2(tmp_path, small_network):
    analysis = RandomConvInterpolation(dataset="Synthetic", filters=20, l2=[0.0, "cross_validated", 0.1], **SMALL)
    found = values(analysis, tmp_path / "a")
    plain, chosen, large = found["rows"]
    assert (plain["l2"], large["l2"]) == (0.0, 0.1)
    assert chosen["l2"] == best(plain["validation"]["l2"], "l2")["l2"]
    assert found["filters"] == 20
    assert plain["dimension"] == 20 * 2 * 9
    assert plain["solutions"][0]["train_error"] == 0
    assert plain["solutions"][0]["norms"]["RKHS, one-hot"] > large["solutions"][0]["norms"]["RKHS, one-hot"]


@pytest.mark.parametrize("on_disk", [False, True])
def test_an_interrupted_sum_over_filters_goes_on_to_the_same_numbers(on_disk, tmp_path, monkeypatch, small_network):
    monkeypatch.setattr(kernel_network, "_LARGE", 0 if on_disk else 10**12)

    def analysis() -> RandomConvInterpolation:
        return RandomConvInterpolation(dataset="Synthetic", filters=20, l2=[0.0], **SMALL)

    expected = values(analysis(), tmp_path / "whole")
    monkeypatch.setattr(kernel_network, "_EVERY", 0.0)
    seen: list[int] = []

    def killed(what: str, done: int, of: int) -> None:
        if "filters" in what:
            seen.append(done)
            if done == 16:
                raise KeyboardInterrupt

    folder = tmp_path / "killed"
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        analysis().analyse(Context(folder, killed))
    assert [path.name for path in folder.glob("sums_*")] == ["sums_00000008"]
    (folder / "sums_00000016").mkdir()  # begun, and not whole
    seen.clear()
    found = analysis().analyse(Context(folder, lambda what, done, of: seen.append(done) if "filters" in what else None))
    assert seen == [16, 20]
    assert dict(found.values) == expected


# What is refused.


def test_more_than_the_memory_is_refused_at_the_start(runs, monkeypatch, capsys):
    monkeypatch.setattr(memory, "available", lambda device: 120_000_000)
    built = []
    monkeypatch.setattr("rethink.kernels.analyses.interpolation.pixels", built.append)
    arguments = ["analyze", "KernelInterpolation", "--dataset", "Synthetic", "--n", "512", "--sizes", "[100, 200, 300]"]
    with pytest.raises(SystemExit):
        main([*arguments, "--validation_size", "100"])
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(r"512 images needs 0\.\d\d GB .* 0\.12 GB are there.* --n \d+\. Fewer --sizes", said), said
    assert not built
    assert not list((runs / "analyses").iterdir())


def test_the_paper_s_sizes_fit_into_24_gib():
    needed, single, double = kernel_solution.memory_needed, torch.float32, torch.float64
    assert 7.2e9 < needed(60_000, 10_000, 140, 5_000, single) < 10e9
    assert needed(60_000, 10_000, 140, 5_000, double) < 18e9
    factoring = needed(50_000, 10_000, 20, 5_000, double)
    assert kernel_network.memory_needed(50_000, 10_000, factoring) < 18e9


def test_equal_images_are_named(tmp_path, monkeypatch):
    load = Synthetic.load

    def with_duplicates(self: Synthetic) -> Any:
        arrays = load(self)
        arrays.train_images[300] = arrays.train_images[40]
        return arrays

    monkeypatch.setattr(Synthetic, "load", with_duplicates)
    with pytest.raises(UserError, match="training images 40 and 300 of Synthetic are equal"):
        values(KernelInterpolation(dataset="Synthetic"), tmp_path)


def test_a_bandwidth_too_wide_is_named_and_not_garbage(tmp_path):
    with pytest.raises(UserError, match=r"singular to torch\.float32 at training image \d+.*gamma 1e-10 is too small"):
        values(KernelInterpolation(dataset="Synthetic", gamma=1e-10, **SMALL), tmp_path)


def test_a_solution_with_a_large_residual_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel_solution, "_SOLVED", 1e-30)
    with pytest.raises(UserError, match=r"relative residual of .*, so it is none.*--gamma.*--l2"):
        values(KernelInterpolation(dataset="Synthetic", **SMALL), tmp_path)


def test_a_linear_kernel_of_fewer_features_than_images_is_an_error_by_name(tmp_path, monkeypatch):
    refuse_low_rank(784, 784, "Use --kernel gaussian")
    with pytest.raises(UserError, match="784 features has rank 784 at most, so it cannot fit 785 images exactly"):
        refuse_low_rank(785, 784, "Use --kernel gaussian")
    with pytest.raises(UserError, match=r"144 features .* cannot fit 150 images exactly. Use more --filters, --n 144"):
        values(RandomConvInterpolation(dataset="Synthetic", filters=8, **SMALL), tmp_path)
    monkeypatch.setattr(
        "rethink.kernels.analyses.interpolation.pixels", lambda images: images.flatten(1)[:, :100].float()
    )
    with pytest.raises(UserError, match=r"100 features .* cannot fit 150 images exactly. Use --kernel gaussian"):
        values(KernelInterpolation(dataset="Synthetic", kernel="linear", **SMALL), tmp_path)
    found = values(KernelInterpolation(dataset="Synthetic", kernel="linear", l2=0.1, **SMALL), tmp_path)
    assert found["dimension"] == 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 513}, "--n 513 is more than the 512 training images of Synthetic"),
        ({"n": 100, "sizes": [50, 101, 200]}, r"--sizes \[101, 200\]: there are 100 training images"),
        ({"folds": 1}, "--folds 1: .* from 2 to 5000"),
        ({"folds": 11, "validation_size": 10}, "--folds 11: .* from 2 to 10"),
        ({"features": "gabor"}, "gabor is for grey images"),
        ({"features": "gabor", "kernel": "linear"}, "gabor goes with --kernel gaussian"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message, tmp_path):
    with pytest.raises(UserError, match=message):
        values(KernelInterpolation(**{"dataset": "Synthetic", **options}), tmp_path)


# Choices.


def test_cross_validation_never_sees_the_test_set(tmp_path, monkeypatch, small_network):
    def choices(folder: str) -> list[Any]:
        points = values(KernelInterpolation(dataset="Synthetic", l2="cross_validated", **SMALL), tmp_path / folder)
        network = RandomConvInterpolation(dataset="Synthetic", filters=16, l2=["cross_validated"], **SMALL)
        row = values(network, tmp_path / f"{folder} network")["rows"][0]
        return [points["gamma"], points["l2"], points["validation"], row["l2"], row["validation"]]

    expected = choices("as it is")
    load = Examples.load

    def with_another_test_set(*options: Any) -> Examples:
        examples = load(*options)
        return replace(examples, test=255 - examples.test, test_labels=(examples.test_labels + 1) % 10)

    monkeypatch.setattr(Examples, "load", with_another_test_set)
    assert choices("another") == expected


def test_the_best_is_the_first_of_least_error_and_singular_ones_are_left_out():
    found = [{"gamma": g, "error": e} for g, e in ((1.0, None), (2.0, 0.2), (3.0, 0.1), (4.0, 0.1))]
    assert best(found, "gamma")["gamma"] == 3.0
    assert given_or_best("cross_validated", found, "gamma") == 3.0
    assert given_or_best(7.0, found, "gamma") == 7.0
    with pytest.raises(UserError, match="every kernel matrix of the cross-validation of gamma is singular"):
        best(found[:1], "gamma")


def test_bank_and_bandwidth_of_wavelets_are_chosen_together():
    images = torch.randint(256, (60, 28, 28, 1), dtype=torch.uint8)
    validation = Validation(torch.arange(30) % 3, 3, 3, lambda what, done, of: None)
    problem = gabor(images, images[:5], "cross_validated", validation)
    chosen = best(problem.validation["gamma"], "gamma")
    assert len(problem.validation["gamma"]) == 11 * len(BANKS)
    assert problem.chosen["bank"] == asdict(BANKS[chosen["bank"]])
    assert problem.chosen["gamma"] == chosen["gamma"]
    assert problem.chosen["dimension"] == BANKS[chosen["bank"]].features(images[:1]).shape[1]


def test_more_points_begin_with_the_same_ones_in_random_order():
    few, many = Examples.load("Synthetic", 50, 0), Examples.load("Synthetic", 300, 0)
    assert torch.equal(few.index, many.index[:50])
    assert torch.equal(few.train, many.train[:50])
    assert not torch.equal(many.index, many.index.sort().values)
    assert torch.equal(few.labels["random labels"], many.labels["random labels"][:50])
    assert not torch.equal(many.labels["random labels"], Examples.load("Synthetic", 300, 1).labels["random labels"])


# The artefact.


def solutions(error: float, norm: float, sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    residual = {"frobenius": 1e-9, "largest": 1e-8}
    return [
        {
            "labels": labels,
            "n": n,
            "test_error": error if labels == "true labels" else 0.9,
            "train_error": 0.0,
            "residual": residual,
            "norms": {"RKHS, one-hot": factor * norm, "RKHS, ±1": 2 * factor * norm},
        }
        for n in sizes
        for labels, factor in (("true labels", 1.0), ("random labels", 4.0))
    ]


def machine(error: float, norm: float, n: int, l2: float = 0.0) -> dict[str, Any]:
    validation = {"n": 10, "folds": 5, "l2": [{"l2": 0.0, "error": 0.2}, {"l2": 0.1, "error": 0.3}]}
    return {
        "n": n,
        "test_images": 10_000,
        "l2": l2,
        "validation": validation,
        "solutions": solutions(error, norm, (5, n)),
    }


def on_points(root: Path, error: float, norm: float, **options: Any) -> FinishedAnalysis:
    options = {"dataset": "MNIST", "features": "raw", "l2": 0.0, "seed": 0, **options}
    found = machine(error, norm, 60_000, 0.0) | {"gamma": 0.02}
    bank = {"wavelengths": [4.0], "orientations": 8, "window": 0.5, "stride": 4}
    row = {"gamma": 0.02, "error": 0.1}
    if options["features"] == "gabor":
        found, row = found | {"bank": bank}, {**bank, "bank": 0, **row}
    found["validation"] = found["validation"] | {"gamma": [row, {**row, "gamma": 0.04, "error": None}]}
    return analysed(root, "KernelInterpolation", found, options)


def network(root: Path, error: float, regularized: float, filters: int, seed: int = 0) -> FinishedAnalysis:
    options = {"dataset": "CIFAR10", "l2": [0.0, "cross_validated"], "filters": filters, "seed": seed}
    found = [machine(error, 9.0, 50_000), machine(regularized, 5.0, 50_000, 0.01)]
    return analysed(root, "RandomConvInterpolation", {"filters": filters, "n": 50_000, "rows": found}, options)


def analysed(root: Path, name: str, found: dict[str, Any], options: dict[str, Any]) -> FinishedAnalysis:
    folder = root / "analyses" / f"{name}-{len(list(root.glob('analyses/*')))}"
    folder.mkdir(parents=True)
    record = {"format": 1, "analysis_id": folder.name, "analysis": name, "options": options, "values": found}
    (folder / "record.json").write_text(json.dumps(record))
    return FinishedAnalysis.open(folder)


@functools.cache
def planned(scale: str) -> Results:
    """With nothing run."""
    return Results.load(Experiment.load("table3", scale))  # type: ignore[arg-type]


def results(found: list[FinishedAnalysis], scale: str = "full") -> Results:
    return replace(planned(scale), analyses=tuple(found))


def everything(root: Path) -> list[FinishedAnalysis]:
    return [
        on_points(root, 0.0125, 110.0),
        on_points(root, 0.0130, 100.0, l2="cross_validated"),
        on_points(root, 0.0090, 200.0, features="gabor"),
        on_points(root, 0.45, 50.0, dataset="CIFAR10"),
        network(root, 0.40, 0.30, 2_000),
        network(root, 0.168, 0.151, 32_000),
    ]


def test_the_paper_s_rows_come_in_its_order_with_ours_behind_them(tmp_path, runs):
    found = rows.rows(results(everything(tmp_path)))
    assert [(row.name, row.paper is not None) for row in found] == [
        ("MNIST", True),
        ("MNIST, l2", False),
        ("MNIST, gabor filters", True),
        ("CIFAR-10", True),
        ("CIFAR-10, random conv-net", True),
        ("CIFAR-10, random conv-net, l2", True),
        ("CIFAR-10, random conv-net, 2,000 filters", False),
        ("CIFAR-10, random conv-net, 2,000 filters, l2", False),
    ]
    compared = [row.comparison(results(everything(tmp_path))) for row in found if row.paper]
    assert [one.paper for one in compared] == [0.012, 0.006, 0.46, 0.17, 0.15]
    assert [one.verdict for one in compared] == ["inside", "outside", "inside", "inside", "inside"]


def test_the_artefact_is_written_whole_and_says_what_matches(tmp_path, runs):
    artefact = script("table3").artefact(results(everything(tmp_path)))
    write(artefact, results(everything(tmp_path)), tmp_path / "out")
    assert {path.stem for path in (tmp_path / "out").glob("*.csv")} >= {
        "table3",
        "errors",
        "choices",
        "norms",
        "norm_definitions",
        "test_error",
    }
    outcomes = {verdict.trend: verdict.outcome for verdict in artefact.verdicts}
    assert outcomes["Test errors agree with the paper's"] == "partly shown"
    assert outcomes["On MNIST l2 brings nothing beyond the sampling error of the test set"] == "shown"
    assert outcomes["On CIFAR-10 with the random convolutional network l2 brings less error"] == "shown"
    assert outcomes["Random labels take a larger norm than true ones"] == "shown"
    # 2 x 110 and 2 x 200 are 220 and 400.
    assert "RKHS, ±1 (220 with pixels, 400 with wavelets) is nearest" in artefact.finding


@pytest.mark.parametrize(("regularized", "outcome"), [(0.165, "cannot tell"), (0.2, "not shown")])
def test_less_error_with_l2_is_more_than_the_sampling_error(regularized, outcome, tmp_path, runs):
    some = results([network(tmp_path, 0.168, regularized, 32_000)])
    (verdict,) = (each for each in script("table3").artefact(some).verdicts if "brings less error" in each.trend)
    assert verdict.outcome == outcome


def test_an_analysis_with_l2_alone_says_nothing_of_fitting_without(tmp_path, runs):
    artefact = script("table3").artefact(results([on_points(tmp_path, 0.0125, 110.0)]))
    (fits,) = (verdict for verdict in artefact.verdicts if verdict.trend.startswith("Without l2"))
    assert "l2 0.0" in fits.detail  # of wavelets and of CIFAR-10
    assert "l2 cross_validated" not in fits.detail


def test_the_nearest_norm_is_so_on_both_numbers(tmp_path, runs):
    both = results([on_points(tmp_path, 0.01, 215.0), on_points(tmp_path, 0.01, 100.0, features="gabor")])
    table = norms.table(norms.rows(rows.rows(both), both.full), both.full)
    off = {str(row[0]): row[-1] for row in table.rows}
    assert off["RKHS, one-hot"] == pytest.approx(3.9)
    assert off["RKHS, ±1"] == pytest.approx(430 / 220)  # 430 against 220, and 200 against 390
    assert table.rows[-1][2:5] == [220.0, 390.0, pytest.approx(390 / 220)]


@pytest.mark.parametrize(
    ("scale", "count"),
    [
        *[("full", 0), ("full", 1), ("demo", 0)],
        *[pytest.param(*case, marks=pytest.mark.slow) for case in (("full", 3), ("demo", 6))],
    ],
)
def test_the_artefact_is_made_of_whatever_is_there(scale, count, tmp_path, runs):
    some = results(everything(tmp_path)[:count], scale)
    artefact = script("table3").artefact(some)
    write(artefact, some, tmp_path / "out")
    assert len(some.analyses) == count
    assert all((tmp_path / "out" / f"{table.name}.md").is_file() for table in artefact.tables)
    assert artefact.finding in (tmp_path / "out" / "README.md").read_text()


def test_a_demo_is_not_judged_by_the_paper_s_numbers(tmp_path, runs):
    some = results([network(tmp_path, 0.4, 0.3, 128)], "demo")
    (plain, regularized) = [row for row in rows.rows(some) if row.machines]
    assert (plain.paper is not None, plain.comparison(some).verdict) == (True, "not judged")
    assert regularized.name == "CIFAR-10, random conv-net, 128 filters, l2"


def test_seeds_make_one_row(tmp_path, runs):
    (row,) = [
        row
        for row in rows.rows(results([on_points(tmp_path, 0.01, 1.0), on_points(tmp_path, 0.02, 1.0, seed=1)]))
        if row.machines
    ]
    assert row.test_error.values == (0.01, 0.02)


def test_the_plan_can_be_parsed_at_both_scales(runs):
    for scale in ("full", "demo"):
        assert not planned(scale).problems
        kinds = {analysis.kind for analysis in planned(scale).planned_analyses}
        assert {"KernelInterpolation", "RandomConvInterpolation"} <= kinds
