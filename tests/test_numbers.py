"""The package's own numbers. Who changes them raises `rethink.runs.code.NUMBERS`: a finished run then says so.

The values are those of version 1. A new version gets values of its own; these are never edited.
"""

import pytest

from rethink.runs.code import NUMBERS

GOLDEN: dict[int, dict[str, tuple[float, float]]] = {
    1: {  # training and test loss after an epoch
        "MLP": (1.6795987, 4.0566563),
        "SmallAlexNet": (2.1443762, 2.4075825),
        "SmallInception": (2.2682234, 2.3126543),
        "WideResNet": (2.4092713, 2.4295455),
    },
}
FIT = ["--config", "configs/base.yaml", "--config", "configs/data/synthetic.yaml", "--trainer.max_epochs", "1"]
FIT += ["--trainer.devices", "1", "--trainer.accelerator", "cpu", "--precision", "32-true", "--data.num_train", "32"]
FIT += ["--data.num_test", "16", "--data.batch_size", "8", "--data.randomization", "RandomLabels"]
SWITCHES = ["--model.weight_decay", "0.001", "--model.augmentation", "random_crop", "--model.dropout", "0.2"]
SWITCHES += ["--model.learning_rate", "0.01"]  # small, so that rounding differs from machine to machine and stays small


@pytest.mark.parametrize("model", list(GOLDEN[1]))
def test_a_change_of_numbers_raises_their_version(model, fit):
    final = fit(*FIT, "--model", model, *SWITCHES).record["final"]
    values = final["train/loss"], final["test/loss"]
    assert values == pytest.approx(GOLDEN[NUMBERS][model], rel=1e-4)
