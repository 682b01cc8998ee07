"""What a network does with corrupted labels: fits them, or sees through them (Figures 1b and 1c)."""

from typing import Any

from lightning.pytorch import Trainer

from rethink.callbacks.measurement import Measurement

COLUMNS = {
    "clean_accuracy": "train_clean/accuracy",
    "corrupted_accuracy": "train_corrupted/accuracy",
    "recovered": "train_corrupted/recovered",
}


class CorruptedPart:
    """How the clean and the corrupted part of a training set are fitted at the last evaluation.

    Args:
        probability: With which a label was corrupted; None where there is no one probability.
        corrupted: Number of training labels drawn anew.
        changed: Number that really differ.
    """

    def __init__(self, probability: float | None, corrupted: int, changed: int) -> None:
        self.drawn = {"probability": probability, "corrupted": corrupted, "changed": changed}
        self.measured: dict[str, Any] = {}

    def update(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        """Takes an epoch's numbers, unless no label is corrupted or the training set was not evaluated."""
        if self.drawn["corrupted"] and "train/loss" in metrics:
            self.measured = self.drawn | {name: metrics.get(column) for name, column in COLUMNS.items()}


class LabelCorruption(CorruptedPart, Measurement):
    """Records, for a run of a label-corruption sweep, what was corrupted and how each part was fitted at the end.

    probability: with which a label was corrupted. corrupted: number of training labels drawn anew. changed: number
    that really differ. clean_accuracy, corrupted_accuracy: training accuracy on the two parts. recovered: share of
    the corrupted examples that the network predicts with their true label; where every label is fitted it is the
    share whose drawn label happens to be the true one, about 1/K.
    """

    part = "label_corruption"

    def __init__(self) -> None:
        super().__init__(None, 0, 0)
        self._of_data = False  # whether it was looked up what was drawn

    def measure(self, trainer: Trainer, epoch: int, step: int, metrics: dict[str, float]) -> None:
        data = getattr(trainer, "datamodule", None)  # nothing is corrupted in a loader of any other kind
        if data is not None and not self._of_data:
            self._of_data, train = True, data.splits["train"]
            changed = int((train.labels != train.true_labels).sum())
            probability = getattr(data.randomization, "probability", None)
            self.drawn = {"probability": probability, "corrupted": int(train.corrupted.sum()), "changed": changed}
        self.update(epoch, step, metrics)

    def summary(self) -> dict[str, Any]:
        return self.measured

    def state_dict(self) -> dict[str, Any]:
        return self.measured

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.measured = state_dict
