"""SGD is an implicit regularizer (Section 5): what `rethink analyze ImplicitRegularization` finds on images."""

import importlib
import json
import re
from pathlib import Path

import pytest

from rethink.analyses.analysis import Context
from rethink.cli import main
from rethink.data import Synthetic
from rethink.errors import UserError
from rethink.kernels.analyses.implicit_regularization import (
    ADAM,
    ALGORITHMS,
    FAR,
    FROM_ELSEWHERE,
    FROM_ZERO,
    MINIMUM_NORM,
    PRECONDITIONED,
    ImplicitRegularization,
)
from rethink.kernels.least_squares import SingularGram
from rethink.report.artefacts import script
from rethink.report.results import Results
from rethink.runs.analysis import FinishedAnalysis
from rethink.sweep.experiment import Experiment
from rethink.sweep.plan import plan
from rethink.training import memory

pytestmark = pytest.mark.usefixtures("without_png")

script("table3")  # from here on `experiments` can be imported
sgd = importlib.import_module("experiments.table3.sgd")

SMALL = {"dataset": "Synthetic", "n": 20, "d": 100, "steps": 6000, "adam_steps": 3000}
COMMAND = ["analyze", "ImplicitRegularization", *(f"--{name}={value}" for name, value in SMALL.items())]


def found(tmp_path: Path, **options) -> dict:
    return dict(ImplicitRegularization(**(SMALL | options)).analyse(Context(tmp_path)).values)


@pytest.fixture(scope="module")
def values(tmp_path_factory) -> dict:
    return found(tmp_path_factory.mktemp("context"))


def test_sgd_from_zero_ends_at_the_minimum_norm_interpolant(values):
    end, least = values["solutions"][FROM_ZERO], values["solutions"][MINIMUM_NORM]
    assert end["distance"] < 1e-6
    assert end["norm"] == pytest.approx(least["norm"])
    assert end["test_error"] == least["test_error"]
    assert max(values["curves"][FROM_ZERO]["unseen"]) < 1e-12
    assert values[f"distance, {FROM_ZERO}"] == end["distance"]


def test_from_elsewhere_it_ends_at_the_nearest_and_never_loses_the_rest(values):
    curve = values["curves"][FROM_ELSEWHERE]
    assert curve["to_limit"][-1] < 1e-6
    assert curve["distance"][-1] > 0.8  # about sqrt(1 - n/d) of a start as long as the minimum-norm interpolant
    assert curve["unseen"] == pytest.approx([curve["distance"][-1]] * len(curve["step"]))


def test_preconditioned_sgd_and_adam_interpolate_elsewhere(values):
    for name in (PRECONDITIONED, ADAM):
        end = values["solutions"][name]
        assert end["residual"] < 1e-2
        assert end["train_error"] == 0
        assert end["distance"] > 0.1
        assert end["norm"] > values["solutions"][MINIMUM_NORM]["norm"]
    assert values["curves"][PRECONDITIONED]["to_limit"][-1] < 1e-5
    assert "to_limit" not in values["curves"][ADAM]


def test_the_distance_falls_along_the_way_and_the_curves_are_whole(values):
    for name in ALGORITHMS:
        curve = values["curves"][name]
        assert curve["step"] == sorted(set(curve["step"]))
        assert curve["step"][-1] == SMALL["adam_steps" if name == ADAM else "steps"]
        assert {len(column) for column in curve.values()} == {len(curve["step"])}
        assert curve["residual"][-1] < curve["residual"][0]
    distances = [distance for distance in values["curves"][FROM_ZERO]["distance"] if distance > 1e-10]
    assert distances == sorted(distances, reverse=True)


