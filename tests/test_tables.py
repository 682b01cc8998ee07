"""The artefacts of Tables 1 and 4 and of what follows from their runs: numbers, verdicts, plans, any subset of runs."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rethink.report import artefacts
from rethink.report.estimates import Comparison, Estimate, Tolerance, nearest
from rethink.report.page import Artefact
from rethink.report.paper import rows
from rethink.report.results import Results
from rethink.report.tables import Table
from rethink.runs.run import Run
from rethink.sweep.experiment import Experiment, Scale
from rethink.sweep.plan import Plan, PlannedRun, plan

pytestmark = pytest.mark.usefixtures("without_png")
REPOSITORY = Path(__file__).parents[1]
MINE = ["table1", "table4", "regularizer_effects", "early_stopping", "open_choices"]
PAPERS = ["fig1a", "fig1b", "fig1c", "fig2b", "table1", "table4"]
BEYOND = ["regularizer_effects", "early_stopping", "strong_and_weak", "memorization_order"]
MLP = {"architecture": "MLP 1x512", "randomization": "TrueLabels", "validation_size": 0}


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory, with_known_plans: Callable[[Path], Path]) -> dict[str, Plan]:
    """The plans at full scale, one seed. To know the runs' identities takes the imports of torch and Lightning."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        patch.setenv("RETHINK_RUNS", str(with_known_plans(tmp_path_factory.mktemp("runs"))))
        return {name: plan(Experiment.load(name, "full", [0])) for name in dict.fromkeys([*PAPERS, *BEYOND, *MINE])}


# --- mini-records -------------------------------------------------------------------------------------------


def record(planned: PlannedRun, final: Mapping[str, float], best: Mapping[str, Any]) -> Run:
    """A finished run of the plan, in memory."""
    setting, options = planned.setting, dict(zip(planned.arguments[::2], planned.arguments[1::2], strict=True))
    name, _, size = setting.architecture.partition(" ")
    layers, _, width = size.partition("x")
    arguments = {
        key: getattr(setting, key) for key in ("weight_decay", "augmentation", "dropout", "batch_norm", "decay")
    }
    arguments |= {"hidden_sizes": [int(width)] * int(layers)} if name == "MLP" else {}
    arguments |= {key: options.get(f"--model.{key}", "true") == "true" for key in ("staircase", "crop_first")}
    arguments["initialization"] = options.get("--model.initialization", "recipe")
    choices = {
        key.rpartition(".")[2]: value for key, value in options.items() if key.startswith("--data.randomization.")
    }
    run = Run(
        planned.folder,
        {
            "format": 1,
            "run_id": planned.run_id,
            "outcome": "converged",
            "seed": setting.seed,
            "model": {"class": name, "parameters": 1_209_866, "init_args": arguments},
            "data": {
                "class": "CIFAR10",
                "train_size": 50_000,
                "test_size": 10_000,
                "validation_size": setting.validation_size,
                "num_classes": 10,
            },
            "randomization": choices | {"class": setting.randomization, "probability": setting.corruption},
            "budget": {"max_epochs": 100},
            "final": {"epoch": 100, "step": 39_100} | dict(final),
            "convergence": {"rules": {}},
            "best_test_accuracy": dict(best),
            "config": {"data": {"init_args": {"train_size": setting.train_size}}},
        },
        {"epoch": [], "step": []},
    )
    run.__dict__["setting"] = setting  # as the identity that a record has would say
    return run


