"""Initial weights as the TensorFlow recipes of 2016 drew them, each from an explicit generator."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def glorot_uniform(module: nn.Conv2d | nn.Linear, generator: torch.Generator | None) -> None:
    """Uniform in +-sqrt(6 / (fan in + fan out)), zero bias: the default of tf.contrib.layers."""
    nn.init.xavier_uniform_(module.weight, generator=generator)
    _fill_bias(module, 0.0)


@torch.no_grad()
def truncated_normal(
    module: nn.Conv2d | nn.Linear, deviation: float, bias: float, generator: torch.Generator | None
) -> None:
    """Normal, drawn anew beyond two standard deviations: tf.truncated_normal_initializer."""
    nn.init.trunc_normal_(module.weight, 0.0, deviation, -2 * deviation, 2 * deviation, generator=generator)
    _fill_bias(module, bias)


def initialize(network: nn.Module, name: str, generator: torch.Generator | None) -> None:
    """Draws all layers of a network alike, in the order of its modules.

    Args:
        network: Its convolutions and fully connected layers are drawn.
        name: `glorot_uniform`; `he_normal`; or `truncated_normal`, with the deviation 0.1 of TF-slim's Inception.
        generator: Of the draws.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            match name:
                case "glorot_uniform":
                    glorot_uniform(module, generator)
                case "he_normal":
                    he_normal(module, generator)
                case _:
                    truncated_normal(module, 0.1, 0.0, generator)


@torch.no_grad()
def he_normal(module: nn.Conv2d | nn.Linear, generator: torch.Generator | None) -> None:
    """Normal with variance 2 / fan out (kernel area x outputs), zero bias: the wide residual networks' own."""
    fan_out = module.weight[0].numel() // module.weight.shape[1] * module.weight.shape[0]
    module.weight.normal_(0.0, (2.0 / fan_out) ** 0.5, generator=generator)
    _fill_bias(module, 0.0)


def _fill_bias(module: nn.Conv2d | nn.Linear, value: float) -> None:
    """Sets a bias where there is one."""
    bias: Tensor | None = module.bias
    if bias is not None:
        nn.init.constant_(bias, value)