def test_the_hessian_has_rank_n_and_is_the_same_wherever_the_risk_is_0(values):
    for loss, hessian in values["hessian"].items():
        assert hessian["rank"] == SMALL["n"]
        assert hessian["smallest_nonzero"] == pytest.approx(values["eigenvalues"][0] / SMALL["n"])
        assert hessian["largest"] == pytest.approx(values["eigenvalues"][1] / SMALL["n"])
        differences = dict(hessian["differences"])
        zero = differences.pop("at zero")
        assert set(differences) == {*ALGORITHMS, FAR}
        assert max(differences.values()) < 1e-5
        assert zero == 0 if loss == "squared" else zero > 0.01
    far = values["solutions"][FAR]
    assert far["residual"] < 1e-10
    assert far["distance"] == pytest.approx(10)
    assert far["test_error"] > values["solutions"][MINIMUM_NORM]["test_error"]


def test_it_is_a_function_of_its_options_and_the_seed(values, tmp_path):
    assert found(tmp_path) == values
    other = found(tmp_path, seed=1)
    assert other["solutions"][MINIMUM_NORM]["norm"] != values["solutions"][MINIMUM_NORM]["norm"]
    json.dumps(other, allow_nan=False)


def test_random_labels_take_a_larger_norm_and_do_not_generalize(values, tmp_path):
    random = found(tmp_path, labels="random labels")["solutions"][MINIMUM_NORM]
    assert random["train_error"] == 0
    assert random["norm"] > 1.3 * values["solutions"][MINIMUM_NORM]["norm"]
    assert random["test_error"] > 0.6 > 0.3 > values["solutions"][MINIMUM_NORM]["test_error"]


def test_its_progress_says_how_far_it_is(tmp_path):
    seen = []
    context = Context(tmp_path, lambda *what: seen.append(what))
    ImplicitRegularization(**SMALL | {"steps": 50, "adam_steps": 20}).analyse(context)
    assert (f"{FROM_ZERO}, step", 50, 50) in seen
    assert (f"{ADAM}, step", 20, 20) in seen


@pytest.mark.parametrize("dataset", ["MNIST", "CIFAR10"])
def test_real_images(dataset, tmp_path):
    if not (store := Path("data") / f"{dataset.lower()}.bin").exists():
        pytest.skip(f"{store} is not there: `rethink data get {store.stem}` gets it")
    solutions = found(tmp_path, dataset=dataset, n=50, d=500, steps=20_000)["solutions"]
    assert solutions[FROM_ZERO]["distance"] < 1e-3
    assert solutions[FROM_ZERO]["test_error"] < 0.88


# The command, and bad input.


def test_the_command_keeps_a_record(runs):
    main(COMMAND)
    (folder,) = (runs / "analyses").iterdir()
    analysed = FinishedAnalysis.open(folder)
    assert analysed.matches(labels="true labels", **SMALL)
    assert analysed.values[f"distance, {FROM_ZERO}"] < 1e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--d=19"], r"--d 19 is less than --n 20.*overdetermined.*--d 20 or more"),
        (["--rate=50"], r"learning rate 50: expected above 0 and below"),
        (["--n=600", "--d=700"], r"--n 600 .* has 512 training images"),
        (["--n=0"], r"--n 0.*whole number above 0"),
        (["--labels=true"], r"--labels true"),
        (["--dataset=CIFAR100"], r"--dataset CIFAR100"),
    ],
)
def test_bad_input_is_refused_and_nothing_stays(options, message, runs, capsys):
    with pytest.raises(SystemExit) as refused:
        main([*COMMAND, *options])
    assert refused.value.code == 2
    assert re.search(message, capsys.readouterr().err.replace("\n", " "))
    assert not list(runs.glob("analyses/*"))


def test_what_does_not_fit_into_memory_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda device: 10**9)
    with pytest.raises(
        UserError,
        match=r"--d 9000 features and --n 20 images needs 3\..* GB .*1\.00 GB are there\. .*fits: --d \d{4}\.",
    ):
        ImplicitRegularization(n=20, d=9000)
    with pytest.raises(UserError, match=r"No d fits: .* GB even with --d 20000\. A smaller --n"):
        ImplicitRegularization(n=20_000, d=30_000)
    monkeypatch.setattr(memory, "available", lambda device: None)
    ImplicitRegularization(n=20, d=9000)