class Records:
    """Runs of an experiment's plan, added a setting at a time."""

    def __init__(self, name: str, planned: Plan, seeds: int = 3, scale: Scale = "full") -> None:
        self.experiment = Experiment.load(name, scale)
        self.planned = tuple(
            replace(run, id=f"{run.run_id}-{seed}", setting=replace(run.setting, seed=seed))
            for seed in range(seeds)
            for run in planned.runs
        )
        self.runs: list[Run] = []

    def add(self, wanted: Mapping[str, Any], best: Mapping[str, Any] = {}, **values: Sequence[float]) -> None:
        """A run for each value, of the seeds from 0: accuracies on `train` and `test`, and the `online` one."""
        matching = [run for run in self.planned if run.setting.matches(**wanted)]
        for seed in range(max(map(len, values.values()))):
            (planned,) = (run for run in matching if run.setting.seed == seed)
            self.runs.append(record(planned, {f"{key}/accuracy": given[seed] for key, given in values.items()}, best))

    def add_all(self, at_most: int = 10**6) -> None:
        """Every planned run, with plausible numbers."""
        for planned in self.planned[:at_most]:
            corruption = planned.setting.corruption or 0.0
            test = 0.8 - 0.7 * corruption + 0.001 * planned.setting.seed
            gain = 0.4 * corruption * (1 - corruption)
            best = {"test": {"epoch": 50, "gain": gain}, "by_validation": {"epoch": 40, "gain": gain / 2}}
            final = {"train/accuracy": 1.0, "online/accuracy": 0.99, "test/accuracy": test, "train/loss": 2.0}
            self.runs.append(record(planned, final, best))

    def artefact(self) -> Artefact:
        return artefacts.make(self.results())

    def results(self) -> Results:
        return Results(self.experiment, self.planned, tuple(self.runs))


def table(artefact: Artefact, name: str = "table") -> Table:
    (found,) = (table for table in artefact.tables if table.name == name)
    return found


def shown(artefact: Artefact, *start: str, name: str = "table") -> list[str]:
    """The cells of the row that begins with these, as a reader sees them."""
    (row,) = (row for row in table(artefact, name).shown() if row[: len(start)] == list(start))
    return row[len(start) :]


def outcome(artefact: Artefact, trend: str) -> str:
    (found,) = (verdict.outcome for verdict in artefact.verdicts if trend in verdict.trend)
    return found


# --- plans --------------------------------------------------------------------------------------------------


def test_how_many_runs_there_are(plans: dict[str, Plan]) -> None:
    """Runs at full scale of one seed, each once."""
    everything = {run.run_id for name in [*PAPERS, *BEYOND] for run in plans[name].runs}
    beyond = ("MLP 3x512", "WideResNet 28-1")  # of Figures 1b and 1c
    swept = [run for name in ("fig1b", "fig1c") for run in plans[name].runs if run.setting.architecture not in beyond]
    others = [run for name in ("fig1a", "fig2b", "table1", "table4") for run in plans[name].runs]
    papers = {run.run_id for run in [*swept, *others]}
    # Table 1 has 19, Table 4 has 6. Figure 1a has 5, of which true and random labels are in Table 1: 3 more. Figure 1b
    # has 11 for each of three networks, and the ends of each are in Table 1: 27 more. Figure 1c and 2b have no more.
    assert len(papers) == 19 + 6 + 3 + 27 == 55
    # Beyond the paper: the sweeps of MLP 3x512 (its ends in Table 1) and WRN-28-1, 9 + 11. Dropout, 3. Table 1 with
    # held-out images, 19. Three pixel randomizations of the four networks other than small Inception, 12.
    assert len(everything) == 55 + 9 + 11 + 3 + 19 + 12 == 109


@pytest.mark.parametrize("name", ["table1", "table4"])
def test_rows_of_the_paper_and_planned_runs_are_the_same(plans: dict[str, Plan], name: str) -> None:
    settings = [run.setting for run in plans[name].runs]
    found = [[setting for setting in settings if setting.matches(**row.setting)] for row in rows(name)]
    assert [len(planned) for planned in found] == [1] * len(found)
    assert len({planned[0] for planned in found}) == len(settings) == {"table1": 19, "table4": 6}[name]


def test_every_reading_of_an_open_choice_is_planned_once(plans: dict[str, Plan]) -> None:
    records = Records("open_choices", plans["open_choices"], seeds=1)
    assert len(records.planned) == 30
    for number, planned in enumerate(records.planned):
        final = {"train/loss": number, "train/accuracy": number / 100, "test/accuracy": number / 100}
        records.runs.append(record(planned, final, {}))
    ours = table(records.artefact()).shown()
    assert "not run" not in {cell for row in ours for cell in row}
    assert len({(row[3], float(row[5])) for row in ours}) == len(ours) == 30


# --- estimates ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        ([50.5, 50.8, 50.5], "inside"),  # 0.6 above, half the interval is 0.43
        ([50.0, 52.0], "cannot tell"),  # 1 above, half the interval is 12.7
        ([52.5], "outside"),  # one seed has no interval
        ([51.4], "inside"),
        ([52.5, 52.4, 52.5, 52.4], "outside"),  # 2.45 above, half the interval is 0.09
        ([51.0, 54.0], "cannot tell"),
        ([10.0, 86.0, 86.0], "cannot tell"),
        ([], "not run"),
    ],
)
def test_agreement_is_within_the_tolerance_alone(ours: list[float], expected: str) -> None:
    assert Comparison(Estimate.of(ours), 50.0, Tolerance(1.5)).verdict == expected


