"""An experiment of one's own, in a folder that is not the repository's, and a folder without any."""

import shlex

import pytest

from rethink.cli import main
from rethink.runs import code

OPTIONS = {"model": "MLP", "model.hidden_sizes": "[4]", "data": "Synthetic", "trainer.max_epochs": "1"}
SWEEP = """
title: Weight decay, in small
options: {model: MLP, model.hidden_sizes: [4], data: Synthetic, trainer.max_epochs: 1, trainer.devices: 1}
seeds: [0, 1]
groups:
  - grid: {model.weight_decay: [0.0, 0.01]}
"""

FIGURES = """
def artefact(results):
    return results.artefact(f"{len(results.runs)} runs, drawn by its own script.")
"""


def test_without_a_script_it_is_reported_as_a_table_of_its_settings(tmp_path, runs, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments/own").mkdir(parents=True)
    (tmp_path / "experiments/own/sweep.yaml").write_text(SWEEP)
    with pytest.raises(SystemExit):
        main(["publish"])
    assert "nothing is published" in capsys.readouterr().err
    words = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    for decay in ("0.0", "0.01"):
        for seed in ("0", "1"):
            main(["fit", *words, "--trainer.devices", "1", "--model.weight_decay", decay, "--seed_everything", seed])
    capsys.readouterr()
    main(["report", "own"])
    header, *rows = (tmp_path / "results/full/own/settings.csv").read_text().splitlines()
    assert header.startswith("setting,train/accuracy")
    assert len(rows) == 2
    assert "weight decay" in rows[1]
    assert (tmp_path / "results/full/own/runs.csv").read_text().count("\n") == 1 + 4
    main(["report"])
    assert "1 of 1 artefacts" in capsys.readouterr().out
    page = tmp_path / "results/full/own/README.md"
    assert "has changed" not in page.read_text()
    monkeypatch.setattr(code, "NUMBERS", code.NUMBERS + 1)
    main(["report", "own"])
    assert page.read_text().count("the code that it was computed by has changed since: rethink") == 4


@pytest.mark.parametrize("file", ["sweep.yaml", "decay.yaml"])
def test_one_anywhere_is_planned_trained_and_reported_by_its_path(file, tmp_path, runs, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "decay").mkdir()
    (tmp_path / "decay" / file).write_text(SWEEP.replace("seeds: [0, 1]", "layers: [configs/model/mlp_1x512.yaml]"))
    (tmp_path / "decay/figures.py").write_text(FIGURES)
    path = f"decay/{file}" if file != "sweep.yaml" else "decay"
    main(["sweep", "plan", path, "--seeds", "0"])
    commands = capsys.readouterr().out.splitlines()
    assert len(commands) == 2
    for command in commands:
        main(shlex.split(command)[1:])
    capsys.readouterr()
    main(["report", path, "--seeds", "0"])
    assert "2 runs, drawn by its own script" in (tmp_path / "results/full/decay/README.md").read_text()
    main(["sweep", "status", path, "--once", "--seeds", "0"])
    assert "2 done" in capsys.readouterr().out
    main(["report", path])
    assert f"rethink sweep run {path}" in (tmp_path / "results/full/decay/README.md").read_text()


@pytest.mark.parametrize("command", ["report", "publish"])
@pytest.mark.parametrize("names", [("mine/decay", "yours/decay/sweep.yaml"), ("theirs/decay",)])
def test_two_of_one_name_have_no_folder_of_results(command, names, tmp_path, runs, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder in ("mine", "yours") if len(names) == 2 else ("experiments", "theirs"):
        (tmp_path / folder / "decay").mkdir(parents=True)
        (tmp_path / folder / "decay/sweep.yaml").write_text(SWEEP)
    with pytest.raises(SystemExit):
        main([command, *names])
    said = capsys.readouterr().err
    assert "both are called decay" in said
    assert f"{names[0]}/sweep.yaml" in said
    assert not list(tmp_path.glob("results"))


@pytest.mark.parametrize("command", ["report", "publish", "restore"])
def test_a_folder_without_experiments_is_no_place_for_them(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit:
        main([command])
    assert exit.value.code == 2
    assert "folder of the repository" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
