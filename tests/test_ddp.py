"""Two DDP processes on the CPU see the same data and the same global batches as one, and measure the same."""

import pytest
import torch
from processes import fork
from test_resume import result

import rethink.running.command  # noqa: F401  (imported before the forks)
from rethink.cli import main

OPTIONS = [
    *("fit", "--config", "configs/base.yaml", "--precision", "32-true", "--trainer.accelerator", "cpu"),
    *("--data", "Synthetic", "--data.num_train", "75", "--data.num_test", "40", "--data.batch_size", "16"),
    *("--data.randomization", "PartiallyCorruptedLabels", "--data.randomization.probability", "0.5"),
    *("--model.augmentation", "random_crop", "--trainer.max_epochs", "3"),
]
TWO = ["--trainer.devices", "2", "--trainer.strategy", "ddp_fork"]


@pytest.mark.parametrize(
    "model",
    [
        ["--model", "MLP", "--model.hidden_sizes", "[16]"],
        # Batch norm over the global batch of both ranks, at a rate at which rounding does not grow; 75 = 4 * 16 + 11
        # gives them unequal shares of the last one.
        pytest.param(
            ["--model", "WideResNet", "--model.depth", "10", "--model.learning_rate", "0.001"], marks=pytest.mark.slow
        ),
        # Every rank recomputes the statistics of the evaluation of the same images.
        pytest.param(
            [
                *("--model", "WideResNet", "--model.depth", "10", "--model.learning_rate", "0.001"),
                *("--model.evaluation_statistics", "recomputed", "--model.statistics_size", "32"),
            ],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["MLP", "WideResNet", "recomputed statistics"],
)
def test_two_ranks_train_as_one(tmp_path, model):
    assert fork(lambda: main([*OPTIONS, *model, "--runs", str(tmp_path / "one"), "--trainer.devices", "1"])) == 0
    assert fork(lambda: main([*OPTIONS, *model, "--runs", str(tmp_path / "two"), *TWO])) == 0
    (weights, history, record), (weights2, history2, record2) = result(tmp_path / "one"), result(tmp_path / "two")

    assert record2["run_id"] == record["run_id"]  # devices do not make another run
    assert record2["data"]["digests"] == record["data"]["digests"]
    assert record2["label_corruption"]["corrupted"] == record["label_corruption"]["corrupted"]
    for name, column in history.items():
        assert history2[name] == pytest.approx(column, rel=2e-4), name
    for name, weight in weights.items():
        torch.testing.assert_close(weights2[name], weight, rtol=1e-3, atol=1e-4)
