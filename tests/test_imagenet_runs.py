"""Runs of the networks of ImageNet, in tiny: streamed images, the recipe of 2016, two ranks, kills within an epoch."""

import signal
from pathlib import Path

import pytest
import torch
from image_trees import write_tree
from processes import fork, kill_at_step
from test_resume import assert_same, result

import rethink.running.command  # noqa: F401  (imported before the forks, which then cost next to nothing)
from rethink.cli import main

pytestmark = pytest.mark.slow

# 50 images in batches of 8 are 7 steps an epoch, in calls of 2: 2 epochs, 14 steps.
OPTIONS = [
    *("fit", "--precision", "32-true", "--trainer.max_epochs", "2", "--trainer.accelerator", "cpu"),
    *("--data", "ImageFolder", "--data.size", "16", "--data.batch_size", "8", "--data.steps_per_call", "2"),
    *("--data.resident", "false", "--data.randomization", "RandomLabels"),
    *("--model", "ViT", "--model.patch_size", "8", "--model.layers", "1", "--model.heads", "2"),
    *("--model.hidden_size", "8", "--model.mlp_size", "16", "--model.augmentation", "inception"),
    *("--config", "configs/recipe/tensorflow_2016.yaml", "--model.weight_decay", "4e-5"),
]
SAVED = ["--checkpoint.every_seconds", "0", "--checkpoint.every_n_steps", "2"]
SAVED_BY_TIME = ["--checkpoint.every_seconds", "1e9", "--checkpoint.every_n_minutes", "1e-9"]
ONE, TWO = ["--trainer.devices", "1"], ["--trainer.devices", "2", "--trainer.strategy", "ddp_fork"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("images"), train=50, test=12)


def train(tree: Path, runs: Path, *more: str) -> None:
    main([*OPTIONS, "--data.folder", str(tree), "--runs", str(runs), *more])


@pytest.mark.parametrize(("workers", "saved"), [("0", SAVED), ("1", SAVED_BY_TIME)])
def test_a_killed_run_ends_as_an_undisturbed_one(tree, tmp_path, workers, saved):
    more = [*ONE, *saved, "--data.workers", workers, "--model.dropout", "0.2"]

    def interrupted() -> None:
        kill_at_step(10)  # within the second epoch
        train(tree, tmp_path / "killed", *more)

    assert fork(lambda: train(tree, tmp_path / "whole", *more)) == 0
    assert fork(interrupted) == -signal.SIGKILL
    assert fork(lambda: train(tree, tmp_path / "killed", *more)) == 0
    assert_same(result(tmp_path / "killed"), result(tmp_path / "whole"))


def test_two_ranks_train_as_one(tree, tmp_path):
    assert fork(lambda: train(tree, tmp_path / "one", *ONE)) == 0
    assert fork(lambda: train(tree, tmp_path / "two", *TWO, *SAVED_BY_TIME)) == 0
    (weights, history, record), (weights2, history2, record2) = result(tmp_path / "one"), result(tmp_path / "two")
    assert record2["run_id"] == record["run_id"]
    assert record2["data"]["digests"] == record["data"]["digests"]
    assert "test/accuracy_top5" in history
    for name, column in history.items():
        assert history2[name] == pytest.approx(column, rel=2e-4), name
    assert any(name.startswith("average.") for name in weights)
    for name, weight in weights.items():
        torch.testing.assert_close(weights2[name], weight, rtol=1e-3, atol=1e-5)