def test_what_is_noisy_is_not_nearest_for_its_interval() -> None:
    """On the same seeds, a quantity whose interval is wide for its own noise is still farther in each of them."""
    ways = {"recomputed": Estimate.of([0.89, 0.86, 0.92]), "lagging": Estimate.of([2.1, 3.0, 3.9])}
    near = {name: estimate for name, estimate in ways.items() if estimate}
    assert nearest(near, 0.84) == "recomputed in 3 of 3 seeds"
    near["batch"] = Estimate((0.88, 0.87, 0.93))
    assert nearest(near, 0.84) == "recomputed in 2 of 3 seeds, batch in 1 of 3 seeds"
    assert nearest({"a": Estimate((1.0,)), "b": Estimate((2.0,))}, 0.84) == "a, n = 1"
    assert nearest({"a": Estimate((1.0,)), "b": Estimate((1.0,))}, 0.84) == "none, n = 1"
    assert nearest({"a": Estimate((1.0, 1.1)), "b": Estimate((5.0,))}, 0.84) == "a, n = 1"


def test_spread_is_no_agreement() -> None:
    """Of two settings with one mean, the noisier never passes where the quieter does not."""
    assert Comparison(Estimate.of([10.0, 86.0, 86.0]), 85.75, Tolerance(1.5)).verdict == "cannot tell"
    draw = random.Random(0)
    for _ in range(2000):
        noise = [draw.gauss(0, 1) for _ in range(draw.randint(2, 6))]
        mean, allowed, more = draw.uniform(45, 55), draw.uniform(0, 5), draw.uniform(1, 30)
        centred = [value - sum(noise) / len(noise) for value in noise]
        quiet, noisy = (
            Comparison(Estimate(tuple(mean + by * value for value in centred)), 50.0, Tolerance(allowed)).verdict
            for by in (1, more)
        )
        assert noisy == quiet or noisy == "cannot tell"


def test_a_run_that_diverged_is_counted_and_no_measurement() -> None:
    alone = Comparison(None, 10.0, Tolerance(1), lost=("diverged",))
    assert (str(alone.seeds), alone.verdict) == ("0, 1 diverged", "cannot tell")
    half = Comparison(Estimate((10.0,)), 10.0, Tolerance(1), lost=("diverged",))
    assert (str(half.seeds), half.verdict) == ("1, 1 diverged", "cannot tell")
    most = Comparison(Estimate((10.0, 10.0)), 10.0, Tolerance(1), lost=("diverged",))
    assert (str(most.seeds), most.verdict) == ("2, 1 diverged", "inside")
    failed = Comparison(Estimate((0.1,)), None, Tolerance(1), fails_below=0.5, lost=("diverged", "cut short"))
    assert (str(failed.seeds), failed.verdict) == ("1, 1 diverged, 1 cut short", "cannot tell")
    assert Comparison(Estimate((50.0,)), 50.0, Tolerance(1)).judgement == "inside, n = 1"


def test_agreement_with_lower_bounds_failures_and_subsets() -> None:
    bound = Estimate.of([40.0], censored=True)
    assert Comparison(bound, 50.0, Tolerance(1.5)).verdict == "cannot tell"
    assert Comparison(bound, 30.0, Tolerance(1.5)).verdict == "outside"
    assert Comparison(Estimate.of([0.1, 0.49]), None, Tolerance(1), fails_below=0.5).verdict == "inside"
    assert Comparison(Estimate.of([0.1, 0.51]), None, Tolerance(1), fails_below=0.5).verdict == "outside"
    assert Comparison(Estimate.of([50.0]), None, Tolerance(1)).verdict == ""
    assert (Comparison(Estimate.of([90.0]), 50.0, None).verdict, Comparison(None, 50.0, None).verdict) == (
        "not judged",
        "not run",
    )


