"""`rethink show`: the list of runs, a record with its curves, and a run that is not there."""

import json

import pytest

from rethink.cli import main
from rethink.cli.show import HEIGHT, WIDTH, curve

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
    finished, begun = (" ".join(line.split()) for line in lines if line.strip().startswith("aa"))
    assert finished == ("aa11bb22cc33 MLP 1x512 PartiallyCorruptedLabels p=0.4 50,000 3 converged 100.00 % 12.00 % 7")
    assert begun == "aa99bb22cc33 WideResNet GaussianPixels 1,000 3 unfinished 100.00 % 12.00 % 3"


def test_a_damaged_run_does_not_hide_the_others(two_runs, capsys):
    (two_runs / "aa11bb22cc33" / "record.json").write_text("{")
    main(["show"])
    output = capsys.readouterr().out
    assert "damaged" in output
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


def test_a_curve_runs_from_corner_to_corner():
    lines = curve("train/accuracy", [1, 2, 11], [0.0, 0.1, 1.0])
    title, *plot, axis = lines
    assert title.strip() == "train/accuracy: 100.00 % at epoch 11"
    assert len(plot) == HEIGHT
    assert {len(line.partition("┤")[2]) for line in plot} == {WIDTH}
    first, last = plot[0].partition("┤")[2], plot[-1].partition("┤")[2]
    assert first[-1] != "⠀"
    assert first[0] == "⠀"
    assert last[0] != "⠀"
    assert last[-1] == "⠀"
    assert axis.split() == ["1", "epoch", "11"]


def test_a_curve_of_one_epoch_or_of_zeros_can_be_drawn():
    assert len(curve("train/loss", [1], [0.0])) == HEIGHT + 2
