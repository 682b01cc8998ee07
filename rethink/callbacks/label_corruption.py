"""What a network does with corrupted labels: fits them, or sees through them (Figures 1b and 1c)."""

from typing import Any

from lightning.pytorch import Trainer

from rethink.callbacks.measurement import Measurement, data_of, training_set

COLUMNS = {
    "clean_accuracy": "train_clean/accuracy",
    "corrupted_accuracy": "train_corrupted/accuracy",
    "recovered": "train_corrupted/recovered",
}


class LabelCorruption(Measurement):
    """Records, for a run of a label-corruption sweep, what was corrupted and how each part was fitted at the end.

    probability: with which a label was corrupted. corrupted: number of training labels drawn anew. changed: number
    that really differ. clean_accuracy, corrupted_accuracy: training accuracy on the two parts. recovered: share of
    the corrupted examples that the network predicts with their true label; where every label is fitted it is the
    share whose drawn label happens to be the true one, about 1/K.
    """

    part = "label_corruption"

    def __init__(self) -> None:
        self.measured: dict[str, Any] = {}

    def measure(self, trainer: Trainer, epoch: int, step: int, metrics: dict[str, float]) -> None:
        train = training_set(trainer)
        if not train.corrupted.any() or "train/loss" not in metrics:  # an epoch without an evaluation
            return
        self.measured = {
            "probability": getattr(data_of(trainer).randomization, "probability", None),
            "corrupted": int(train.corrupted.sum()),
            "changed": int((train.labels != train.true_labels).sum()),
        } | {name: metrics.get(column) for name, column in COLUMNS.items()}

    def summary(self) -> dict[str, Any]:
        return self.measured

    def state_dict(self) -> dict[str, Any]:
        return self.measured

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.measured = state_dict