def test_gains_are_paired_by_seed() -> None:
    gain = Estimate.paired({0: 0.60, 1: 0.62, 2: 0.64, 3: 0.9}, {2: 0.52, 1: 0.54, 0: 0.50, 7: 0.1})
    assert gain is not None
    assert gain.values == pytest.approx((0.10, 0.08, 0.12))
    assert gain.interval == pytest.approx(4.303 * 0.02 / 3**0.5)  # t at 97.5 % for 2 degrees of freedom
    assert Estimate((0.1,)).interval is None
    assert Estimate.paired({0: 1.0}, {1: 1.0}) is None
    assert Estimate((1.0, 3.0)).format("+.1f", interval=True) == "+2.0 ± 12.7"


# --- Table 1 ------------------------------------------------------------------------------------------------


def test_table_1_shows_ours_beside_the_papers(plans: dict[str, Plan]) -> None:
    records = Records("table1", plans["table1"])
    records.add(MLP | {"weight_decay": False}, train=[1.0, 0.999, 1.0], test=[0.50, 0.51, 0.52])
    records.add(MLP | {"weight_decay": True}, train=[0.99], test=[0.53])
    records.add(MLP | {"randomization": "RandomLabels"}, train=[0.98], test=[0.114])
    artefact = records.artefact()
    assert len(table(artefact, "train").rows) == len(table(artefact, "test").rows) == 19
    plain = ("MLP 1x512", "true", "no", "no")
    assert shown(artefact, *plain, name="test") == ["3", "51.00 ± 1.00", "50.51", "+0.49 ± 2.48", "cannot tell"]
    assert shown(artefact, *plain, name="train") == ["3", "99.97 ± 0.06", "100.00", "-0.03 ± 0.14", "inside"]
    decay = ("MLP 1x512", "true", "no", "0.0005")
    assert shown(artefact, *decay, name="test") == ["1", "53.00", "50.39", "+2.61", "outside, n = 1"]
    random = ("MLP 1x512", "random", "no", "no")
    assert shown(artefact, *random, name="test") == ["1", "11.40", "10.61", "+0.79", "inside, n = 1"]  # within 1.0
    unrun = ("small Inception w/o BatchNorm", "true", "no", "4e-05")
    assert shown(artefact, *unrun, name="test") == ["0", "–", "83.00", "–", "not run"]
    assert shown(artefact, "MLP 1x512", name="parameters") == ["1209866", "1209866", "the same"]
    assert 'MLP 1x512,true,no,0.0005,1,0.53,,1,0.5039,0.0261,,1,"outside, n = 1"' in table(artefact, "test").to_csv()
    assert artefact.finding.startswith(
        "Run so far: 3 of the paper's 19 rows. Training accuracy agrees with the paper's in 1"
    )
    assert "The lowest training accuracy is 98.00 % (MLP 1x512, random labels)." in artefact.finding
    assert outcome(artefact, "fits its labels") == "partly shown"
    assert outcome(artefact, "at chance") == "not shown"  # 11.4 %, and 3 s.d. are 0.9
    assert any("make table1" in note for note in artefact.notes)


def test_table_1_at_demo_scale_is_not_judged(plans: dict[str, Plan]) -> None:
    records = Records("table1", plans["table1"], scale="demo")
    records.add(MLP | {"weight_decay": False}, train=[1.0], test=[0.3])
    artefact = records.artefact()
    assert shown(artefact, "MLP 1x512", "true", "no", "no", name="test") == ["1", "30.00", "50.51", "–", "not judged"]
    assert artefact.finding.startswith("Run so far: 1 of")
    assert not any("agrees" in verdict.trend for verdict in artefact.verdicts)


# --- Table 4 ------------------------------------------------------------------------------------------------


def test_table_4_takes_the_accuracy_that_the_paper_reports(plans: dict[str, Plan]) -> None:
    records = Records("table4", plans["table4"])
    records.add({"augmentation": "random_crop"}, train=[0.97], online=[0.997])
    records.add({"architecture": "MLP 3x512"}, train=[1.0], online=[0.98])
    records.add({"architecture": "SmallAlexNet"}, train=[0.1, 0.1], online=[0.1, 0.1])
    artefact = records.artefact()
    crop = shown(artefact, "small Inception", "random cropping")
    assert crop == ["during the epoch", "1", "99.70", "99.93", "-0.23", "inside, n = 1", "97.00"]
    mlp = shown(artefact, "MLP 3x512", "weight decay 0.0005")
    assert mlp == ["after the epoch", "1", "100.00", "100.00", "+0.00", "inside, n = 1", "98.00"]
    alexnet = shown(artefact, "small AlexNet", "weight decay 0.004")
    assert alexnet[1:5] == ["2", "10.00 ± 0.00", "failed to converge", "–"]
    assert alexnet[5] == "inside"
    assert shown(artefact, "MLP 1x512", "weight decay 0.0005")[5] == "not run"
    assert "Run so far: 3 of the paper's 6 rows; 3 with the paper's outcome." in artefact.finding


