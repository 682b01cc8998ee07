"""The same weights evaluated with every kind of batch norm statistics: which of them is the paper's?"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jsonargparse.typing import ClosedUnitInterval, PositiveInt
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn

from rethink import randomness
from rethink.callbacks.measurement import Measurement, data_of
from rethink.data.split import Split
from rethink.errors import UserError
from rethink.models.classifier import Classifier
from rethink.models.evaluation_statistics import batch_norms, own_moments, recompute, training_images
from rethink.models.layers import BatchNorm
from rethink.training.metrics import Evaluation

_SPLITS = ("train", "test_randomized")


class BatchNormStatistics(Measurement):
    """Records loss and accuracy after each epoch for every way to take the statistics of batch norm.

    Running averages of the batches' moments, by several momenta, with the start taken out of the average; the moments
    of the evaluated batch; moments recomputed over training images. Training is not touched. In one process only.

    Args:
        momenta: Weights of a batch in the running averages.
        images: Number of training images and of test images that are evaluated. Default: all.
        recomputed: Number of training images of which moments are recomputed.
    """

    part = "batch_norm_statistics"
    only_measures = False  # it changes nothing, but a run without it is no such measurement: it has another run_id

    def __init__(
        self,
        momenta: list[ClosedUnitInterval] | None = None,
        images: PositiveInt | None = None,
        recomputed: PositiveInt = 2560,
    ) -> None:
        self.momenta = [float(momentum) for momentum in momenta or [0.1, 0.01, 0.001]]
        self.images = images
        self.recomputed = recomputed
        self.rows: list[dict[str, Any]] = []
        self.steps = 0
        self.averages: dict[str, Tensor] = {}
        """Layer -> (momenta, 2, C): running averages of mean and unbiased variance that began at zero."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Watches what batch norm is given."""
        assert isinstance(pl_module, Classifier)
        if trainer.world_size > 1:
            raise UserError("BatchNormStatistics sees the batches of one process. Add --trainer.devices 1.")
        layers = {name: m for name, m in pl_module.network.named_modules() if isinstance(m, BatchNorm)}
        for number, (name, layer) in enumerate(layers.items()):
            zeros = torch.zeros(len(self.momenta), 2, *layer.running_mean.shape, device=pl_module.device)
            self.averages[name] = self.averages.get(name, zeros).to(pl_module.device)
            layer.register_forward_pre_hook(self._watch(name, counts=number == 0))

    def _watch(self, name: str, *, counts: bool) -> Any:
        @torch.no_grad()
        def watch(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if layer.training:
                x = inputs[0].float()
                variance, mean = torch.var_mean(x, [axis for axis in range(x.ndim) if axis != 1])
                for average, momentum in zip(self.averages[name], self.momenta, strict=True):
                    average.lerp_(torch.stack([mean, variance]), momentum)
                self.steps += counts

        return watch

    @torch.no_grad()
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Evaluates the network in every way."""
        assert isinstance(pl_module, Classifier)
        data, network = data_of(trainer), pl_module.network
        training = network.training
        network.eval()
        with trainer.precision_plugin.forward_context():
            for way in self._ways(pl_module, data.splits["train"], data.batch_size):
                size = data.batch_size if way == "batch" else data.evaluation_batch_size
                row: dict[str, Any] = {"epoch": trainer.current_epoch + 1, "statistics": way}
                for name in _SPLITS:
                    measured = self._measure(pl_module, data.splits[name], size)
                    row |= {f"{name}/{metric}": measured[metric] for metric in ("loss", "accuracy")}
                self.rows.append(row)
        network.train(training)

    def _ways(self, model: Classifier, train: Split, batch_size: int) -> Iterator[str]:
        """Sets the network to each way in turn."""
        with _restored(batch_norms(model.network)):
            for number, momentum in enumerate(self.momenta):
                whole = 1 - (1 - momentum) ** self.steps
                for name, averages in self.averages.items():
                    layer = model.network.get_submodule(name)
                    assert isinstance(layer, BatchNorm)
                    mean, variance = averages[number] / whole
                    layer.moments = mean, variance
                yield f"running {momentum:g}"
            images = training_images(train, model.switches, self.recomputed, batch_size, model.seed)
            recompute(model.network, images)
            yield "recomputed"
            with own_moments(model.network):
                yield "batch"

    def _measure(self, model: Classifier, split: Split, size: int) -> dict[str, float]:
        """Of the same images in every way, in an order of which a batch is a fair part."""
        order = randomness.permutation(randomness.key(model.seed, "batch norm statistics", split.name), len(split))
        evaluation = Evaluation().to(model.device)
        for positions in randomness.tensor(order)[: self.images].to(model.device).split(size):
            batch = split.batch(positions)
            logits = model.network(batch.prepare(model.switches.for_evaluation))
            evaluation.update(logits, batch.labels, batch.true_labels, batch.corrupted)
        return evaluation.compute()

    def summary(self) -> dict[str, Any]:
        return {"images": self.images, "recomputed": self.recomputed, "rows": self.rows}

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "steps": self.steps, "averages": self.averages}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows, self.steps, self.averages = (state_dict[name] for name in ("rows", "steps", "averages"))


@contextmanager
def _restored(layers: list[BatchNorm]) -> Iterator[None]:
    before = [layer.moments for layer in layers]
    yield
    for layer, moments in zip(layers, before, strict=True):
        layer.moments = moments
