"""Classes of one's own, each in a file of the working folder, in every command by their import path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from examples.streamed import write

from rethink.analyses.analysis import Analysis
from rethink.cli import main
from rethink.data import Synthetic
from rethink.discovery import resolve
from rethink.errors import UserError
from rethink.runs.run import Run

EXAMPLES = Path(__file__).parent / "examples"
FILES = {
    "own_network": '''
from torch import nn

from rethink.models import Classifier


class Linear(Classifier):
    """One layer.

    Args:
        bias: Whether it has a bias.
        learning_rate: Of the first step.
        **switches: Those of every architecture.
    """

    def __init__(self, bias: bool = True, learning_rate: float = 0.01, **switches) -> None:
        super().__init__(learning_rate=learning_rate, **switches)
        channels, height, width = self.image_shape
        inputs = channels * height * width
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(inputs, self.num_classes, bias=bias))
''',
    "own_labels": '''
from rethink.randomization import Randomization


class Shifted(Randomization):
    """Every label is the next class.

    Args:
        by: How far.
        seed: Unused.
    """

    def __init__(self, by: int = 1, seed: int = 0) -> None:
        super().__init__(seed)
        self.by = by

    def labels(self, labels, index, num_classes, part):
        shifted = (labels + self.by) % num_classes
        return shifted, shifted != labels
''',
    "own_data": '''
from rethink.data import Synthetic


class Few(Synthetic):
    """Sixty images.

    Args:
        **options: Those of Synthetic.
    """

    def __init__(self, **options) -> None:
        super().__init__(num_train=60, num_test=20, **options)
''',
    "own_measurement": '''
from rethink.callbacks.measurement import Measurement


class Falls(Measurement):
    """Counts the epochs after which the loss was lower."""

    part = "falls"

    def __init__(self) -> None:
        self.losses = []

    def measure(self, trainer, epoch, step, metrics) -> None:
        self.losses.append(metrics["train/loss"])

    def summary(self):
        return {"falls": sum(b < a for a, b in zip(self.losses, self.losses[1:]))}
''',
    "own_analysis": '''
from rethink.analyses.analysis import Result, RunAnalysis


class Epochs(RunAnalysis):
    """The epochs of runs.

    Args:
        runs: Their run_ids.
        seed: Unused.
    """

    def analyse(self, workplace):
        return Result({"epochs": [run.last_epoch for run in self.opened()]})
''',
}
FIT = [
    *("--model", "own_network.Linear", "--model.bias", "false", "--data", "own_data.Few"),
    *("--data.randomization", "own_labels.Shifted", "--trainer.max_epochs", "2", "--trainer.devices", "1"),
    *("--trainer.accelerator", "cpu", "--trainer.callbacks+", "own_measurement.Falls"),
]
SWEEP = """
title: classes of one's own, and images that are not in memory
options: {data: streamed.Streamed, data.root: ".", model: own_network.Linear, trainer.max_epochs: 2, trainer.devices: 1}
seeds: [0, 1]
groups:
  - grid: {data.randomization: [own_labels.Shifted, TrueLabels], model.recipe: [null, sign_descent.SignDescent]}
analyses: [{analysis: own_analysis.Epochs, of: all}]
"""
FIGURES = '''
from rethink.report.tables import Column, Table


def artefact(results):
    """A row per setting."""
    columns = [Column.text("setting", "setting"), Column.estimates("train", "train")]
    rows = [[row.name, row.final("train/accuracy")] for row in results.rows]
    return results.artefact("They train.", tables=[Table(columns, rows, "Training accuracy", name="own")])
'''


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: Path) -> Path:
    """A working folder with the files, and nothing else."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_of_the_working_folder_is_enough(outside, runs, monkeypatch, capsys):
    assert all(len(text.splitlines()) <= 40 for text in FILES.values())
    monkeypatch.syspath_prepend(outside)
    main(["fit", *FIT])
    (folder,) = (record.parent for record in runs.glob("*/record.json"))
    run = Run.open(folder)
    assert run.record["model"]["parameters"] == 3 * 28 * 28 * 10
    assert "falls" in run.record["falls"]
    main(["validate", *FIT])
    assert "train/accuracy" in capsys.readouterr().out
    main(["analyze", "own_analysis.Epochs", "--runs", json.dumps([run.run_id])])
    assert "own_analysis.Epochs" in capsys.readouterr().out


@pytest.mark.parametrize(
    "file", ["own_network.py", "./own_network.py", "own_network.py:Linear", "./own_network.py::Linear"]
)
def test_a_file_in_the_place_of_a_class_is_answered_with_what_to_write(outside, runs, capsys, file):
    with pytest.raises(SystemExit):
        main(["fit", "--model", file, "--data", "Synthetic"])
    said = capsys.readouterr().err
    assert said == f"rethink: --model {file}: a class goes by module and name: write own_network.Linear.\n"


def command(folder: Path, *words: str) -> str:
    """The output of the console script, whose own folder, and not the working folder, Python would look into."""
    program = "import sys; from rethink.cli import entry_point; sys.argv[0] = 'rethink'; entry_point()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path[1:])), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-P", "-c", program, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_classes_of_ones_own_are_swept_analysed_and_reported(outside, runs):
    for name in ("streamed", "sign_descent"):
        text = (EXAMPLES / f"{name}.py").read_text()
        assert len(text.splitlines()) <= 40
        (outside / f"{name}.py").write_text(text)
    write(outside, Synthetic(num_train=60, num_test=20))
    (outside / "experiments" / "tiny").mkdir(parents=True)
    (outside / "experiments" / "tiny" / "sweep.yaml").write_text(SWEEP)
    (outside / "experiments" / "tiny" / "figures.py").write_text(FIGURES)
    command(outside, "sweep", "run", "tiny", "--workers", "1")
    assert "9 done" in command(outside, "sweep", "status", "tiny", "--once")
    assert len(list(runs.glob("*/record.json"))) == 8
    command(outside, "report", "tiny")
    settings = (outside / "results" / "full" / "tiny" / "own.csv").read_text().splitlines()[1:]
    assert len(settings) == 4  # two seeds each: a recipe and a randomization of one's own set runs apart
    assert sum("SignDescent" in line for line in settings) == 2
    assert sum("shifted" in line.lower() for line in settings) == 2


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nothing.Here", "there is no module 'nothing'"),
        ("own_analysis.Epoch", "module 'own_analysis' has no class 'Epoch'. Did you mean 'Epochs'?"),
        ("own_network.Linear", "is no Analysis"),
        ("own_network.nn", "is no Analysis"),
        ("os.system", "is no Analysis"),
        ("Epochs", "is no import path"),
        ("own_analysis.py", "write own_analysis.Epochs."),
        ("./own_analysis.py:Epochs", "write own_analysis.Epochs."),
        ("deep/own.py", "write deep.own.ClassName."),
    ],
)
def test_a_class_path_is_checked_before_anything_is_called(outside, monkeypatch, path, expected):
    monkeypatch.syspath_prepend(outside)
    with pytest.raises(UserError, match=expected.replace("?", r"\?")):
        resolve(path, Analysis, "record.json")