def test_a_network_that_converges_where_the_papers_failed_is_outside(plans: dict[str, Plan]) -> None:
    records = Records("table4", plans["table4"])
    records.add({"architecture": "SmallAlexNet"}, train=[0.1, 0.99], online=[0.1, 0.99])
    artefact = records.artefact()
    assert shown(artefact, "small AlexNet", "weight decay 0.004")[5] == "outside"
    assert outcome(artefact, "agrees") == "not shown"


# --- what regularizers bring --------------------------------------------------------------------------------


def test_gains_stand_beside_those_of_the_papers_table(plans: dict[str, Plan]) -> None:
    records = Records("regularizer_effects", plans["regularizer_effects"])
    alexnet = {"architecture": "SmallAlexNet", "randomization": "TrueLabels", "dropout": False}
    plain = alexnet | {"weight_decay": False, "augmentation": "none"}
    records.add(plain, test=[0.74, 0.76, 0.75])
    records.add(plain | {"weight_decay": True}, test=[0.76, 0.77])
    records.add(plain | {"augmentation": "random_crop"}, test=[0.78, 0.81, 0.81])
    records.add(plain | {"dropout": True}, test=[0.77])
    records.add(MLP | {"weight_decay": False, "dropout": False}, test=[0.51])
    artefact = records.artefact()
    # 4, 5, 6: s.d. 1, 4.303 / sqrt(3) = 2.48; the paper: 79.66 - 76.07
    assert shown(artefact, "random crop", "small AlexNet") == ["3", "+5.00 ± 2.48", "+3.59"]
    # 2, 1: s.d. 0.707, 12.706 * 0.707 / sqrt(2) = 6.353
    assert shown(artefact, "weight decay", "small AlexNet") == ["2", "+1.50 ± 6.35", "+1.29"]
    assert shown(artefact, "dropout", "small AlexNet") == ["1", "+3.00", "–"]
    assert shown(artefact, "architecture", "MLP 1x512 to small AlexNet") == ["1", "+23.00", "+25.56"]
    assert shown(artefact, "batch norm", "small Inception, weight decay") == ["0", "not run", "+3.03"]
    assert len(table(artefact).rows) == 4 + 7 + 3 + 2 + 5
    # 4 crops, 7 weight decays and 5 architectures are planned, and one of each is there
    assert outcome(artefact, "more than weight decay, in points") == "cannot tell"
    assert outcome(artefact, "architecture brings more than random crop") == "cannot tell"
    (told,) = (each.detail for each in artefact.verdicts if "architecture brings more than weight" in each.trend)
    assert told.endswith(" Missing: 10 of 12 comparisons.")
    assert "2 of these gains are from one seed" in artefact.notes[0]


def test_architectures_on_subsets_of_different_size_are_not_compared(plans: dict[str, Plan]) -> None:
    records = Records("regularizer_effects", plans["regularizer_effects"], scale="demo")
    plain = {"randomization": "TrueLabels", "weight_decay": False, "dropout": False, "augmentation": "none"}
    records.add(plain | {"architecture": "MLP 1x512"}, test=[0.4])
    records.add(plain | {"architecture": "SmallAlexNet"}, test=[0.3])
    records.runs[-1].record["data"]["train_size"] = 500
    artefact = records.artefact()
    assert shown(artefact, "architecture", "MLP 1x512 to small AlexNet") == ["0", "other subset", "+25.56"]
    assert any("subsets of different size" in note for note in artefact.notes)
    assert outcome(artefact, "architecture brings more than random crop") == "cannot tell"


# --- early stopping -----------------------------------------------------------------------------------------


