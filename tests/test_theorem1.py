"""The analysis of Theorem 1 and Corollary 1 through its command, and its artefact: complete, partial, empty."""

import json
import shlex
from dataclasses import replace

import pytest
from mini_records import results_of, write_run

from rethink.cli import main
from rethink.data.catalog import DATASETS
from rethink.data.store import path_of
from rethink.errors import UserError
from rethink.report.artefacts import script, write
from rethink.runs.analysis import FinishedAnalysis
from rethink.runs.run import Run
from rethink.sweep.experiment import Experiment
from rethink.theorem1.analyses.expressivity import FiniteSampleExpressivity
from rethink.training import memory

with_images = pytest.mark.skipif(not path_of(DATASETS["cifar10"]).exists(), reason="CIFAR-10 is not there")


def analyze(options):
    """Through the command line, in this process."""
    main(["analyze", "FiniteSampleExpressivity", *shlex.split(options)])


@pytest.fixture
def analysed(runs):
    """The record that the command writes."""

    def analysed(options):
        before = set(runs.glob("analyses/*"))
        analyze(options)
        (folder,) = set(runs.glob("analyses/*")) - before
        return FinishedAnalysis.open(folder)

    return analysed


@pytest.mark.parametrize(("depth", "weights", "width"), [(2, 607, 300), (3, 614, 152), (7, 630, 53)])
@pytest.mark.parametrize("targets", ["random_labels", "real_values"])
def test_points_from_a_normal(analysed, capsys, depth, weights, width, targets):
    values = analysed(f"--dataset gaussian --d 7 --n 300 --depth {depth} --targets {targets}").values
    assert (values["n"], values["d"], values["depth"]) == (300, 7, depth)
    assert (values["weights"], values["width"]) == (weights, width)
    assert values["weights"] <= values["weights_bound"]
    assert values["width"] <= values["width_bound"]
    assert values["labels_right"] == (1 if targets == "random_labels" else None)
    assert values["median_error"] < values["largest_error"] < 10 * values["expected_error"] < 1e-6
    assert 0 < values["smallest_eigenvalue"] <= values["smallest_gap"] < values["largest_eigenvalue"]
    assert set(values["seconds"]) == {"construction", "forward pass"}
    said = capsys.readouterr().out
    assert f"n = 300, d = 7, depth {depth}: {weights:,} weights" in said
    assert "evaluated on all points in" in said


def test_the_seed_draws_everything_anew_and_again_the_same(analysed):
    def numbers(seed, more=""):
        values = analysed(f"--dataset gaussian --d 3 --n 50 --seed {seed} {more}").values
        return {name: value for name, value in values.items() if name != "seconds"}

    first = numbers(0)
    analyze("--dataset gaussian --d 3 --n 50 --force")
    again = analysed("--dataset gaussian --d 3 --n 50 --targets real_values").values
    assert numbers(1)["smallest_gap"] != first["smallest_gap"] == again["smallest_gap"]


@with_images
def test_images_as_the_networks_see_them(analysed):
    values = analysed("--n 400 --depth 5").values
    assert values["d"] == 2352
    assert values["weights"] == 2 * 400 + 2352 + 15
    assert values["labels_right"] == 1
    assert values["largest_error"] < 1e-8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--n 0", "--n"),
        ("--n 50001", "--n 50001: cifar10 has 50,000 training images. Choose no more."),
        ("--n 60001 --dataset mnist", "--n 60001: mnist has 60,000 training images"),
        ("--depth 1", "--depth 1: Theorem 1 is depth 2, Corollary 1 any larger one"),
        ("--dataset gaussian", "--dataset gaussian needs --d"),
        ("--d 5", "--d 5 is for --dataset gaussian; the images of cifar10"),
        ("--targets labels", "random_labels"),
    ],
)
def test_bad_options(runs, capsys, options, message):
    with pytest.raises(SystemExit):
        analyze(options)
    assert message in capsys.readouterr().err
    assert not [*runs.glob("analyses/*")]


def test_more_than_the_memory_holds_is_refused_with_what_fits(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda device="cpu": 10**9)
    with pytest.raises(UserError, match=r"a sample of 50,000 points of 2,352 values needs 1\.\d\d GB .* 1\.00 GB are"):
        FiniteSampleExpressivity()
    with pytest.raises(UserError, match=r"At most n = 3\d,\d{3} fits: --n 3\d{4}\.") as error:
        FiniteSampleExpressivity(n=45_000)
    fits = int(str(error.value).rpartition("--n ")[2].rstrip("."))
    FiniteSampleExpressivity(n=fits)
    with pytest.raises(UserError, match="of memory"):
        FiniteSampleExpressivity(n=fits + 1)


# The artefact.


def construction(analysed, options, n=None, d=None):
    """An analysis of a few normal points, passed off as one of CIFAR-10; with n and d, as of so many."""
    found = analysed(f"--dataset gaussian --d 7 {options}")
    values = found.values | ({} if n is None else {"n": n, "d": d, "weights": 2 * n + d})
    record = found.record | {"options": found.options | {"dataset": "cifar10"}, "values": values}
    return replace(found, record=record)


def trained(root, n, width, accuracy, seed=0, parameters=None):
    """A run on n random labels that ends with this accuracy."""
    path = write_run(
        root / f"{n}",
        "MLP",
        "RandomLabels",
        train_size=n,
        seed=seed,
        hidden_sizes=[width],
        history={"train/accuracy": [0.1, accuracy]},
    )
    record = json.loads((path / "record.json").read_text())
    record["model"]["parameters"] = parameters or 2363 * width + 10
    (path / "record.json").write_text(json.dumps(record))
    return Run.open(path)


