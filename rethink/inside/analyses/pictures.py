"""Pictures of what a network learned: the filters of its first layer, and what its convolutions make of an image."""

import numpy as np
import torch
from jsonargparse.typing import PositiveInt
from numpy.typing import NDArray
from torch import Tensor, nn

from rethink.analyses.analysis import Context, OneRunAnalysis, Result
from rethink.analyses.networks import Network, at_the_end, initial
from rethink.inside.alignment import first_layer
from rethink.inside.analyses.layers import layer_outputs
from rethink.inside.analyses.similarity import untouched

Pixels = NDArray[np.uint8]


class LayerPictures(OneRunAnalysis):
    """First-layer filters and feature maps of a run's network, before and after its training, as bytes.

    The filters are those with the largest norm after training, the maps those with the largest mean on the images;
    the same units are shown as initialized. Each filter is divided by twice its largest absolute weight, so that grey
    is 0; each map by its largest value.

    Args:
        runs: One run_id.
        filters: Number of filters of the first layer. A fully connected layer's are images of the input's size.
        images: Number of untouched test images, the first ones, whose feature maps are taken.
        maps: Number of maps of each convolutional layer.
        seed: Not used: nothing is drawn.
    """

    def __init__(
        self,
        runs: list[str],
        filters: PositiveInt = 16,
        images: PositiveInt = 2,
        maps: PositiveInt = 6,
        seed: int = 0,
    ) -> None:
        super().__init__(runs, seed)
        self.filters = filters
        self.images = images
        self.maps = maps

    def analyse(self, context: Context) -> Result:
        run = self.opened_run()
        networks = {"trained": at_the_end(run), "untrained": initial(run)}
        trained = weights_as_images(networks["trained"])
        norms = trained.flatten(1).norm(dim=1)
        largest = norms.argsort(descending=True, stable=True)[: self.filters]
        outputs = {name: self._outputs(network) for name, network in networks.items()}
        arrays: dict[str, Pixels] = {
            "images": _from_zero(outputs["trained"].pop("input").permute(0, 2, 3, 1), signed=True)
        }
        channels: dict[str, Tensor] = {
            layer: output.mean((0, 2, 3)).argsort(descending=True, stable=True)[: self.maps]
            for layer, output in outputs["trained"].items()
        }
        for name, network in networks.items():
            arrays[f"filters/{name}"] = _from_zero(weights_as_images(network)[largest], signed=True)
            for layer, chosen in channels.items():
                maps = outputs[name][layer][:, chosen]
                arrays[f"{layer}/{name}"] = _from_zero(maps.flatten(0, 1), signed=False).reshape(maps.shape)
        values = {
            "filters": largest.tolist(),
            "norms": {
                name: float(weights_as_images(of).flatten(1).norm(dim=1).mean()) for name, of in networks.items()
            },
            "layers": {layer: chosen.tolist() for layer, chosen in channels.items()},
        }
        return Result(values, arrays)

    def _outputs(self, network: Network) -> dict[str, Tensor]:
        """Of the images and of every layer that has maps."""
        inputs = network.inputs(untouched(network.data), torch.arange(self.images))
        seen = layer_outputs(network, inputs, torch.Tensor.clone)
        return {layer: output.float() for layer, output in seen.items() if output.ndim == 4}


def weights_as_images(network: Network) -> Tensor:
    """The weights of the first layer, (units, height, width, channels)."""
    layer = first_layer(network.model.network)
    weights = layer.weight.detach()
    if isinstance(layer, nn.Conv2d):
        return weights.permute(0, 2, 3, 1)
    channels, height, width = network.model.image_shape
    return weights.view(-1, height, width, channels)  # the images come channels last


def _from_zero(pictures: Tensor, *, signed: bool) -> Pixels:
    """(n, ...) as bytes, each picture by its own largest value; signed ones have 0 in the middle."""
    largest = pictures.flatten(1).abs().amax(1).clamp_min(1e-12).view(-1, *[1] * (pictures.ndim - 1))
    unit = pictures / largest
    return ((unit + 1) * 127.5 if signed else unit * 255).round().to(torch.uint8).numpy()