def test_early_stopping_by_the_test_set_and_by_held_out_images(plans: dict[str, Plan]) -> None:
    records = Records("early_stopping", plans["early_stopping"])
    plain = MLP | {"weight_decay": False}
    best = {"test": {"epoch": 25, "gain": 0.006}}
    records.add(plain, best, test=[0.50, 0.52])
    held_out = best | {"by_validation": {"epoch": 40, "gain": -0.002}}
    records.add(plain | {"validation_size": 5000}, held_out, test=[0.4])
    half = {"architecture": "MLP 1x512", "corruption": 0.5}
    records.add(half, {"test": {"epoch": 4, "gain": 0.09}}, test=[0.3])
    artefact = records.artefact()
    row = shown(artefact, "MLP 1x512", name="true_labels")
    assert row == ["2", "51.0 ± 1.4", "0.60 ± 0.00", "25 ± 0", "1", "-0.20", "40"]
    row = shown(artefact, "MLP 1x512, label corruption 0.5", name="corrupted_labels")
    assert row == ["1", "30.0", "9.00", "4", "0", "–", "–"]  # not planned with held-out images
    assert outcome(artefact, "the test set choosing") == "cannot tell"  # of the other settings there is no run
    assert (
        outcome(artefact, "grows with corruption up to p = 0.5 (MLP 1x512)") == "partly shown"
    )  # four levels are missing
    assert "at most 0.6 [0.6, 0.6] points above the last (MLP 1x512)" in artefact.finding
    assert "changes it by -0.2 points at most" in artefact.finding
    (curve,) = (s for s in artefact.charts[1].panels[0].series if s.label == "MLP 1x512")
    assert (list(curve.x), list(curve.y)) == ([0.0, 0.5], pytest.approx([0.6, 9.0]))


# --- open choices -------------------------------------------------------------------------------------------


def test_the_reading_that_comes_nearer_is_computed(plans: dict[str, Plan]) -> None:
    records = Records("open_choices", plans["open_choices"], seeds=1)
    for planned in records.planned:
        setting, options = planned.setting, " ".join(planned.arguments)
        loss = 1.6 if "scope values" in options else 1.9
        coefficient = {4e-5: 0.99, 5e-4: 0.6, 4e-3: 0.1}.get(setting.weight_decay, 0.99)
        test = {4e-5: 0.52, 5e-4: 0.50, 4e-3: 0.45}.get(setting.weight_decay, 0.5051)
        if "statistics" not in options:
            records.runs.append(
                record(planned, {"train/loss": loss, "train/accuracy": coefficient, "test/accuracy": test}, {})
            )
    finding = records.artefact().finding
    for line in (
        "Shuffled pixels (small Inception): channels together 1.900, channels mixed 1.600; the paper: 1.468. "
        "Nearest: channels mixed, n = 1.",
        "Not all run yet: gaussian.",
        "the paper: 50.39. Nearest: decay 0.0005, n = 1.",
        "the paper: failed to converge. Nearest: decay 0.004, n = 1.",
        "in steps 99.00, continuous 99.00; the paper: 99.34. Nearest: none, n = 1.",
    ):
        assert line in finding, line


# --- any subset of the runs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MINE)
@pytest.mark.parametrize("scale", ["full", "demo"])
@pytest.mark.parametrize("most", [5, pytest.param(1000, marks=pytest.mark.slow)])
def test_one_run_and_none_are_enough(plans: dict[str, Plan], name: str, scale: Scale, most: int) -> None:
    none = Records(name, plans[name], scale=scale).artefact()
    assert not any(verdict.outcome == "shown" for verdict in none.verdicts)
    for number in range(0, len(plans[name].runs), max(3, len(plans[name].runs) // most)):
        records = Records(name, plans[name], scale=scale)
        records.planned = records.planned[number:] + records.planned[:number]
        records.add_all(at_most=1)
        assert records.artefact().finding


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "early_stopping" else ()) for name in MINE]
)
def test_a_second_rendering_gives_the_same_bytes(plans: dict[str, Plan], name: str, tmp_path: Path) -> None:
    records = Records(name, plans[name])
    records.add_all()
    for folder in ("first", "second"):
        artefacts.write(records.artefact(), records.results(), tmp_path / folder)
    written = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert len(written) == len(set(written)) > 5
    tables, charts = ([part.name for part in parts] for parts in (records.artefact().tables, records.artefact().charts))
    assert not set(tables) & set(charts)  # both write NAME.csv
    for file in written:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes(), file
