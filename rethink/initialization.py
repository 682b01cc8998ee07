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


@torch.no_grad()
def he_normal(module: nn.Conv2d, generator: torch.Generator | None) -> None:
    """Normal with variance 2 / (kernel area x output channels), zero bias: the wide residual networks' own."""
    fan_out = module.weight[0, 0].numel() * module.out_channels
    module.weight.normal_(0.0, (2.0 / fan_out) ** 0.5, generator=generator)
    _fill_bias(module, 0.0)


def _fill_bias(module: nn.Conv2d | nn.Linear, value: float) -> None:
    """Sets a bias where there is one."""
    bias: Tensor | None = module.bias
    if bias is not None:
        nn.init.constant_(bias, value)
