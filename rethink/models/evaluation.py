"""The evaluation that every architecture shares: after every epoch, the training set as randomized, both test sets."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from lightning.pytorch import LightningModule
from torch import Tensor, nn

from rethink.data.batch import Batch, PlainBatch
from rethink.data.pipelines.pipeline import Switches
from rethink.data.split import Split, SplitBatch
from rethink.errors import UserError
from rethink.models.evaluation_statistics import EvaluationStatistics, batch_norms, recompute, training_images
from rethink.training import lightning_internals
from rethink.training.metrics import Evaluation


class EvaluatedModule(LightningModule):
    """A network that is evaluated on splits, and on the (images, labels) of any DataLoader."""

    network: nn.Module
    average: nn.Module | None
    """The network with averaged weights, where the recipe has one: it is evaluated instead."""
    switches: Switches
    seed: int
    evaluation_statistics: EvaluationStatistics
    statistics_size: int
    top5: ClassVar[bool] = False
    """Whether the label among the five largest logits is measured too, as on ImageNet."""

    def __init__(self) -> None:
        super().__init__()
        self.average = None
        self.evaluations: dict[str, Evaluation] = {}
        self.epoch_metrics: dict[str, float] = {}
        """What the last epoch measured, as exact numbers, by the names of the history's columns."""
        self._plain = False  # whether the last batch was of a loader of any other kind than ours

    @property
    def evaluated(self) -> nn.Module:
        """The network that is evaluated."""
        return self.network if self.average is None else self.average

    def take_statistics(self, train: Split, batch_size: int) -> None:
        """Makes batch norm normalize by what `evaluation_statistics` says, from now until the weights change.

        Args:
            train: The training set.
            batch_size: Examples of a batch of training.
        """
        for layer in batch_norms(self.evaluated):
            layer.own_moments = self.evaluation_statistics == "batch"
        if self.evaluation_statistics == "recomputed":
            images = training_images(train, self.switches, self.statistics_size, batch_size, self.seed)
            recompute(self.evaluated, (batch.to(self.dtype) for batch in images))

    def on_validation_epoch_start(self) -> None:
        """Starts from zero, also after an interrupted evaluation."""
        self.evaluations = {}
        if self.evaluation_statistics != "running":
            data: Any = getattr(self.trainer, "datamodule", None)
            if not hasattr(data, "splits"):
                raise UserError(
                    f"--model.evaluation_statistics {self.evaluation_statistics} needs a data module of this package: "
                    "a loader of any other kind would have to give training images out of turn. Leave it at running."
                )
            with self.trainer.precision_plugin.forward_context():
                self.take_statistics(data.splits["train"], data.batch_size)

    def validation_step(self, data: SplitBatch | Sequence[Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Evaluates a batch of the loader number `dataloader_idx`."""
        batch: Batch = data if isinstance(data, SplitBatch) else PlainBatch.of(data)
        self._plain = batch.name is None
        stage = "test" if self.trainer.testing else "validation"
        name = batch.name or (f"{stage}_{dataloader_idx}" if dataloader_idx else stage)
        if name not in self.evaluations:
            self.evaluations[name] = Evaluation(self.top5).to(self.device)
        self.evaluations[name].update(self._logits(batch), batch.labels, batch.true_labels, batch.corrupted)

    def on_validation_epoch_end(self) -> None:
        """Notes and logs what was measured, under the names of the history's columns."""
        for name, evaluation in self.evaluations.items():
            self._note(name, evaluation.compute())
        if not self.trainer.sanity_checking:
            finite = {k: v for k, v in self.epoch_metrics.items() if math.isfinite(v)}
            if self._plain:
                finite = {name: value for name, value in finite.items() if name.split("/")[0] in self.evaluations}
            callbacks = lightning_internals.callbacks_of(self.trainer)
            # While fitting, the history of a run logs whole rows, against the optimizer step.
            logged = self.trainer.state.fn == "fit" and any(getattr(c, "logs_rows", False) for c in callbacks)
            self.log_dict(finite, logger=not logged)

    on_test_epoch_start = on_validation_epoch_start
    test_step = validation_step
    on_test_epoch_end = on_validation_epoch_end

    on_predict_epoch_start = on_validation_epoch_start

    def predict_step(self, data: SplitBatch | Sequence[Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Index (where it is known), true label, prediction and its probability of each example of a batch."""
        batch: Batch = data if isinstance(data, SplitBatch) else PlainBatch.of(data)
        probability, predicted = self._logits(batch).float().softmax(1).max(1)
        columns = {"true_label": batch.true_labels, "predicted": predicted, "probability": probability}
        if batch.index is not None:
            columns = {"index": batch.index} | columns
        return {name: column.cpu() for name, column in columns.items()}

    def _logits(self, batch: Batch) -> Tensor:
        logits: Tensor = self.evaluated(batch.prepare(self.switches.for_evaluation).to(self.dtype))
        return logits

    def _note(self, name: str, measured: dict[str, float]) -> None:
        """Adds what was measured to `epoch_metrics`."""
        quantities = [quantity for quantity in ("loss", "accuracy", "accuracy_top5") if quantity in measured]
        metrics = {f"{name}/{quantity}": measured[quantity] for quantity in quantities}
        if name == "test_randomized" and "test" not in self.evaluations:  # one set of images, labels of both kinds
            metrics |= {f"test/{quantity}": measured[f"true_{quantity}"] for quantity in quantities}
        if name == "train" and math.isfinite(measured.get("corrupted_accuracy", math.nan)):
            if math.isfinite(measured["clean_accuracy"]):
                metrics["train_clean/accuracy"] = measured["clean_accuracy"]
            metrics["train_corrupted/accuracy"] = measured["corrupted_accuracy"]
            metrics["train_corrupted/recovered"] = measured["recovered"]
        self.epoch_metrics |= metrics