@pytest.fixture
def constructions(analysed):
    return [
        construction(analysed, "--n 10"),
        construction(analysed, "--n 40"),
        construction(analysed, "--n 40 --seed 1"),
        construction(analysed, "--n 40 --targets real_values"),
        construction(analysed, "--n 40 --depth 4"),
    ]


def made(constructions, networks=(), **options):
    results = replace(results_of("theorem1", [*networks], **options), analyses=tuple(constructions))
    return script("theorem1").artefact(results), results


def outcomes(artefact):
    return [verdict.outcome for verdict in artefact.verdicts]


def test_the_complete_artefact(constructions, analysed, tmp_path):
    whole = construction(analysed, "--n 30", n=50_000, d=7)
    networks = [
        *(trained(tmp_path, 40, width, accuracy) for width, accuracy in ((2, 0.9), (4, 1.0), (8, 1.0))),
        *(trained(tmp_path, 40, width, accuracy, seed=1) for width, accuracy in ((2, 0.9), (4, 0.95), (8, 1.0))),
    ]
    artefact, results = made([*constructions, whole], networks)
    assert outcomes(artefact) == ["shown"] * 6
    assert "a two-layer network of 100,007 weights has 100 % of 50,000 random labels right" in artefact.finding
    assert "the paper's networks have 12 to 17 times as many weights" in artefact.finding
    assert f"times {(6 * 2363 + 10) / 87:.1f} for n = 40" in artefact.finding
    table, smallest, numerics = artefact.tables
    rows = {tuple(row[:3]): row[3:] for row in table.rows}
    assert rows["labels", 2, 40][:4] == [87, 87, 40, 1.0]
    assert rows["labels", 4, 40][:4] == [98, 103, 16, 1.0]
    assert rows["real", 2, 40][3] is None
    assert rows["labels", 2, 40][4] == max(one.values["largest_error"] for one in constructions[1:3])
    assert len(numerics.rows) == len(table.rows) == 5
    (row,) = smallest.rows
    assert row[:4] == [40, "2, 4, 8", 60, 2]
    assert row[4].values == (4 * 2363 + 10, 8 * 2363 + 10)
    assert row[5] == 87
    errors, weights, widths = artefact.charts[0].panels
    assert [series.label for series in errors.series][1:] == [
        "Theorem 1, random labels",
        "Theorem 1, real values",
        "Corollary 1, random labels",
    ]
    assert weights.series[0].x == [10, 40, 50_000]
    assert weights.series[0].y == [27, 87, 100_007]
    assert min(weights.series[3].y) == 1_209_866
    assert (widths.series[0].x, widths.series[0].y) == ([2, 4], [40, 16])
    assert "from n = 10 to 50,000" in artefact.notes[0]
    write(artefact, results, tmp_path / "out")
    assert (tmp_path / "out" / "theorem1.csv").is_file()
    assert "seconds" not in (tmp_path / "out" / "README.md").read_text()


def test_what_goes_wrong_is_seen(constructions):
    def changed(**values):
        first, *others = constructions
        record = first.record | {"values": first.values | values}
        return outcomes(made([replace(first, record=record), *others])[0])

    assert changed(labels_right=0.9)[0] == "partly shown"
    assert changed(largest_error=1e-3)[1] == "partly shown"
    assert changed(weights=28)[2] == "partly shown"
    deep = constructions[-1]
    record = deep.record | {"values": deep.values | {"width": 18}}
    assert outcomes(made([replace(deep, record=record)])[0])[3] == "not shown"


def test_the_smallest_trained_network_is_open_where_the_widths_leave_it_open(constructions, tmp_path):
    def judged(name, *networks):
        found = [trained(tmp_path / name, 40, *network) for network in networks]
        artefact, _ = made(constructions, found)
        return artefact.verdicts[-1].outcome, artefact.tables[1].rows[0][4]

    assert judged("only fits", (2, 1.0))[0] == "cannot tell"  # a smaller one might
    assert judged("only fits, small", (2, 1.0, 0, 50))[0] == "not shown"  # however few weights a smaller one has
    assert judged("small", (2, 0.5, 0, 50), (3, 1.0, 0, 60))[0] == "not shown"
    assert judged("none, small", (2, 0.5, 0, 50))[0] == "cannot tell"  # a larger one might
    outcome, weights = judged("none", (2, 0.5))
    assert (outcome, weights.censored) == ("shown", True)


def test_partial_and_empty_artefacts(constructions, tmp_path):
    artefact, _ = made([])
    assert artefact.finding.startswith("No network was built yet.")
    assert outcomes(artefact) == ["cannot tell"] * 6
    artefact, _ = made([], [trained(tmp_path, 40, 2, 1.0)], scale="demo")
    assert artefact.tables[1].rows[0][0] == 40
    artefact, results = made(constructions[3:])  # real values and a deep one only
    write(artefact, results, tmp_path / "partial")
    assert outcomes(artefact)[4:] == ["cannot tell"] * 2


def test_the_plan_has_50000_images_at_both_scales():
    for scale in ("full", "demo"):
        experiment = Experiment.load("theorem1", scale)
        whole = [
            one.arguments for one in experiment.analyses if one.arguments[one.arguments.index("--n") + 1] == "50000"
        ]
        assert any("--depth" not in arguments for arguments in whole)
        assert any("--depth" in arguments for arguments in whole)
        assert experiment.runs