def test_two_equal_images_are_named(monkeypatch, tmp_path):
    load = Synthetic.load

    def all_the_same(self):
        arrays = load(self)
        return arrays._replace(train_images=arrays.train_images[:1].expand_as(arrays.train_images).clone())

    monkeypatch.setattr(Synthetic, "load", all_the_same)
    with pytest.raises(SingularGram, match="are the same"):
        found(tmp_path)


# Its part of the page of Table 3.

SWEEP = """
title: where algorithms end
claim: as Section 5
command: make tiny
analyses:
  - analysis: ImplicitRegularization
    options: {dataset: Synthetic, n: 20, d: 100, steps: 6000, adam_steps: 8000}
    grid: {labels: [true labels, random labels]}
"""


@pytest.fixture
def results(tmp_path, runs):
    """Of two seeds and two kinds of labels, with as many analyses done as are asked for."""
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "sweep.yaml").write_text(SWEEP)
    experiment = Experiment.load("tiny", seeds=[0, 1], root=tmp_path)

    def results(done: int) -> Results:
        for analysis in plan(experiment).analyses[:done]:
            main([*analysis.command])
        return Results.load(experiment)

    return results


def judged(results: Results):
    """The verdicts on what there is of the plan."""
    return sgd.verdicts(sgd.rows(results), [analysis.label for analysis in results.missing_analyses])


def test_without_any_analysis_the_page_says_that_it_cannot_tell(results):
    nothing = results(0)
    assert sgd.rows(nothing) == []
    assert sgd.charts([]) == sgd.tables([]) == []
    assert sgd.finding([]) == ""
    assert [verdict.outcome for verdict in judged(nothing)] == ["cannot tell"] * 4


@pytest.mark.slow
def test_the_page_has_curves_and_ends_of_what_there_is(results, tmp_path):
    some = sgd.rows(three := results(3))
    assert [len(chart.panels) for chart in sgd.charts(some)] == [2, 2]
    distance, residual = sgd.charts(some)[0].panels
    assert [series.label for series in residual.series] == list(ALGORITHMS)
    assert [series.n for series in distance.series] == [2] * 5
    by_name = {series.label: series for series in distance.series}
    ends = [float(by_name[name].y[-1]) for name in (FROM_ZERO, FROM_ELSEWHERE, PRECONDITIONED, ADAM)]
    assert ends[0] < 1e-6
    assert min(ends[1:]) > 0.1
    assert by_name["SGD from elsewhere, to the nearest interpolant"].y[-1] < 1e-6
    solutions, hessians = sgd.tables(some)
    assert [row[2] for row in solutions.rows] == [MINIMUM_NORM, *ALGORITHMS, FAR] * 2
    assert {row[3] for row in solutions.rows} == {1, 2}
    assert [row[4] for row in hessians.rows] == ["20"] * 4
    assert [verdict.outcome for verdict in judged(three)] == ["cannot tell"] * 4  # one analysis is missing
    for chart in sgd.charts(some):
        chart.save(tmp_path)
    assert "seconds" not in "".join(table.to_csv() for table in sgd.tables(some))


def test_whole_the_page_judges(results):
    whole = results(4)
    assert [verdict.outcome for verdict in judged(whole)] == ["shown"] * 4
    assert "In 12 of 12 trainings" in str(judged(whole)[2])
    assert "In 8 of 8 cases" in str(judged(whole)[3])
    assert sgd.finding(sgd.rows(whole)).startswith("With more features than examples, SGD from zero ends within ")


def test_the_page_says_where_sgd_has_not_arrived(results, tmp_path):
    text = (tmp_path / "tiny" / "sweep.yaml").read_text().replace("steps: 6000", "steps: 5", 1)
    (tmp_path / "tiny" / "sweep.yaml").write_text(text)
    experiment = Experiment.load("tiny", seeds=[0], root=tmp_path)
    for analysis in plan(experiment).analyses:
        main([*analysis.command])
    outcomes = [verdict.outcome for verdict in judged(Results.load(experiment))]
    assert outcomes[:2] == ["not shown", "not shown"]
    assert outcomes[2:] == ["not shown", "not shown"]  # 5 steps do not interpolate
