"""`rethink show`: the list of runs, a record with its curves, and a run that is not there."""

import json
import os
import shutil
from functools import partial

import pytest
from rich.console import Console

from rethink.cli import main, show
from rethink.cli.show import curve

HISTORY = """\
epoch,step,train/loss,train/accuracy,test/accuracy
1,4,2.3,0.1,0.11
2,8,1.0,0.6,
3,12,0.0,1.0,0.12
"""


def record(run_id: str) -> dict:
    """What a small finished run leaves."""
    passed = {"outcome": "converged", "epoch": 3, "step": 12}
    not_passed = {"outcome": "not converged", "epoch": None, "step": None}
    return {
        "format": 1,
        "run_id": run_id,
        "outcome": "converged",
        "seed": 7,
        "model": {
            "class": "MLP",
            "parameters": 1209866,
            "init_args": {"hidden_sizes": [512], "dropout": 0.5},
        },
        "data": {"class": "CIFAR10", "train_size": 50000, "test_size": 10000, "num_classes": 10},
        "randomization": {"class": "PartiallyCorruptedLabels", "probability": 0.4, "seed": 0},
        "budget": {"max_epochs": 3, "max_steps": -1},
        "final": {"epoch": 3, "step": 12, "train/loss": 0.0, "train/accuracy": 1.0, "test/accuracy": 0.12},
        "convergence": {"rules": {"accuracy>=0.99": passed, "loss<0.01": not_passed}, "onset": passed},
        "best_test_accuracy": {"test": {"best": 0.15, "epoch": 2, "final": 0.12, "gain": 0.03}},
        "environment": {"device": "cpu: Z80", "precision": "bf16-mixed", "threads": 2, "world_size": 1},
    }


@pytest.fixture
def two_runs(runs):
    """A finished run and one that was begun."""
    finished, begun = runs / "aa11bb22cc33", runs / "aa99bb22cc33"
    for folder in (finished, begun):
        folder.mkdir(parents=True)
        (folder / "history.csv").write_text(HISTORY)
    (finished / "record.json").write_text(json.dumps(record(finished.name)))
    (begun / "config.yaml").write_text(
        "seed_everything: 3\nmodel: {class_path: rethink.models.WideResNet}\n"
        "data: {class_path: rethink.data.CIFAR10, init_args: {train_size: 1000, randomization: "
        "{class_path: rethink.randomization.GaussianPixels}}}\n"
    )
    return runs


def test_the_list_has_finished_and_unfinished_runs(two_runs, capsys):
    main(["show"])
    lines = capsys.readouterr().out.splitlines()
    finished, begun = sorted(" ".join(line.split()) for line in lines if line.strip().startswith("aa"))
    assert finished == ("aa11bb22cc33 MLP 1x512 PartiallyCorruptedLabels p=0.4 50,000 3 converged 100.00 % 12.00 % 7")
    assert begun == "aa99bb22cc33 WideResNet GaussianPixels 1,000 3 unfinished 100.00 % 12.00 % 3"


def test_a_damaged_run_does_not_hide_the_others(two_runs, capsys):
    (two_runs / "aa11bb22cc33" / "record.json").write_text("{")
    with pytest.raises(SystemExit) as exit:
        main(["show"])
    assert exit.value.code == 1
    output, errors = capsys.readouterr()
    assert "damaged" in output
    assert "aa11bb22cc33/record.json: damaged" in errors
    assert "repeat the run: rethink fit --config" in errors
    assert "aa99bb22cc33" in output


@pytest.mark.parametrize("name", ["aa11bb22cc33", "aa11", "{runs}/aa11bb22cc33"])
def test_a_record_fits_the_terminal(two_runs, capsys, name):
    main(["show", name.format(runs=two_runs)])
    output = capsys.readouterr().out
    for text in ("MLP, 1,209,866 parameters", "PartiallyCorruptedLabels (probability=0.4, seed=0)", "Z80"):
        assert text in output
    for text in (
        "accuracy>=0.99    epoch 3, step 12",
        "not converged",
        "15.00 % at epoch 2, +3.00 to the last",
    ):
        assert text in output
    for name in ("train/loss", "train/accuracy", "test/accuracy"):
        assert name in output
    assert max(map(len, output.splitlines())) <= 80


