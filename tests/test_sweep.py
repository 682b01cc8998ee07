"""Sweeps: an experiment is data, each of its runs is made once, and one failure stops no other."""

import json
import sys
from pathlib import Path

import pytest

from rethink.cli import main
from rethink.cli.report import _script
from rethink.errors import UserError
from rethink.records.run import Run
from rethink.sweep import local
from rethink.sweep.experiment import Experiment
from rethink.sweep.plan import plan

SWEEP = """
title: three runs, one of which cannot be
layers: [configs/base.yaml, configs/data/synthetic.yaml]
options: {model: MLP, "model.hidden_sizes": [8], trainer.max_epochs: 2, trainer.devices: 1}
groups:
  - grid: {data.randomization: [RandomLabels, TrueLabels]}
  - options: {data.randomization: PartiallyCorruptedLabels}
    grid: {data.randomization.probability: [0, 1]}
  - options: {data.train_size: 100000}
"""


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "sweep.yaml").write_text(SWEEP)
    return Experiment.load("tiny", tmp_path)


def test_a_grid_becomes_arguments(experiment):
    assert len(experiment.runs) == 5
    assert experiment.runs[0] == (
        *("--config", "configs/base.yaml", "--config", "configs/data/synthetic.yaml"),
        *("--data.randomization", "RandomLabels", "--model", "MLP", "--model.hidden_sizes", "[8]"),
        *("--trainer.devices", "1", "--trainer.max_epochs", "2"),
    )
    assert experiment.runs[3][4:8] == (
        *("--data.randomization", "PartiallyCorruptedLabels"),
        *("--data.randomization.probability", "1"),
    )


def test_runs_that_are_the_same_are_planned_once(experiment, runs, monkeypatch):
    planned = plan(experiment)
    # Corruption 0 and 1 are true and random labels.
    assert [run.label for run in planned] == ["MLP RandomLabels", "MLP TrueLabels", "MLP"]
    assert {run.state for run in planned} == {"missing"}
    monkeypatch.setitem(sys.modules, "rethink.cli.training", None)  # importing it again would fail
    assert plan(experiment) == planned


def test_what_is_missing_is_run_once_and_a_failure_stops_no_other(experiment, runs):
    planned = plan(experiment)
    failed = local.run(planned, workers=1)
    assert list(failed) == [planned[2].run_id]
    assert "--data.train_size 100000" in failed[planned[2].run_id]
    with pytest.raises(UserError, match="1 runs failed"):
        local.check(failed)
    assert [run.state for run in planned] == ["done", "done", "missing"]
    assert Run.open(planned[0].folder).randomization == "RandomLabels"
    before = (planned[0].folder / "record.json").stat().st_mtime_ns
    assert local.run(planned[:2]) == {}
    assert (planned[0].folder / "record.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("run demoo", "Did you mean 'demo'?"),
        ("plan", "the following arguments are required: experiment"),
        ("start demo", "invalid choice: 'start'"),
        ("status demo --only Inception", "--only 'Inception' leaves no run"),
        ("run demo --worker 2", "unrecognized arguments: --worker 2"),
    ],
)
def test_bad_commands(arguments, expected, runs, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["sweep", *arguments.split()])
    assert exit.value.code == 2
    assert expected in capsys.readouterr().err


def test_an_unknown_key_is_named(tmp_path):
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "sweep.yaml").write_text("groups: [{optoins: {model: MLP}}]")
    with pytest.raises(UserError, match=r"unknown key 'optoins' of group 1. Did you mean 'options'"):
        Experiment.load("wrong", tmp_path)


def test_every_experiment_can_be_planned(runs):
    names = sorted(path.parent.name for path in Path("experiments").glob("*/sweep.yaml"))
    assert "demo" in names
    for name in names:
        experiment = Experiment.load(name)
        assert all((experiment.title, experiment.claim, experiment.cost, experiment.command)), name
        assert plan(experiment), name


def test_the_demo_draws_what_the_demo_runs(runs):
    """17 runs: five settings and 0.5 for the small AlexNet, eleven levels for the MLP."""
    planned = plan(Experiment.load("demo"))
    assert len(planned) == 17
    demo = _script("demo")
    wanted = {f"SmallAlexNet {name}" for name in demo.SETTINGS}
    wanted |= {f"SmallAlexNet PartiallyCorruptedLabels {p:g}" for p in demo.LEVELS[demo.ALEXNET] if 0 < p < 1}
    wanted |= {f"MLP PartiallyCorruptedLabels {p:g}" for p in demo.LEVELS[demo.MLP]}
    assert {run.label for run in planned} == wanted


def test_a_report_without_runs_says_how_to_make_them(runs, capsys):
    with pytest.raises(SystemExit):
        main(["report", "true_and_random_labels"])
    assert "rethink sweep run true_and_random_labels" in capsys.readouterr().err
    assert json.loads(next((runs / ".plans").glob("*.json")).read_text())
