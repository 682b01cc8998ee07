"""Alignment of the first layer with the principal components of the data, along training (Maennel et al. 2020)."""

from collections.abc import Iterator

import numpy as np
import torch
from jsonargparse.typing import PositiveInt
from torch import Tensor

from rethink import randomness
from rethink.analyses.analysis import Context, OneRunAnalysis, Result
from rethink.analyses.networks import Network, after_epoch, at_the_end, initial
from rethink.inside.alignment import (
    covariance,
    first_layer,
    misalignment,
    misalignment_of_aligned,
    misalignment_when_turned,
    principal_components,
    what_it_sees,
)

_CHUNK = 500  # images whose windows are in memory together
_KEPT = 100  # components that are kept: a record is small


class Alignment(OneRunAnalysis):
    """Misalignment of the covariance of the first layer's weights with that of what the layer sees, along training.

    The covariance of the weights is over the units of the layer, that of the data over the training images as the
    network sees them; for a convolution over all windows of its size in them. Misalignment is within the first
    principal components of the data, half as many as there are units, for more of them would leave a covariance that
    cannot be inverted. Beside it stands that of the same weights turned at random.

    Args:
        runs: One run_id.
        epochs: Epochs to look at besides the initialization and the end; those after the end are left out. The run has
            to have kept them (`--checkpoint.keep_epochs`).
        images: Training images, at most.
        seed: Seed of the choice of images.
    """

    def __init__(
        self,
        runs: list[str],
        epochs: list[PositiveInt] = [],  # noqa: B006  (never changed; a list is what YAML has)
        images: PositiveInt = 5000,
        seed: int = 0,
    ) -> None:
        super().__init__(runs, seed)
        self.epochs = epochs
        self.images = images

    def analyse(self, context: Context) -> Result:
        run = self.opened_run()
        last = int(run.record["final"]["epoch"])
        end = at_the_end(run)
        shares, components = principal_components(covariance(self._seen(end)))
        units = first_layer(end.model.network).weight.shape[0]
        inputs, kept = len(shares), min(len(shares), units // 2)
        epochs, along = [], []
        wanted = [0, *sorted({epoch for epoch in self.epochs if epoch < last}), last]
        for number, epoch in enumerate(wanted):
            context.progress("epochs", number, len(wanted))
            network = end if epoch == last else initial(run) if epoch == 0 else after_epoch(run, epoch)
            weights = first_layer(network.model.network).weight.detach().flatten(1).double()
            turned = covariance([weights @ components])
            along.append(turned.diagonal() / turned.trace())
            epochs.append(
                {
                    "epoch": epoch,
                    "misalignment": misalignment(turned[:kept, :kept]),
                    "turned at random": misalignment_when_turned(turned[:kept, :kept], self.seed),
                    "variance": float(turned.trace()),
                    "in the first tenth": float(along[-1][: _tenth(inputs)].sum()),
                }
            )
        values = {
            "epochs": epochs,
            "inputs": inputs,
            "units": units,
            "components": kept,
            "of aligned weights": misalignment_of_aligned(kept, units),
            "data in the first tenth": float(shares[: _tenth(inputs)].sum()),
        }
        arrays = {"data": shares[:_KEPT], "weights": torch.stack(along)[:, :_KEPT]}
        return Result(values, {name: array.numpy().astype(np.float32) for name, array in arrays.items()})

    def _seen(self, network: Network) -> Iterator[Tensor]:
        order = randomness.permutation(randomness.key(self.seed, "alignment"), len(network.train))
        layer = first_layer(network.model.network)
        for chunk in torch.from_numpy(order[: self.images]).split(_CHUNK):
            yield what_it_sees(layer, network.inputs(network.train, chunk))


def _tenth(inputs: int) -> int:
    return max(1, inputs // 10)