def test_an_unfinished_run_says_how_to_go_on(two_runs, capsys):
    main(["show", "aa99"])
    output = capsys.readouterr().out
    assert "unfinished" in output
    assert f"rethink fit --config {two_runs / 'aa99bb22cc33' / 'config.yaml'}" in output
    assert "train/loss" in output


def test_json_is_the_record(two_runs, capsys):
    main(["show", "aa11", "--json"])
    assert json.loads(capsys.readouterr().out) == record("aa11bb22cc33")
    main(["show", "--json"])
    assert json.loads(capsys.readouterr().out) == [record("aa11bb22cc33")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aa11bb22cc34", "Did you mean aa11bb22cc33"),
        ("aa", "'aa' can be aa11bb22cc33, aa99bb22cc33. Give more digits."),
        ("--jsn", "unrecognized arguments: --jsn"),
    ],
)
def test_a_run_that_is_not_there(two_runs, capsys, name, expected):
    with pytest.raises(SystemExit) as exit:
        main(["show", name])
    assert exit.value.code == 2
    assert expected in capsys.readouterr().err


def test_no_runs(runs, capsys):
    main(["show"])
    assert f"There are no runs in {runs}" in capsys.readouterr().out


def test_a_curve_is_a_line_from_its_first_value_to_its_last():
    line = curve("train/accuracy", [1, 2, 11], [0.0, 0.5, 1.0])
    assert line.split() == ["train/accuracy", "▁▅█", *["0.00", "%", "at", "epoch", "1,", "100.00", "%", "at", "11"]]
    assert len(curve("test/accuracy", range(1, 301), [1.0] * 300)) <= 80
    assert "▁ " in curve("train/loss", [1], [0.0])


def test_the_newest_run_comes_first_and_the_list_fits_the_screen(two_runs, capsys, monkeypatch):
    monkeypatch.setenv("LINES", "24")
    for number in range(40):
        shutil.copytree(two_runs / "aa11bb22cc33", two_runs / f"{number:02}11bb22cc33")
        os.utime(two_runs / f"{number:02}11bb22cc33" / "record.json", (number,) * 2)
    main(["show"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert [line[:12] for line in lines if line[:2].isdigit()][:2] == ["3911bb22cc33", "3811bb22cc33"]
    assert lines[-1] == "and 22 older runs: rethink show --all"
    main(["show", "--all"])
    assert len(capsys.readouterr().out.splitlines()) == 43


def test_eighty_columns_are_enough(two_runs, capsys, monkeypatch):
    narrow = partial(Console, width=80, highlight=False, force_terminal=True, color_system=None)
    monkeypatch.setattr(show, "_console", lambda table_width: narrow())
    main(["show"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(" ".join(line.split()) for line in lines)
    assert "aa11bb22cc33 MLP 1x512 50,000 3 100.00 % 7\nPartiallyCorruptedLabels p=0.4 converged 12.00 %" in text


def test_thousands_of_runs_are_not_read(two_runs, capsys, monkeypatch):
    for number in range(2000):
        (two_runs / f"x{number}").mkdir()
        (two_runs / f"x{number}" / "config.yaml").touch()
    opened = []
    monkeypatch.setattr(show, "_row", lambda folder, damage: opened.append(folder) or ["-"] * 8)
    main(["show"])
    assert len(opened) < 100


@pytest.mark.parametrize("file", ["record.json", "config.yaml"])
@pytest.mark.parametrize("text", ["[]", "{}", '{"model": 5, "data": 5}'])
def test_a_file_of_another_shape_hides_nothing(two_runs, capsys, file, text):
    damaged = two_runs / "bb11bb22cc33"
    damaged.mkdir()
    (damaged / file).write_text(text)
    with pytest.raises(SystemExit) as exit:
        main(["show"])
    assert exit.value.code == 1
    output, errors = capsys.readouterr()
    assert "damaged" in output
    assert "bb11bb22cc33" in errors
    assert output.count("aa") >= 2
