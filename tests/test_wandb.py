"""Weights & Biases: off by default; a mirror of the run where it is on; never a reason for a run to stop."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import wandb

from rethink.cli import main
from rethink.runs.run import Run

TINY = [
    *("--model", "MLP", "--model.hidden_sizes", "[16]", "--data", "Synthetic", "--data.num_train", "96"),
    *("--data.num_test", "40", "--trainer.max_epochs", "3", "--trainer.devices", "1"),
    *("--data.randomization", "PartiallyCorruptedLabels", "--data.randomization.probability", "0.5"),
]


def logged(run: Run) -> list[dict]:
    """What a run logged offline, record by record."""
    (file,) = run.path.glob("wandb/offline-run-*/run-*.wandb")
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def only(records: list[dict], kind: str) -> list[dict]:
    """What the records of a kind hold."""
    return [record[kind] for record in records if record["type"] == kind]


def test_off_by_default(fit):
    assert not (fit(*TINY).path / "wandb").exists()


def test_a_run_is_mirrored_whole(fit):
    run = fit(*TINY, "--wandb", "offline", "--group", "figure 1", "--tags", "[mine]")
    records = logged(run)
    (about,) = [r for r in only(records, "run") if "run_id" in r]
    assert about["run_id"] == run.run_id
    assert about["project"] == "rethink"
    assert about["run_group"] == "figure 1"
    assert about["job_type"] == "fit"
    assert set(about["tags"]) == {"mine", "MLP", "Synthetic", "PartiallyCorruptedLabels"}
    config: dict = {}
    for update in [about.get("config", {}), *only(records, "config")]:
        config |= update.get("update", {})
    for name, value in run.record["config"].items():
        if name not in ("model", "data", "trainer"):
            assert config[name] == value, name
    for part in ("model", "data"):
        assert config[part]["class_path"] == run.record["config"][part]["class_path"]
    assert config["model"]["init_args"]["hidden_sizes"] == [16]
    assert config["trainer"]["max_epochs"] == 3


def test_every_row_of_the_history_is_logged_against_epoch_and_step(fit):
    run = fit(*TINY, "--wandb", "offline")
    records = logged(run)
    metrics = {m.get("name") or m.get("glob_name"): m for m in only(records, "metric")}
    assert metrics["*"]["step_metric"] == "trainer/global_step"
    rows = [entry["item"] for entry in only(records, "history")]
    assert len(rows) == len(run.history["epoch"]) == 3
    for number, row in enumerate(rows):
        assert row["trainer/global_step"] == run.history["step"][number]
        for name in set(run.history) - {"step"}:
            assert row[name] == pytest.approx(run.history[name][number], rel=1e-8), name


def test_the_config_layer_is_filled_in_by_the_run(fit):
    layer = ["--config", "configs/logger/wandb.yaml", "--trainer.logger.project", "mine"]
    run = fit(*TINY, *layer, "--wandb", "offline")
    (about,) = [r for r in only(logged(run), "run") if "run_id" in r]
    assert (about["run_id"], about["project"], about["run_group"]) == (run.run_id, "mine", "MLP")


def test_off_decides_over_the_config_layer(fit):
    run = fit(*TINY, "--config", "configs/logger/wandb.yaml", "--wandb", "off")
    assert not (run.path / "wandb").exists()


def test_logging_does_not_change_the_run(fit, capsys):
    run = fit(*TINY)
    main(["fit", "--config", str(run.path / "config.yaml"), "--wandb", "offline"])
    assert "is finished" in capsys.readouterr().out


@pytest.mark.slow
def test_two_runs_of_a_process_are_two_runs(fit):
    one = fit(*TINY, "--wandb", "offline")
    two = fit(*TINY, "--wandb", "offline", "--seed_everything", "1")
    for run in (one, two):
        (about,) = [r for r in only(logged(run), "run") if "run_id" in r]
        assert about["run_id"] == run.run_id


def test_a_failure_of_wandb_is_one_line_and_no_reason_to_stop(fit, capsys, monkeypatch):
    def fails(**options: object) -> None:
        raise wandb.errors.CommError("no route\nto host")

    monkeypatch.setattr(wandb, "init", fails)
    run = fit(*TINY, "--wandb", "online")
    assert run.history["epoch"] == [1, 2, 3]
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "W&B" in line]
    assert "no route to host" in line
    assert "goes on without" in line


def test_online_without_a_key_goes_on(fit, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_MODE", "online")
    run = fit(*TINY, "--wandb", "online")
    assert run.history["epoch"] == [1, 2, 3]
    assert "goes on without" in capsys.readouterr().err
