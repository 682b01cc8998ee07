"""`rethink show`: the list of runs, a record with its curves, and a run that is not there."""

import json
import os
import shutil
from dataclasses import replace

import pytest

from rethink.cli import main
from rethink.cli.show_run import curve
from rethink.runs.setting import Setting
from rethink.runs.summary import Summary
from rethink.sweep.jobs import PlannedAnalysis, PlannedRun
from rethink.sweep.plan import Plan

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
    monkeypatch.setenv("COLUMNS", "80")
    main(["show"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(" ".join(line.split()) for line in lines)
    assert "aa11bb22cc33 MLP 1x512 50,000 3 100.00 % 7\nPartiallyCorruptedLabels p=0.4 converged 12.00 %" in text


def test_of_thousands_of_runs_those_on_the_screen_are_read(two_runs, capsys, monkeypatch):
    for number in range(2000):
        (two_runs / f"x{number}").mkdir()
        (two_runs / f"x{number}" / "config.yaml").touch()
    opened = []
    summary = Summary(two_runs, record("aa11bb22cc33"), {})
    monkeypatch.setattr(Summary, "of", lambda folder: opened.append(folder) or summary)
    main(["show"])
    assert 0 < len(opened) < 100


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


# Filters, order, comparison.


def finished(root, run_id, architecture="MLP", weight_decay=0.0, test=0.5, outcome="converged", age=0):
    """A finished run with its identity in the record, as it is written today; `age` in seconds."""
    content = record(run_id)
    options = {"weight_decay": weight_decay} if weight_decay else {}
    content["identity"] = {
        "seed": 7,
        "model": [architecture, options],
        "data": ["CIFAR10", {}],
        "randomization": ["PartiallyCorruptedLabels", {"probability": 0.4}],
    }
    content["config"] = {"model": {"init_args": {"weight_decay": weight_decay, "dropout": 0.5}}}
    content["model"] = {"class": architecture, "parameters": 1, "init_args": {"weight_decay": weight_decay}}
    content |= {"outcome": outcome, "final": content["final"] | {"test/accuracy": test}}
    folder = root / run_id
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text(HISTORY)
    (folder / "record.json").write_text(json.dumps(content))
    os.utime(folder / "record.json", (1000 - age, 1000 - age))
    return folder


@pytest.fixture
def several(runs):
    """Three finished runs, the newest first, and one that was begun."""
    finished(runs, "a0" * 6, test=0.3)
    finished(runs, "b0" * 6, weight_decay=5e-4, test=0.5, outcome="not converged", age=1)
    finished(runs, "c0" * 6, architecture="SmallInception", test=0.1, age=2)
    (runs / ("d0" * 6)).mkdir()
    (runs / ("d0" * 6) / "config.yaml").write_text("model: {class_path: a.MLP}\ndata: {class_path: a.CIFAR10}\n")
    os.utime(runs / ("d0" * 6) / "config.yaml", (1, 1))
    return runs


def listed(capsys):
    """The first letters of the runs that were listed."""
    return "".join(line[0] for line in capsys.readouterr().out.splitlines() if line[1:2] == "0")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "abcd"),
        (["outcome=finished"], "abc"),
        (["outcome=unfinished"], "d"),
        (["outcome=converged", "outcome=unfinished"], "acd"),
        (["mlp 1x512", "outcome=finished"], "ab"),
        (["MLP 1x512", "inception", "outcome=finished"], "abc"),
        (["outcome=finished", "model.weight_decay=0.0"], "ac"),
        (["outcome=finished", "weight_decay=5e-4"], "b"),
        (["outcome=finished", "model.dropout=0.5", "architecture=SmallInception"], "c"),
        (["outcome=finished", "randomization=PartiallyCorruptedLabels", "corruption=0.4", "seed=7"], "abc"),
        (["outcome=finished", "--sort", "test_accuracy"], "bac"),
        (["outcome=finished", "--sort", "test/accuracy", "--reverse"], "cab"),
        (["outcome=finished", "--sort", "model.weight_decay"], "bac"),
        (["--reverse"], "dcba"),
    ],
)
def test_a_list_of_what_is_asked_for(several, capsys, words, expected):
    main(["show", *words])
    assert listed(capsys) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["AlexNet", "outcome=finished"], "no run of 4 has what is asked for"),
        (["outcome=finished", "model.wieght_decay=0.1"], "Did you mean 'model.weight_decay'?"),
        (["outcome=finished", "wieght_decay=0.1"], "a setting has no 'wieght_decay'"),
        (["outcome=finished", "--sort", "accuracy"], "a setting has no 'accuracy'"),
        (["outcome=finished", "--sort", "test_loss"], "a setting has no 'test_loss'"),
        (["a0", "MLP"], "name runs, or say what a list"),
        (["a0", "b0", "c0"], "Two can be compared"),
    ],
)
def test_what_no_run_has_is_said(several, capsys, words, expected):
    with pytest.raises(SystemExit) as exit:
        main(["show", *words])
    assert exit.value.code == 2
    assert expected in capsys.readouterr().err


def test_the_same_words_choose_the_runs_of_a_sweep():
    setting = Setting("MLP 1x512", "RandomLabels", 1.0, resolved={"model.dropout": 0.5})
    jobs = [PlannedRun("a", (), setting), PlannedRun("b", (), replace(setting, seed=1))]
    analysis = PlannedAnalysis("c", ("NormMeasures",), of="MLP 1x512, random labels, seed 0")
    for words, expected in (
        (["mlp"], "abc"),
        (["seed=1"], "b"),
        (["MLP 1x512", "model.dropout=0.5", "seed=0"], "a"),
        (["outcome=missing"], "abc"),
        (["outcome=finished"], ""),
    ):
        assert "".join(job.id for job in Plan(tuple(jobs), analyses=(analysis,)).only(words).jobs) == expected


def test_two_runs_side_by_side(several, capsys):
    history = "epoch,step,train/loss,train/accuracy,test/accuracy\n"
    rows = [f"{epoch},{epoch},{2 / epoch},{epoch / 50},0.1\n" for epoch in range(1, 51)]
    (several / ("b0" * 6) / "history.csv").write_text(history + "".join(rows))
    main(["show", "a0a0", "b0b0"])
    output = capsys.readouterr().out
    lines = [line.split() for line in output.splitlines()]
    assert ["model.weight_decay", "0.0", "0.0005"] in lines
    assert not any("model.dropout" in line for line in lines)
    assert ["test/accuracy", "30.00", "%", "50.00", "%"] in lines
    assert ["1", "2.3", "2", *["10.00", "%", "2.00", "%", "11.00", "%", "10.00", "%"]] in lines
    assert ["50", "-", "0.04", "-", *["100.00", "%", "-", "10.00", "%"]] in lines
    assert max(map(len, output.splitlines())) <= 80
    main(["show", "a0a0", "b0b0", "--all"])
    assert len(capsys.readouterr().out.splitlines()) == len(lines) + 50 - 16
    main(["show", "a0a0", "d0d0"])
    assert "unfinished" in capsys.readouterr().out
